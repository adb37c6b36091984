import type { Evidence } from './judge.js';
import type { Probe } from './probe.js';

/** How many of several must succeed in a try: all of them, one, or so many. */
export type Need = 'all' | 'any' | number;

/** Probes, and groups of them, that count as one. */
export interface Group {
  readonly kind: 'group';
  /** What verdicts call it. */
  readonly name: string;
  readonly need: Need;
  readonly of: readonly Check[];
}

/** What a gate asks for. */
export type Check = Probe | Group;

/** One try: what every probe showed at about the same time. */
export type Try = readonly Evidence[];

/** What must succeed of a try: places in it, and rules for several of them. */
export interface Rule {
  /** Of a group. */
  readonly name?: string;
  readonly need: Need;
  readonly of: readonly (number | Rule)[];
}

/** What a group showed in one try. */
export interface GroupEvidence {
  /** Its name; empty for the whole. */
  readonly group: string;
  readonly ok: boolean;
  /** How many of the members succeeded, and how many have to. */
  readonly healthy: number;
  readonly needed: number;
  readonly members: readonly (Evidence | GroupEvidence)[];
}

/** The probes of all groups, in the order in which they were named. */
export function leavesOf(checks: readonly Check[]): Probe[] {
  return checks.flatMap((check) => (check.kind === 'group' ? leavesOf(check.of) : [check]));
}

/** The rule that goes with `leavesOf` the same checks. */
export function ruleOf(checks: readonly Check[], need: Need): Rule {
  return numbered(checks, need, { next: 0 });
}

function numbered(checks: readonly Check[], need: Need, count: { next: number }): Rule {
  const of = checks.map((check) =>
    check.kind === 'group' ? { ...numbered(check.of, check.need, count), name: check.name } : count.next++,
  );
  return { need, of };
}

/** How many of so many have to succeed. */
const neededOf = (need: Need, members: number): number =>
  need === 'all' ? members : need === 'any' ? 1 : Math.min(need, members);

/** What a try is worth by a rule; a need alone is one for all probes of the try. */
export function weigh(one: Try, need: Need | Rule = 'all'): GroupEvidence {
  const rule = typeof need === 'object' ? need : { need, of: [...one.keys()] };
  const members = rule.of.flatMap((member) =>
    typeof member === 'number' ? (one[member] ?? []) : weigh(one, member),
  );
  const healthy = members.filter(({ ok }) => ok).length;
  const needed = neededOf(rule.need, rule.of.length);
  return { group: rule.name ?? '', ok: rule.of.length > 0 && healthy >= needed, healthy, needed, members };
}

/** True when as many succeeded as are needed; by default all. */
export const succeeded = (one: Try, need?: Need | Rule): boolean => one.length > 0 && weigh(one, need).ok;
