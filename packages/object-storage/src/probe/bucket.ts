import { GetBucketVersioningCommand, GetObjectLockConfigurationCommand } from '@aws-sdk/client-s3';
import { messageOf, UserError } from '@perlstack/stack';
import { placeOf, StorageError } from '../errors.js';
import { getRules, uncancelled, writeRules } from '../lifecycle.js';
import { compareRules, type LifecycleRule, prefixOf, touchesObjects } from '../lifecycle-rules.js';
import type { Storage } from '../storage.js';
import type { Bench } from './bench.js';
import { type ProbeRow, rowOf } from './needs.js';

export async function tryVersioning({ storage }: Bench): Promise<ProbeRow[]> {
  const { Status } = await storage.ask('reading the versioning', (client, options) =>
    client.send(new GetBucketVersioningCommand({ Bucket: storage.bucket }), options),
  );
  const state = { Enabled: 'on', Suspended: 'suspended' } as const;
  return [rowOf('versioning', Status ? state[Status] : 'off')];
}

export async function tryLock({ storage }: Bench): Promise<ProbeRow[]> {
  try {
    const { ObjectLockConfiguration: lock } = await storage.ask(
      'reading the Object Lock',
      (client, options) =>
        client.send(new GetObjectLockConfigurationCommand({ Bucket: storage.bucket }), options),
    );
    const { Mode, Days, Years } = lock?.Rule?.DefaultRetention ?? {};
    const span = Years ? `${Years} years` : `${Days ?? 0} days`;
    const on = lock?.ObjectLockEnabled === 'Enabled';
    return [rowOf('Object Lock', on ? (Mode ? `on, ${Mode} for ${span}` : 'on') : 'off', on)];
  } catch (error) {
    if (error instanceof StorageError && error.kind === 'missing') return [rowOf('Object Lock', 'off')];
    throw error;
  }
}

/** A condition that some endpoints drop; what is left of the rule would still touch nothing but this folder. */
const scratchRule = (folder: string): LifecycleRule => ({
  ...{ ID: folder, Status: 'Enabled', Expiration: { Days: 3_650 } },
  Filter: { And: { Prefix: folder, ObjectSizeGreaterThan: 1_000_000 } },
});

/**
 * Writes one more rule, looks what became of it, and puts back what was there.
 *
 * @throws UserError when that could not be put back
 */
export async function tryLifecycle({ storage, prefix, folder, shared }: Bench): Promise<ProbeRow[]> {
  // Those that another probe left when it was killed are not put back.
  const before = (await getRules(storage)).filter((rule) => !prefixOf(rule).startsWith(shared));
  const near = (rule: LifecycleRule): boolean =>
    prefix.startsWith(prefixOf(rule)) || prefixOf(rule).startsWith(prefix);
  if (before.some((rule) => rule.Status === 'Enabled' && touchesObjects(rule) && near(rule)))
    return [rowOf('lifecycle rules', 'not tried, because the bucket has rules here', null)];
  const seen = await madeOf(storage, before, scratchRule(folder));
  // Rules are written all at once, so that another probe can take this one's away.
  if (seen === `rule ${folder} is not there`)
    return [rowOf('lifecycle rules', 'changed by somebody else at the same moment', null)];
  return [rowOf('lifecycle rules', seen.replace(`rule ${folder}: `, ''))];
}

async function madeOf(
  storage: Storage,
  before: readonly LifecycleRule[],
  rule: LifecycleRule,
): Promise<string> {
  let fault: string | undefined;
  try {
    const options = uncancelled();
    await writeRules(storage, [...before, rule], options);
    const kept = await getRules(storage, options);
    // Another probe may be at work beside this one.
    const known = new Set([...before, rule].map(({ ID }) => ID));
    [fault] = compareRules(
      [...before, rule],
      kept.filter(({ ID }) => known.has(ID)),
    );
  } catch (error) {
    if (error instanceof StorageError && ['denied', 'refused'].includes(error.kind)) throw error;
    // A write whose answer was lost may have taken place.
    await putBack(storage, before, rule);
    throw error;
  }
  await putBack(storage, before, rule);
  return fault ?? 'as written';
}

async function putBack(
  storage: Storage,
  before: readonly LifecycleRule[],
  rule: LifecycleRule,
): Promise<void> {
  let lost: string | undefined;
  try {
    const options = uncancelled();
    await writeRules(storage, before, options);
    const known = new Set([...before, rule].map(({ ID }) => ID));
    [lost] = compareRules(
      before,
      (await getRules(storage, options)).filter(({ ID }) => known.has(ID)),
    );
  } catch (error) {
    lost = messageOf(error);
  }
  if (lost !== undefined)
    throw new UserError(
      `${placeOf(storage)}: the probe could not put its lifecycle rules back (${lost}): compare them with yours`,
    );
}
