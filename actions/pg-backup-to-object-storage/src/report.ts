import { markdownTable, type Section } from '@perlstack/action';
import {
  type BackupFacts,
  type Catalogue,
  FEW_HOURS,
  type MemberSeen,
  type MemberSilent,
  pace,
  type Retained,
  ticketHoursLeft,
} from '@perlstack/backup';
import { backupMetrics, backupTables, type Column, retentionTable, sizeOf } from '@perlstack/backup-face';
import { formatDuration } from '@perlstack/stack';

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
export type Metrics = Readonly<Record<string, number | null>>;

type Members = readonly (MemberSeen | MemberSilent)[];

const primaryIn = (members: Members): MemberSeen | undefined =>
  members.find((member): member is MemberSeen => !('fault' in member) && !member.inRecovery);

/**
 * What the servers say, before anything is known of the bucket.
 *
 * @param perDay segments a day; 0: not known
 */
export function serverMetrics(members: Members, perDay: number, now: Date): Metrics {
  const primary = primaryIn(members);
  const at = primary?.archived.at;
  return {
    archiveLagSeconds: at ? Math.max(0, (+now - Date.parse(at)) / 1_000) : null,
    segmentsWaiting: primary?.waiting ?? null,
    ticketHoursLeft: primary ? ticketHoursLeft(primary, perDay, now) : null,
  };
}

/** All figures. */
export function metricsOf(
  catalogue: Catalogue<BackupFacts>,
  members: Members,
  /** When the last drill that proved a backup ended. */
  lastDrill: Date | null,
  now: Date,
): Metrics {
  const { wal } = catalogue;
  const stored = backupMetrics(catalogue, lastDrill, now);
  const log = [...wal.values()].reduce((sum, { size }) => sum + size, 0);
  return {
    ...stored,
    bucketBytes: (stored['bucketBytes'] ?? 0) + log,
    ...serverMetrics(members, pace(wal, now), now),
  };
}

/** More waiting segments than this are more than a server hands over in passing: half a GiB. */
const MANY_WAITING = 32;
/** With `archive_timeout` a segment goes every minute, as long as anything is written. */
const LONG_LAG_S = 900;

/** Of the log that waits, a sentence; `null` where it need not worry anybody. The servers alone tell it, wherever the bucket is. */
export function logAlarm(
  { archiveLagSeconds: lag, segmentsWaiting }: Metrics,
  { host, archived }: Pick<MemberSeen, 'host' | 'archived'>,
): string | null {
  const waiting = segmentsWaiting ?? 0;
  // A server that nobody writes to hands nothing over, and that is no lag.
  const late = waiting > 0 && (lag ?? Infinity) > LONG_LAG_S;
  if (!late && waiting <= MANY_WAITING) return null;
  const since =
    typeof lag === 'number' ? `the last one was handed over ${spanOf(lag)} ago` : 'none was handed over yet';
  const failed = archived.failed ? `, ${archived.failed} failed` : '';
  return `${waiting} segments of the log wait on ${host}, ${since}${failed}: what is in them would be lost with it; see the log of PostgreSQL there`;
}

/**
 * Of the tickets for the log. The figures have to be those of before a backup: that gives out new ones.
 *
 * @param hasBackups without any there are no tickets yet
 */
export function ticketAlarm(
  { ticketHoursLeft: hours }: Metrics,
  { host }: Pick<MemberSeen, 'host'>,
  hasBackups: boolean,
): string | null {
  const cure = `without new ones ${host} keeps its log until its disk has no room for it: run mode "backup", and see why the last ones did not`;
  if (typeof hours === 'number' && hours < FEW_HOURS)
    return `Tickets for the log end in ${hours.toFixed(1)} hours; ${cure}`;
  return hours === null && hasBackups ? `${host} has no tickets for the log; ${cure}` : null;
}

const HOUR_S = 3_600;

const spanOf = (seconds: number): string =>
  seconds < 2 * HOUR_S ? formatDuration(seconds * 1_000) : `${Math.round(seconds / HOUR_S)} hours`;

/** How old things are, at a glance. */
export function figuresSection(metrics: Metrics): Section {
  const age = (name: string): string | null => {
    const seconds = metrics[name];
    return typeof seconds === 'number' ? `${spanOf(seconds)} ago` : null;
  };
  const hours = metrics['ticketHoursLeft'];
  const rows = [
    ['Last backup', age('lastBackupAgeSeconds') ?? 'none'],
    ['Last drill that proved one', age('lastDrillAgeSeconds') ?? 'none'],
    ['Last segment handed over', age('archiveLagSeconds') ?? 'none'],
    ['Segments that wait', String(metrics['segmentsWaiting'] ?? 'not known')],
    ...(typeof hours === 'number' ? [['Tickets for', `${hours.toFixed(0)} hours`]] : []),
  ];
  return { title: 'Figures', body: markdownTable(['What', 'Now'], rows, ['l', 'l']) };
}
