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

/** Figures for a monitoring; `null` where there is nothing to measure. */
export function dumpMetricsOf(
  { backups }: StoredDumps,
  /** When the last drill ended. */
  lastDrill: Date | null,
  now: Date,
): Record<string, number | null> {
  const last = backups.at(-1)?.manifest;
  return {
    lastBackupAgeSeconds: last ? (+now - Date.parse(last.finishedAt)) / 1_000 : null,
    lastBackupBytes: last?.object.size ?? null,
    backups: backups.length,
    bucketBytes: backups.reduce((sum, { bytes }) => sum + bytes, 0),
    lastDrillAgeSeconds: lastDrill ? (+now - +lastDrill) / 1_000 : null,
  };
}
