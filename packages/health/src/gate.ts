import { setTimeout as sleep } from 'node:timers/promises';
import type { Remote } from '@perlstack/remote';
import { messageOf } from '@perlstack/stack';
import { type Check, leavesOf, type Need, type Rule, ruleOf, succeeded, type Try } from './group.js';
import { judge } from './judge.js';
import { askHere } from './local.js';
import { askOn } from './on-host.js';
import { type Answer, type Ask, type AskOptions, type Probe, type Request, requestsOf } from './probe.js';
import { streakOf, type Verdict, verdictOf, withPercentiles } from './verdict.js';

export interface GateOptions {
  readonly probes: readonly Check[];
  /** How many of them, a group counted as one, have to succeed in the same try; default all. */
  readonly need?: Need;
  /** For how long it has to stay healthy then, without a failure, in milliseconds; default 0. */
  readonly holdMs?: number;
  /** Consecutive tries that have to succeed; default 3. */
  readonly successes?: number;
  /** Pause between two tries, in milliseconds; default 500. */
  readonly intervalMs?: number;
  /**
   * Pause before the first try, in milliseconds; default 0. Hosts that ask make it themselves, so that the way to them is gone
   * meanwhile. The limit for everything begins after it.
   */
  readonly delayMs?: number;
  /** Limit for each request, in milliseconds; default 5,000. */
  readonly perTryTimeoutMs?: number;
  /** Limit for everything, in milliseconds; default 60,000. */
  readonly timeoutMs?: number;
  /** Most tries; default as many as fit in the time. */
  readonly maxTries?: number;
  readonly signal?: AbortSignal;
  /** Needed for probes with `from`. */
  readonly remote?: Remote;
  readonly onTry?: (one: Try, number: number) => void;
  /** Asked after a try that failed: a reason ends the gate before its time is up (`the unit failed`). */
  readonly giveUp?: () => Promise<string | undefined>;
}

/** Tries made by one command on a host, at the most. */
const BURST = 10;

/** Bytes of bodies that one command on a host may bring, at the most, if it makes several tries. */
const BURST_BYTES = 8 * 1024 * 1024;

/**
 * How long one command on a host goes on asking somebody who does not answer yet, at the most, in milliseconds: a look by
 * the runner costs a round trip and a process for each try. Short, as `giveUp` is asked in between.
 */
const PATIENCE_MS = 1_500;

/** What a gate knows of its probes besides the options. */
interface Course extends GateOptions {
  readonly leaves: readonly Probe[];
  readonly rule: Rule;
}

