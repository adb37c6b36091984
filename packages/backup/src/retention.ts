import { segmentAt, segmentOf } from '@perlstack/postgres';
import type { Stack } from '@perlstack/stack';
import { SEGMENT_NAME, timelineOf } from './wal.js';

/** A backup as retention looks at it, whatever it is one of. */
export interface Held {
  readonly id: string;
  readonly finishedAt: Date;
  readonly parent: string | null;
  /** All its objects together, with all versions of them. */
  readonly bytes: number;
  /** Until when the storage refuses to remove it; nothing: it does not. */
  readonly lockedUntil?: Date | null;
}

/** A base backup, which has a log behind it. */
export interface Kept extends Held {
  readonly timeline: number;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly segmentBytes: number;
}

export interface RetentionRules {
  /** For how many days, weeks and months that have any the newest backup is kept. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  /** How far back recovery to any moment must reach, in milliseconds; `null` where there is no such recovery. */
  readonly pitrMs: number | null;
  /** Newest backups that stay whatever the rules say. */
  readonly minimum: number;
}

/** The rules of a stack file. */
export const rulesFrom = (
  { keep, pitr }: NonNullable<Stack['backups']>,
  minimum: number,
): RetentionRules => ({
  ...{ ...keep, pitrMs: pitr, minimum },
});

export type Reason = 'newest' | 'daily' | 'weekly' | 'monthly' | 'point-in-time' | 'locked' | 'parent';

export interface Verdict {
  readonly id: string;
  /** Why it stays; nothing: it goes. */
  readonly reasons: readonly Reason[];
}

export interface RetentionPlan<B extends Held = Kept> {
  /** Oldest first. */
  readonly verdicts: readonly Verdict[];
  readonly removed: readonly string[];
  readonly freedBytes: number;
  /** The oldest base of the recovery window: the log is kept from its start; `null`: all of it is. */
  readonly window: B | null;
}

/**
 * Which backups stay, in the manner of grandfather, father and son: the newest of each day, week and month, the base of
 * the recovery window, what is locked, and what any of them builds on. Only whole backups may be given, because a broken one must not
 * take the place of a good one. With none older than the window, nothing of the log goes.
 *
 * Those of a timeline that was left have days, weeks and months of their own, and take the place of none that is on the line:
 * recovery to what the servers are now cannot begin with them.
 *
 * @param isOnLine whether a backup leads to what the primary is now
 */
export function planRetention<B extends Held>(
  backups: readonly B[],
  rules: RetentionRules,
  now: Date,
  isOnLine: (backup: B) => boolean = () => true,
): RetentionPlan<B> {
  const newestFirst = [...backups].sort((one, other) => +other.finishedAt - +one.finishedAt);
  const reasons = new Map<string, Set<Reason>>(newestFirst.map(({ id }) => [id, new Set()]));
  const keep = (why: Reason, kept: readonly (Held | undefined)[]): void =>
    kept.forEach((one) => one && reasons.get(one.id)?.add(why));
  const onLine = newestFirst.filter(isOnLine);
  // Before the first backup of a new line, those of the old one are the newest that there are.
  const line = onLine.length > 0 ? onLine : newestFirst;
  const left = newestFirst.filter((one) => !line.includes(one));
  keep('newest', line.slice(0, Math.max(1, rules.minimum)));
  for (const [why, period] of PERIODS) {
    keep(why, newestOfEach(line, period, rules[why]));
    const lasting = new Set(
      newestOfEach(newestFirst, period, rules[why]).map((one) => period(one.finishedAt)),
    );
    keep(
      why,
      newestOfEach(left, period, Infinity).filter((one) => lasting.has(period(one.finishedAt))),
    );
  }
  const { pitrMs } = rules;
  const window = pitrMs === null ? null : windowOf(onLine, +now - pitrMs);
  if (pitrMs !== null) keep('point-in-time', window ? [window] : line.slice(-1));
  keep(
    'locked',
    newestFirst.filter(({ lockedUntil }) => lockedUntil && lockedUntil > now),
  );
  keepParents(newestFirst, reasons);
  return report(newestFirst, reasons, window && rootOf(window, newestFirst));
}

/** The newest backup that is older than the window. */
function windowOf<B extends Held>(newestFirst: readonly B[], horizon: number): B | null {
  return newestFirst.find(({ finishedAt }) => +finishedAt <= horizon) ?? null;
}

function keepParents(backups: readonly Held[], reasons: ReadonlyMap<string, Set<Reason>>): void {
  const byId = new Map(backups.map((backup) => [backup.id, backup]));
  for (const backup of backups) {
    if (reasons.get(backup.id)?.size === 0) continue;
    for (let one = byId.get(backup.parent ?? ''); one; one = byId.get(one.parent ?? '')) {
      reasons.get(one.id)?.add('parent');
    }
  }
}

/** The full backup at the bottom of a chain: recovery may begin there. */
function rootOf<B extends Held>(backup: B, backups: readonly B[]): B {
  const parent = backups.find(({ id }) => id === backup.parent);
  return parent ? rootOf(parent, backups) : backup;
}

function report<B extends Held>(
  newestFirst: readonly B[],
  reasons: ReadonlyMap<string, ReadonlySet<Reason>>,
  window: B | null,
): RetentionPlan<B> {
  const oldestFirst = [...newestFirst].reverse();
  const verdicts = oldestFirst.map(({ id }) => ({ id, reasons: [...(reasons.get(id) ?? [])] }));
  const gone = oldestFirst.filter(({ id }) => reasons.get(id)?.size === 0);
  return {
    verdicts,
    removed: gone.map(({ id }) => id),
    freedBytes: gone.reduce((sum, { bytes }) => sum + bytes, 0),
    window,
  };
}

function newestOfEach<B extends Held>(
  newestFirst: readonly B[],
  period: (date: Date) => string,
  count: number,
): B[] {
  const first = new Map<string, B>();
  for (const backup of newestFirst) {
    const name = period(backup.finishedAt);
    if (!first.has(name)) first.set(name, backup);
  }
  return [...first.values()].slice(0, count);
}

const DAY_MS = 86_400_000;

const dayOf = (date: Date): string => date.toISOString().slice(0, 10);
const monthOf = (date: Date): string => date.toISOString().slice(0, 7);
/** Weeks begin on Monday; 1970 began on a Thursday. */
const weekOf = (date: Date): string => String(Math.floor((+date / DAY_MS + 3) / 7));

const PERIODS = [
  ['daily', dayOf],
  ['weekly', weekOf],
  ['monthly', monthOf],
] as const;

/**
 * Segments that no recovery needs: those before the base of the window. Histories stay, they are small and tell the way.
 *
 * @param names of segments in the bucket
 */
export function expiredSegments(names: readonly string[], window: Kept | null): string[] {
  if (!window) return [];
  const { timeline, startLsn, segmentBytes } = window;
  const first = segmentAt(startLsn, segmentBytes);
  return names.filter(
    (name) =>
      SEGMENT_NAME.test(name) && timelineOf(name) <= timeline && segmentOf(name, segmentBytes) < first,
  );
}
