import { type MainContext, markdownTable } from '@perlstack/action';
import { describeTarget, type DrillReport, type Target } from '@perlstack/backup';
import { formatDuration, UserError } from '@perlstack/stack';
import type { declaration } from './declaration.js';

/** Sets what a drill found. @throws AggregateError where that is not good */
export function tellDrill(
  { output, reporter }: Pick<MainContext<typeof declaration>, 'output' | 'reporter'>,
  report: DrillReport,
): void {
  output('report', report);
  output('faults', report.faults);
  reporter.section({ title: 'Drill', body: tableOf(report) });
  if (report.faults.length > 0)
    throw new AggregateError(
      report.faults.map((fault) => new UserError(`Backup ${report.backup} is not good: ${fault}`)),
      'The drill failed',
    );
  const { restore: files, recovery, checks } = report.timings;
  reporter.verdict(
    `Backup ${report.backup} is proven: restored in ${formatDuration(files + recovery)} on ${report.host} up to ${report.target}, ${report.tables} tables and ${report.assertions} assertions checked in ${formatDuration(checks)}, and removed.`,
  );
}

function tableOf(report: DrillReport): string {
  const { restore: files, recovery, checks } = report.timings;
  return markdownTable(
    ['What', 'Found'],
    [
      ['Backup', report.backup],
      ['Recovered up to', report.target],
      ['Last commit in it', report.lastCommit ?? 'none'],
      ['Files back after', formatDuration(files)],
      ['Log replayed in', formatDuration(recovery)],
      ['Checked in', formatDuration(checks)],
      ['Tables', String(report.tables)],
      ['Faults', report.faults.join('; ') || 'none'],
    ],
    ['l', 'l'],
  );
}

/** What a restore in the place of a lost primary came to, and what is next. */
export const primaryVerdict = (host: string, backup: string, target: Target, tookMs: number): string =>
  `${host} is a primary with backup ${backup}, recovered up to ${describeTarget(target)}, in ${formatDuration(tookMs)}. Run apply-configs with allow-rebuild for the other servers, then a backup.`;

/** What a restore into a replica came to. */
export const replicaVerdict = (host: string, backup: string, leader: string, tookMs: number): string =>
  `${host} is a replica with backup ${backup} and streams from ${leader}, after ${formatDuration(tookMs)}.`;
