import type { LinodeReader } from '@perlstack/linode';
import type { Stack, StackFile } from '@perlstack/stack';
import { readBucket, readBucketThatStays } from './bucket.js';
import { readCatalogue } from './catalogue.js';
import { checkFile, checkNetworks, checkOwnership, checkScopes, checkToken } from './checks.js';
import type { Catalogue, Observed } from './observed.js';
import { desiredEntry } from './entry.js';
import { balancerMonthly, typeFacts } from './prices.js';
import { readResources } from './read.js';

/** Needed only for stacks that have, or had, a NodeBalancer. */
const BALANCER_SCOPES = ['nodebalancers'];

export interface ObserveOptions {
  /** What the token must allow; default `plan`. */
  readonly purpose?: 'plan' | 'apply';
}

/**
 * Reads what Linode offers and what exists of a stack, and holds the stack file against both. It only reads.
 *
 * @throws UserError for whatever a person has to mend before anything can be changed: a wrong token, one without a
 *   scope, an unknown region or type, a label that is taken.
 */
export async function observe(
  reader: LinodeReader,
  file: StackFile,
  options: ObserveOptions = {},
): Promise<Observed> {
  checkFile(file);
  const { purpose = 'plan' } = options;
  await checkToken(reader, purpose);
  const [catalogue, bucket, resources] = await Promise.all([
    readCatalogue(reader, file),
    readBucket(reader, file, purpose),
    readResources(reader, file.stack.stack, {
      balancers: desiredEntry(file.stack) ? 'always' : 'if-traces',
      beforeBalancers: () => checkScopes(reader, purpose, BALANCER_SCOPES),
    }),
  ]);
  checkOwnership(file, resources);
  checkNetworks(file, resources);
  return { ...resources, bucket, catalogue };
}

/**
 * What exists of a stack and what it costs, for `planDestroy`: the stack file is not held against what Linode offers, as
 * a type that is sold no more keeps nobody from removing it.
 */
export async function observeForDestroy(
  reader: LinodeReader,
  stack: Pick<Stack, 'stack' | 'region' | 'backups'>,
  options: ObserveOptions = {},
): Promise<
  Omit<Observed, 'catalogue'> & { readonly catalogue: Pick<Catalogue, 'types' | 'balancerMonthly'> }
> {
  const { purpose = 'plan' } = options;
  await checkToken(reader, purpose);
  const [types, balancers, bucket, resources] = await Promise.all([
    reader.types(),
    reader.nodeBalancerTypes(),
    readBucketThatStays(reader, stack),
    readResources(reader, stack.stack, {
      beforeBalancers: () => checkScopes(reader, purpose, BALANCER_SCOPES),
    }),
  ]);
  const facts = types.map((type) => typeFacts(type, stack.region));
  return {
    ...resources,
    bucket,
    catalogue: { types: facts, balancerMonthly: balancerMonthly(balancers, stack.region) },
  };
}
