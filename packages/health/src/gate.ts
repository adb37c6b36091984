import { setTimeout as sleep } from 'node:timers/promises';
import type { Remote } from '@perlstack/remote';
import { messageOf } from '@perlstack/stack';
import { judge } from './judge.js';
import { askHere } from './local.js';
import { askOn } from './on-host.js';
import { type Answer, type Ask, type AskOptions, type Probe, type Request, requestsOf } from './probe.js';
import { streakOf, succeeded, type Try, type Verdict, verdictOf } from './verdict.js';

export interface GateOptions {
  /** All of them have to succeed in the same try. */
  readonly probes: readonly Probe[];
  /** Consecutive tries that have to succeed; default 3. */
  readonly successes?: number;
  /** Pause between two tries, in milliseconds; default 500. */
  readonly intervalMs?: number;
  /** Limit for each request, in milliseconds; default 5,000. */
  readonly perTryTimeoutMs?: number;
  /** Limit for everything, in milliseconds; default 60,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Needed for probes with `from`. */
  readonly remote?: Remote;
  readonly onTry?: (one: Try, number: number) => void;
  /** Asked after a try that failed: a reason ends the gate before its time is up (`the unit failed`). */
  readonly giveUp?: () => Promise<string | undefined>;
}

/** Tries made by one command on a host, at the most. */
const BURST = 10;

/** Lets pass what answers as it should, several times in a row, before the time is up. Does not throw for a cancel. */
export async function gate(options: GateOptions): Promise<Verdict> {
  const {
    probes,
    successes = 3,
    intervalMs = 500,
    perTryTimeoutMs = 5_000,
    timeoutMs = 60_000,
    signal,
  } = options;
  if (probes.length === 0) throw new Error('A gate needs at least one probe');
  const start = performance.now();
  const elapsed = (): number => performance.now() - start;
  const tries: Try[] = [];
  let stopped: string | undefined;
  for (;;) {
    const left = Math.max(1, Math.ceil(timeoutMs - elapsed()));
    const wanted = probes.every((probe) => probe.from !== undefined) ? successes - streakOf(tries) : 1;
    const burst = await tryAll(probes, options.remote, {
      rounds: Math.min(wanted, BURST),
      intervalMs,
      timeoutMs: Math.min(perTryTimeoutMs, left),
      ...(signal ? { signal } : {}),
    });
    if (signal?.aborted) {
      stopped = 'cancelled';
      break;
    }
    // The last try may have been cut short by the time limit: an earlier, whole one is better evidence.
    const cutShort = elapsed() >= timeoutMs && left < perTryTimeoutMs && tries.length + burst.length > 1;
    if (cutShort && !succeeded(burst.at(-1) ?? [])) burst.pop();
    for (const one of burst) {
      tries.push(one);
      options.onTry?.(one, tries.length);
    }
    if (streakOf(tries) >= successes) break;
    if (!succeeded(burst.at(-1) ?? [])) stopped = await options.giveUp?.();
    if (stopped !== undefined || elapsed() + intervalMs >= timeoutMs) break;
    await sleep(intervalMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
  return verdictOf(tries, { elapsedMs: elapsed(), successes, ...(stopped === undefined ? {} : { stopped }) });
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
