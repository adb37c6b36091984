import type { Storage } from '@perlstack/object-storage';
import { asRedis } from '@perlstack/redis';
import type { Remote } from '@perlstack/remote';
import { fetchObject } from '../restore.js';
import { backupsNamed } from '../stored.js';
import type { RedisBackup, RedisBackups } from './backup.js';
import type { CacheTier } from './tier.js';

export interface RedisRestoreRun {
  readonly remote: Remote;
  readonly storage: Storage;
  readonly tier: CacheTier;
  /** Private key of age, where backups are encrypted. */
  readonly identity: string | null;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/**
 * The snapshot to restore.
 *
 * @param id of a certain one; `null`: the newest
 * @throws UserError when there is none
 */
export function chooseSnapshot({ backups }: RedisBackups, id: string | null): RedisBackup {
  const chosen = backupsNamed(backups, id).at(-1);
  if (!chosen) throw new Error('there is a backup, and there is none');
  return chosen;
}

const MIB = 1024 * 1024;

/** What a snapshot takes on a disk and, loaded, in memory, with something to spare; in bytes. */
export const roomFor = ({ manifest }: RedisBackup): { readonly disk: number; readonly memory: number } => ({
  disk: Math.ceil(manifest.redis.snapshotBytes * 1.05) + 64 * MIB,
  memory: Math.ceil(manifest.redis.memoryBytes * 1.1) + 64 * MIB,
});

/** Takes a snapshot out of the bucket into a file, whose folder is Redis's own. */
export function fetchSnapshot(
  run: RedisRestoreRun,
  host: string,
  { manifest }: RedisBackup,
  file: string,
): Promise<void> {
  const into = ['dd', `of=${file}`, 'bs=1M', 'conv=fsync', 'status=none'];
  return fetchObject(run, { host, as: asRedis, object: manifest.object, into });
}
