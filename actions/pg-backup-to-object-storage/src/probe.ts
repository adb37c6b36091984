import type { MainContext } from '@perlstack/action';
import { type Cluster, keysOf } from '@perlstack/backup';
import { abortAfter, missingFor, probeStorage, type Storage } from '@perlstack/object-storage';
import { UserError } from '@perlstack/stack';
import type { declaration } from './declaration.js';
import { probeTable } from './report.js';

type Context = MainContext<typeof declaration>;

/** What a backup takes for granted of the storage. */
const NEEDS = ['md5', 'multipart', 'write-once', 'lease'] as const;

/**
 * Tries out the endpoint before anything is built on it.
 *
 * @throws UserError naming what does not hold
 */
export async function probe(
  { inputs, log, output, reporter }: Context,
  storage: Storage,
  cluster: Cluster,
): Promise<void> {
  const prefix = `${cluster.stack}/`;
  const rows = await reporter.phase('Try out the storage', () => probeStorage(storage, prefix));
  output('probe', rows);
  reporter.section({
    title: 'What the storage enforces',
    body: probeTable(rows),
    folded: inputs.mode !== 'probe',
  });
  const missing = missingFor(rows, NEEDS);
  if (missing.length > 0) {
    const because = missing.map(({ need, because: why }) => `${need} (${why.join('; ')})`).join(', ');
    throw new UserError(
      `The storage does not enforce what backups need: ${because}; use a bucket without versioning, and see mode "probe"`,
    );
  }
  if (missingFor(rows, ['lifecycle']).length === 0 && inputs.mode === 'backup') {
    await abortAfter(storage, keysOf(cluster.stack).clusters, ABORT_DAYS);
    log.info(`The storage itself forgets uploads that nobody ended for ${ABORT_DAYS} days`);
  }
  if (inputs.mode === 'probe') reporter.verdict('The storage enforces what backups need.');
}

/** A safety net below that of every next run. */
const ABORT_DAYS = 3;
