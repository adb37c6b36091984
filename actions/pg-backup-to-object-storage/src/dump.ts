import { type MainContext, runUrl, type Site } from '@perlstack/action';
import {
  chooseDatabases,
  chooseSource,
  clusterOf,
  type Dump,
  dumpKeys,
  type DumpManifest,
  dumpRetentionOf,
  type DumpRun,
  type DumpServer,
  type DumpWriter,
  lockRuleOf,
  openBucket,
  ownServer,
  readDumps,
  readMembers,
  remoteServer,
  type RetentionRules,
  seeServer,
  type ServerAddress,
  serverFrom,
  takeDump,
  writeDump,
} from '@perlstack/backup';
import {
  backupMetrics,
  clearBefore,
  hostOfTier,
  namesIn,
  planStandalone,
  probe,
  recipientOf,
  retainStandalone,
  rulesOf,
  sizeOf,
  type Standalone,
  tryOut,
  underLease,
  verifyStandalone,
} from '@perlstack/backup-face';
import type { Storage } from '@perlstack/object-storage';
import { connect, type Remote } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import type { declaration } from './declaration.js';
import { dumpSections } from './dump-report.js';

type Context = MainContext<typeof declaration>;
type Inputs = Context['inputs'];

/** Inputs that mean something to this engine alone. */
const OF_DUMPS = ['databases', 'server', 'server-password', 'server-ca', 'via'] as const;

/** @throws UserError for inputs that only a dump could follow */
export function assertNoDump(inputs: Inputs): void {
  const given = OF_DUMPS.find((name) => inputs[name] !== undefined && inputs[name].length > 0);
  if (given !== undefined)
    throw new UserError(
      `Input "${given}": only the engine pg_dump can do that; add engine: pg_dump to the step, or see backups.engine`,
    );
}

/** Where a dump is of: `null` where it is the stack's own PostgreSQL. */
interface Elsewhere {
  readonly address: ServerAddress;
  readonly via: string;
  readonly password: string;
  readonly ca: string;
}

/** @throws UserError for inputs that do not go together, or mean nothing to this engine */
function elsewhereFrom(inputs: Inputs, { inventory }: Site): Elsewhere | null {
  const { server, via } = inputs;
  const [password, ca] = [inputs['server-password'], inputs['server-ca']];
  if (inputs['full-every'] > 1)
    throw new UserError('Input "full-every": a dump is always a full one; leave it out');
  if (server === undefined) {
    const [without] = (['server-password', 'server-ca', 'via'] as const).filter(
      (name) => inputs[name] !== undefined,
    );
    if (without === undefined) return null;
    throw new UserError(`Input "${without}": it is for a server that the input "server" names`);
  }
  if (inputs.source !== 'auto')
    throw new UserError(
      'Input "source": the input "server" says whose data are dumped; leave one of them out',
    );
  const address = serverFrom(server);
  if (via === undefined)
    throw new UserError('Input "via": a host of the stack has to run pg_dump; name one, such as app-1');
  if (password === undefined)
    throw new UserError(`Input "server-password": ${address.user} needs one; set it under "with:"`);
  const names = inventory.hosts.map(({ name }) => name);
  return { address, via: hostOfTier(via, names, null, 'via'), password, ca: ca ?? '' };
}

interface Given {
  readonly site: Site;
  readonly rules: RetentionRules;
  readonly recipient: string | null;
  readonly elsewhere: Elsewhere | null;
  readonly databases: readonly string[];
}

/** The action with pg_dump as the engine: an object a database, through the same URLs as a base backup. */
export async function runDump(context: Context, site: Site): Promise<void> {
  const { inputs, signal } = context;
  const elsewhere = elsewhereFrom(inputs, site);
  // Said before anything is asked of anybody.
  if (!elsewhere) clusterOf(site.file.stack, site.inventory);
  const given: Given = {
    ...{ site, elsewhere, databases: namesIn(inputs.databases) },
    rules: rulesOf(site, inputs['keep-minimum']),
    recipient: recipientOf(site, inputs['age-recipient']),
  };
  const storage = openBucket(site.file.stack, inputs, signal);
  const { stack } = site.file.stack;
  try {
    if (inputs.mode === 'probe')
      await probe(context, storage, { stack, lock: lockRuleOf(site.file.stack), alone: true, uploads: null });
    else if (inputs.mode === 'verify') await verifyStandalone(context, dumpsIn(storage, stack), given.rules);
    else await work(context, storage, given);
  } finally {
    storage.close();
  }
}

const isFirst = async (storage: Storage, stack: string): Promise<boolean> =>
  (await storage.folders(dumpKeys(stack).bases)).length === 0;

