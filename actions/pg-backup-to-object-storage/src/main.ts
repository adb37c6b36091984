import { type MainContext, openSite, runAction, runUrl } from '@perlstack/action';
import {
  assertArchives,
  type BackupRun,
  type BackupWriter,
  canBuildOn,
  type Catalogue,
  chooseParent,
  chooseSource,
  type Cluster,
  clusterKeys,
  clusterOf,
  FEW_HOURS,
  forgetDropped,
  gapAfter,
  keysOf,
  lockRuleOf,
  logGoesOn,
  type Manifest,
  manifestsOn,
  markProof,
  openBucket,
  pace,
  readCatalogue,
  readMembers,
  renewBook,
  retain,
  type Retained,
  retentionOf,
  type RetentionRules,
  settleSource,
  takeBase,
  touchedOf,
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
import { backupSections, metricsOf, retentionSection } from './report.js';

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
      const observe = (): Promise<BackupRun> =>
        quietly(prepare(context, { remote, storage, cluster, recipient, signal }, members));
      if (inputs.mode !== 'backup') return await look(context, await observe(), rules);
      const options = { stack, lock, uploads: keysOf(stack).clusters };
      const ways = await tryOut(context, storage, await isFirst(storage, cluster), options);
      const observed = observe();
      const host = async (): Promise<string> => (await observed).source.primary.host;
      await underLease(context, { storage, ways, remote, host, stack }, async () =>
        backUp(context, { ...(await observed), ways }, rules),
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

async function isFirst(storage: Storage, { stack }: Cluster): Promise<boolean> {
  return (await storage.folders(keysOf(stack).clusters)).length === 0;
}

type Given = Pick<BackupRun, 'remote' | 'storage' | 'cluster' | 'recipient' | 'signal'>;
type Members = Awaited<ReturnType<typeof readMembers>>;

async function prepare(
  { inputs, log, output, reporter, saveState }: Context,
  given: Given,
  asked: Promise<Members>,
): Promise<BackupRun> {
  const source = await reporter.phase('Observe', async () => {
    const members = await asked;
    const chosen = chooseSource(members, inputs.source);
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
    ...given,
    source,
    rate: inputs['max-rate'] * 1024 * 1024,
    run: runUrl() ?? null,
    say: (line) => log.info(line),
    onUpload: (key, id) => saveState('upload', JSON.stringify({ key, id })),
  };
}

async function backUp(context: Context, run: BackupWriter, rules: RetentionRules): Promise<void> {
  const { reporter } = context;
  const { storage } = run;
  const keys = clusterKeys(run);
  const places = { storage, keys, read: () => readCatalogue(storage, keys) };
  const before = sumUp(run, await clearBefore(context, places, run.ways.lock, rules));
  const tickets = quietly(giveTickets(context, run, before.perDay));
  if (!before.logGoesOn) await reporter.phase('Tickets for the log', () => tickets);
  const made = await reporter.phase('Base backup', () => bothDone(makeBackup(context, run, before), tickets));
  await reporter.phase('Check', () => conclude(context, run, rules, made, before));
}

/** What counts of a catalogue while a backup is made: its list of the log may be long, and is read anew in the end. */
interface Before extends Pick<Catalogue, 'backups'> {
  /** Segments a day. */
  readonly perDay: number;
  readonly logGoesOn: boolean;
}

function sumUp(run: BackupRun, catalogue: Catalogue): Before {
  const { backups, wal } = catalogue;
  const perDay = pace(wal, run.storage.now());
  return { backups, perDay, logGoesOn: logGoesOn(run, catalogue, perDay) };
}

/** Nothing is under way any more when this fails, and the lease can be let go. */
async function bothDone<T>(first: Promise<T>, second: Promise<unknown>): Promise<T> {
  await Promise.allSettled([first, second]);
  const result = await first;
  await second;
  return result;
}

async function giveTickets({ log, output }: Context, run: BackupWriter, perDay: number): Promise<void> {
  const book = await renewBook(run, perDay);
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
  const parent = chooseParent(before, source, version, present, fullEvery);
  log.info(parent ? `Incremental, on ${parent.id}` : 'A full backup');
  const base = await takeBase(run, parent, builds);
  log.info(`${base.object.size} bytes in ${base.object.parts.length} parts; every part is as it was sent`);
  const proof = await markProof(run, base.id);
  const archived = await untilArchived(run, proof.proof.segment, inputs['archive-timeout']);
  // A point that the log in the bucket does not reach is none.
  const manifest = await writeManifest(run, base, archived ? proof : null);
  output('backup', manifest.id);
  output('bytes', manifest.object.size);
  return { manifest, archived };
}

async function conclude(
  context: Context,
  run: BackupRun,
  rules: RetentionRules,
  { manifest, archived }: Made,
  before: Before,
): Promise<void> {
  const { inputs, log, reporter, output } = context;
  const [{ catalogue, from, coverage, newest }, state] = await Promise.all([
    verifyLog(run, rules, before),
    readState(run),
  ]);
  const retained = retentionOf(catalogue, rules, run.storage.now());
  // What is broken, or cannot be proven, takes nothing else with it.
  const missing = coverage?.missing ?? [];
  const whole = archived && missing.length === 0;
  tellTouched(log, touchedOf(catalogue));
  tellHeld(log, catalogue.backups, retained.plan);
  if (whole) await tellLocked(log, run.storage, await retain(run, catalogue, retained));
  output('removed', whole ? retained.plan.removed : []);
  const { members } = state;
  measure(context, run, catalogue, state);
  sections(context, catalogue, retained);
  if (!archived) {
    throw new UserError(
      `Backup ${manifest.id} is whole, but the log after it did not reach the bucket within ${inputs['archive-timeout'] / 1_000} s: ${archiveFault(members, run)}. Nothing was removed`,
    );
  }
  if (newest && newest.missing.length > 0) throw gap(newest.missing, manifest.id);
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
  const [{ catalogue, from, coverage }, state] = await reporter.phase('Look into the bucket', () =>
    Promise.all([verifyLog(run, rules), readState(run)]),
  );
  const retained = retentionOf(catalogue, rules, run.storage.now());
  measure(context, run, catalogue, state);
  tellTouched(log, touchedOf(catalogue));
  tellHeld(log, catalogue.backups, retained.plan);
  output('removed', retained.plan.removed);
  sections(context, catalogue, retained);
  const count = `${catalogue.backups.length} whole ${catalogue.backups.length === 1 ? 'backup' : 'backups'}`;
  if (inputs.mode === 'verify') {
    if (coverage && coverage.missing.length > 0) throw gap(coverage.missing, from?.manifest.id ?? '');
    const [bad] = catalogue.broken;
    if (bad) throw new UserError(`Backup ${bad.id} is broken: ${bad.why}`);
    if (!from) throw new UserError('The bucket has no whole backup of this stack; run mode "backup"');
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
  readonly lastDrill: Date | null;
}

async function readState({ remote, storage, cluster, signal }: BackupRun): Promise<State> {
  const [members, drills] = await Promise.all([
    readMembers(remote, cluster, signal),
    storage.list(keysOf(cluster.stack).drills),
  ]);
  return { members, lastDrill: drills.at(-1)?.modified ?? null };
}

/** Sets the figures, and says which of them should worry somebody. */
function measure(
  { log, output }: Context,
  run: BackupRun,
  catalogue: Catalogue,
  { members, lastDrill }: State,
): void {
  const metrics = metricsOf(catalogue, members, lastDrill, run.storage.now());
  const hours = metrics['ticketHoursLeft'];
  if (typeof hours === 'number' && hours < FEW_HOURS)
    log.warning(
      `Tickets for the log end in ${hours.toFixed(1)} hours; without new ones ${run.source.primary.host} keeps its log until its disk is full: run mode "backup"`,
    );
  output('metrics', metrics);
}

function sections({ reporter }: Context, catalogue: Catalogue, retained: Retained): void {
  backupSections(catalogue).forEach((section) => reporter.section(section));
  reporter.section(retentionSection(catalogue, retained));
}
