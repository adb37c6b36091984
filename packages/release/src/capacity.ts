import { UserError } from '@perlstack/stack';
import type { AppFacts } from './preflight/facts.js';
import type { AppHostState } from './world.js';

/** How busy the application is just now. */
export interface Load {
  /** Requests in flight on all hosts: each keeps a worker busy. */
  readonly busy: number;
  /** Workers of all hosts. */
  readonly workers: number;
  /** Workers that are left when as many hosts are out of service as a batch takes, those with the most workers. */
  readonly left: number;
}

/**
 * @param units Starman units on each host, each with its workers
 * @param out hosts that are out of service at once
 * @returns null where the workers of a host are not known
 */
export function loadOf(
  app: readonly AppHostState[],
  facts: readonly AppFacts[],
  units: number,
  out: number,
): Load | null {
  const workers = app.map(({ host }) => workersOf(facts.find((one) => one.host === host)) * units);
  if (workers.some((count) => !(count > 0))) return null;
  const all = workers.reduce((sum, count) => sum + count, 0);
  const gone = [...workers].sort((a, b) => b - a).slice(0, out);
  const busy = app.reduce((sum, { inFlight }) => sum + inFlight, 0);
  return { busy, workers: all, left: all - gone.reduce((sum, count) => sum + count, 0) };
}

/** What Starman's command line says; NaN where it says nothing. */
function workersOf(facts: AppFacts | undefined): number {
  const command = facts?.unit.command ?? [];
  const at = command.indexOf('--workers');
  const joined = command.find((word) => word.startsWith('--workers='))?.slice('--workers='.length);
  return Number(joined ?? (at < 0 ? Number.NaN : command[at + 1]));
}

/**
 * A server that is taken out leaves its work to the others.
 *
 * @throws UserError when they could not carry what is going on at this moment
 */
export function requireCapacity(load: Load | null, out: number): void {
  if (load === null || load.busy <= load.left) return;
  throw new UserError(
    `${load.busy} of ${load.workers} workers are busy now, and with ${out} ${out === 1 ? 'server' : 'servers'} out of service only ` +
      `${load.left} are left: deploy with strategy "socket", in smaller batches, or when less is going on. Nothing was changed`,
  );
}
