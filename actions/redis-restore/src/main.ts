import { type MainContext, openSite, type PostContext, runAction } from '@perlstack/action';
import {
  asUserError,
  type CacheTier,
  cacheTierOf,
  chooseSnapshot,
  drillRedis,
  planTier,
  readRedisBackups,
  type RedisAssertion,
  redisAssertionFrom,
  type RedisBackup,
  type RedisDrillReport,
  redisKeys,
  type RedisRestoreRun,
  removeRedisDrill,
  restoreRedis,
  seeTier,
  touchedOf,
} from '@perlstack/backup';
import {
  bucketOfSite,
  doDrill,
  type DrillWords,
  type KeepNote,
  keepNote,
  tellDrill,
  tellTouched,
} from '@perlstack/backup-face';
import type { Storage } from '@perlstack/object-storage';
import { connect } from '@perlstack/remote';
import { formatDuration } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { hostFrom, replaceFrom } from './given.js';

type Context = MainContext<typeof declaration>;

interface Given {
  readonly host: string;
  readonly replace: readonly string[];
  readonly assertions: readonly RedisAssertion[];
}

void runAction({
  name: 'redis-restore',
  declaration,
  main: async (context) => {
    const { inputs, log, output, signal } = context;
    const site = openSite(inputs);
    const tier = cacheTierOf(site.file.stack, site.inventory);
    const given = {
      host: hostFrom(inputs.host, inputs.mode, tier),
      replace: replaceFrom(inputs.replace, tier),
      assertions: inputs.assertions.map(redisAssertionFrom),
    };
    const storage = bucketOfSite(site, inputs, signal);
    const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
    try {
      const backup = await choose(context, storage, tier);
      output('backup', backup.manifest.id);
      const identity = inputs['age-identity'] ?? null;
      const say = (line: string): void => log.info(line);
      await restore(context, { remote, storage, tier, identity, signal, say }, backup, given);
    } finally {
      storage.close();
      await remote.close();
    }
  },
  post: cleanUp,
});

async function choose(
  { inputs, log, reporter }: Context,
  storage: Storage,
  tier: CacheTier,
): Promise<RedisBackup> {
  return reporter.phase('Look into the bucket', async () => {
    const backups = await readRedisBackups(storage, tier);
    backups.broken.forEach(({ id, why }) => log.warning(`Backup ${id} is left out: ${why}`));
    tellTouched(log, touchedOf(backups));
    const backup = chooseSnapshot(backups, inputs.backup ?? null);
    const { id, source, object, keys } = backup.manifest;
    log.info(`Backup ${id} of ${source.host}, ${object.size} bytes, ${keys} keys`);
    return backup;
  });
}

async function restore(
  context: Context,
  run: RedisRestoreRun,
  backup: RedisBackup,
  given: Given,
): Promise<void> {
  const { inputs, saveState } = context;
  switch (inputs.mode) {
    case 'plan':
      return plan(context, run, backup, given);
    case 'drill':
      saveState('host', given.host);
      return prove(context, run, backup, given);
    case 'primary':
      return bringBack(context, run, backup, given);
  }
}

/** What mode `primary` would find in its way. */
async function plan(
  { log, reporter }: Context,
  run: RedisRestoreRun,
  { manifest }: RedisBackup,
  { host, replace }: Given,
): Promise<void> {
  const { members, sentinels } = run.tier;
  const plan = await reporter.phase('Observe', async () => {
    const seen = await seeTier(run, () => undefined);
    return planTier({ members, sentinels, host, backup: manifest.id, replace }, seen);
  });
  plan.refusals.forEach((refusal) => log.info(`Mode primary would refuse: ${refusal}`));
  reporter.verdict(
    `Backup ${manifest.id} with ${manifest.keys} keys would be restored on ${host}. Nothing was changed.`,
  );
}

async function bringBack(
  { inputs, log, reporter }: Context,
  run: RedisRestoreRun,
  backup: RedisBackup,
  { host, replace }: Given,
): Promise<void> {
  const { id, keys } = backup.manifest;
  const began = Date.now();
  const aside = await reporter
    .phase('Restore', () => restoreRedis(run, backup, { host, replace, timeoutMs: inputs.timeout }))
    .catch((error: unknown) => {
      throw asUserError(error, `Backup ${id} was not restored`);
    });
  aside.forEach((one) => log.notice(`Old data were moved aside, ${one}`));
  const others = run.tier.members.map((member) => member.host).filter((name) => name !== host);
  const tier = others.length > 0 ? `, and ${others.join(' and ')} follow it` : '';
  const watched = run.tier.sentinels ? '; the Sentinels agree' : '';
  reporter.verdict(
    `${host} is the primary with backup ${id}, ${keys} keys${tier}${watched}, after ${formatDuration(Date.now() - began)}. Run a backup next.`,
  );
}

async function prove(
  context: Context,
  run: RedisRestoreRun,
  backup: RedisBackup,
  { host, assertions }: Given,
): Promise<void> {
  const { id } = backup.manifest;
  const timeoutMs = context.inputs.timeout;
  const keep: KeepNote = (note) => keepNote(run.storage, redisKeys(run.tier).drills, note);
  const report = await doDrill(context, ['Backup', id], keep, () =>
    drillRedis(run, backup, { host, assertions, timeoutMs }),
  );
  tellDrill(context, report, wordsOf(report));
}

function wordsOf({ timings, ...report }: RedisDrillReport): DrillWords {
  const { restore: file, load, checks } = timings;
  return {
    rows: [
      ['Snapshot back after', formatDuration(file)],
      ['Loaded in', formatDuration(load)],
      ['Checked in', formatDuration(checks)],
      ['Keys', String(report.keys)],
    ],
    proven: `restored in ${formatDuration(file + load)} on ${report.host}, ${report.keys} keys and ${report.assertions} assertions checked in ${formatDuration(checks)}`,
  };
}

/** A drill that was killed leaves a server. */
async function cleanUp({ inputs, state }: PostContext<typeof declaration>): Promise<void> {
  const host = state('host');
  if (host === undefined) return;
  const site = openSite(inputs);
  const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    await removeRedisDrill({ remote }, host);
  } finally {
    await remote.close();
  }
}
