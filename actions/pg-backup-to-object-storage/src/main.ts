import { type MainContext, openSite, runAction, runUrl } from '@perlstack/action';
import {
  assertArchives,
  type BackupFacts,
  type BackupRun,
  type BackupWriter,
  canBuildOn,
  type Catalogue,
  chooseParent,
  chooseSource,
  type Cluster,
  clusterKeys,
  clusterOf,
  type DrillsSeen,
  drillWorry,
  forgetDropped,
  gapAfter,
  handOverHistories,
  HISTORY_NAME,
  keysOf,
  lockRuleOf,
  logGoesOn,
  type Manifest,
  manifestsOn,
  openBucket,
  pace,
  readCatalogue,
  readDrills,
  readMembers,
  reachOf,
  renewBook,
  retain,
  type Retained,
  retentionOf,
  type RetentionRules,
  settleSource,
  takeBase,
  touchedOf,
  unreadIn,
  untilArchived,
  verifyLog,
  writeManifest,
} from '@perlstack/backup';
import {
  cleanUpBucket,
  clearBefore,
  engineOf,
  probe,
  recipientOf,
  rulesOf,
  tellHeld,
  tellLocked,
  tellTouched,
  tryOut,
  underLease,
} from '@perlstack/backup-face';
import type { Storage } from '@perlstack/object-storage';
import { connect } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { assertNoDump, runDump } from './dump.js';
import { runPgbackrest } from './pgbackrest.js';
import {
  backupSections,
  figuresSection,
  logAlarm,
  type Metrics,
  metricsOf,
  retentionSection,
  serverMetrics,
  ticketAlarm,
} from './report.js';

type Context = MainContext<typeof declaration>;

void runAction({
  name: 'pg-backup-to-object-storage',
  declaration,
  main: async (context) => {
    const { inputs, signal } = context;
    const site = openSite(inputs);
    const engine = engineOf(site, inputs.engine);
    if (engine === 'pg_dump') return runDump(context, site);
    assertNoDump(inputs);
    if (engine === 'pgbackrest') return runPgbackrest(context, site);
    const cluster = clusterOf(site.file.stack, site.inventory);
    const rules = rulesOf(site, inputs['keep-minimum']);
    const recipient = recipientOf(site, inputs['age-recipient']);
    const storage = openBucket(site.file.stack, inputs, signal);
    const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
    try {
      const { stack } = cluster;
      const lock = lockRuleOf(site.file.stack);
      if (inputs.mode === 'probe') {
        await probe(context, storage, { stack, lock, alone: true, uploads: null });
        return;
      }
      // The servers are asked while the bucket answers.
      const members = quietly(readMembers(remote, cluster, signal));
      const observe = (): Promise<Observed> =>
        quietly(prepare(context, { remote, storage, cluster, recipient, signal }, members));
      if (inputs.mode !== 'backup') return await look(context, await observe(), rules);
      const options = { stack, lock, uploads: keysOf(stack).clusters };
      const ways = await isFirst(storage, cluster)
        .then((first) => tryOut(context, storage, first, options))
        .catch((error: unknown) => orTell(error, observe));
      const observed = observe();
      const host = async (): Promise<string> => (await observed).source.primary.host;
      await underLease(context, { storage, ways, remote, host, stack }, async (stillHeld) =>
        backUp(context, { ...(await observed), ways, stillHeld }, rules),
      );
    } finally {
      storage.close();
      await remote.close();
    }
  },
  post: (context) => cleanUpBucket(context.inputs, context),
});

/** Whoever waits for it hears of what fails; until then nobody does, and that must not end the process. */
function quietly<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

/** Whoever reads of a bucket that is away is to read, too, of the log that waits for it. @throws what was the matter */
async function orTell(error: unknown, observe: () => Promise<unknown>): Promise<never> {
  await observe().catch(() => undefined);
  throw error;
}

async function isFirst(storage: Storage, { stack }: Cluster): Promise<boolean> {
  return (await storage.folders(keysOf(stack).clusters)).length === 0;
}

