import { type MainContext, openSite, type PostContext, runAction, type Site } from '@perlstack/action';
import {
  abandonRestore,
  assertReadable,
  asUserError,
  type Catalogue,
  chooseBackup,
  chooseCluster,
  type Chosen,
  type Cluster,
  type ClusterKeys,
  clusterOf,
  describeTarget,
  drill,
  drillPlace,
  isProven,
  keysOf,
  leaderFor,
  type Line,
  lineOf,
  type MemberSeen,
  needsIdentity,
  newestLine,
  readCatalogue,
  readHistories,
  readStoredHistories,
  removePlace,
  restorePrimary,
  restoreReplica,
  type RestoreRun,
  streamRestorer,
  type Target,
  targetAlong,
  timelinesIn,
  touchedOf,
} from '@perlstack/backup';
import {
  bucketOfSite,
  doDrill,
  engineOf,
  type KeepNote,
  keepNote,
  orNote,
  tellDrill,
  tellTouched,
} from '@perlstack/backup-face';
import { postgresLayout } from '@perlstack/configs';
import type { Storage } from '@perlstack/object-storage';
import { connect, type Remote } from '@perlstack/remote';
import { messageOf, platformOf } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { assertNoDump, cleanUpTarget, runDump } from './dump.js';
import {
  assertionsFrom,
  assertModeFits,
  assertNoDelta,
  hostFor,
  proofOf,
  replaceFrom,
  targetFrom,
} from './given.js';
import { runPgbackrest } from './pgbackrest.js';
import { primaryVerdict, replicaVerdict, tellLine, wordsOf } from './report.js';

type Context = MainContext<typeof declaration>;

void runAction({
  name: 'pg-restore',
  declaration,
  main: async (context) => {
    const { inputs, signal } = context;
    const site = openSite(inputs);
    const engine = engineOf(site, inputs.engine);
    if (engine === 'pg_dump') return runDump(context, site);
    assertNoDump(inputs);
    assertModeFits(inputs);
    if (engine === 'pgbackrest') return runPgbackrest(context, site);
    assertNoDelta(inputs);
    const given = { target: targetFrom(inputs.target), assertions: assertionsFrom(inputs.assertions) };
    const cluster = clusterOf(site.file.stack, site.inventory);
    const host = hostFor(inputs, site.inventory, cluster, true);
    const storage = bucketOfSite(site, inputs, signal);
    const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
    if (inputs.mode !== 'plan') remote.warm([host], { sudo: true });
    try {
      const leader = inputs.mode === 'replica' ? await leaderFor({ remote, cluster, signal }, host) : null;
      const systemId = leader?.systemId ?? (await clusterFrom(context, storage, cluster));
      const keys = keysOf(cluster.stack).cluster(systemId);
      const looking = { remote, storage, cluster, host, keys, leader };
      const chosen = await choose(context, looking, given.target);
      context.output('backup', chosen.backup.manifest.id);
      await restore(context, { remote, storage, cluster, host, site, leader, keys, ...given, ...chosen });
    } finally {
      storage.close();
      await remote.close();
    }
  },
  post: cleanUp,
});

function clusterFrom({ inputs, log }: Context, storage: Storage, { stack }: Cluster): Promise<string> {
  return chooseCluster(storage, stack, inputs.backup ?? null, (words) =>
    inputs.mode === 'drill' ? log.info(words) : log.warning(words),
  );
}

type Looking = Pick<Restore, 'remote' | 'storage' | 'cluster' | 'host' | 'keys' | 'leader'>;

async function choose(context: Context, looking: Looking, target: Target | null): Promise<Chosen> {
  const { inputs, log, reporter } = context;
  const { storage, keys } = looking;
  return reporter.phase('Look into the bucket', async () => {
    const catalogue = await readCatalogue(storage, keys);
    catalogue.broken.forEach(({ id, why }) => log.warning(`Backup ${id} is left out: ${why}`));
    tellTouched(log, touchedOf(catalogue));
    const line = await lineIn(context, looking, catalogue);
    const backup = chooseBackup(catalogue.backups, inputs.backup ?? null, target ?? { kind: 'latest' }, line);
    tellLine(log, backup, line);
    const { id, source, object } = backup.manifest;
    log.info(`Backup ${id} of ${source.host}, ${object.size} bytes; ${catalogue.wal.size} files of the log`);
    return { catalogue, backup, line };
  });
}

/**
 * The line that the log goes on with: the leader's where there is one, else that of the newest timeline in the bucket.
 *
 * @throws UserError where the histories cannot be read; mode plan, which may have no key and no server yet, says so and goes on
 */
