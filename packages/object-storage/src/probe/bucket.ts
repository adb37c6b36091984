import { GetBucketVersioningCommand, GetObjectLockConfigurationCommand } from '@aws-sdk/client-s3';
import { messageOf, UserError } from '@perlstack/stack';
import { placeOf, StorageError } from '../errors.js';
import { getRules, writeRules } from '../lifecycle.js';
import { compareRules, type LifecycleRule, prefixOf, touchesObjects } from '../lifecycle-rules.js';
import type { Storage } from '../storage.js';
import type { Bench } from './bench.js';
import { type Feature, type ProbeRow, rowOf } from './needs.js';

type Versioning = 'on' | 'off' | 'suspended';

async function versioningOf(storage: Storage): Promise<Versioning> {
  const { Status } = await storage.ask('reading the versioning', (client, options) =>
    client.send(new GetBucketVersioningCommand({ Bucket: storage.bucket }), options),
  );
  const state = { Enabled: 'on', Suspended: 'suspended' } as const;
  return Status ? state[Status] : 'off';
}

/** Whether a bucket keeps versions; `null`: the key may not ask, or the endpoint knows no answer. */
export function readVersioning(storage: Storage): Promise<Versioning | null> {
  return versioningOf(storage).catch((error: unknown) => {
    if (error instanceof StorageError && ['denied', 'refused'].includes(error.kind)) return null;
    throw error;
  });
}

export async function tryVersioning({ storage }: Bench): Promise<ProbeRow[]> {
  const state = await versioningOf(storage);
  // What is overwritten while versions are suspended is gone.
  return [rowOf('versioning', state, state !== 'suspended')];
}

export async function tryLockState({ storage }: Bench): Promise<ProbeRow[]> {
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

/** Both touch nothing but this folder, also when an endpoint drops the condition of the second, as some do. */
const scratchRules = (folder: string): LifecycleRule[] => [
  {
    ...{ ID: `${folder}uploads`, Status: 'Enabled', Filter: { Prefix: folder } },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3_650 },
  },
  {
    ...{ ID: `${folder}large`, Status: 'Enabled', Expiration: { Days: 3_650 } },
    Filter: { And: { Prefix: folder, ObjectSizeGreaterThan: 1_000_000 } },
  },
];

const FEATURES = ['lifecycle rules', 'lifecycle rules by size'] as const;

/**
 * Writes two more rules, looks what became of them, and puts back what was there.
 *
 * @throws UserError when that could not be put back
 */
export async function tryLifecycle({ storage, prefix, folder, shared }: Bench): Promise<ProbeRow[]> {
  // Those that another probe left when it was killed are not put back.
  const before = (await getRules(storage)).filter((rule) => !prefixOf(rule).startsWith(shared));
  const near = (rule: LifecycleRule): boolean =>
    prefix.startsWith(prefixOf(rule)) || prefixOf(rule).startsWith(prefix);
  if (before.some((rule) => rule.Status === 'Enabled' && touchesObjects(rule) && near(rule)))
    return FEATURES.map((feature) => rowOf(feature, 'not tried, because the bucket has rules here', null));
  const rules = scratchRules(folder);
  const kept = await madeOf(storage, before, rules);
  return FEATURES.map((feature, at) => rowOfRule(feature, rules[at], kept));
}

function rowOfRule(
  feature: Feature,
  rule: LifecycleRule | undefined,
  kept: readonly LifecycleRule[],
): ProbeRow {
  const there = kept.filter(({ ID }) => ID === rule?.ID);
  // Rules are written all at once, so that another probe can take this one's away.
  if (!rule || there.length === 0) return rowOf(feature, 'changed by somebody else at the same moment', null);
  const [fault = 'as written'] = compareRules([rule], there);
  return rowOf(feature, fault.replace(`rule ${rule.ID ?? ''}: `, ''));
}

/** @returns the rules as the endpoint shows them between the two writes */
async function madeOf(
  storage: Storage,
  before: readonly LifecycleRule[],
  rules: readonly LifecycleRule[],
): Promise<LifecycleRule[]> {
  let kept: LifecycleRule[];
  try {
    await writeRules(storage, [...before, ...rules]);
    kept = await getRules(storage);
  } catch (error) {
    if (error instanceof StorageError && ['denied', 'refused'].includes(error.kind)) throw error;
    // A write whose answer was lost may have taken place.
    await putBack(storage, before, rules);
    throw error;
  }
  await putBack(storage, before, rules);
  return kept;
}

async function putBack(
  storage: Storage,
  before: readonly LifecycleRule[],
  ours: readonly LifecycleRule[],
): Promise<void> {
  let lost: string | undefined;
  try {
    await writeRules(storage, before);
    // Another probe may be at work beside this one.
    const known = new Set([...before, ...ours].map(({ ID }) => ID));
    const now = (await getRules(storage)).filter(({ ID }) => known.has(ID));
    [lost] = compareRules(before, now);
  } catch (error) {
    lost = messageOf(error);
  }
  if (lost !== undefined)
    throw new UserError(
      `${placeOf(storage)}: the probe could not put its lifecycle rules back (${lost}): compare them with yours`,
    );
}
