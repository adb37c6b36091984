import { type MainContext, openSite, type PostContext, runAction, type Site } from '@perlstack/action';
import {
  assertReadable,
  asUserError,
  type Backup,
  type Catalogue,
  chooseBackup,
  type Cluster,
  type ClusterKeys,
  clusterOf,
  describeTarget,
  drill,
  drillPlace,
  isProven,
  keysOf,
  leaderFor,
  type MemberSeen,
  newestCluster,
  readCatalogue,
  removePlace,
  restorePrimary,
  restoreReplica,
  type RestoreRun,
  streamRestorer,
  type Target,
  touchedOf,
} from '@perlstack/backup';
import { bucketOfSite, engineOf, keepNote, tellDrill, tellTouched } from '@perlstack/backup-face';
import { postgresLayout } from '@perlstack/configs';
import type { Storage } from '@perlstack/object-storage';
import { connect, type Remote } from '@perlstack/remote';
import { platformOf } from '@perlstack/stack';
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
import { primaryVerdict, replicaVerdict, wordsOf } from './report.js';

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
    const host = hostFor(inputs, site.inventory, cluster);
    const storage = bucketOfSite(site, inputs, signal);
    const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
    if (inputs.mode !== 'plan') remote.warm([host]);
    try {
      const leader = inputs.mode === 'replica' ? await leaderFor({ remote, cluster, signal }, host) : null;
      const systemId = leader?.systemId ?? (await newestCluster(storage, cluster.stack));
      const keys = keysOf(cluster.stack).cluster(systemId);
      const chosen = await choose(context, storage, keys, given.target);
      context.output('backup', chosen.backup.manifest.id);
      await restore(context, { remote, storage, cluster, host, site, leader, keys, ...given, ...chosen });
    } finally {
      storage.close();
      await remote.close();
    }
  },
  post: cleanUp,
});

interface Chosen {
  readonly catalogue: Catalogue;
  readonly backup: Backup;
}

async function choose(
  { inputs, log, reporter }: Context,
  storage: Storage,
  keys: ClusterKeys,
  target: Target | null,
): Promise<Chosen> {
  return reporter.phase('Look into the bucket', async () => {
    const catalogue = await readCatalogue(storage, keys);
    catalogue.broken.forEach(({ id, why }) => log.warning(`Backup ${id} is left out: ${why}`));
    tellTouched(log, touchedOf(catalogue));
    const backup = chooseBackup(catalogue.backups, inputs.backup ?? null, target ?? { kind: 'latest' });
    const { id, source, object } = backup.manifest;
    log.info(`Backup ${id} of ${source.host}, ${object.size} bytes; ${catalogue.wal.size} files of the log`);
    return { catalogue, backup };
  });
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
  const target = what.target ?? (what.leader ? { kind: 'latest' as const } : proofOf(what.backup));
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
  const options = { host: what.host, replace, timeoutMs: inputs.timeout };
  const { leader } = what;
  const proven = await isProven(run.storage, keysOf(run.cluster.stack).drills, what.backup.manifest);
  log.info(
    `Backup ${id} ${proven ? 'was proven by a drill: what comes has to be the same' : 'was never proven by a drill: its files are checked one by one'}`,
  );
  // All that the primary wrote before is in the bucket only then.
  const again = async () =>
    streamRestorer(run, what.backup, await readCatalogue(run.storage, what.keys), proven);
  if (leader) assertReadable(run, what.backup);
  await reporter
    .phase('Restore', () =>
      leader
        ? restoreReplica(run, leader, again, { ...options, inventory: what.site.inventory })
        : restorePrimary(run, streamRestorer(run, what.backup, what.catalogue, proven), {
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

async function prove(
  { inputs, reporter, output }: Context,
  run: RestoreRun,
  what: Restore,
  target: Target,
): Promise<void> {
  const report = await reporter
    .phase('Drill', () =>
      drill(run, streamRestorer(run, what.backup, what.catalogue, false), what.backup, {
        ...{ host: what.host, target, assertions: what.assertions, timeoutMs: inputs.timeout },
        compareRows: what.target === null,
      }),
    )
    .catch((error: unknown) => {
      throw asUserError(error, `Backup ${what.backup.manifest.id} could not be restored`);
    });
  await keepNote(run.storage, keysOf(run.cluster.stack).drills, report);
  tellDrill({ output, reporter }, report, wordsOf(report));
}

/** A drill that was killed leaves a server and, in memory, an identity; a restore of a dump, what was not yet in its place. */
async function cleanUp({ inputs, state }: PostContext<typeof declaration>): Promise<void> {
  const [host, target] = [state('host'), state('target')];
  if (target !== undefined) return cleanUpTarget({ inputs }, openSite(inputs), target);
  if (host === undefined || inputs.mode !== 'drill') return;
  const site = openSite(inputs);
  const version = platformOf(site.file.stack).postgresql;
  const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    await removePlace({ remote, cluster: { layout: postgresLayout(version) } }, drillPlace(host, version));
  } finally {
    await remote.close();
  }
}
