import type { MainContext, Site } from '@perlstack/action';
import {
  annotate,
  asUserError,
  assertNoGap,
  type Backup,
  type BackupFacts,
  chooseBackup,
  clusterOf,
  describeTarget,
  drill,
  DRILLED,
  type Pgbackrest,
  pgbackrestOn,
  pgbackrestRestorer,
  readRepository,
  restorePrimary,
  type ServerRun,
  type Target,
} from '@perlstack/backup';
import { connect } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import type { declaration } from './declaration.js';
import { assertionsFrom, hostFor, proofOf, replaceFrom, targetFrom } from './given.js';
import { primaryVerdict, tellDrill } from './report.js';

type Context = MainContext<typeof declaration>;

interface Order {
  readonly host: string;
  /** `null`: the point that the backup noted. */
  readonly wanted: Target | null;
  readonly assertions: ReturnType<typeof assertionsFrom>;
  readonly replace: string | null;
}

/** The action with pgBackRest as the engine: by the server that restores, with the key that apply-configs laid there. */
export async function runPgbackrest(context: Context, { file, inventory }: Site): Promise<void> {
  const { inputs, log, output, signal } = context;
  const cluster = clusterOf(file.stack, inventory);
  const order: Order = {
    host: hostFor(inputs, inventory, cluster),
    wanted: targetFrom(inputs.target),
    assertions: assertionsFrom(inputs.assertions),
    replace: replaceFrom(inputs.replace, inventory),
  };
  assertPossible(context, order);
  const remote = connect(inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    const run: ServerRun = { remote, cluster, signal, say: (line) => log.info(line) };
    const pgbackrest = pgbackrestOn(remote, cluster, order.host, signal);
    const { backup, target } = await choose(context, run, pgbackrest, order);
    output('backup', backup.manifest.id);
    await restore(context, run, pgbackrest, order, backup, target);
  } finally {
    await remote.close();
  }
}

/** @throws UserError for inputs that do not go together, or mean nothing to this engine */
function assertPossible({ inputs }: Context, { host, replace }: Order): void {
  if (inputs['age-identity'] !== undefined)
    throw new UserError(
      'Input "age-identity": pgBackRest decrypts with the passphrase that the server has; leave it out',
    );
  if (!inputs.delta) return;
  if (inputs.mode !== 'primary')
    throw new UserError('Input "delta": only mode primary has old data to begin with');
  if (replace !== host)
    throw new UserError(
      `Input "delta": what the old data of ${host} hold beyond the backup is lost; name ${host} in the input "replace" to agree`,
    );
}

interface Chosen {
  readonly backup: Backup<BackupFacts>;
  readonly target: Target;
}

async function choose(
  { inputs, log, reporter, signal }: Context,
  { remote, cluster }: ServerRun,
  pgbackrest: Pgbackrest,
  { wanted }: Order,
): Promise<Chosen> {
  return reporter.phase('Look into the bucket', async () => {
    const repository = await readRepository(remote, cluster, pgbackrest, signal);
    const { backups, broken, wal } = repository.catalogue;
    broken.forEach(({ id, why }) => log.warning(`Backup ${id} is left out: ${why}`));
    const backup = chooseBackup(backups, inputs.backup ?? null, wanted ?? { kind: 'latest' });
    const target = wanted ?? proofOf(backup);
    await assertNoGap(pgbackrest, cluster, backup, repository, target);
    const { id, source } = backup.manifest;
    log.info(`Backup ${id} of ${source.host}, ${backup.bytes} bytes; ${wal.size} files of the log`);
    return { backup, target };
  });
}

async function restore(
  context: Context,
  run: ServerRun,
  pgbackrest: Pgbackrest,
  order: Order,
  backup: Backup<BackupFacts>,
  target: Target,
): Promise<void> {
  const { inputs, reporter, saveState } = context;
  const { id } = backup.manifest;
  const { host, replace } = order;
  if (inputs.mode === 'plan') {
    reporter.verdict(
      `Backup ${id} would be restored on ${host} up to ${describeTarget(target)}. Nothing was changed.`,
    );
    return;
  }
  saveState('host', host);
  if (inputs.mode === 'drill') return prove(context, run, pgbackrest, order, backup, target);
  const took = Date.now();
  const { delta, timeout: timeoutMs } = inputs;
  const restorer = pgbackrestRestorer(run, pgbackrest, backup, { delta });
  await reporter
    .phase('Restore', () => restorePrimary(run, restorer, { host, target, replace, delta, timeoutMs }))
    .catch((error: unknown) => {
      throw asUserError(error, `Backup ${id} was not restored`);
    });
  reporter.verdict(primaryVerdict(host, id, target, Date.now() - took));
}

async function prove(
  { inputs, log, output, reporter }: Context,
  run: ServerRun,
  pgbackrest: Pgbackrest,
  { host, wanted, assertions }: Order,
  backup: Backup<BackupFacts>,
  target: Target,
): Promise<void> {
  const { id } = backup.manifest;
  const report = await reporter
    .phase('Drill', () =>
      drill(run, pgbackrestRestorer(run, pgbackrest, backup), backup, {
        ...{ host, target, assertions, timeoutMs: inputs.timeout },
        compareRows: wanted === null,
      }),
    )
    .catch((error: unknown) => {
      throw asUserError(error, `Backup ${id} could not be restored`);
    });
  // Beside the backup, since this engine's runs need no key of the bucket.
  if (report.faults.length === 0)
    await annotate(pgbackrest, id, DRILLED, report.startedAt).catch((error: unknown) =>
      log.warning(`That backup ${id} was proven could not be noted: ${messageOf(error)}`),
    );
  tellDrill({ output, reporter }, report);
}
