import { type Declaration, type MainContext, markdownTable, runUrl } from '@perlstack/action';
import { asUserError, type DrillNote, faultOf, noteDrill } from '@perlstack/backup';
import type { Storage } from '@perlstack/object-storage';
import { messageOf, UserError } from '@perlstack/stack';

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

/** What it takes to do a drill. */
export type Drilling = Pick<MainContext<Declaration>, 'reporter' | 'log' | 'signal'>;

/** Where a drill leaves what it found. */
export type KeepNote = (note: DrillNote) => Promise<void>;

/**
 * Does a drill, and keeps what it found; one that cannot restore is a drill that failed, and is kept as such.
 *
 * @param what is restored: `Backup 20261127T020000Z`, `Dump …`
 * @throws UserError where it cannot be
 */
export async function doDrill<R extends DrillNote>(
  drilling: Drilling,
  [what, backup]: readonly ['Backup' | 'Dump', string],
  keep: KeepNote,
  work: () => Promise<R>,
): Promise<R> {
  const report = await orNote(drilling, backup, keep, () => drilling.reporter.phase('Drill', work)).catch(
    (error: unknown) => {
      throw asUserError(error, `${what} ${backup} could not be restored`);
    },
  );
  await keep(report);
  return report;
}

/** What a drill begins with; that it fails is kept as what the drill found, where it says anything of the backup. */
export async function orNote<T>(
  { log, signal }: Pick<Drilling, 'log' | 'signal'>,
  backup: string,
  keep: KeepNote,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = new Date().toISOString();
  try {
    return await work();
  } catch (error) {
    const fault = signal.aborted ? null : faultOf(error);
    if (fault !== null)
      await keep({ backup, startedAt, faults: [fault] }).catch((left: unknown) =>
        log.warning(`That the drill of ${backup} failed could not be noted: ${messageOf(left)}`),
      );
    throw error;
  }
}

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
