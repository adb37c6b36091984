import type { Host } from '@perlstack/stack';
import type { ManagedDirectory, ManagedFile } from '../bundle.js';
import { textFile } from '../files.js';
import type { PostgresLine } from '../print/postgresql.js';
import type { World } from '../world.js';
import { archiveLines } from './archive-lines.js';
import { ARCHIVE_MARK, ARCHIVE_PROGRAM } from './archive-program.js';
import { PGBACKREST, pgbackrestArchiving } from './pgbackrest.js';

/** Where the archiving of the write-ahead log has its parts on every member. */
export const ARCHIVE = {
  /** What `archive_command` calls. */
  program: '/usr/local/lib/perlstack/archive-wal',
  folder: '/var/lib/perlstack-wal',
  /** URLs that each take one segment once; written by the backup, never by converge. */
  book: '/var/lib/perlstack-wal/tickets',
  /** Segments that are packed and not yet taken. */
  spool: '/var/lib/perlstack-wal/spool',
  /** In the data directory, from the first backup on. It comes with every copy: its server then waits for a book. */
  mark: ARCHIVE_MARK,
} as const;

/** Packs, encrypts and sends; the tools that a restore needs are the same. */
export const ARCHIVE_PACKAGES = ['age', 'curl', 'zstd'];

/** What handing over the log, and copying the data, adds to PostgreSQL on a host. */
export interface Archiving {
  readonly settings: readonly PostgresLine[];
  readonly packages: readonly string[];
  readonly directories: readonly ManagedDirectory[];
  readonly files: readonly ManagedFile[];
  /** What another engine would have left there that nobody should find. */
  readonly removes: readonly string[];
}

const NONE: Archiving = {
  ...{ settings: [], packages: [], directories: [], files: [] },
  removes: [PGBACKREST.secrets],
};

/** By the engine that the stack file wants. */
export function archivingOf(world: World, host: Host): Archiving {
  const { backups } = world.stack;
  if (!backups) return NONE;
  switch (backups.engine) {
    case 'pgbackrest': {
      const own = pgbackrestArchiving(world, host);
      // A dump may be made beside it.
      return { ...own, packages: [...own.packages, ...ARCHIVE_PACKAGES] };
    }
    case 'pg_dump':
      // Dumps have no log between them.
      return { ...NONE, packages: ARCHIVE_PACKAGES };
    case 'stream':
      return streamArchiving(world);
  }
}

function streamArchiving({ platform }: World): Archiving {
  const own = { owner: 'postgres', group: 'postgres', mode: 0o700 };
  return {
    ...NONE,
    settings: archiveSettings(`${ARCHIVE.program} "%p" "%f"`, platform.postgresql),
    packages: ARCHIVE_PACKAGES,
    directories: [
      { path: '/usr/local/lib/perlstack', owner: 'root', group: 'root', mode: 0o755 },
      { path: ARCHIVE.folder, ...own },
      { path: ARCHIVE.spool, ...own },
    ],
    files: [{ ...textFile(ARCHIVE.program, ARCHIVE_PROGRAM), mode: 0o755, effect: 'none' }],
  };
}

/** Without summaries PostgreSQL 17 can make no incremental backup of its own. */
const archiveSettings = (command: string, version: number): PostgresLine[] => [
  ...archiveLines(command),
  ...(version >= 17 ? ([['summarize_wal', true]] as PostgresLine[]) : []),
];
