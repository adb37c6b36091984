import { type MainContext, runUrl, type Site } from '@perlstack/action';
import {
  assertArchives,
  type BackupFacts,
  checkArchive,
  chooseSource,
  type Cluster,
  clusterOf,
  drillWorry,
  endAbandonedUploads,
  expire,
  expiryOf,
  gapAfter,
  kindOf,
  lookAt,
  markProof,
  type MemberSeen,
  type MemberSilent,
  noteBackup,
  openBucket,
  type PgbackrestRun,
  pgbackrestOn,
  prepareStanza,
  readMembers,
  reachOf,
  type Repository,
  type RetentionRules,
  rulesFrom,
  takeCopy,
  untilInArchive,
  type Verified,
  verifyRepository,
  waysNow,
  type Writing,
} from '@perlstack/backup';
import { probe, underLease } from '@perlstack/backup-face';
import { pgbackrestCommand } from '@perlstack/configs';
import type { Storage } from '@perlstack/object-storage';
import { connect } from '@perlstack/remote';
import { type Stack, UserError } from '@perlstack/stack';
import type { declaration } from './declaration.js';
import {
  backupSections,
  figuresSection,
  logAlarm,
  metricsOf,
  retentionSection,
  serverMetrics,
} from './report.js';

type Context = MainContext<typeof declaration>;
type Inputs = Context['inputs'];

/** The action with pgBackRest as the engine: it runs on the primary, with the key that apply-configs laid there. */
export async function runPgbackrest(context: Context, { file, inventory }: Site): Promise<void> {
  const { inputs, signal } = context;
  const { backups } = file.stack;
  if (!backups) throw new Error('the stack has no backups');
  assertPossible(inputs);
  const cluster = clusterOf(file.stack, inventory);
  const rules = rulesFrom(backups, inputs['keep-minimum']);
  const storage = bucketOf(file.stack, inputs, signal);
  const remote = connect(inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    if (inputs.mode === 'probe') {
      const { stack } = cluster;
      await probe(context, storage ?? missingKey(), { stack, lock: null, alone: true, uploads: null });
      return;
    }
    const observed = await observe(context, remote, cluster);
    const back = (stillHeld: StillHeld): Promise<void> =>
      backUp(context, { ...observed, storage, stillHeld }, rules);
    if (inputs.mode !== 'backup') await look(context, observed, rules);
    // Without the bucket's key pgBackRest's own lock on the primary is the only one.
    else if (storage) {
      const { stack } = cluster;
      const ways = await waysNow(storage, `${stack}/`, null);
      const host = async (): Promise<string> => observed.pgbackrest.host;
      await underLease(context, { storage, ways, remote, host, stack }, back);
    } else await back(async () => undefined);
  } finally {
    storage?.close();
    await remote.close();
  }
}

/** @throws UserError for an input that means nothing to this engine: it would be left out in silence */
function assertPossible(inputs: Inputs): void {
  if (inputs['max-rate'] > 0)
    throw new UserError('Input "max-rate": pgBackRest cannot be slowed down; leave it out');
  if (inputs['age-recipient'] !== undefined)
    throw new UserError(
      'Input "age-recipient": pgBackRest encrypts with a passphrase, which apply-configs hands to the servers; leave it out',
    );
}

const hasKey = (inputs: Inputs): boolean =>
  inputs['access-key-id'] !== undefined || inputs['secret-access-key'] !== undefined;

function bucketOf(stack: Stack, inputs: Inputs, signal: AbortSignal): Storage | null {
  return hasKey(inputs) ? openBucket(stack, inputs, signal) : null;
}

function missingKey(): never {
  throw new UserError(
    'Input "mode": probe tries out the bucket itself, and needs the inputs "access-key-id" and "secret-access-key"',
  );
}

type Members = readonly (MemberSeen | MemberSilent)[];

