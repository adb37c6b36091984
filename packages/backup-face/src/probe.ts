import type { Declaration, MainContext } from '@perlstack/action';
import { abortAfter, missingFor, probeStorage, type Storage } from '@perlstack/object-storage';
import { UserError } from '@perlstack/stack';
import { probeTable } from './tables.js';

/** What a backup takes for granted of the storage. */
const NEEDS = ['md5', 'multipart', 'write-once', 'lease'] as const;

/** A safety net below that of every next run. */
const ABORT_DAYS = 3;

/** What it takes to tell of it. */
export type Probing = Pick<MainContext<Declaration>, 'log' | 'reporter'> & {
  readonly output: (name: 'probe', value: unknown) => void;
};

export interface ProbeOptions {
  readonly stack: string;
  /** Where nothing is done but to try it out. */
  readonly alone: boolean;
  /** The folder in which the storage itself is to forget uploads that nobody ended; `null`: nowhere. */
  readonly uploads: string | null;
}

/**
 * Tries out the endpoint before anything is built on it.
 *
 * @throws UserError naming what does not hold
 */
export async function probe(
  { log, output, reporter }: Probing,
  storage: Storage,
  { stack, alone, uploads }: ProbeOptions,
): Promise<void> {
  const prefix = `${stack}/`;
  const rows = await reporter.phase('Try out the storage', () => probeStorage(storage, prefix));
  output('probe', rows);
  reporter.section({ title: 'What the storage enforces', body: probeTable(rows), folded: !alone });
  const missing = missingFor(rows, NEEDS);
  if (missing.length > 0) {
    const because = missing.map(({ need, because: why }) => `${need} (${why.join('; ')})`).join(', ');
    throw new UserError(
      `The storage does not enforce what backups need: ${because}; use a bucket without versioning, and see mode "probe"`,
    );
  }
  if (alone) reporter.verdict('The storage enforces what backups need.');
  if (uploads !== null && missingFor(rows, ['lifecycle']).length === 0) {
    await abortAfter(storage, uploads, ABORT_DAYS);
    log.info(`The storage itself forgets uploads that nobody ended for ${ABORT_DAYS} days`);
  }
}
