import { type MainContext, type PostContext, type Site } from '@perlstack/action';
import {
  asUserError,
  assertReadable,
  assertRoom,
  assertRestores,
  chooseDump,
  type Cluster,
  clusterOf,
  databasesOn,
  drillDump,
  dropTemporaries,
  dumpKeys,
  type DumpPlan,
  type DumpTarget,
  onlyPrimary,
  planDump,
  readDumps,
  readMembers,
  restoreDump,
  type RestoreRun,
  serverFrom,
  type StoredDump,
  touchedOf,
  type Writing,
} from '@perlstack/backup';
import {
  afterRestoreLease,
  bucketOfSite,
  doDrill,
  hostOfTier,
  type KeepNote,
  keepNote,
  namesIn,
  tellDrill,
  tellTouched,
  underRestoreLease,
} from '@perlstack/backup-face';
import { POSTGRESQL_PORT, postgresLayout, SOCKET_FOLDER } from '@perlstack/configs';
import type { Storage } from '@perlstack/object-storage';
import { connect, type Remote } from '@perlstack/remote';
import { formatDuration, type Inventory, platformOf, type Stack, UserError } from '@perlstack/stack';
import type { declaration } from './declaration.js';
import { assertionsFrom } from './given.js';
import { dumpWordsOf } from './report.js';

type Context = MainContext<typeof declaration>;
type Inputs = Context['inputs'];

const OF_DUMPS = ['databases', 'server', 'from-stack'] as const;

/** @throws UserError for inputs that only a dump could follow */
export function assertNoDump(inputs: Inputs): void {
  const given = OF_DUMPS.find((name) => inputs[name] !== undefined && inputs[name].length > 0);
  if (given !== undefined)
    throw new UserError(
      `Input "${given}": only the engine pg_dump can do that; add engine: pg_dump to the step, or see backups.engine`,
    );
}

/** @throws UserError for inputs that mean nothing to this engine */
function assertPossible({ mode, target, delta }: Inputs): void {
  if (mode === 'replica')
    throw new UserError(
      'Input "mode": a dump makes no replica; make one with apply-configs, or restore a backup of another engine',
    );
  if (target !== 'proof')
    throw new UserError(
      'Input "target": a dump is of one moment, with no log behind it; leave it out, and choose with the input "backup"',
    );
  if (delta) throw new UserError('Input "delta": only the engine pgbackrest can do that; see backups.engine');
}

interface Order {
  readonly databases: readonly string[];
  readonly replace: readonly string[];
  readonly server: string | null;
  readonly assertions: ReturnType<typeof assertionsFrom>;
  /** Name of the stack whose dump it is. */
  readonly of: string;
}

function orderFrom(inputs: Inputs, { stack }: Stack): Order {
  const address = inputs.server === undefined ? null : serverFrom(inputs.server);
  return {
    databases: namesIn(inputs.databases),
    replace: namesIn(inputs.replace === undefined ? [] : [inputs.replace]),
    server: address && `${address.host}:${address.port}`,
    assertions: assertionsFrom(inputs.assertions),
    of: inputs['from-stack'] ?? stack,
  };
}

/** The action with pg_dump as the engine. */
export async function runDump(context: Context, site: Site): Promise<void> {
  const { inputs, output, signal } = context;
  assertPossible(inputs);
  const order = orderFrom(inputs, site.file.stack);
  const cluster = clusterFor(inputs, site);
  const host = hostFrom(inputs, site.inventory, cluster);
  const storage = bucketOfSite(site, inputs, signal);
  const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    const dump = await choose(context, storage, order);
    output('backup', dump.manifest.id);
    const identity = inputs['age-identity'] ?? null;
    const say = (line: string): void => context.log.info(line);
    await restore(context, { remote, storage, cluster, identity, signal, say }, order, dump, host);
  } finally {
    storage.close();
    await remote.close();
  }
}

/** A drill needs PostgreSQL's programs on a host, which may be one of any tier. */
function clusterFor({ mode, host }: Pick<Inputs, 'mode' | 'host'>, { file, inventory }: Site): Cluster {
  if (mode !== 'drill' || host === undefined) return clusterOf(file.stack, inventory);
  const version = platformOf(file.stack).postgresql;
  return {
    ...{ stack: file.stack.stack, version, port: POSTGRESQL_PORT },
    ...{ layout: postgresLayout(version), members: [] },
  };
}

/** The server that an input names, or where a drill usually is; `null`: the one that turns out to be the primary. */
function hostFrom(
  { host, mode }: Pick<Inputs, 'host' | 'mode'>,
  { hosts }: Inventory,
  { members }: Cluster,
): string | null {
  if (host === undefined) return mode === 'drill' ? (members.at(-1) ?? null) : null;
  const names = mode === 'drill' ? hosts.map(({ name }) => name) : members;
  return hostOfTier(host, names, mode === 'drill' ? null : 'database', 'host');
}

