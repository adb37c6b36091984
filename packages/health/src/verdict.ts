import { formatDuration } from '@perlstack/stack';
import { type GroupEvidence, type Need, type Rule, succeeded, type Try, weigh } from './group.js';
import type { Evidence } from './judge.js';

export interface Verdict {
  readonly passed: boolean;
  /** How many tries were made. */
  readonly tries: number;
  /** From the first try to the verdict. */
  readonly seconds: number;
  /** What every probe showed in the last try. */
  readonly evidence: readonly Evidence[];
  /** The same, in the groups that were named; absent where none was. */
  readonly tree?: readonly (Evidence | GroupEvidence)[];
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
  readonly need?: Need | Rule;
  /** For how long it had to stay healthy, in milliseconds, and did, or did not. */
  readonly hold?: { readonly ms: number; readonly held: boolean };
  /** Why no further try was made, where it was not the time limit: `cancelled`, `the unit failed`. */
  readonly stopped?: string;
}

/** How many of the last tries succeeded in a row. */
export function streakOf(tries: readonly Try[], need?: Need | Rule): number {
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
  const whole = weigh(last, end.need);
  const held = end.hold === undefined || end.hold.held;
  const passed = tries.length > 0 && streakOf(tries, end.need) >= end.successes && held;
  return {
    passed,
    tries: tries.length,
    seconds: end.elapsedMs / 1_000,
    evidence: last,
    ...(whole.members.some(isGroup) ? { tree: whole.members } : {}),
    reason: passed ? praise(whole, end) : blame(tries, whole, end),
  };
}

export const isGroup = (member: Evidence | GroupEvidence): member is GroupEvidence => 'group' in member;

function praise(whole: GroupEvidence, { successes, hold }: End): string {
  const each = whole.members.filter(({ ok }) => ok).map(praiseOf);
  const some = whole.needed === whole.members.length ? '' : ` (${shareOf(whole)})`;
  const held = hold && hold.ms > 0 ? `, held for ${formatDuration(hold.ms)}` : '';
  return `${successes} of ${successes} consecutive ${each.join(' and ')}${some}${held}`;
}

const praiseOf = (member: Evidence | GroupEvidence): string =>
  isGroup(member)
    ? `${member.group} (${shareOf(member)})`
    : `${member.seen} from ${member.probe} in ${Math.round(member.ms)} ms`;

const shareOf = ({ healthy, members }: GroupEvidence): string =>
  `${healthy} of ${members.length} ${members.some(isGroup) ? 'probes and groups' : 'probes'}`;

function blame(tries: readonly Try[], whole: GroupEvidence, end: End): string {
  const time = `${formatDuration(end.elapsedMs)} (${tries.length} ${tries.length === 1 ? 'try' : 'tries'})`;
  const { need, hold } = end;
  const longest = longestStreak(tries, need);
  const short =
    longest >= end.successes && hold ? `healthy, but not for ${formatDuration(hold.ms)}, in ${time}` : '';
  const found =
    longest > 0
      ? short || `only ${longest} of ${end.successes} consecutive successes in ${time}`
      : `no success in ${time}`;
  const some = whole.needed === whole.members.length ? '' : `; ${lackOf(whole)}`;
  const stopped = end.stopped === undefined ? '' : `; ${end.stopped}`;
  return `${found}${some}${stopped}${lastEvidence(whole)}`;
}

const lackOf = (group: GroupEvidence): string => `${shareOf(group)}, needed ${group.needed}`;

function lastEvidence({ members }: GroupEvidence): string {
  const shown = members.find(({ ok }) => !ok) ?? members[0];
  return shown ? `; last: ${blameOf(shown)}` : '';
}

/** The first that failed, by way of its groups. */
function blameOf(member: Evidence | GroupEvidence): string {
  if (!isGroup(member)) return `${member.probe}: ${member.seen}`;
  const inner = member.members.find(({ ok }) => ok === member.ok) ?? member.members[0];
  return `${member.group} (${lackOf(member)})${inner ? `: ${blameOf(inner)}` : ''}`;
}

function longestStreak(tries: readonly Try[], need?: Need | Rule): number {
  let longest = 0;
  let now = 0;
  for (const one of tries) {
    now = succeeded(one, need) ? now + 1 : 0;
    longest = Math.max(longest, now);
  }
  return longest;
}