type Given = Pick<BackupRun, 'remote' | 'storage' | 'cluster' | 'recipient' | 'signal'>;
type Members = Awaited<ReturnType<typeof readMembers>>;

/** A run with what the servers said before it. */
interface Observed extends BackupRun {
  readonly members: Members;
}

async function prepare(
  { inputs, log, output, reporter, saveState }: Context,
  given: Given,
  asked: Promise<Members>,
): Promise<Observed> {
  const members = await asked;
  // A run that comes no further has told at least this.
  const metrics = serverMetrics(members, 0, given.storage.now());
  output('metrics', metrics);
  const source = await reporter.phase('Observe', async () => {
    const chosen = chooseSource(members, inputs.source);
    const alarm = logAlarm(metrics, chosen.primary);
    if (alarm !== null) log.warning(alarm);
    assertArchives(chosen.primary);
    for (const member of members) {
      if ('fault' in member) log.warning(`${member.host} does not answer: ${member.fault}`);
      else if (member.dropped.length > 0)
        log.warning(
          `${member.host}: ${member.dropped.length} segments of the log were let go while the bucket was away, from ${member.dropped[0] ?? ''} on: recovery cannot pass them`,
        );
    }
    log.info(`${chosen.source.host} is copied: ${chosen.why}; ${chosen.primary.host} is primary`);
    return chosen;
  });
  output('source', source.source.host);
  return {
    ...{ ...given, source, members },
    rate: inputs['max-rate'] * 1024 * 1024,
    run: runUrl() ?? null,
    say: (line) => log.info(line),
    warn: (line) => log.warning(line),
    onUpload: (key) => saveState('upload', key),
  };
}

async function backUp(context: Context, run: BackupWriter & Observed, rules: RetentionRules): Promise<void> {
  const { reporter } = context;
  const { storage } = run;
  const keys = clusterKeys(run);
  const places = { storage, keys, read: () => readCatalogue(storage, keys) };
  const [catalogue, drills] = await Promise.all([
    clearBefore(context, places, run, rules),
    readDrills(storage, keysOf(run.cluster.stack).drills),
  ]);
  const state = { members: run.members, drills };
  tellAlarms(context, run, catalogue, state, measure(context, run, catalogue, state));
  const before = sumUp(run, catalogue);
  const tickets = quietly(giveTickets(context, run, before));
  if (!before.logGoesOn) await reporter.phase('Tickets for the log', () => tickets);
  const made = await reporter.phase('Base backup', () => bothDone(makeBackup(context, run, before), tickets));
  await reporter.phase('Check', () => conclude(context, run, rules, made, before));
}

/** What counts of a catalogue while a backup is made: its list of the log may be long, and is read anew in the end. */
interface Before extends Pick<Catalogue, 'backups' | 'broken'> {
  /** Segments a day. */
  readonly perDay: number;
  readonly logGoesOn: boolean;
  /** Names of histories. */
  readonly histories: readonly string[];
}

function sumUp(run: BackupRun, catalogue: Catalogue): Before {
  const { backups, broken, wal } = catalogue;
  const perDay = pace(wal, run.storage.now());
  const histories = [...wal.keys()].filter((name) => HISTORY_NAME.test(name));
  return { backups, broken, perDay, logGoesOn: logGoesOn(run, catalogue, perDay), histories };
}

/** Nothing is under way any more when this fails, and the lease can be let go. */
async function bothDone<T>(first: Promise<T>, second: Promise<unknown>): Promise<T> {
  await Promise.allSettled([first, second]);
  const result = await first;
  await second;
  return result;
}

async function giveTickets({ log, output }: Context, run: BackupWriter, before: Before): Promise<void> {
  const book = await renewBook(run, before.perDay);
  await handOverHistories(run, before.histories);
  output('tickets-until', book.expiresAt.toISOString());
  log.info(`${book.tickets} tickets on every member, good until ${book.expiresAt.toISOString()}`);
}

