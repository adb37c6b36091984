import { type Declaration, type MainContext, markdownTable, runUrl } from '@perlstack/action';
import { type DrillNote, noteDrill } from '@perlstack/backup';
import type { Storage } from '@perlstack/object-storage';
import { UserError } from '@perlstack/stack';

/** What it takes to tell of a drill. */
export type DrillTelling = Pick<MainContext<Declaration>, 'reporter'> & {
  readonly output: (name: 'report' | 'faults', value: unknown) => void;
};

/** What is said of a drill of one kind. */
export interface DrillWords {
  /** Between the backup's name and its faults: what was looked at, and what was found. */
  readonly rows: readonly (readonly [string, string])[];
  /** Of one without a fault, behind its name: `restored in 3 s on app-1`. */
  readonly proven: string;
}

/** Keeps what a drill found in the bucket, for the backups and restores that come. */
export const keepNote = (storage: Storage, folder: string, report: DrillNote): Promise<void> =>
  noteDrill(storage, folder, report, runUrl() ?? null);

/** Sets what a drill found. @throws AggregateError where that is not good */
export function tellDrill(
  { output, reporter }: DrillTelling,
  report: DrillNote,
  { rows, proven }: DrillWords,
): void {
  const { backup, faults } = report;
  output('report', report);
  output('faults', faults);
  const found = [['Backup', backup], ...rows, ['Faults', faults.join('; ') || 'none']];
  reporter.section({ title: 'Drill', body: markdownTable(['What', 'Found'], found, ['l', 'l']) });
  if (faults.length > 0)
    throw new AggregateError(
      faults.map((fault) => new UserError(`Backup ${backup} is not good: ${fault}`)),
      'The drill failed',
    );
  reporter.verdict(`Backup ${backup} is proven: ${proven}, and removed.`);
}
