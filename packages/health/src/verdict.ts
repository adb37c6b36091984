import { formatDuration } from '@perlstack/stack';
import type { Evidence } from './judge.js';

/** One try: what every probe showed at about the same time. */
export type Try = readonly Evidence[];

/** How many probes must succeed in a try: all of them, one, or so many. */
export type Need = 'all' | 'any' | number;

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
  /** Default all. */
  readonly need?: Need;
  /** For how long it had to stay healthy, in milliseconds, and did, or did not. */
  readonly hold?: { readonly ms: number; readonly held: boolean };
  /** Why no further try was made, where it was not the time limit: `cancelled`, `the unit failed`. */
  readonly stopped?: string;
}

/** How many of so many probes have to succeed. */
export const neededOf = (need: Need, probes: number): number =>
  need === 'all' ? probes : need === 'any' ? 1 : Math.min(need, probes);

/** True when as many probes as are needed succeeded; by default all. */
export const succeeded = (one: Try, need: Need = 'all'): boolean =>
  one.length > 0 && one.filter(({ ok }) => ok).length >= neededOf(need, one.length);

/** How many of the last tries succeeded in a row. */
export function streakOf(tries: readonly Try[], need: Need = 'all'): number {
  const lastFailure = tries.findLastIndex((one) => !succeeded(one, need));
  return tries.length - 1 - lastFailure;
}

/**
 * A try with what is asked of several answers together: of the latest `samples` answers, the share that is asked for took no
 * longer than it may. As long as there are fewer, it is no success.
 */
export function withPercentiles(before: readonly Try[], one: Try): Try {
  return one.map((evidence, index) => {
    const { percentile, ok, ms, seen } = evidence;
    if (percentile === undefined || !ok) return evidence;
    const { share, samples, ms: limit } = percentile;
    const times = [...before.map((earlier) => earlier[index]), evidence].flatMap((answer) =>
      answer && (answer === evidence || answer.answered !== false) ? [answer.ms] : [],
    );
    const latest = times.slice(-samples).sort((a, b) => a - b);
    if (latest.length < samples)
      return { ...evidence, ok: false, seen: `${seen}, ${latest.length} of ${samples} samples` };
    const found = latest[Math.max(0, Math.ceil(share * samples) - 1)] ?? ms;
    const name = `p${Number((share * 100).toFixed(2))} ${Math.round(found)} ms`;
    if (found <= limit) return { ...evidence, seen: `${seen}, ${name}` };
    return { ...evidence, ok: false, seen: `${seen}, ${name} of the last ${samples}, more than ${limit} ms` };
  });
}

/** The verdict on all tries that were made, first one first. */
export function verdictOf(tries: readonly Try[], end: End): Verdict {
  const last = tries.at(-1) ?? [];
  const held = end.hold === undefined || end.hold.held;
  const passed = tries.length > 0 && streakOf(tries, end.need) >= end.successes && held;
  return {
    passed,
    tries: tries.length,
    seconds: end.elapsedMs / 1_000,
    evidence: last,
    reason: passed ? praise(last, end) : blame(tries, last, end),
  };
}

function praise(last: Try, { successes, need = 'all', hold }: End): string {
  const good = last.filter(({ ok }) => ok);
  const each = good.map(({ probe, seen, ms }) => `${seen} from ${probe} in ${Math.round(ms)} ms`);
  const some = need === 'all' ? '' : ` (${good.length} of ${last.length} probes)`;
  const held = hold && hold.ms > 0 ? `, held for ${formatDuration(hold.ms)}` : '';
  return `${successes} of ${successes} consecutive ${each.join(' and ')}${some}${held}`;
}

function blame(tries: readonly Try[], last: Try, end: End): string {
  const time = `${formatDuration(end.elapsedMs)} (${tries.length} ${tries.length === 1 ? 'try' : 'tries'})`;
  const { need = 'all', hold } = end;
  const longest = longestStreak(tries, need);
  const short =
    longest >= end.successes && hold ? `healthy, but not for ${formatDuration(hold.ms)}, in ${time}` : '';
  const found = tries.some((one) => succeeded(one, need))
    ? short || `only ${longest} of ${end.successes} consecutive successes in ${time}`
    : `no success in ${time}`;
  const some =
    need === 'all'
      ? ''
      : `; ${last.filter(({ ok }) => ok).length} of ${last.length} probes, needed ${neededOf(need, last.length)}`;
  const stopped = end.stopped === undefined ? '' : `; ${end.stopped}`;
  return `${found}${some}${stopped}${lastEvidence(last)}`;
}

function lastEvidence(last: Try): string {
  const shown = last.find((evidence) => !evidence.ok) ?? last[0];
  return shown ? `; last: ${shown.probe}: ${shown.seen}` : '';
}

function longestStreak(tries: readonly Try[], need: Need): number {
  let longest = 0;
  let now = 0;
  for (const one of tries) {
    now = succeeded(one, need) ? now + 1 : 0;
    longest = Math.max(longest, now);
  }
  return longest;
}
