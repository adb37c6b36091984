import type { Host } from '@perlstack/stack';
import type { World } from '../world.js';
import { maxConnections } from './connections.js';

/** What a server is sized by. */
export interface Sizes {
  /** Memory that is PostgreSQL's on this host, in MiB. */
  readonly memoryMiB: number;
  /** Disk in MiB; `null` where nobody said. */
  readonly diskMiB: number | null;
  readonly vcpus: number;
  /** `max_connections`, the same on every member. */
  readonly connections: number;
  /** Processes beside those of clients, the same on every member. */
  readonly workers: number;
}

/** Where nobody said how large a host is, it gets what the smallest Linode takes. */
const UNKNOWN_MEMORY_MIB = 1_024;

/** PostgreSQL's own default of `max_worker_processes`. */
const WORKERS = 8;

/** What is PostgreSQL's of a host's memory: half where Redis, or anything else with a memory of its own, is there too. */
function memoryFor(world: World, host: Host): number {
  const memory = host.memoryMiB ?? UNKNOWN_MEMORY_MIB;
  return world.role('cache').includes(host) || world.role('app').includes(host) ? memory / 2 : memory;
}

/**
 * The sizes of a host. What a standby must not have less of than its primary comes from the smallest host and is the
 * same on all, so that any of them can take over from any other.
 */
export function sizesOf(world: World, host: Host): Sizes {
  const cpus = world.role('database').map(({ vcpus }) => vcpus ?? 1);
  return {
    memoryMiB: memoryFor(world, host),
    diskMiB: host.diskMiB,
    vcpus: host.vcpus ?? 1,
    connections: maxConnections(world) ?? 0,
    workers: Math.max(WORKERS, Math.min(...cpus)),
  };
}
