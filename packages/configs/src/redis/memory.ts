import { placeOf, TIERS, UserError, type Host } from '@perlstack/stack';
import type { World } from '../world.js';

/** Memory that is not Redis's, in MiB: the system, Sentinel, and the replication backlog of 64 MiB. */
const RESERVE_MIB = 256;
/** What a cache takes of a host that has other work too: the rest is theirs. */
const SHARED = { automatic: 1 / 4, declared: 1 / 2 };
/**
 * The part of it for data. Redis forks to save, to rewrite its file and to feed a new replica, and every page that is
 * written meanwhile is there twice; buffers of clients come on top. ElastiCache, too, reserves a quarter by default.
 */
const DATA = 3 / 4;
/** Less than this is no cache, and 0 would mean no limit to Redis. */
const LEAST_MIB = 16;
/** For hosts of which nobody said how large they are. */
const UNKNOWN_MIB = 256;

interface CacheMemory {
  /** `maxmemory` of every cache host, in MiB. */
  readonly mebibytes: number;
  /** False where it is a guess, because nobody said how large the hosts are. */
  readonly known: boolean;
}

/**
 * The memory for data. It is the same on all cache hosts, after the smallest, since each may become primary.
 *
 * @throws UserError when the stack file asks for more than a host can give.
 */
export function cacheMemory(world: World): CacheMemory {
  const declared = world.stack.tiers.cache?.memory;
  const sizes = world.role('cache').flatMap(({ memoryMiB }) => memoryMiB ?? []);
  const known = sizes.length === world.role('cache').length;
  if (declared !== undefined) {
    for (const host of world.role('cache')) assertRoom(declared, host, isShared(world));
    return { mebibytes: declared, known: true };
  }
  const automatic = sizes.map((size) => Math.floor(shareOf(size, isShared(world), 'automatic') * DATA));
  const mebibytes = Math.min(...automatic, ...(known ? [] : [UNKNOWN_MIB]));
  if (mebibytes >= LEAST_MIB) return { mebibytes, known };
  throw new UserError(
    `tiers.cache: a host of ${Math.min(...sizes)} MiB leaves no memory for data beside what it needs itself; take a larger type`,
  );
}

function isShared({ stack }: World): boolean {
  const place = placeOf(stack, 'cache');
  return TIERS.filter((role) => placeOf(stack, role) === place).length > 1;
}

function shareOf(memoryMiB: number, shared: boolean, by: keyof typeof SHARED): number {
  return shared ? memoryMiB * SHARED[by] : memoryMiB - RESERVE_MIB;
}

function assertRoom(declared: number, { name, memoryMiB }: Host, shared: boolean): void {
  if (memoryMiB === null) return;
  const most = Math.floor(shareOf(memoryMiB, shared, 'declared') * DATA);
  if (declared <= most) return;
  const why = shared ? 'shares with other roles' : 'has';
  throw new UserError(
    `tiers.cache.memory: ${declared} MiB are too much for ${name}: of the ${memoryMiB} MiB that it ${why}, ${most} MiB ` +
      'are left for data (the rest is for the system and for what Redis copies while it saves); lower it, or take a larger type',
  );
}
