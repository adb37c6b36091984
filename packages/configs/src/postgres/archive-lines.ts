import type { PostgresLine } from '../print/postgresql.js';

/** A segment is handed over when it is full, or after a minute, which is what a lost primary may cost at most. */
export const archiveLines = (command: string): PostgresLine[] => [
  ['Backup', null],
  ['archive_mode', 'on'],
  ['archive_command', command],
  ['archive_timeout', '60s'],
];

/** How much of a disk may be taken by a log that nobody takes. */
export const SHARE_OF_DISK = 0.25;
