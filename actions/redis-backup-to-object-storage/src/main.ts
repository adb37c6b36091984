import { type MainContext, openSite, runAction, runUrl, type Site } from '@perlstack/action';
import {
  type CacheTier,
  cacheTierOf,
  chooseRedisSource,
  forgetGhosts,
  lockBeyond,
  lockRuleOf,
  openBucket,
  readAndClear,
  readRedisBackups,
  type RedisBackupRun,
  type RedisBackups,
  type RedisBackupWriter,
  redisKeys,
  redisRetentionOf,
  retainRedis,
  type RetentionRules,
  takeSnapshot,
  touchedOf,
  writeRedisManifest,
} from '@perlstack/backup';
import {
  cleanUpBucket,
  hostOfTier,
  recipientOf,
  retentionTable,
  rulesOf,
  sizeOf,
  tellHeld,
  tellLocked,
  tellTouched,
  tryOut,
  underLease,
} from '@perlstack/backup-face';
import type { Storage } from '@perlstack/object-storage';
import { look } from '@perlstack/redis';
import { connect, type Remote } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { backupSections, metricsOf } from './report.js';

type Context = MainContext<typeof declaration>;

void runAction({
  name: 'redis-backup-to-object-storage',
  declaration,
  main: async (context) => {
    const { inputs, signal } = context;
    const site = openSite(inputs);
    const tier = cacheTierOf(site.file.stack, site.inventory);
    const rules = rulesOf(site, inputs['keep-minimum']);
    const recipient = recipientOf(site, inputs['age-recipient']);
    const source = sourceFrom(inputs.source, tier);
    const storage = openBucket(site.file.stack, inputs, signal);
    try {
      if (inputs.mode === 'verify') await verify(context, storage, tier, rules);
      else await work(context, { site, storage, tier, rules, recipient, source });
    } finally {
      storage.close();
    }
  },
  post: (context) => cleanUpBucket(context.inputs, context),
});

function sourceFrom(wanted: string, { members }: CacheTier): string {
  if (wanted === 'auto' || wanted === 'primary') return wanted;
  const names = members.map(({ host }) => host);
  return hostOfTier(wanted, names, 'cache', 'source');
}

interface Given {
  readonly site: Site;
  readonly storage: Storage;
  readonly tier: CacheTier;
  readonly rules: RetentionRules;
  readonly recipient: string | null;
  readonly source: string;
}

/** The modes that ask the servers. */
async function work(context: Context, given: Given): Promise<void> {
  const { inputs } = context;
  const { site, storage, tier, rules } = given;
  const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    if (inputs.mode === 'plan') return await plan(context, await prepare(context, remote, given), rules);
    const { stack } = tier;
    const options = { stack, lock: lockRuleOf(site.file.stack), uploads: redisKeys(tier).bases };
    const ways = await tryOut(context, storage, await isFirst(storage, tier), options);
    const run = { ...(await prepare(context, remote, given)), ways };
    const places = { storage, ways, remote, host: async () => run.source.primary, stack };
    await underLease(context, places, () => backUp(context, run, rules));
  } finally {
    await remote.close();
  }
}

async function isFirst(storage: Storage, tier: CacheTier): Promise<boolean> {
  return (await storage.folders(redisKeys(tier).bases)).length === 0;
}

async function prepare(
  { inputs, log, output, reporter, signal, saveState }: Context,
  remote: Remote,
  { storage, tier, recipient, source: wanted }: Given,
): Promise<RedisBackupRun> {
  const source = await reporter.phase('Observe', async () => {
    const onSilent = (host: string, fault: string): void => log.warning(`${host} does not answer: ${fault}`);
    const seen = await look(remote, tier, { signal, onSilent });
    const chosen = chooseRedisSource(tier.members, seen, wanted);
    log.info(`${chosen.host} is copied: ${chosen.why}; ${chosen.primary} is primary`);
    return chosen;
  });
  output('source', source.host);
  return {
    ...{ remote, storage, tier, source, recipient, signal },
    rate: inputs['max-rate'] * 1024 * 1024,
    run: runUrl() ?? null,
    say: (line) => log.info(line),
    onUpload: (key, id) => saveState('upload', JSON.stringify({ key, id })),
  };
}

