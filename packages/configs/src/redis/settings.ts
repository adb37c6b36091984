import { UserError, type Host } from '@perlstack/stack';
import { privateAddressOf } from '../addresses.js';
import { REDIS_PORT, SENTINEL_PORT } from '../layout.js';
import type { RedisSetting } from '../print/redis.js';
import { REDIS_PASSWORD } from '../secrets.js';
import type { World } from '../world.js';
import { DATA, REDIS, SENTINEL } from './layout.js';
import { cacheMemory } from './memory.js';

const MIB = 1_048_576;

/** How many databases a Redis has. */
export const DATABASES = 16;

/** How long a primary may be silent before a Sentinel takes it for down, in milliseconds. */
export const DOWN_AFTER_MS = 5_000;

/**
 * The password of Redis and Sentinel.
 *
 * @throws UserError for one that Sentinel, which writes it without quotes, could not read back.
 */
export function redisPassword({ secrets }: World): string {
  const password = secrets[REDIS_PASSWORD] ?? '';
  if (/^[\x21\x23-\x26\x28-\x7e]+$/.test(password)) return password;
  throw new UserError(
    `${REDIS_PASSWORD}: Sentinel could not read it back from its own file: take printable ASCII characters other than ` +
      'blanks and quotes, at least one',
  );
}

/** What a restart needs to change. */
export function redisStart(host: Host): RedisSetting[] {
  return [
    ['port', REDIS_PORT],
    ['bind', listenOn(host)],
    ['dir', DATA],
    // To the journal.
    ['logfile', ''],
    ['aclfile', `${REDIS.folder}/users.acl`],
    ['databases', DATABASES],
    ['tcp-backlog', 511],
  ];
}

const listenOn = (host: Host): string => `127.0.0.1 -::1 ${privateAddressOf(host)}`;

/** What a running Redis takes. The values are written as CONFIG GET answers them, so that they can be compared. */
export function redisSettings(world: World, host: Host): RedisSetting[] {
  const { mebibytes } = cacheMemory(world);
  const copies = copiesNeeded(world);
  return [
    ['protected-mode', true],
    ['timeout', 0],
    ['tcp-keepalive', 60],
    ['maxmemory', Math.floor(mebibytes * MIB)],
    ['maxmemory-policy', world.stack.tiers.cache?.eviction ?? 'noeviction'],
    ['appendfsync', 'everysec'],
    ['auto-aof-rewrite-percentage', 100],
    ['auto-aof-rewrite-min-size', 64 * MIB],
    ['replica-announce-ip', privateAddressOf(host)],
    ['replica-read-only', true],
    ['min-replicas-to-write', copies],
    ['min-replicas-max-lag', 10],
    ['repl-backlog-size', 64 * MIB],
    ['repl-diskless-sync', true],
    ['repl-diskless-sync-delay', 1],
    ['client-output-buffer-limit', bufferLimits()],
  ];
}

/**
 * How many replicas must be near for a write to be taken. With a Sentinel that may make another primary, one that was
 * cut off must not go on taking writes that will be thrown away; with fewer than two replicas a host that is down
 * would stop all writes.
 */
function copiesNeeded(world: World): number {
  return world.stack.tiers.cache?.failover === 'sentinel' && world.role('cache').length >= 3 ? 1 : 0;
}

function bufferLimits(): string {
  const limits = [
    ['normal', 0, 0, 0],
    // A replica may be as far behind as this while it gets its first copy.
    ['slave', 256 * MIB, 64 * MIB, 60],
    ['pubsub', 32 * MIB, 8 * MIB, 60],
  ];
  return limits.flat().join(' ');
}

const SAVE_POINTS = '3600 1 300 100 60 10000';

/** How the data outlives a restart. Changing it takes several steps, so it is kept apart. */
export function persistence({ stack }: World): RedisSetting[] {
  const kind = stack.tiers.cache?.persistence ?? 'aof';
  return [
    ['save', kind === 'rdb' || kind === 'both' ? SAVE_POINTS : ''],
    ['appendonly', kind === 'aof' || kind === 'both'],
  ];
}

export function redisSecrets(password: string): RedisSetting[] {
  return [['masterauth', password]];
}

export function sentinelStart(host: Host): RedisSetting[] {
  return [
    ['port', SENTINEL_PORT],
    ['bind', listenOn(host)],
    ['protected-mode', true],
    ['dir', DATA],
    ['logfile', ''],
    ['aclfile', `${SENTINEL.folder}/users.acl`],
    ['sentinel deny-scripts-reconfig', true],
  ];
}

export function sentinelSettings({ stack }: World, host: Host): RedisSetting[] {
  const { name } = stack.app;
  return [
    ['sentinel resolve-hostnames', false],
    ['sentinel announce-hostnames', false],
    ['sentinel announce-ip', privateAddressOf(host)],
    [`sentinel down-after-milliseconds ${name}`, DOWN_AFTER_MS],
    [`sentinel failover-timeout ${name}`, 60_000],
    [`sentinel parallel-syncs ${name}`, 1],
  ];
}

export function sentinelSecrets({ stack }: World, password: string): RedisSetting[] {
  return [
    [`sentinel auth-pass ${stack.app.name}`, password],
    ['sentinel sentinel-pass', password],
  ];
}

/**
 * How many Sentinels have to agree that the primary is down; `null` without Sentinels.
 *
 * @throws UserError where so many can't be had.
 */
export function quorumOf(world: World): number | null {
  const { cache } = world.stack.tiers;
  if (cache?.failover !== 'sentinel') return null;
  const sentinels = world.role('cache').length;
  const majority = Math.floor(sentinels / 2) + 1;
  const fail = (why: string): never => {
    throw new UserError(`tiers.cache: a Sentinel quorum that can't be reached: ${why}`);
  };
  if (sentinels < 3) {
    const have = `${sentinels} ${sentinels === 1 ? 'host' : 'hosts'}`;
    return fail(
      `${have}, and a failover needs the votes of more than half of at least 3; set count: 3, or failover: manual`,
    );
  }
  if (sentinels % 2 === 0) {
    return fail(
      `${sentinels} hosts can be split into two halves of ${sentinels / 2}, neither of which has the ${majority} votes for a failover; ` +
        `set count: ${sentinels - 1} or ${sentinels + 1}`,
    );
  }
  const quorum = cache.quorum ?? majority;
  if (quorum > sentinels) fail(`quorum: ${quorum}, but there are ${sentinels} Sentinels; set ${majority}`);
  return quorum;
}
