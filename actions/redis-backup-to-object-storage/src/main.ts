import { type MainContext, openSite, runAction, runUrl, type Site } from '@perlstack/action';
import {
  type CacheTier,
  cacheTierOf,
  chooseRedisSource,
  forgetGhosts,
  lockRuleOf,
  openBucket,
  readRedisBackups,
  type RedisBackupRun,
  type RedisBackupWriter,
  redisKeys,
  type RedisManifest,
  redisRetentionOf,
  type RetentionRules,
  takeSnapshot,
  writeRedisManifest,
} from '@perlstack/backup';
import {
  cleanUpBucket,
  clearBefore,
  hostOfTier,
  planStandalone,
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
import { look } from '@perlstack/redis';
import { connect, type Remote } from '@perlstack/remote';
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
      if (inputs.mode === 'verify') await verifyStandalone(context, snapshots(storage, tier), rules);
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
    const run = await prepare(context, remote, given);
    const places = { storage, ways, remote, host: async () => run.source.primary, stack };
    await underLease(context, places, (stillHeld) => backUp(context, { ...run, ways, stillHeld }, rules));
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
    onUpload: (key) => saveState('upload', key),
  };
}

/** Snapshots as the bucket has them. */
function snapshots(storage: Storage, tier: CacheTier): Standalone<RedisManifest> {
  return {
    ...{ storage, keys: redisKeys(tier), noun: 'backup', read: () => readRedisBackups(storage, tier) },
    ...{ retentionOf: redisRetentionOf, metricsOf, sections: backupSections },
  };
}

async function backUp(context: Context, run: RedisBackupWriter, rules: RetentionRules): Promise<void> {
  const { log, reporter, output } = context;
  const { storage, tier } = run;
  const kind = snapshots(storage, tier);
  await clearBefore(context, kind, run, { ...rules, pitrMs: null });
  const manifest = await reporter.phase('Snapshot', async () => {
    const snapshot = await takeSnapshot(run);
    const { size, parts } = snapshot.object;
    log.info(`${size} bytes in ${parts.length} parts; every part is as it was sent`);
    return writeRedisManifest(run, snapshot);
  });
  output('backup', manifest.id);
  await forgetGhosts(run, (line) => log.warning(line), run.signal);
  await retainStandalone(context, kind, run, manifest.id, rules);
  reporter.verdict(
    `Backup ${manifest.id} of ${manifest.source.host} is whole: ${manifest.keys} keys, ${sizeOf(manifest.object.size)}.`,
  );
}

async function plan(context: Context, run: RedisBackupRun, rules: RetentionRules): Promise<void> {
  const { storage, tier, source } = run;
  const { there, removed } = await planStandalone(context, snapshots(storage, tier), rules);
  context.reporter.verdict(
    `${source.host} would be copied; ${there} there; ${removed.length} would go. Nothing was changed.`,
  );
}
