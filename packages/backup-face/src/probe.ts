import type { Declaration, MainContext } from '@perlstack/action';
import { type LockRule, type Ways, waysFor, waysNow } from '@perlstack/backup';
import { abortAfter, missingFor, probeStorage, type Storage } from '@perlstack/object-storage';
import { probeTable } from './tables.js';

/** A safety net below that of every next run. */
const ABORT_DAYS = 3;

/** What it takes to tell of it. */
export type Probing = Pick<MainContext<Declaration>, 'log' | 'reporter'> & {
  readonly output: (name: 'probe', value: unknown) => void;
};

export interface ProbeOptions {
  readonly stack: string;
  /** What the stack file wants locked. */
  readonly lock: LockRule | null;
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
  { stack, lock, alone, uploads }: ProbeOptions,
): Promise<Ways> {
  const prefix = `${stack}/`;
  const rows = await reporter.phase('Try out the storage', () => probeStorage(storage, prefix));
  output('probe', rows);
  reporter.section({ title: 'What the storage enforces', body: probeTable(rows), folded: !alone });
  const ways = waysFor(rows, lock);
  if (alone) reporter.verdict(`The storage enforces what backups need.${wordsOf(ways)}`);
  if (uploads !== null && missingFor(rows, ['lifecycle']).length === 0) {
    await abortAfter(storage, uploads, ABORT_DAYS);
    log.info(`The storage itself forgets uploads that nobody ended for ${ABORT_DAYS} days`);
  }
  return ways;
}

const wordsOf = ({ lease, once, lock }: Ways): string =>
  [
    ...(lease === 'host' ? [' The lease is taken on a server.'] : []),
    ...(once === 'version' ? [' Of each object the first version counts.'] : []),
    ...(lock ? [` Backups are locked (${lock.mode.toLowerCase()}).`] : []),
  ].join('');

/**
 * How the bucket is to be written to: all of it is tried out before the first backup, and later what can change.
 *
 * @throws as `probe`
 */
export const tryOut = (
  probing: Probing,
  storage: Storage,
  isFirst: boolean,
  options: Omit<ProbeOptions, 'alone'>,
): Promise<Ways> =>
  isFirst
    ? probe(probing, storage, { ...options, alone: false })
    : waysNow(storage, `${options.stack}/`, options.lock);