/** Lets pass what answers as it should, several times in a row, before the time is up. Does not throw for a cancel. */
export async function gate(options: GateOptions): Promise<Verdict> {
  const { successes = 3, intervalMs = 500, timeoutMs = 60_000, delayMs = 0, holdMs = 0, signal } = options;
  const rule = ruleOf(options.probes, options.need ?? 'all');
  const course: Course = { ...options, leaves: leavesOf(options.probes), rule };
  if (course.leaves.length === 0) throw new Error('A gate needs at least one probe');
  // Of the tries: before it, time is negative.
  const start = performance.now() + delayMs;
  const elapsed = (): number => performance.now() - start;
  const tries: Try[] = [];
  let stopped: string | undefined;
  let healthySince: number | undefined;
  // Up to the last success: silence after it says nothing of health.
  let healthyUntil = 0;
  const isHeld = (): boolean => healthySince !== undefined && healthyUntil - healthySince >= holdMs;
  while (stopped === undefined) {
    const leftMs = Math.max(1, Math.ceil(timeoutMs - elapsed()));
    const burst = await nextTries(course, tries, leftMs, Math.max(0, Math.ceil(-elapsed())));
    const last = signal?.aborted ? [] : record(course, tries, burst, elapsed() >= timeoutMs);
    if (succeeded(last, rule)) healthyUntil = elapsed();
    healthySince = streakOf(tries, rule) >= successes ? (healthySince ?? healthyUntil) : undefined;
    if (isHeld()) break;
    stopped = await whyStop(course, tries.length, last);
    if (elapsed() + intervalMs >= timeoutMs) break;
    if (stopped === undefined)
      await sleep(intervalMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
  const hold = holdMs > 0 ? { hold: { ms: holdMs, held: isHeld() } } : {};
  const end = { elapsedMs: Math.max(0, elapsed()), successes, need: rule, ...hold };
  return verdictOf(tries, { ...end, ...(stopped === undefined ? {} : { stopped }) });
}

/** One try; several where hosts ask, which costs them no more. */
function nextTries(course: Course, tries: readonly Try[], leftMs: number, delayMs: number): Promise<Try[]> {
  const { leaves, rule, successes = 3, intervalMs = 500, perTryTimeoutMs = 5_000, signal } = course;
  const samples = Math.max(0, ...leaves.map(({ percentile }) => (percentile?.samples ?? 0) - tries.length));
  const missing = Math.max(1, successes - streakOf(tries, rule), samples);
  const bytes = leaves.flatMap(requestsOf).reduce((sum, one) => sum + ('most' in one ? one.most : 0), 1);
  const most = Math.min(BURST, BURST_BYTES / bytes, (course.maxTries ?? Infinity) - tries.length);
  const wanted = leaves.every((probe) => probe.from !== undefined) ? missing : 1;
  return tryAll(leaves, course.remote, {
    rounds: Math.max(1, Math.floor(Math.min(wanted, most))),
    intervalMs,
    delayMs,
    timeoutMs: Math.min(perTryTimeoutMs, leftMs),
    // Where tries are counted, each is asked for.
    patienceMs: course.maxTries === undefined ? Math.min(PATIENCE_MS, leftMs) : 0,
    ...(signal ? { signal } : {}),
  });
}

/** @returns the last of them, as it is judged among all. */
function record(course: Course, tries: Try[], burst: readonly Try[], timeIsUp: boolean): Try {
  let one: Try = [];
  for (const [index, raw] of burst.entries()) {
    one = withPercentiles(tries, raw);
    // The last try may have been cut short by the time limit: an earlier, whole one is better evidence.
    const cutShort = timeIsUp && index === burst.length - 1 && !succeeded(one, course.rule);
    if (cutShort && tries.length > 0) break;
    tries.push(one);
    course.onTry?.(one, tries.length);
  }
  return one;
}

async function whyStop(
  { signal, giveUp, rule, maxTries = Infinity }: Course,
  tries: number,
  last: Try,
): Promise<string | undefined> {
  if (signal?.aborted) return 'cancelled';
  if (tries >= maxTries) return `no more than ${maxTries} tries are made`;
  return succeeded(last, rule) ? undefined : giveUp?.();
}

/** Makes the requests of all probes, grouped by who asks, and judges them. */
async function tryAll(probes: readonly Probe[], remote: Remote | undefined, how: AskOptions): Promise<Try[]> {
  const askers = [...new Set(probes.map((probe) => probe.from))];
  const evidence = await Promise.all(
    askers.map(async (from) => {
      const group = probes.filter((probe) => probe.from === from);
      const rounds = await askSafely(askerFor(from, remote), group.flatMap(requestsOf), how);
      return rounds.map((answers) => judgeAll(group, answers));
    }),
  );
  const rounds = Math.min(...evidence.map((group) => group.length));
  return Array.from({ length: rounds }, (_, round) => evidence.flatMap((group) => group[round] ?? []));
}

function askerFor(from: string | undefined, remote: Remote | undefined): Ask {
  if (from === undefined) return askHere;
  if (!remote) throw new Error(`A probe asks from ${from}, but the gate was given no remote`);
  return askOn(remote, from);
}

/** A host that cannot be asked is evidence against it, not a fault of the gate: it may be back at the next try. */
async function askSafely(ask: Ask, requests: readonly Request[], how: AskOptions): Promise<Answer[][]> {
  try {
    return await ask(requests, how);
  } catch (error) {
    return [requests.map(() => ({ kind: 'error', ms: 0, error: messageOf(error) }))];
  }
}

function judgeAll(probes: readonly Probe[], answers: readonly Answer[]): Try {
  let next = 0;
  return probes.map((probe) => {
    const count = requestsOf(probe).length;
    next += count;
    return judge(probe, answers.slice(next - count, next));
  });
}
