import type { Section } from '@perlstack/action';
import type { RedisBackups, RedisManifest } from '@perlstack/backup';
import { backupMetrics, backupTables, type Column } from '@perlstack/backup-face';

const BEFORE: readonly Column<RedisManifest>[] = [
  { head: 'From', align: 'l', cell: ({ source }) => `${source.host} (${source.role})` },
];
const AFTER: readonly Column<RedisManifest>[] = [
  { head: 'Keys', align: 'r', cell: ({ keys }) => String(keys) },
  { head: 'Redis', align: 'l', cell: ({ redis }) => redis.version },
];

/** The newest backups as a table, and their course over time. */
export const backupSections = (backups: RedisBackups): Section[] => backupTables(backups, BEFORE, AFTER);

/** Figures for a monitoring; `null` where there is nothing to measure. */
export const metricsOf = (
  backups: RedisBackups,
  /** When the last drill ended. */
  lastDrill: Date | null,
  now: Date,
): Record<string, number | null> => ({
  ...backupMetrics(backups, lastDrill, now),
  lastBackupKeys: backups.backups.at(-1)?.manifest.keys ?? null,
});
