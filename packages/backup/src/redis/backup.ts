import { REDIS } from '@perlstack/configs';
import type { Storage } from '@perlstack/object-storage';
import { asRedis } from '@perlstack/redis';
import { keysOf, type RedisKeys } from '../keys.js';
import { backupId } from '../manifest.js';
import { type Held, planRetention, type RetentionPlan, type RetentionRules } from '../retention.js';
import { type CopyRun, mebibytes, partBytesFor, sendFrom } from '../send.js';
import { heldOf, readStored, type Stored, type StoredBackups, writeStored, type Writing } from '../stored.js';
import { type KeyCounts, keysBetween } from './keys-counted.js';
import { readRedisManifest, type RedisManifest } from './manifest.js';
import { SNAPSHOT_PROGRAM } from './snapshot-program.js';
import type { RedisSource } from './source.js';
import type { CacheTier } from './tier.js';

/** What a backup of Redis needs to know. */
export interface RedisBackupRun extends CopyRun {
  readonly tier: CacheTier;
  readonly source: RedisSource;
}

/** A run that writes into the bucket. */
export type RedisBackupWriter = RedisBackupRun & Writing;

/** What a manifest says of the data alone. */
type Taken = Omit<RedisManifest, 'finishedAt' | 'lockedUntil'>;

export type RedisBackup = Stored<RedisManifest>;
export type RedisBackups = StoredBackups<RedisManifest>;

export const redisKeys = ({ stack }: CacheTier): RedisKeys => keysOf(stack).redis;

/** Reads what the bucket has of a stack's Redis. */
export const readRedisBackups = (storage: Storage, tier: CacheTier): Promise<RedisBackups> =>
  readStored(storage, redisKeys(tier), readRedisManifest);

/** What the program on the host says of what it sent. */
interface Snapshot {
  readonly version: string;
  readonly replicationId: string;
  readonly offset: number;
  readonly memoryBytes: number;
  readonly bytes: number;
  readonly keys: number;
  readonly before: KeyCounts;
  readonly after: KeyCounts;
}

/** Files on a host in which its password stands, for the user as whom Redis runs. */
const PASSWORD_FILES = [`${REDIS.folder}/secrets.conf`, REDIS.liveFile];

/**
 * Has the source send a snapshot into the bucket.
 *
 * @returns what the manifest needs to know
 */
export async function takeSnapshot(run: RedisBackupRun): Promise<Taken> {
  const { tier, recipient, storage } = run;
  const { host, role, lagBytes } = run.source;
  const started = storage.now();
  const id = backupId(started);
  const key = redisKeys(tier).data(id, recipient !== null);
  let snapshot: Snapshot | undefined;
  run.onUpload?.(key);
  const sent = await sendFrom(run.remote, storage, {
    ...{ host, as: asRedis, key, rate: run.rate, signal: run.signal },
    programs: [
      ['perl', '-e', SNAPSHOT_PROGRAM, String(tier.port), ...PASSWORD_FILES],
      ['zstd', '-q', '-3', '-T0', '-c'],
      ...(recipient ? [['age', '-r', recipient]] : []),
    ],
    // As large as a host's memory, it never takes more parts than there may be.
    partBytes: partBytesFor(0),
    onProgress: (bytes, rate) => run.say(`${host}: ${mebibytes(bytes)} sent, ${mebibytes(rate)}/s`),
    onSays: (program, line) => {
      if (program === 'perl' && line.startsWith('{')) snapshot = JSON.parse(line) as Snapshot;
    },
  });
  if (!snapshot) throw new Error(`${host}: the program did not say what it sent`);
  const { version, replicationId, offset, memoryBytes, bytes, keys, before, after } = snapshot;
  return {
    ...{ format: 1, id, stack: tier.stack, source: { host, role, lagBytes } },
    redis: { version, replicationId, offset, memoryBytes, snapshotBytes: bytes },
    ...{ keys, databases: keysBetween(before, after), startedAt: started.toISOString() },
    object: {
      ...{ key, size: sent.object.size, etag: sent.object.etag, sha256: sent.sha256 },
      ...{ version: sent.object.version, parts: [...sent.parts], recipient },
    },
    run: run.run,
  };
}

/** The last thing that is written of a snapshot. */
export const writeRedisManifest = (run: RedisBackupWriter, snapshot: Taken): Promise<RedisManifest> =>
  writeStored(run.storage, redisKeys(run.tier).manifest(snapshot.id), [snapshot.object], run, snapshot);

/** What the rules let go. A snapshot has no log behind it, so that there is no window of recovery. */
export const redisRetentionOf = (
  { backups }: RedisBackups,
  rules: RetentionRules,
  now: Date,
): RetentionPlan<Held> => planRetention(backups.map(heldOf), { ...rules, pitrMs: null }, now);