async function lineIn(
  context: Context,
  { remote, storage, cluster, host, leader }: Looking,
  catalogue: Catalogue,
): Promise<Line | null> {
  const { inputs, log, signal } = context;
  if (leader) {
    const source = { primary: leader };
    return lineOf(await readHistories({ remote, cluster, source, signal }), leader.timeline);
  }
  const identity = inputs['age-identity'] ?? null;
  const unknown = (why: string): null => {
    log.warning(`Which backups the newest timeline comes from is not known: ${why}`);
    return null;
  };
  if (needsIdentity(catalogue) && identity === null)
    return unknown('the histories are encrypted, and the input "age-identity" has no key');
  try {
    const reading = { remote, storage, host, identity, signal };
    const read = () => readStoredHistories(reading, catalogue);
    const newest = inputs.backup ?? catalogue.backups.at(-1)?.manifest.id ?? '';
    const keep = notesIn(storage, cluster);
    const histories = inputs.mode === 'drill' ? await orNote(context, newest, keep, read) : await read();
    const line = newestLine(histories, timelinesIn(catalogue));
    return line ?? unknown('the bucket has no history of the newest one');
  } catch (error) {
    const failure = asUserError(error, 'The histories of timelines in the bucket could not be read');
    if (inputs.mode !== 'plan' || signal.aborted) throw failure;
    return unknown(messageOf(failure));
  }
}

interface Restore extends Chosen {
  readonly remote: Remote;
  readonly storage: Storage;
  readonly cluster: Cluster;
  readonly host: string;
  readonly site: Site;
  /** Whom a replica is to follow; `null` in the other modes. */
  readonly leader: MemberSeen | null;
  readonly keys: ClusterKeys;
  readonly target: Target | null;
  readonly assertions: ReturnType<typeof assertionsFrom>;
}

async function restore(context: Context, what: Restore): Promise<void> {
  const { inputs, log, reporter, signal, saveState } = context;
  const goal = what.target ?? (what.leader ? { kind: 'latest' as const } : proofOf(what.backup));
  const target = targetAlong(what.backup, goal, what.line, what.catalogue.wal);
  const run: RestoreRun = {
    ...{ remote: what.remote, storage: what.storage, cluster: what.cluster, signal },
    identity: inputs['age-identity'] ?? null,
    say: (line) => log.info(line),
  };
  const { id } = what.backup.manifest;
  if (inputs.mode === 'plan') {
    reporter.verdict(
      `Backup ${id} would be restored on ${what.host} up to ${describeTarget(target)}. Nothing was changed.`,
    );
    return;
  }
  saveState('host', what.host);
  if (inputs.mode === 'drill') return prove(context, run, what, target);
  const replace = replaceFrom(inputs.replace, what.site.inventory);
  const took = Date.now();
  const onBegun = (): void => saveState('begun', what.host);
  const options = { host: what.host, replace, timeoutMs: inputs.timeout, onBegun };
  const { leader } = what;
  const proven = await isProven(run.storage, keysOf(run.cluster.stack).drills, what.backup.manifest);
  log.info(
    `Backup ${id} ${proven ? 'was proven by a drill: what comes has to be the same' : 'was never proven by a drill: its files are checked one by one'}`,
  );
  // All that the primary wrote before is in the bucket only then.
  const again = async () =>
    streamRestorer(run, { ...what, catalogue: await readCatalogue(run.storage, what.keys) }, proven);
  if (leader) assertReadable(run, what.backup);
  await reporter
    .phase('Restore', () =>
      leader
        ? restoreReplica(run, leader, again, { ...options, inventory: what.site.inventory })
        : restorePrimary(run, streamRestorer(run, what, proven), {
            ...options,
            target,
          }),
    )
    .catch((error: unknown) => {
      throw asUserError(error, `Backup ${id} was not restored`);
    });
  const tookMs = Date.now() - took;
  reporter.verdict(
    leader
      ? replicaVerdict(what.host, id, leader.host, tookMs)
      : primaryVerdict(what.host, id, target, tookMs),
  );
}

/** Notes of drills of a stack, in its bucket. */
function notesIn(storage: Storage, { stack }: Cluster): KeepNote {
  return (note) => keepNote(storage, keysOf(stack).drills, note);
}

async function prove(context: Context, run: RestoreRun, what: Restore, target: Target): Promise<void> {
  const { backup, host, assertions } = what;
  const timeoutMs = context.inputs.timeout;
  const compareRows = what.target === null;
  const report = await doDrill(
    context,
    ['Backup', backup.manifest.id],
    notesIn(run.storage, run.cluster),
    () =>
      drill(run, streamRestorer(run, what, false), backup, {
        ...{ host, target, assertions, timeoutMs, compareRows },
      }),
  );
  tellDrill(context, report, wordsOf(report));
}

/**
 * A drill that was killed leaves a server and, in memory, an identity; a restore, the latter and a server that may be in its
 * midst; a restore of a dump, what was not yet in its place.
 */
async function cleanUp({ inputs, state }: PostContext<typeof declaration>): Promise<void> {
  const [host, target, begun] = [state('host'), state('target'), state('begun')];
  const lease = state('lease');
  if (target !== undefined && lease !== undefined)
    return cleanUpTarget({ inputs }, openSite(inputs), target, lease);
  if (host === undefined || (inputs.mode !== 'drill' && begun === undefined)) return;
  const site = openSite(inputs);
  const version = platformOf(site.file.stack).postgresql;
  const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    const where = { remote, cluster: { layout: postgresLayout(version) } };
    if (begun !== undefined) await abandonRestore(where, begun);
    else await removePlace(where, drillPlace(host, version));
  } finally {
    await remote.close();
  }
}
