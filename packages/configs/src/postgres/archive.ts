import type { ManagedDirectory, ManagedFile } from '../bundle.js';
import { textFile } from '../files.js';
import type { PostgresLine } from '../print/postgresql.js';
import { ARCHIVE_PROGRAM } from './archive-program.js';

/** Where the archiving of the write-ahead log has its parts on every member. */
export const ARCHIVE = {
  /** What `archive_command` calls. */
  program: '/usr/local/lib/perlstack/archive-wal',
  folder: '/var/lib/perlstack-wal',
  /** URLs that each take one segment once; written by the backup, never by converge. */
  book: '/var/lib/perlstack-wal/tickets',
  /** Segments that are packed and not yet taken. */
  spool: '/var/lib/perlstack-wal/spool',
} as const;

/** Packs, encrypts and sends; the tools that a restore needs are the same. */
export const ARCHIVE_PACKAGES = ['age', 'curl', 'zstd'];

/**
 * A segment is handed over when it is full, or after a minute, which is what a lost primary may cost at most. Without
 * summaries PostgreSQL 17 can make no incremental backup.
 */
export function archiveSettings(version: number): PostgresLine[] {
  return [
    ['Backup', null],
    ['archive_mode', 'on'],
    ['archive_command', `${ARCHIVE.program} "%p" "%f"`],
    ['archive_timeout', '60s'],
    ...(version >= 17 ? ([['summarize_wal', true]] as PostgresLine[]) : []),
  ];
}

export function archiveDirectories(): ManagedDirectory[] {
  const own = { owner: 'postgres', group: 'postgres', mode: 0o700 };
  return [
    { path: '/usr/local/lib/perlstack', owner: 'root', group: 'root', mode: 0o755 },
    { path: ARCHIVE.folder, ...own },
    { path: ARCHIVE.spool, ...own },
  ];
}

export function archiveFiles(): ManagedFile[] {
  return [{ ...textFile(ARCHIVE.program, ARCHIVE_PROGRAM), mode: 0o755, effect: 'none' }];
}