interface Made {
  readonly manifest: Manifest;
  readonly archived: boolean;
}

async function makeBackup(
  { inputs, log, output }: Context,
  run: BackupWriter,
  before: Before,
): Promise<Made> {
  const { source } = run.source;
  const { version } = run.cluster;
  const fullEvery = inputs['full-every'];
  const builds = canBuildOn(version, fullEvery);
  const [present] = await Promise.all([
    builds ? manifestsOn(run.remote, source.host, run.signal) : [],
    settleSource(run),
  ]);
  const { parent, worry } = chooseParent(before, source, version, present, fullEvery);
  if (worry !== null) log.warning(worry);
  log.info(parent ? `Incremental, on ${parent.id}` : 'A full backup');
  const { base, proof } = await takeBase(run, parent, builds);
  log.info(`${base.object.size} bytes in ${base.object.parts.length} parts; every part is as it was sent`);
  const archived = await untilArchived(run, proof.proof.segment, inputs['archive-timeout']);
  // A point that the log in the bucket does not reach is none.
  const manifest = await writeManifest(run, base, archived ? proof : null);
  output('backup', manifest.id);
  output('bytes', manifest.object.size);
  return { manifest, archived };
}

async function conclude(
  context: Context,
  run: BackupWriter,
  rules: RetentionRules,
  { manifest, archived }: Made,
  before: Before,
): Promise<void> {
  const { inputs, log, reporter, output } = context;
  const asked = quietly(readState(run));
  const point = manifest.proof?.segment ?? null;
  // What a primary says later than the bucket is looked into need not be there yet.
  const upTo = reachOf(point, point === null ? (await asked).members : [], run.source);
  const { catalogue, line, from, coverage, newest } = await verifyLog(run, rules, { ...before, upTo });
  const state = await asked;
  assertWhole(catalogue, manifest.id);
  const retained = retentionOf(catalogue, rules, run.storage.now(), line);
  // What is broken, or cannot be proven, takes nothing else with it.
  const missing = coverage?.missing ?? [];
  const unread = unreadIn(catalogue.broken);
  const whole = archived && missing.length === 0 && unread === null;
  tellTouched(log, touchedOf(catalogue));
  tellHeld(log, catalogue.backups, retained.plan);
  if (whole) await tellLocked(log, run.storage, await retain(run, catalogue, retained));
  output('removed', whole ? retained.plan.removed : []);
  const { members } = state;
  sections(context, catalogue, retained, measure(context, run, catalogue, state));
  if (!archived) {
    throw new UserError(
      `Backup ${manifest.id} is whole, but the log after it did not reach the bucket within ${inputs['archive-timeout'] / 1_000} s: ${archiveFault(members, run)}. Nothing was removed`,
    );
  }
  if (newest && newest.missing.length > 0) throw gap(newest.missing, manifest.id);
  if (unread !== null) throw new UserError(`Backup ${manifest.id} is whole. ${unread}`);
  for (const member of members) if (!('fault' in member)) await forgetDropped(run, member);
  if (missing.length > 0) {
    // The new base closes it; to fail every night until the window has moved on would hide what else goes wrong.
    log.warning(gap(missing, from?.manifest.id ?? '').message);
    reporter.verdict(
      `Backup ${manifest.id} of ${run.source.source.host} is whole. The log before it has a gap of ${missing.length} segments; from ${manifest.id} on it has none.`,
    );
    return;
  }
  reporter.verdict(
    `Backup ${manifest.id} of ${run.source.source.host} is whole, and the log from ${from?.manifest.id ?? manifest.id} on has no gap (${coverage?.segments ?? 0} segments).`,
  );
  log.info(`${catalogue.backups.length - retained.plan.removed.length} backups are kept`);
}

/** @throws UserError where the bucket does not have a backup that was just made as it was stored */
function assertWhole({ backups, broken }: Catalogue<BackupFacts>, id: string): void {
  if (backups.some(({ manifest }) => manifest.id === id)) return;
  const why = broken.find((one) => one.id === id)?.why ?? 'it is not there';
  throw new UserError(`Backup ${id} is not whole in the bucket: ${why}; nothing was removed`);
}

