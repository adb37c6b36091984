import type { Member as ClusterMember, RedisSpec, SentinelSpec } from '@perlstack/configs';
import type { Due, Intent, Member } from '@perlstack/engine';
import type { Seen } from './primary.js';
import type { HostSeen, RunningRedis } from './seen.js';

/** Three cache hosts, for the tests of decisions. */
export const MEMBERS: readonly ClusterMember[] = [1, 2, 3].map((number) => ({
  host: `cache-${number}`,
  address: `10.0.0.${number}`,
}));

export const addressOf = (number: number): string => `10.0.0.${number}`;

/** A host on which nothing is. */
export const BARE: HostSeen = {
  liveFile: null,
  hasData: false,
  redis: null,
  sentinelFile: false,
  sentinel: null,
};

const PRIMARY: RunningRedis = { role: 'primary', follows: null, link: null, offset: 100 };

/** @param names the primary of which the host's Sentinel speaks; `null` where none runs */
const running = (redis: RunningRedis, names: number | null): HostSeen => ({
  liveFile: { follows: redis.follows },
  hasData: true,
  redis,
  sentinelFile: names !== null,
  sentinel: names === null ? null : { names: addressOf(names), failingOver: false },
});

export const primary = (names: number | null): HostSeen => running(PRIMARY, names);

export const replicaOf = (number: number, names: number | null): HostSeen =>
  running({ role: 'replica', follows: addressOf(number), link: 'up', offset: 100 }, names);

/** The same host with its Redis and Sentinel stopped. */
export const stopped = (host: HostSeen): HostSeen => ({ ...host, redis: null, sentinel: null });

export const seenOf = (...hosts: readonly HostSeen[]): Seen =>
  Object.fromEntries(hosts.map((host, index) => [`cache-${index + 1}`, host]));

export const intentsOf = (...dues: readonly Due[]): Readonly<Record<string, Intent>> =>
  Object.fromEntries(dues.map((due, index) => [`cache-${index + 1}`, { due, files: [] }]));

const COMMON = {
  version: 8,
  liveFile: '/live',
  passwordFile: '/auth',
  members: [...MEMBERS],
  service: 'shop',
} as const;

export function redisMembers(sentinels = true): Member<RedisSpec>[] {
  const spec: RedisSpec = {
    ...COMMON,
    kind: 'redis',
    port: 6379,
    members: [...MEMBERS],
    sentinels: sentinels ? [...MEMBERS] : [],
  };
  return MEMBERS.map(({ host }) => ({ host, service: 'redis', spec }));
}

export function sentinelMembers(): Member<SentinelSpec>[] {
  const watched = { watched: [...MEMBERS], watchedPort: 6379, quorum: 2 };
  const spec: SentinelSpec = { ...COMMON, kind: 'sentinel', port: 26379, members: [...MEMBERS], ...watched };
  return MEMBERS.map(({ host }) => ({ host, service: 'sentinel', spec }));
}