/** The modes that ask the server. */
async function work(context: Context, storage: Storage, given: Given): Promise<void> {
  const { inputs } = context;
  const { inventory } = given.site;
  const remote = connect(inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    if (inputs.mode === 'plan')
      return await plan(context, await prepare(context, remote, storage, given), given.rules);
    const { stack } = given.site.file.stack;
    const options = { stack, lock: lockRuleOf(given.site.file.stack), uploads: dumpKeys(stack).bases };
    const ways = await tryOut(context, storage, await isFirst(storage, stack), options);
    const run = await prepare(context, remote, storage, given);
    const places = { storage, ways, remote, host: async () => run.leaseHost, stack };
    await underLease(context, places, (stillHeld) =>
      backUp(context, { ...run, ways, stillHeld }, given.rules),
    );
  } finally {
    await remote.close();
  }
}

type Source = Pick<DumpRun, 'server' | 'role' | 'lagBytes'> & {
  /** Where runs tell each other that they are at work, where the bucket cannot hold that. */
  readonly leaseHost: string;
};

async function sourceOf(
  { inputs, log, signal }: Context,
  remote: Remote,
  { elsewhere, site }: Given,
): Promise<Source> {
  if (elsewhere) {
    const { address, via, password, ca } = elsewhere;
    const server = remoteServer(address, via, { password, ca });
    log.info(`${server.address ?? ''} is dumped by ${via}`);
    return { server, role: 'remote', lagBytes: 0, leaseHost: via };
  }
  const cluster = clusterOf(site.file.stack, site.inventory);
  const members = await readMembers(remote, cluster, signal);
  for (const member of members)
    if ('fault' in member) log.warning(`${member.host} does not answer: ${member.fault}`);
  const { source, primary, lagBytes, why } = chooseSource(members, inputs.source);
  log.info(`${source.host} is dumped: ${why}; ${primary.host} is primary`);
  const role = source === primary ? 'primary' : 'replica';
  return { server: ownServer(cluster, source.host), role, lagBytes, leaseHost: primary.host };
}

async function prepare(
  context: Context,
  remote: Remote,
  storage: Storage,
  given: Given,
): Promise<DumpRun & Pick<Source, 'leaseHost'>> {
  const { inputs, log, output, reporter, signal, saveState } = context;
  const { recipient, databases, site } = given;
  const found = await reporter.phase('Observe', async () => {
    const source = await sourceOf(context, remote, given);
    const seen = await seeServer(remote, source.server, recipient !== null, signal);
    const chosen = chooseDatabases(seen, source.server.maintenance, databases);
    log.info(
      `PostgreSQL ${seen.version}, read by pg_dump ${seen.program}: ${chosen.map(({ name }) => name).join(', ')}`,
    );
    return { ...source, seen, databases: chosen };
  });
  output('source', nameOf(found.server));
  return {
    ...{ remote, storage, recipient, signal, ...found, stack: site.file.stack.stack },
    selected: databases.length > 0 ? databases : null,
    rate: inputs['max-rate'] * 1024 * 1024,
    run: runUrl() ?? null,
    say: (line) => log.info(line),
    onUpload: (key) => saveState('upload', key),
  };
}

const nameOf = ({ host, address }: DumpServer): string => address ?? host;

/** Dumps as the bucket has them. */
const dumpsIn = (storage: Storage, stack: string): Standalone<DumpManifest> => ({
  ...{ storage, keys: dumpKeys(stack), noun: 'dump', read: () => readDumps(storage, stack) },
  ...{ retentionOf: dumpRetentionOf, metricsOf: backupMetrics, sections: dumpSections },
});

async function backUp(context: Context, run: DumpWriter, rules: RetentionRules): Promise<void> {
  const { reporter, output } = context;
  const kind = dumpsIn(run.storage, run.stack);
  await clearBefore(context, kind, run, { ...rules, pitrMs: null });
  const dump = await reporter.phase('Dump', async () => writeDump(run, await takeDump(run)));
  output('backup', dump.id);
  tellPasswords(context, dump);
  const whole = await retainStandalone(context, kind, run, dump.id, rules);
  const what = dump.databases.length === 1 ? '1 database' : `${dump.databases.length} databases`;
  reporter.verdict(
    `Dump ${dump.id} of ${nameOf(run.server)} is whole: ${what}, ${sizeOf(whole.manifest.object.size)}.`,
  );
}

function tellPasswords({ log }: Context, { globals, source }: Dump): void {
  if (globals.passwords) return;
  const why = source.server === null ? 'nothing is encrypted' : 'such a server does not tell them';
  log.notice(`The passwords of roles are not in the dump: ${why}`);
}

async function plan(context: Context, run: DumpRun, rules: RetentionRules): Promise<void> {
  const { there, removed } = await planStandalone(context, dumpsIn(run.storage, run.stack), rules);
  const names = run.databases.map(({ name, bytes }) => `${name} (${sizeOf(bytes)})`).join(', ');
  context.reporter.verdict(
    `${names} of ${nameOf(run.server)} would be dumped; ${there} there; ${removed.length} would go. Nothing was changed.`,
  );
}
