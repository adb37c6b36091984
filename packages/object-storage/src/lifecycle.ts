import {
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3';
import { placeOf, StorageError } from './errors.js';
import { compareRules, withAbortRule, writable } from './lifecycle-rules.js';
import type { SendOptions, Storage } from './storage.js';

const LONGEST_CHANGE_MS = 30_000;

/** From a change until it is seen to be what was meant, or taken back, nothing may come between. */
export const uncancelled = (): SendOptions => ({ abortSignal: AbortSignal.timeout(LONGEST_CHANGE_MS) });

/** The bucket's lifecycle rules, in a form that can be written again; an empty list when it has none. */
export async function getRules(storage: Storage, own?: SendOptions): Promise<LifecycleRule[]> {
  try {
    return await storage.ask('reading the lifecycle rules', async (client, options) => {
      const command = new GetBucketLifecycleConfigurationCommand({ Bucket: storage.bucket });
      return ((await client.send(command, own ?? options)).Rules ?? []).map(writable);
    });
  } catch (error) {
    if (error instanceof StorageError && error.kind === 'missing') return [];
    throw error;
  }
}

/**
 * Makes these the bucket's rules, all of them. Endpoints drop conditions that they don't know without a word, and a
 * rule without its condition removes everything: so the rules are read back, and when they became others, those from
 * before return.
 *
 * @throws StorageError (`refused`) naming what became of which rule
 */
export async function putRules(storage: Storage, rules: readonly LifecycleRule[]): Promise<void> {
  const before = await getRules(storage);
  const options = uncancelled();
  await writeRules(storage, rules, options);
  const [fault] = compareRules(rules, await getRules(storage, options));
  if (fault === undefined) return;
  await writeRules(storage, before, options);
  throw new StorageError(
    'refused',
    `${placeOf(storage)}: lifecycle rules are not kept as they are written (${fault}): leave that out; those from before were put back`,
  );
}

/**
 * Lets the storage itself forget uploads that nobody ended; other rules stay.
 *
 * @param days after their begin, 1 or more
 * @returns whether there was anything to change
 */
export async function abortAfter(storage: Storage, prefix: string, days: number): Promise<boolean> {
  const rules = await getRules(storage);
  const wanted = withAbortRule(rules, prefix, days);
  if (wanted === rules) return false;
  await putRules(storage, wanted);
  return true;
}

/** Without a look at what becomes of them. */
export async function writeRules(
  storage: Storage,
  rules: readonly LifecycleRule[],
  own?: SendOptions,
): Promise<void> {
  const bucket = { Bucket: storage.bucket };
  await storage.ask('writing the lifecycle rules', async (client, options) => {
    const sent = own ?? options;
    if (rules.length === 0) return client.send(new DeleteBucketLifecycleCommand(bucket), sent);
    const LifecycleConfiguration = { Rules: [...rules] };
    return client.send(
      new PutBucketLifecycleConfigurationCommand({ ...bucket, LifecycleConfiguration }),
      sent,
    );
  });
}
