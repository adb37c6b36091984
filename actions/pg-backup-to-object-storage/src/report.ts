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
import { backupTables, type Column, retentionTable, sizeOf } from '@perlstack/backup-face';

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
  { backups, wal }: Catalogue<BackupFacts>,
  members: readonly (MemberSeen | MemberSilent)[],
  /** When the last drill ended. */
  lastDrill: Date | null,
  now: Date,
): Record<string, number | null> {
  const last = backups.at(-1)?.manifest;
  const primary = members.find((member): member is MemberSeen => !('fault' in member) && !member.inRecovery);
  const at = primary?.archived.at;
  return {
    lastBackupAgeSeconds: last ? (+now - Date.parse(last.finishedAt)) / 1_000 : null,
    lastBackupBytes: last?.object.size ?? null,
    backups: backups.length,
    bucketBytes:
      backups.reduce((sum, { bytes }) => sum + bytes, 0) +
      [...wal.values()].reduce((sum, { size }) => sum + size, 0),
    archiveLagSeconds: at ? Math.max(0, (+now - Date.parse(at)) / 1_000) : null,
    segmentsWaiting: primary?.waiting ?? null,
    lastDrillAgeSeconds: lastDrill ? (+now - +lastDrill) / 1_000 : null,
    ticketHoursLeft: primary ? ticketHoursLeft(primary, pace(wal, now), now) : null,
  };
}
