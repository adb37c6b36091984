import type { Host, Stack } from '@perlstack/stack';

/** Memory that is not the application's: system, nginx, page cache of the static files. */
const RESERVE_MIB = 256;
/**
 * What a worker may take. A small framework application was measured at 20 to 30 MiB a worker (shared pages counted
 * once); this is twice that, since a worker grows until `maxRequests` replaces it.
 */
const WORKER_MIB = 64;
/** During a deploy the old and the new release run side by side. */
const RELEASES = 2;
/** Workers a vCPU: a worker whose requests are an eighth CPU and else wait for the database keeps one busy. */
const WORKERS_PER_CPU = 8;
/** Starman's own default, for a host of which nobody said how large it is. */
const UNKNOWN = 5;

/** How many workers a host gets when the stack file leaves it open. */
export function automaticWorkers({ memoryMiB, vcpus }: Pick<Host, 'memoryMiB' | 'vcpus'>): number {
  if (memoryMiB === null) return UNKNOWN;
  const fitting = Math.floor((memoryMiB - RESERVE_MIB) / RELEASES / WORKER_MIB);
  const useful = vcpus === null ? fitting : vcpus * WORKERS_PER_CPU;
  return Math.max(2, Math.min(fitting, useful));
}

/** How many workers a host's releases run. */
export function workersOf({ app }: Stack, host: Host): number {
  return app.workers === 'auto' ? automaticWorkers(host) : app.workers;
}