const gap = (missing: readonly string[], from: string): UserError =>
  new UserError(`${gapAfter(from, missing)}; nothing was removed`);

function archiveFault(members: Members, { source }: BackupRun): string {
  const primary = members.find((member) => member.host === source.primary.host);
  if (!primary || 'fault' in primary) return `${source.primary.host} does not answer any more`;
  const { failed } = primary.archived;
  const log = 'see the log of PostgreSQL there for "archive-wal"';
  return `${primary.waiting} segments wait on ${primary.host}${failed ? `, ${failed} failed` : ''}; ${log}`;
}

/** Modes that change nothing. */
async function look(context: Context, run: BackupRun, rules: RetentionRules): Promise<void> {
  const { inputs, log, reporter, output } = context;
  const [{ catalogue, line, from, coverage }, state] = await reporter.phase('Look into the bucket', () =>
    Promise.all([verifyLog(run, rules), readState(run)]),
  );
  const retained = retentionOf(catalogue, rules, run.storage.now(), line);
  const metrics = measure(context, run, catalogue, state);
  tellAlarms(context, run, catalogue, state, metrics);
  tellTouched(log, touchedOf(catalogue));
  tellHeld(log, catalogue.backups, retained.plan);
  output('removed', retained.plan.removed);
  sections(context, catalogue, retained, metrics);
  const count = `${catalogue.backups.length} whole ${catalogue.backups.length === 1 ? 'backup' : 'backups'}`;
  if (inputs.mode === 'verify') {
    if (coverage && coverage.missing.length > 0) throw gap(coverage.missing, from?.manifest.id ?? '');
    const [bad] = catalogue.broken;
    if (bad) throw new UserError(`Backup ${bad.id} is broken: ${bad.why}`);
    if (!from)
      throw new UserError(
        `The bucket has no whole backup ${catalogue.backups.length > 0 ? `that leads to what ${run.source.primary.host} is now` : 'of this stack'}; run mode "backup"`,
      );
    reporter.verdict(`${count}, and no gap in the log from ${from.manifest.id} on.`);
    return;
  }
  reporter.verdict(
    `${run.source.source.host} would be copied; ${count} there; ${retained.plan.removed.length} and ${retained.segments.length} segments would go, ${retained.freedBytes} bytes. Nothing was changed.`,
  );
}

/** How the stack is by now. */
interface State {
  readonly members: Members;
  readonly drills: DrillsSeen;
}

async function readState({ remote, storage, cluster, signal }: BackupRun): Promise<State> {
  const [members, drills] = await Promise.all([
    readMembers(remote, cluster, signal),
    readDrills(storage, keysOf(cluster.stack).drills),
  ]);
  return { members, drills };
}

/** Sets the figures. */
function measure(
  { output }: Context,
  run: BackupRun,
  catalogue: Catalogue,
  { members, drills }: State,
): Metrics {
  const metrics = metricsOf(catalogue, members, drills.good, run.storage.now());
  output('metrics', metrics);
  return metrics;
}

/** Says which of them should worry somebody, beside what the servers told before. */
function tellAlarms(
  { log }: Context,
  run: BackupRun,
  { backups }: Catalogue,
  { members, drills }: State,
  metrics: Metrics,
): void {
  const primary = members.find(({ host }) => host === run.source.primary.host);
  const alarm = primary && !('fault' in primary) ? ticketAlarm(metrics, primary, backups.length > 0) : null;
  for (const worry of [alarm, drillWorry(drills)]) if (worry !== null) log.warning(worry);
}

function sections({ reporter }: Context, catalogue: Catalogue, retained: Retained, metrics: Metrics): void {
  reporter.section(figuresSection(metrics));
  backupSections(catalogue).forEach((section) => reporter.section(section));
  reporter.section(retentionSection(catalogue, retained));
}