async function backUp(context: Context, run: RedisBackupWriter, rules: RetentionRules): Promise<void> {
  const { log, reporter, output } = context;
  const { storage, tier } = run;
  await reporter.phase('Look into the bucket', async () => {
    const { cleared } = await readAndClear(storage, redisKeys(tier), () => readRedisBackups(storage, tier));
    cleared.forEach((what) => log.notice(`Removed ${what}`));
    const beyond = lockBeyond(run.ways.lock, { ...rules, pitrMs: null });
    if (beyond !== null) log.warning(beyond);
  });
  const manifest = await reporter.phase('Snapshot', async () => {
    const snapshot = await takeSnapshot(run);
    const { size, parts } = snapshot.object;
    log.info(`${size} bytes in ${parts.length} parts; every part is as it was sent`);
    return writeRedisManifest(run, snapshot);
  });
  output('backup', manifest.id);
  output('bytes', manifest.object.size);
  await forgetGhosts(run, (line) => log.warning(line), run.signal);
  const backups = await reporter.phase('Check', () => readRedisBackups(storage, tier));
  // What is broken, or cannot be proven, takes nothing else with it.
  if (!backups.backups.some((one) => one.manifest.id === manifest.id))
    throw new UserError(
      `Backup ${manifest.id} is not whole in the bucket: ${whyBroken(backups, manifest.id)}; nothing was removed`,
    );
  const retention = redisRetentionOf(backups, rules, storage.now());
  await tellLocked(log, storage, await retainRedis(run, backups, retention));
  await conclude(context, storage, tier, backups, rules);
  reporter.verdict(
    `Backup ${manifest.id} of ${manifest.source.host} is whole: ${manifest.keys} keys, ${sizeOf(manifest.object.size)}.`,
  );
  log.info(`${backups.backups.length - retention.removed.length} backups are kept`);
}

const whyBroken = ({ broken }: RedisBackups, id: string): string =>
  broken.find((one) => one.id === id)?.why ?? 'it is not there';

/** Sets the figures, and shows what is there and what goes. @returns what goes */
async function conclude(
  { log, output, reporter }: Context,
  storage: Storage,
  tier: CacheTier,
  backups: RedisBackups,
  rules: RetentionRules,
): Promise<readonly string[]> {
  const now = storage.now();
  const retention = redisRetentionOf(backups, rules, now);
  const drills = await storage.list(redisKeys(tier).drills);
  output('metrics', metricsOf(backups, drills.at(-1)?.modified ?? null, now));
  output('removed', retention.removed);
  tellTouched(log, touchedOf(backups));
  tellHeld(log, backups.backups, retention);
  backupSections(backups).forEach((section) => reporter.section(section));
  const sum = `${retention.removed.length} backups go, ${sizeOf(retention.freedBytes)}.`;
  reporter.section(retentionTable(backups.backups, retention, sum));
  return retention.removed;
}

const countOf = ({ backups }: RedisBackups): string =>
  `${backups.length} whole ${backups.length === 1 ? 'backup' : 'backups'}`;

async function plan(context: Context, run: RedisBackupRun, rules: RetentionRules): Promise<void> {
  const { storage, tier, source } = run;
  const backups = await context.reporter.phase('Look into the bucket', () => readRedisBackups(storage, tier));
  const removed = await conclude(context, storage, tier, backups, rules);
  context.reporter.verdict(
    `${source.host} would be copied; ${countOf(backups)} there; ${removed.length} would go. Nothing was changed.`,
  );
}

async function verify(
  context: Context,
  storage: Storage,
  tier: CacheTier,
  rules: RetentionRules,
): Promise<void> {
  const { reporter } = context;
  const backups = await reporter.phase('Look into the bucket', () => readRedisBackups(storage, tier));
  await conclude(context, storage, tier, backups, rules);
  const [bad] = backups.broken;
  if (bad) throw new UserError(`Backup ${bad.id} is broken: ${bad.why}`);
  const last = backups.backups.at(-1)?.manifest;
  if (!last) throw new UserError('The bucket has no whole backup of this stack; run mode "backup"');
  reporter.verdict(`${countOf(backups)}, the newest of ${last.finishedAt}.`);
}