async function choose(
  { inputs, log, reporter }: Context,
  storage: Storage,
  { databases, server, of }: Order,
): Promise<StoredDump> {
  return reporter.phase('Look into the bucket', async () => {
    const dumps = await readDumps(storage, of);
    dumps.broken.forEach(({ id, why }) => log.warning(`Dump ${id} is left out: ${why}`));
    tellTouched(log, touchedOf(dumps));
    const dump = chooseDump(dumps.backups, { id: inputs.backup ?? null, databases, server });
    const { id, source, object, postgresql } = dump.manifest;
    const names = dump.manifest.databases.map(({ name }) => name).join(', ');
    log.info(
      `Dump ${id} of ${source.server ?? source.host}, PostgreSQL ${postgresql.version}: ${names}; ${object.size} bytes`,
    );
    return dump;
  });
}

async function restore(
  context: Context,
  run: RestoreRun,
  order: Order,
  dump: StoredDump,
  host: string | null,
): Promise<void> {
  const { inputs, saveState } = context;
  if (inputs.mode === 'drill') {
    const place = host ?? '';
    assertRestores(dump.manifest, place, run.cluster.version);
    saveState('host', place);
    return prove(context, run, order, dump, place);
  }
  const target = await targetOf(run, host);
  assertRestores(dump.manifest, target.host, run.cluster.version);
  if (inputs.mode === 'plan') return tellPlan(context, dump, target, await planOn(run, order, dump, target));
  assertReadable(run, dump);
  saveState('target', target.host);
  const place = { remote: run.remote, host: target.host, stack: run.cluster.stack };
  await underRestoreLease(context, place, async (stillHeld) => {
    const plan = await planOn(run, order, dump, target);
    const [refusal] = plan.refusals;
    if (refusal !== undefined) throw new UserError(`${refusal}. Nothing was changed`);
    await bringBack(context, { ...run, stillHeld }, dump, target, plan);
  });
}

/** What a restore would do with the databases that are there now. */
async function planOn(
  run: RestoreRun,
  { databases, replace }: Order,
  { manifest }: StoredDump,
  target: DumpTarget,
): Promise<DumpPlan> {
  const there = await databasesOn(run, target);
  return planDump({ host: target.host, dump: manifest, databases, there, replace });
}

/** The primary, since a replica takes no writes. @throws UserError where another server is named */
async function targetOf({ remote, cluster, signal }: RestoreRun, host: string | null): Promise<DumpTarget> {
  const primary = onlyPrimary(await readMembers(remote, cluster, signal));
  if (host !== null && host !== primary.host)
    throw new UserError(
      `Input "host": ${host} is a replica, and takes from its primary what is restored there; leave it out, or name ${primary.host}`,
    );
  return targetOn(cluster, primary.host);
}

const targetOn = (cluster: Cluster, host: string): DumpTarget => ({
  ...{ host, server: cluster, programs: cluster.layout.programs, socket: SOCKET_FOLDER },
});

function tellPlan(
  { log, reporter }: Context,
  { manifest }: StoredDump,
  { host }: DumpTarget,
  { placements, refusals }: DumpPlan,
): void {
  refusals.forEach((refusal) => log.info(`Mode primary would refuse: ${refusal}`));
  const names = placements.map(({ database, aside, drops }) =>
    aside === null || drops ? database.name : `${database.name} (the old one as ${aside})`,
  );
  reporter.verdict(
    `Dump ${manifest.id} would be restored into ${host}: ${names.join(', ')}. Nothing was changed.`,
  );
}

async function bringBack(
  { log, reporter }: Context,
  run: RestoreRun & Pick<Writing, 'stillHeld'>,
  { manifest }: StoredDump,
  target: DumpTarget,
  { placements }: DumpPlan,
): Promise<void> {
  const began = Date.now();
  const { aside } = await reporter
    .phase('Restore', async () => {
      await assertRoom(run, target, placements);
      const { stillHeld } = run;
      return restoreDump(run, target, manifest, placements, { strict: true, stillHeld });
    })
    .catch((error: unknown) => {
      throw asUserError(error, `Dump ${manifest.id} was not restored`);
    });
  aside.forEach((name) => log.notice(`${target.host}: what was there before is database ${name} now`));
  const names = placements.map(({ database }) => database.name).join(', ');
  reporter.verdict(
    `${target.host} has ${names} of dump ${manifest.id}, every row counted, after ${formatDuration(Date.now() - began)}. Run a backup next.`,
  );
}

async function prove(
  context: Context,
  run: RestoreRun,
  { databases, assertions, of }: Order,
  dump: StoredDump,
  host: string,
): Promise<void> {
  const timeoutMs = context.inputs.timeout;
  const keep: KeepNote = (note) => keepNote(run.storage, dumpKeys(of).drills, note);
  const report = await doDrill(context, ['Dump', dump.manifest.id], keep, () =>
    drillDump(run, dump, { host, databases, assertions, timeoutMs }),
  );
  tellDrill(context, report, dumpWordsOf(report));
}

/** A restore that was killed leaves databases that nobody uses, and its lease. */
export async function cleanUpTarget(
  { inputs }: Pick<PostContext<typeof declaration>, 'inputs'>,
  { file, inventory }: Site,
  host: string,
  lease: string,
): Promise<void> {
  const cluster = clusterOf(file.stack, inventory);
  const remote: Remote = connect(inventory, { privateKey: inputs['ssh-private-key'] });
  const asks = { remote, signal: AbortSignal.timeout(120_000) };
  try {
    await afterRestoreLease({ remote, host, stack: cluster.stack }, lease, () =>
      dropTemporaries(asks, targetOn(cluster, host)),
    );
  } finally {
    await remote.close();
  }
}