async function observe(
  { inputs, log, output, reporter, signal }: Context,
  remote: ReturnType<typeof connect>,
  cluster: Cluster,
): Promise<PgbackrestRun> {
  const source = await reporter.phase('Observe', async () => {
    const members = await readMembers(remote, cluster, signal);
    // A run that comes no further has told at least this.
    const metrics = serverMetrics(members, 0, new Date());
    output('metrics', metrics);
    const chosen = chooseSource(members, 'primary');
    const { host } = chosen.primary;
    const alarm = logAlarm(metrics, chosen.primary);
    if (alarm !== null) log.warning(alarm);
    if (inputs.source !== 'auto' && inputs.source !== 'primary' && inputs.source !== host)
      throw new UserError(
        `Input "source": ${inputs.source} is not the primary (${host}), and pgBackRest copies a replica only where the servers may log in to each other, which this stack does not have; leave it out`,
      );
    assertArchives(chosen.primary, pgbackrestCommand(cluster.stack, 'archive-push'));
    for (const member of members)
      if ('fault' in member) log.warning(`${member.host} does not answer: ${member.fault}`);
    log.info(`${host} is copied: it is the primary, and pgBackRest copies no other here`);
    return chosen;
  });
  output('source', source.source.host);
  return {
    ...{ remote, cluster, source, signal, run: runUrl() ?? null },
    pgbackrest: pgbackrestOn(remote, cluster, source.source.host, signal),
    archiveTimeoutMs: inputs['archive-timeout'],
    say: (line) => log.info(line),
  };
}

type StillHeld = Writing['stillHeld'];

/** A run that writes into the bucket. */
type PgbackrestWriter = PgbackrestRun &
  Pick<Writing, 'stillHeld'> & {
    /** `null`: the step has no key of the bucket. */
    readonly storage: Storage | null;
  };

async function backUp(context: Context, run: PgbackrestWriter, rules: RetentionRules): Promise<void> {
  const { reporter } = context;
  const before = await reporter.phase('Prepare', async () => {
    const repository = await lookAt(run);
    await prepareStanza(run, repository);
    return repository;
  });
  const made = await reporter.phase('Base backup', () => makeBackup(context, run, before));
  await reporter.phase('Check', () => conclude(context, run, rules, made));
}

interface Made {
  readonly label: string;
  /** The segment with the point to prove; `null`: it did not reach the bucket. */
  readonly segment: string | null;
}

async function makeBackup(
  { inputs, log, output }: Context,
  run: PgbackrestWriter,
  { backups }: Repository,
): Promise<Made> {
  const kind = kindOf(backups, inputs['full-every']);
  log.info(kind === 'incr' ? `Incremental, on ${backups.at(-1)?.manifest.id ?? ''}` : 'A full backup');
  const begun = run.storage?.now();
  const label = await takeCopy(run, kind);
  if (run.storage && begun) await tidyUp(log, run, run.storage, begun);
  const proof = await markProof(run, label);
  const archived = await untilInArchive(run, proof.proof.segment);
  // A point that the log in the bucket does not reach is none.
  await noteBackup(run, label, archived ? proof : null);
  output('backup', label);
  return { label, segment: archived ? proof.proof.segment : null };
}

async function tidyUp(
  log: Context['log'],
  { cluster }: PgbackrestRun,
  storage: Storage,
  begun: Date,
): Promise<void> {
  for (const what of await endAbandonedUploads(storage, cluster.stack, begun)) log.notice(`Removed ${what}`);
}

