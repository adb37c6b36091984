import type { World } from '../world.js';
import { cacheMemory } from './memory.js';

/** What the bundle takes for granted of Redis. */
export function redisNotes(world: World): string[] {
  const cache = world.stack.tiers.cache;
  if (!cache) return [];
  const { mebibytes, known } = cacheMemory(world);
  const single = world.role('cache').length === 1;
  return [
    ...(known
      ? []
      : [
          `cache: the memory of its hosts is not known: maxmemory is ${mebibytes} MiB; set cache.memory to choose`,
        ]),
    ...(cache.persistence === 'none' ? [forgetful(cache.failover)] : []),
    ...(single ? ['cache: one host has no replica: when it is down, so is the cache'] : []),
    ...(cache.failover === 'manual' && !single
      ? [
          'cache: failover is manual: when the primary is down, writes fail until a person makes a replica primary',
        ]
      : []),
  ];
}

function forgetful(failover: 'manual' | 'sentinel'): string {
  return failover === 'manual'
    ? 'cache: persistence is none: a restart of the primary empties it, and its replicas with it'
    : 'cache: persistence is none: a primary that stops waits 15 s before it starts again, so that a replica with the data has taken its place';
}
