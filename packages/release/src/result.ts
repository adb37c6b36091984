import type { StepEvent } from '@perlstack/procedure';
import type { ReleaseRecord } from './audit.js';
import type { CanaryVerdict } from './canary/judge.js';
import type { ReleaseStep } from './steps.js';

/** Where the time of one app host went, in milliseconds. */
export interface ServerResult {
  readonly name: string;
  /** Seconds that its steps took, without the waiting for other hosts. */
  readonly seconds: number;
  readonly uploadMs: number;
  /** From the start of the new instance until it had proven itself. */
  readonly bootMs: number;
  /** The rename, or by strategy `drain` the restart and the changes of the web tier. */
  readonly switchMs: number;
  /** Settling, and the look from a web host. */
  readonly gateMs: number;
  readonly drainMs: number;
  /** Stopping the old instance and cleaning up. */
  readonly finishMs: number;
  /** Requests that were cut off because the old instance did not finish them in time. */
  readonly cut: number;
}

export interface DeployResult {
  /** `failed`: neither the new release nor all of the old is in place; `unresolved` says what needs a person. */
  readonly outcome: 'succeeded' | 'rolled-back' | 'nothing-to-do' | 'cancelled' | 'failed';
  readonly release: string;
  readonly previous: string | null;
  readonly servers: readonly ServerResult[];
  readonly seconds: number;
  /** What no roll-out by this method can avoid, as if done one after the other: boot, gate and drain of each host, in seconds. */
  readonly irreducibleSeconds: number;
  /** App hosts that it went on without: they get no requests until the next deploy, or a repair, brings them up to date. */
  readonly left: readonly { readonly host: string; readonly reason: string }[];
  /** How the first hosts did beside the rest; null without a canary. */
  readonly canary: CanaryVerdict | null;
  /** What was deployed before this run, newest first. */
  readonly history: readonly ReleaseRecord[];
  /** Why it did not succeed, in one line. */
  readonly reason?: string;
  /** The last lines that the release wrote where it failed. */
  readonly evidence: readonly string[];
  /** What could not be put back. */
  readonly unresolved: readonly string[];
  /** What the user should know besides: a lock taken over, a clean-up that is left to the next run. */
  readonly notes: readonly string[];
}

type Kind = ReleaseStep['kind'];

/** The time of each app host, from the events of all its steps. */
export function serversOf(
  hosts: readonly string[],
  events: readonly StepEvent[],
  cut: ReadonlyMap<string, number>,
): ServerResult[] {
  return hosts.map((name) => {
    const own = events.filter(({ step }) => step.host === name);
    const spent = (...kinds: Kind[]): number => kinds.reduce((sum, kind) => sum + durationOf(own, kind), 0);
    const times = {
      uploadMs: spent('upload', 'copy', 'modules', 'compile'),
      bootMs: spent('boot', 'prove'),
      switchMs: spent('switch', 'take-out', 'restart', 'put-back'),
      gateMs: spent('gate'),
      drainMs: spent('drain'),
      finishMs: spent('finish'),
    };
    const seconds = Object.values(times).reduce((sum, ms) => sum + ms, 0) / 1_000;
    return { name, seconds, ...times, cut: cut.get(name) ?? 0 };
  });
}

/** The sum of boot, gate and drain of all hosts, in seconds. */
export function irreducibleSeconds(servers: readonly ServerResult[]): number {
  return servers.reduce((sum, { bootMs, gateMs, drainMs }) => sum + bootMs + gateMs + drainMs, 0) / 1_000;
}

/** Milliseconds between the start and the end of steps of a kind; a step without an end counts nothing. */
function durationOf(events: readonly StepEvent[], kind: Kind): number {
  let total = 0;
  const started = new Map<string, number>();
  for (const { step, state, at } of events) {
    if (step.kind !== kind) continue;
    if (state === 'started') started.set(step.id, at);
    if (state === 'done' || state === 'failed') total += at - (started.get(step.id) ?? at);
  }
  return total;
}
