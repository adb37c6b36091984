import {
  type MainContext,
  markdownTable,
  openSite,
  type PostContext,
  runAction,
  runUrl,
  type Site,
} from '@perlstack/action';
import {
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
  type DrillReport,
  keysOf,
  leaderFor,
  type MemberSeen,
  newestCluster,
  readCatalogue,
  removePlace,
  restorePrimary,
  restoreReplica,
  type RestoreRun,
  type Target,
} from '@perlstack/backup';
import { bucketOfSite } from '@perlstack/backup-face';
import type { Storage } from '@perlstack/object-storage';
import { connect, type Remote } from '@perlstack/remote';
import { formatDuration, UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { assertionsFrom, hostFrom, proofOf, targetFrom } from './given.js';

type Context = MainContext<typeof declaration>;
type Inputs = Context['inputs'];

void runAction({
  name: 'pg-restore',
  declaration,
  main: async (context) => {
    const { inputs, signal } = context;
    const site = openSite(inputs);
    if (inputs.mode === 'replica' && inputs.target !== 'proof')
      throw new UserError(
        'Input "target": a replica follows its primary and ends nowhere; leave it out, or see mode "primary"',
      );
    const given = { target: targetFrom(inputs.target), assertions: assertionsFrom(inputs.assertions) };
    const cluster = clusterOf(site.file.stack, site.inventory);
    const host = hostOf(site, inputs, cluster);
    const storage = bucketOfSite(site, inputs, signal);
    const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
    try {
      const leader = inputs.mode === 'replica' ? await leaderFor({ remote, cluster, signal }, host) : null;
      const systemId = leader?.systemId ?? (await newestCluster(storage, cluster.stack));
      const chosen = await choose(context, storage, keysOf(cluster.stack).cluster(systemId), given.target);
      context.output('backup', chosen.backup.manifest.id);
      await restore(context, { remote, storage, cluster, host, site, leader, ...given, ...chosen });
    } finally {
      storage.close();
      await remote.close();
    }
  },
  post: cleanUp,
});

function hostOf({ inventory }: Site, inputs: Inputs, { members }: Cluster): string {
  const usual = (inputs.mode === 'primary' ? members[0] : members.at(-1)) ?? '';
  return hostFrom(inputs.host, usual, inventory);
}

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
  const replace =
    inputs.replace === undefined ? null : hostFrom(inputs.replace, '', what.site.inventory, 'replace');
  const took = Date.now();
  const options = { host: what.host, replace, timeoutMs: inputs.timeout };
  const { leader } = what;
  await reporter
    .phase('Restore', () =>
      leader
        ? restoreReplica(run, leader, what.backup, { ...options, inventory: what.site.inventory })
        : restorePrimary(run, what.backup, what.catalogue, { ...options, target }),
    )
    .catch((error: unknown) => {
      throw asUserError(error, `Backup ${id} was not restored`);
    });
  if (leader) {
    reporter.verdict(
      `${what.host} is a replica with backup ${id} and streams from ${leader.host}, after ${formatDuration(Date.now() - took)}.`,
    );
    return;
  }
  reporter.verdict(
    `${what.host} is a primary with backup ${id}, recovered up to ${describeTarget(target)}, in ${formatDuration(Date.now() - took)}. Run apply-configs with allow-rebuild for the other servers, then a backup.`,
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
      drill(run, what.backup, what.catalogue, {
        ...{ host: what.host, target, assertions: what.assertions, timeoutMs: inputs.timeout },
        compareRows: what.target === null,
      }),
    )
    .catch((error: unknown) => {
      throw asUserError(error, `Backup ${what.backup.manifest.id} could not be restored`);
    });
  output('report', report);
  output('faults', report.faults);
  const key = `${keysOf(run.cluster.stack).drills}${report.startedAt.replaceAll(/[-:]|\.\d+/g, '')}.json`;
  await run.storage.put(key, `${JSON.stringify({ ...report, run: runUrl() ?? null })}\n`);
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

/** A drill that was killed leaves a server and, in memory, an identity. */
async function cleanUp({ inputs, state }: PostContext<typeof declaration>): Promise<void> {
  const host = state('host');
  if (host === undefined || inputs.mode !== 'drill') return;
  const site = openSite(inputs);
  const cluster = clusterOf(site.file.stack, site.inventory);
  const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    await removePlace({ remote, cluster }, drillPlace(host, cluster.version));
  } finally {
    await remote.close();
  }
}
