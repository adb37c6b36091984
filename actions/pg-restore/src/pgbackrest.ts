import type { MainContext, Site } from '@perlstack/action';
import {
  annotate,
  asUserError,
  assertNoGap,
  chooseBackup,
  type ChosenInRepository,
  clusterOf,
  describeTarget,
  drill,
  DRILL_FAILED,
  DRILLED,
  leaderFor,
  lineOf,
  type MemberSeen,
  newestLine,
  type Pgbackrest,
  pgbackrestOn,
  pgbackrestRestorer,
  readRepository,
  readRepositoryHistories,
  restorePrimary,
  restoreReplica,
  type Restorer,
  type ServerRun,
  type Target,
  targetAlong,
  timelinesIn,
} from '@perlstack/backup';
import { doDrill, type KeepNote, tellDrill } from '@perlstack/backup-face';
import { connect } from '@perlstack/remote';
import { type Inventory, messageOf, UserError } from '@perlstack/stack';
import type { declaration } from './declaration.js';
import { assertionsFrom, hostFor, proofOf, replaceFrom, targetFrom } from './given.js';
import { primaryVerdict, replicaVerdict, tellLine, wordsOf } from './report.js';

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
    host: hostFor(inputs, inventory, cluster, false),
    wanted: targetFrom(inputs.target),
    assertions: assertionsFrom(inputs.assertions),
    replace: replaceFrom(inputs.replace, inventory),
  };
  assertPossible(context, order);
  const remote = connect(inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    const run: ServerRun = { remote, cluster, signal, say: (line) => log.info(line) };
    const pgbackrest = pgbackrestOn(remote, cluster, order.host, signal);
    const leader = inputs.mode === 'replica' ? await leaderFor(run, order.host) : null;
    const chosen = await choose(context, run, pgbackrest, order, leader);
    output('backup', chosen.backup.manifest.id);
    await restore(context, run, { ...order, ...chosen, pgbackrest, inventory });
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

interface Chosen extends ChosenInRepository {
  readonly target: Target;
  /** Whom a replica is to follow; `null` in the other modes. */
  readonly leader: MemberSeen | null;
}

interface Restore extends Order, Chosen {
  readonly pgbackrest: Pgbackrest;
  readonly inventory: Inventory;
}

async function choose(
  { inputs, log, reporter, signal }: Context,
  { remote, cluster }: ServerRun,
  pgbackrest: Pgbackrest,
  { wanted }: Order,
  leader: MemberSeen | null,
): Promise<Chosen> {
  return reporter.phase('Look into the bucket', async () => {
    const repository = await readRepository(remote, cluster, pgbackrest, signal);
    const { catalogue } = repository;
    const { backups, broken, wal } = catalogue;
    if (leader && repository.systemId !== leader.systemId)
      throw new UserError(
        `The repository in the bucket is of another cluster than that of ${leader.host}; make a backup first`,
      );
    broken.forEach(({ id, why }) => log.warning(`Backup ${id} is left out: ${why}`));
    const histories = await readRepositoryHistories(pgbackrest, cluster, repository);
    const line = leader ? lineOf(histories, leader.timeline) : newestLine(histories, timelinesIn(catalogue));
    const backup = chooseBackup(backups, inputs.backup ?? null, wanted ?? { kind: 'latest' }, line);
    const goal = wanted ?? (leader ? { kind: 'latest' as const } : proofOf(backup));
    const target = targetAlong(backup, goal, line, wal);
    tellLine(log, backup, line);
    assertNoGap(backup, catalogue, histories, target);
    const { id, source } = backup.manifest;
    log.info(`Backup ${id} of ${source.host}, ${backup.bytes} bytes; ${wal.size} files of the log`);
    return { backup, catalogue, line, target, leader };
  });
}

async function restore(context: Context, run: ServerRun, what: Restore): Promise<void> {
  const { inputs, reporter, saveState } = context;
  const { host, replace, target, leader, pgbackrest, backup } = what;
  const { id } = backup.manifest;
  if (inputs.mode === 'plan') {
    reporter.verdict(
      `Backup ${id} would be restored on ${host} up to ${describeTarget(target)}. Nothing was changed.`,
    );
    return;
  }
  saveState('host', host);
  if (inputs.mode === 'drill') return prove(context, run, what);
  const took = Date.now();
  const { delta } = inputs;
  const onBegun = (): void => saveState('begun', host);
  const options = { host, replace, timeoutMs: inputs.timeout, onBegun };
  // All that the primary wrote before is in the bucket only then.
  const again = async (): Promise<Restorer> => {
    const { catalogue } = await readRepository(run.remote, run.cluster, pgbackrest, run.signal);
    return pgbackrestRestorer(run, pgbackrest, { ...what, catalogue });
  };
  await reporter
    .phase('Restore', () =>
      leader
        ? restoreReplica(run, leader, again, { ...options, inventory: what.inventory })
        : restorePrimary(run, pgbackrestRestorer(run, pgbackrest, what, { delta }), {
            ...{ ...options, target, delta },
          }),
    )
    .catch((error: unknown) => {
      throw asUserError(error, `Backup ${id} was not restored`);
    });
  const tookMs = Date.now() - took;
  reporter.verdict(
    leader ? replicaVerdict(host, id, leader.host, tookMs) : primaryVerdict(host, id, target, tookMs),
  );
}

async function prove(context: Context, run: ServerRun, what: Restore): Promise<void> {
  const { host, wanted, assertions, backup, target, pgbackrest } = what;
  const { id } = backup.manifest;
  // Beside the backup, since this engine's runs need no key of the bucket.
  const keep: KeepNote = ({ faults, startedAt }) =>
    annotate(pgbackrest, id, faults.length === 0 ? DRILLED : DRILL_FAILED, startedAt).catch(
      (error: unknown) =>
        context.log.warning(`What the drill of backup ${id} found could not be noted: ${messageOf(error)}`),
    );
  const timeoutMs = context.inputs.timeout;
  const compareRows = wanted === null;
  const report = await doDrill(context, ['Backup', id], keep, () =>
    drill(run, pgbackrestRestorer(run, pgbackrest, what), backup, {
      ...{ host, target, assertions, timeoutMs, compareRows },
    }),
  );
  tellDrill(context, report, wordsOf(report));
}
