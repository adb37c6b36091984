import type { Section } from '@perlstack/action';
import {
  type BackupFacts,
  type Catalogue,
  type MemberSeen,
  type MemberSilent,
  pace,
  type Retained,
  ticketHoursLeft,
} from '@perlstack/backup';
import { backupMetrics, backupTables, type Column, retentionTable, sizeOf } from '@perlstack/backup-face';

const BEFORE: readonly Column<BackupFacts>[] = [
  { head: 'Kind', align: 'l', cell: ({ parent }) => (parent === null ? 'full' : `on ${parent}`) },
  { head: 'From', align: 'l', cell: ({ source }) => source.host },
];
const AFTER: readonly Column<BackupFacts>[] = [
  { head: 'Log reaches it', align: 'l', cell: ({ proof }) => (proof === null ? 'no' : 'yes') },
];

/** The newest backups as a table, and their course over time. */
export const backupSections = (catalogue: Catalogue<BackupFacts>): Section[] =>
  backupTables(catalogue, BEFORE, AFTER);

/** What stays and why, and what goes. */
export function retentionSection(
  { backups }: Catalogue<BackupFacts>,
  { plan, segments, freedBytes }: Retained,
): Section {
  const sum = `${plan.removed.length} backups and ${segments.length} segments of the log go, ${sizeOf(freedBytes)}.`;
  return retentionTable(backups, plan, sum);
}

/** Figures for a monitoring; `null` where there is nothing to measure. */
export function metricsOf(
  catalogue: Catalogue<BackupFacts>,
  members: readonly (MemberSeen | MemberSilent)[],
  /** When the last drill ended. */
  lastDrill: Date | null,
  now: Date,
): Record<string, number | null> {
  const { wal } = catalogue;
  const stored = backupMetrics(catalogue, lastDrill, now);
  const log = [...wal.values()].reduce((sum, { size }) => sum + size, 0);
  const primary = members.find((member): member is MemberSeen => !('fault' in member) && !member.inRecovery);
  const at = primary?.archived.at;
  return {
    ...stored,
    bucketBytes: (stored['bucketBytes'] ?? 0) + log,
    archiveLagSeconds: at ? Math.max(0, (+now - Date.parse(at)) / 1_000) : null,
    segmentsWaiting: primary?.waiting ?? null,
    ticketHoursLeft: primary ? ticketHoursLeft(primary, pace(wal, now), now) : null,
  };
}
