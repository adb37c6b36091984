import { platformOf, type Host } from '@perlstack/stack';
import { exampleHost, exampleStack } from '../examples.js';
import type { World } from '../world.js';

interface CacheOptions {
  /** What stands in `tiers.cache`. */
  readonly cache?: string;
  readonly hosts?: number;
  readonly memoryMiB?: number | null;
  readonly password?: string;
}

/** A stack with cache hosts, as the renderers see it. */
export function cacheWorld({
  cache = '',
  hosts = 3,
  memoryMiB = 1_024,
  password = 'geheim',
}: CacheOptions = {}): World {
  const stack = exampleStack(
    `stack: shop\nregion: us-ord\napp: {}\ntiers: { cache: { count: ${hosts}, ${cache} } }\n`,
  );
  const all: Host[] = Array.from({ length: hosts }, (_, at) =>
    exampleHost(`cache-${at + 1}`, `10.10.3.${at + 2}`, { memoryMiB }),
  );
  return {
    ...{ stack, inventory: { stack: 'shop', hosts: all }, platform: platformOf(stack), tls: null },
    secrets: { REDIS_PASSWORD: password },
    role: (role) => (role === 'cache' ? all : []),
  };
}

/** The first of its hosts. */
export function firstOf(world: World): Host {
  return world.inventory.hosts[0] ?? exampleHost('cache-1', null);
}
