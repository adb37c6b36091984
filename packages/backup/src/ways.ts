import {
  type Lock,
  missingFor,
  type Need,
  probeStorage,
  type ProbeRow,
  readVersioning,
  type Storage,
} from '@perlstack/object-storage';
import { type Stack, UserError } from '@perlstack/stack';
import type { RetentionRules } from './retention.js';

/** For how long what is written is kept from being removed, by whom. */
export interface LockRule {
  readonly mode: Lock['mode'];
  readonly ms: number;
}

/** How a bucket is written to, by what its storage enforces. */
export interface Ways {
  /** Where a run says that it is at work, so that there are never two. */
  readonly lease: 'bucket' | 'host';
  /** What keeps the log from being changed by who has a ticket: no second write, or that the first version stays. */
  readonly once: 'condition' | 'version';
  readonly lock: LockRule | null;
}

/** Of a bucket without versions. */
const PLAIN: Ways = { lease: 'bucket', once: 'condition', lock: null };

/** What the stack file wants locked; `null`: nothing. */
export const lockRuleOf = ({ backups }: Pick<Stack, 'backups'>): LockRule | null =>
  backups?.lock === undefined
    ? null
    : { ms: backups.lock, mode: backups.lockMode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE' };

/** What is written now is locked like this. */
export const lockFrom = (rule: LockRule | null, now: Date): Lock | null =>
  rule && { mode: rule.mode, until: new Date(+now + rule.ms) };

const lockNeed = ({ mode }: LockRule): Need =>
  mode === 'COMPLIANCE' ? 'lock-compliance' : 'lock-governance';

const needsOf = (lock: LockRule | null): Need[] => [
  ...(['md5', 'multipart', 'write-once', 'lease', 'versions'] as const),
  ...(lock ? [lockNeed(lock)] : []),
];

/**
 * What a probe says of how a bucket is to be written to.
 *
 * @throws UserError naming what does not hold, and what to do
 */
export function waysFor(rows: readonly ProbeRow[], lock: LockRule | null): Ways {
  const missing = new Map(
    missingFor(rows, needsOf(lock)).map(({ need, because }) => [need, because.join('; ')]),
  );
  const fault = (need: Need): string => `${need} (${missing.get(need) ?? ''})`;
  const locking = lock && lockNeed(lock);
  if (locking && missing.has(locking))
    throw new UserError(
      `backups.lock: the storage does not enforce ${fault(locking)}; leave it out, or use a bucket that was made with Object Lock, which cannot be switched on later`,
    );
  const always = (['md5', 'multipart'] as const).filter((need) => missing.has(need));
  const once = missing.has('write-once') ? 'version' : 'condition';
  const replaced: Need[] = once === 'version' && missing.has('versions') ? ['write-once', 'versions'] : [];
  const faults = [...always, ...replaced].map(fault);
  if (faults.length > 0)
    throw new UserError(
      `The storage does not enforce what backups need: ${faults.join(', ')}; use a bucket whose versioning is off, or on, and see mode "probe"`,
    );
  return { lease: missing.has('lease') ? 'host' : 'bucket', once, lock };
}

/**
 * How a bucket that was probed as a whole before is to be written to now: versioning can be switched on at any time.
 *
 * @throws as `waysFor`
 */
export async function waysNow(storage: Storage, prefix: string, lock: LockRule | null): Promise<Ways> {
  if (lock === null && (await readVersioning(storage)) === 'off') return PLAIN;
  return waysFor(await probeStorage(storage, prefix, needsOf(lock)), lock);
}

const DAY_MS = 86_400_000;

/** Why a lock keeps more than the rules want kept, as a sentence; `null`: it does not. */
export function lockBeyond(lock: LockRule | null, { pitrMs, daily }: RetentionRules): string | null {
  if (!lock) return null;
  const spans = [
    { name: 'keep.daily', ms: daily * DAY_MS },
    ...(pitrMs === null ? [] : [{ name: 'pitr', ms: pitrMs }]),
  ];
  const [least] = spans.sort((one, other) => one.ms - other.ms);
  if (!least || lock.ms <= least.ms) return null;
  return `backups.lock is longer than backups.${least.name}: what retention lets go stays in the bucket, and is paid for, until it is not locked any more`;
}
