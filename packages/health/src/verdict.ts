import { formatDuration } from '@perlstack/stack';
import type { Evidence } from './judge.js';

/** One try: what every probe showed at about the same time. */
export type Try = readonly Evidence[];

export interface Verdict {
  readonly passed: boolean;
  /** How many tries were made. */
  readonly tries: number;
  /** From the first try to the verdict. */
  readonly seconds: number;
  /** What every probe showed in the last try. */
  readonly evidence: readonly Evidence[];
  /** Why, in one line that names the last evidence. */
  readonly reason: string;
}

/** How the tries came to an end. */
export interface End {
  /** Milliseconds since the first try began. */
  readonly elapsedMs: number;
  /** Consecutive successes that were asked for. */
  readonly successes: number;
  /** Why no further try was made, where it was not the time limit: `cancelled`, `the unit failed`. */
  readonly stopped?: string;
}

/** True when every probe succeeded. */
export const succeeded = (one: Try): boolean => one.length > 0 && one.every((evidence) => evidence.ok);

/** How many of the last tries succeeded in a row. */
export function streakOf(tries: readonly Try[]): number {
  const lastFailure = tries.findLastIndex((one) => !succeeded(one));
  return tries.length - 1 - lastFailure;
}

/** The verdict on all tries that were made, first one first. */
export function verdictOf(tries: readonly Try[], end: End): Verdict {
  const last = tries.at(-1) ?? [];
  const passed = tries.length > 0 && streakOf(tries) >= end.successes;
  return {
    passed,
    tries: tries.length,
    seconds: end.elapsedMs / 1_000,
    evidence: last,
    reason: passed ? praise(last, end) : blame(tries, last, end),
  };
}

function praise(last: Try, { successes }: End): string {
  const each = last.map(({ probe, seen, ms }) => `${seen} from ${probe} in ${Math.round(ms)} ms`);
  return `${successes} of ${successes} consecutive ${each.join(' and ')}`;
}

function blame(tries: readonly Try[], last: Try, end: End): string {
  const time = `${formatDuration(end.elapsedMs)} (${tries.length} ${tries.length === 1 ? 'try' : 'tries'})`;
  const found = tries.some(succeeded)
    ? `only ${longestStreak(tries)} of ${end.successes} consecutive successes in ${time}`
    : `no success in ${time}`;
  const stopped = end.stopped === undefined ? '' : `; ${end.stopped}`;
  return `${found}${stopped}${lastEvidence(last)}`;
}

function lastEvidence(last: Try): string {
  const shown = last.find((evidence) => !evidence.ok) ?? last[0];
  return shown ? `; last: ${shown.probe}: ${shown.seen}` : '';
}

function longestStreak(tries: readonly Try[]): number {
  let longest = 0;
  let now = 0;
  for (const one of tries) {
    now = succeeded(one) ? now + 1 : 0;
    longest = Math.max(longest, now);
  }
  return longest;
}
