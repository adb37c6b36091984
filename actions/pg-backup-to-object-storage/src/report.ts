import { markdownTable, type Section } from '@perlstack/action';
import {
  type BackupFacts,
  type Catalogue,
  type MemberSeen,
  type MemberSilent,
  pace,
  type Retained,
  ticketHoursLeft,
} from '@perlstack/backup';
import type { ProbeRow } from '@perlstack/object-storage';
import { formatDuration } from '@perlstack/stack';

const MIB = 1024 * 1024;
const sizeOf = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
const tookMs = (manifest: { startedAt: string; finishedAt: string }): number =>
  Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt);

/** As many as a picture has room for. */
const SHOWN = 30;

/** The newest backups as a table, and their course over time. */
export function backupSections({ backups, broken }: Catalogue<BackupFacts>): Section[] {
  const shown = backups.slice(-SHOWN);
  const rows = [...shown]
    .reverse()
    .map(({ manifest, bytes }) => [
      manifest.id,
      manifest.parent === null ? 'full' : `on ${manifest.parent}`,
      manifest.source.host,
      sizeOf(bytes),
      formatDuration(tookMs(manifest)),
      manifest.object.recipient === null ? 'no' : 'yes',
      manifest.proof === null ? 'no' : 'yes',
    ]);
  const table = markdownTable(
    ['Backup', 'Kind', 'From', 'Size', 'Took', 'Encrypted', 'Log reaches it'],
    rows,
    ['l', 'l', 'l', 'r', 'r', 'l', 'l'],
  );
  return [
    { title: 'Backups', body: rows.length > 0 ? table : 'None yet.' },
    ...(shown.length > 1 ? [courseOf(shown)] : []),
    ...(broken.length > 0
      ? [
          {
            title: 'Not whole',
            body: markdownTable(
              ['Backup', 'Why'],
              broken.map(({ id, why }) => [id, why]),
              ['l', 'l'],
            ),
          },
        ]
      : []),
  ];
}

function courseOf(shown: Catalogue<BackupFacts>['backups']): Section {
  const days = shown.map(({ manifest }) => `"${manifest.id.slice(4, 8)}"`).join(', ');
  const sizes = shown.map(({ bytes }) => (bytes / MIB).toFixed(1)).join(', ');
  const seconds = shown.map(({ manifest }) => (tookMs(manifest) / 1_000).toFixed(1)).join(', ');
  const lines = [
    'xychart-beta',
    '  title "Size (bars, MiB) and duration (line, s)"',
    `  x-axis [${days}]`,
    `  bar [${sizes}]`,
    `  line [${seconds}]`,
  ];
  return { title: 'Course', body: lines.join('\n'), code: 'mermaid' };
}

/** What stays and why, and what goes. */
export function retentionSection(
  { backups }: Catalogue<BackupFacts>,
  { plan, segments, freedBytes }: Retained,
): Section {
  const bytes = new Map(backups.map((backup) => [backup.manifest.id, backup.bytes]));
  const rows = plan.verdicts.map(({ id, reasons }) => [
    id,
    sizeOf(bytes.get(id) ?? 0),
    reasons.length > 0 ? `stays: ${reasons.join(', ')}` : 'goes',
  ]);
  const table = markdownTable(['Backup', 'Size', 'Verdict'], rows, ['l', 'r', 'l']);
  const sum = `${plan.removed.length} backups and ${segments.length} segments of the log go, ${sizeOf(freedBytes)}.`;
  return { title: 'Retention', body: `${sum}\n\n${table}`, folded: true };
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

/** What was tried at the endpoint, and what came of it. */
export function probeTable(rows: readonly ProbeRow[]): string {
  const words = (holds: boolean | null): string =>
    holds === null ? 'not known' : holds ? 'holds' : 'does not hold';
  return markdownTable(
    ['Tried', 'As it should be', 'Seen', 'Verdict'],
    rows.map(({ feature, expected, seen, holds }) => [feature, expected, seen, words(holds)]),
    ['l', 'l', 'l', 'l'],
  );
}
