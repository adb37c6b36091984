import {
  type Backup,
  type BackupFacts,
  describeTarget,
  type DrillReport,
  type DumpDrillReport,
  isOn,
  type Line,
  type Target,
} from '@perlstack/backup';
import type { DrillWords } from '@perlstack/backup-face';
import { formatDuration } from '@perlstack/stack';

/** What is said of a drill, whichever engine it was. */
export function wordsOf({ timings, ...report }: DrillReport): DrillWords {
  const { restore: files, recovery, checks } = timings;
  return {
    rows: [
      ['Recovered up to', report.target],
      ['Last commit in it', report.lastCommit ?? 'none'],
      ['Files back after', formatDuration(files)],
      ['Log replayed in', formatDuration(recovery)],
      ['Checked in', formatDuration(checks)],
      ['Tables', String(report.tables)],
    ],
    proven: `restored in ${formatDuration(files + recovery)} on ${report.host} up to ${report.target}, ${report.tables} tables and ${report.assertions} assertions checked in ${formatDuration(checks)}`,
  };
}

/** The same of a dump. */
export const dumpWordsOf = ({
  databases,
  tables,
  assertions,
  host,
  timings,
}: DumpDrillReport): DrillWords => ({
  rows: [
    ['Databases', databases.join(', ')],
    ['Restored in', formatDuration(timings.restore)],
    ['Checked in', formatDuration(timings.checks)],
    ['Tables', String(tables)],
  ],
  proven: `${databases.join(', ')} restored in ${formatDuration(timings.restore)} on ${host}, ${tables} tables and ${assertions} assertions checked in ${formatDuration(timings.checks)}`,
});

/** Says where a backup does not lead to what the servers were last. */
export function tellLine(
  log: { readonly warning: (text: string) => void },
  { manifest }: Backup<BackupFacts>,
  line: Line | null,
): void {
  if (isOn(line, manifest.wal)) return;
  log.warning(
    `Backup ${manifest.id} is of timeline ${manifest.wal.timeline} behind the place where timeline ${line?.timeline ?? ''} left it: recovery goes along its own timeline`,
  );
}

/** What a restore in the place of a lost primary came to, and what is next. */
export const primaryVerdict = (host: string, backup: string, target: Target, tookMs: number): string =>
  `${host} is a primary with backup ${backup}, recovered up to ${describeTarget(target)}, in ${formatDuration(tookMs)}. Run apply-configs with allow-rebuild for the other servers, then a backup.`;

/** What a restore into a replica came to. */
export const replicaVerdict = (host: string, backup: string, leader: string, tookMs: number): string =>
  `${host} is a replica with backup ${backup} and streams from ${leader}, after ${formatDuration(tookMs)}.`;
