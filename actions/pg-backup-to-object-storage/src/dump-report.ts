import type { Section } from '@perlstack/action';
import type { DumpManifest, StoredDumps } from '@perlstack/backup';
import { backupTables, type Column } from '@perlstack/backup-face';

const BEFORE: readonly Column<DumpManifest>[] = [
  {
    head: 'From',
    align: 'l',
    cell: ({ source }) => source.server ?? `${source.host} (${source.role})`,
  },
];
const AFTER: readonly Column<DumpManifest>[] = [
  { head: 'Databases', align: 'l', cell: ({ databases }) => databases.map(({ name }) => name).join(', ') },
  { head: 'PostgreSQL', align: 'l', cell: ({ postgresql }) => postgresql.version },
];

/** The newest dumps as a table, and their course over time. */
export const dumpSections = (dumps: StoredDumps): Section[] => backupTables(dumps, BEFORE, AFTER);