async function conclude(
  context: Context,
  run: PgbackrestWriter,
  rules: RetentionRules,
  { label, segment }: Made,
): Promise<void> {
  const { inputs, log, output, reporter } = context;
  const repository = await lookAt(run);
  const made = repository.backups.find(({ manifest }) => manifest.id === label);
  if (made) output('bytes', made.bytes);
  const members: Members = await readMembers(run.remote, run.cluster, run.signal);
  const upTo = reachOf(segment, members, run.source);
  const { line, from, coverage, newest } = await checkArchive(run, repository, rules, upTo);
  const missing = coverage?.missing ?? [];
  const retained = expiryOf(repository, rules, new Date(), line);
  // What is broken, or cannot be proven, takes nothing else with it.
  const whole = made !== undefined && segment !== null && missing.length === 0;
  if (whole) {
    await run.stillHeld('nothing was removed');
    await expire(run, repository, retained);
  }
  output('removed', whole ? retained.plan.removed : []);
  report(context, members, repository, retained);
  const bad = repository.broken.find(({ id }) => id === label);
  if (bad || !made)
    throw new UserError(`Backup ${label} is not good: ${bad?.why ?? 'it is not there'}. Nothing was removed`);
  if (segment === null)
    throw new UserError(
      `Backup ${label} is whole, but the log after it did not reach the bucket within ${inputs['archive-timeout'] / 1_000} s: see the log of PostgreSQL on ${run.pgbackrest.host} for "archive-push". Nothing was removed`,
    );
  if (newest && newest.missing.length > 0) throw gap(newest.missing, label);
  const host = run.pgbackrest.host;
  if (missing.length > 0) {
    // The new backup closes it; to fail every night until the window has moved on would hide what else goes wrong.
    log.warning(gap(missing, from?.manifest.id ?? '').message);
    reporter.verdict(
      `Backup ${label} of ${host} is whole. The log before it has a gap of ${missing.length} segments; from ${label} on it has none.`,
    );
    return;
  }
  reporter.verdict(
    `Backup ${label} of ${host} is whole, and the log from ${from?.manifest.id ?? label} on has no gap (${coverage?.segments ?? 0} segments).`,
  );
}

const gap = (missing: readonly string[], from: string): UserError =>
  new UserError(`${gapAfter(from, missing)}; nothing was removed`);

/** Modes that change nothing. */
async function look(context: Context, run: PgbackrestRun, rules: RetentionRules): Promise<void> {
  const { inputs, reporter, output } = context;
  const { repository, verified } = await reporter.phase('Look into the bucket', async () => {
    const repository = await lookAt(run);
    return { repository, verified: await checkArchive(run, repository, rules) };
  });
  const retained = expiryOf(repository, rules, new Date(), verified.line);
  output('removed', retained.plan.removed);
  report(context, await readMembers(run.remote, run.cluster, run.signal), repository, retained);
  const count = `${repository.backups.length} whole ${repository.backups.length === 1 ? 'backup' : 'backups'}`;
  if (inputs.mode === 'verify') {
    await verify(context, run, repository, verified);
    reporter.verdict(
      `${count}, every file as it was stored, and no gap in the log from ${verified.from?.manifest.id ?? ''} on.`,
    );
    return;
  }
  const kind = kindOf(repository.backups, inputs['full-every']) === 'incr' ? 'An incremental' : 'A full';
  const stanza = repository.made ? '' : `the stanza ${run.cluster.stack} would be made; `;
  reporter.verdict(
    `${kind} backup of ${run.pgbackrest.host} would be made; ${stanza}${count} there; ${retained.plan.removed.length} and ${retained.segments.length} segments would go, ${retained.freedBytes} bytes. Nothing was changed.`,
  );
}

/** @throws what is wrong, each by itself */
async function verify(
  { reporter }: Context,
  run: PgbackrestRun,
  { broken, made }: Repository,
  { from, coverage, newest }: Verified<BackupFacts>,
): Promise<void> {
  if (!made || !from) throw new UserError('The bucket has no whole backup of this stack; run mode "backup"');
  const missing = coverage?.missing.length ? coverage.missing : (newest?.missing ?? []);
  const read = await reporter.phase('Read all of it again', () => verifyRepository(run));
  const faults = [
    ...(missing.length > 0 ? [`${gapAfter(from.manifest.id, missing)}; nothing was removed`] : []),
    ...broken.map(({ id, why }) => `Backup ${id} is broken: ${why}`),
    ...read,
  ];
  if (faults.length === 0) return;
  throw new AggregateError(
    faults.map((fault) => new UserError(fault)),
    'The repository is not sound',
  );
}

/** Sets the figures, and writes the tables. */
function report(
  { log, output, reporter }: Context,
  members: Members,
  { catalogue, drills }: Repository,
  retained: ReturnType<typeof expiryOf>,
): void {
  const worry = drillWorry(drills);
  if (worry !== null) log.warning(worry);
  const metrics = metricsOf(catalogue, members, drills.good, new Date());
  output('metrics', metrics);
  reporter.section(figuresSection(metrics));
  backupSections(catalogue).forEach((section) => reporter.section(section));
  reporter.section(retentionSection(catalogue, retained));
}
