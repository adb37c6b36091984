import type { Storage, UploadSeen } from '@perlstack/object-storage';
import { endUploads } from '../backup.js';

/** Longer than a segment of the log is ever on its way: whoever sends one gives up within minutes. */
const LOG_MS = 86_400_000;

/** The storage tells in whole seconds when an upload was begun. */
const PRECISION_MS = 2_000;

export interface BackupSpan {
  /** Folder of the repository in the bucket, with a slash at its end. */
  readonly folder: string;
  /** When the last backup began, which nothing else could be beside: pgBackRest's lock. By the storage's clock. */
  readonly begun: Date;
  readonly now: Date;
}

/**
 * Which unfinished uploads nobody can be at any more: those of data that were begun before a backup that came to its end, and those
 * of the log, which servers send at any time, a day later.
 */
export function abandonedUploads(
  uploads: readonly UploadSeen[],
  { folder, begun, now }: BackupSpan,
): UploadSeen[] {
  return uploads.filter(({ key, initiated }) =>
    key.startsWith(`${folder}backup/`)
      ? +initiated < +begun - PRECISION_MS
      : key.startsWith(`${folder}archive/`) && +initiated < +now - LOG_MS,
  );
}

/** Ends what killed runs left under way in a stack's repository, which pgBackRest itself never does. @returns what it ended, in words */
export async function endAbandonedUploads(
  storage: Pick<Storage, 'uploads' | 'openUpload' | 'now'>,
  stack: string,
  begun: Date,
): Promise<string[]> {
  const folder = `${stack}/pgbackrest/`;
  const abandoned = abandonedUploads(await storage.uploads(folder), { folder, begun, now: storage.now() });
  return endUploads(storage, abandoned);
}
