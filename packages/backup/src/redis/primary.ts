import { REDIS, SENTINEL } from '@perlstack/configs';
import { until } from '@perlstack/procedure';
import { ASK, LINK_SCRIPT, linkState, SEED_SCRIPT } from '@perlstack/redis';
import { UserError } from '@perlstack/stack';
import { assertReadable } from '../restore.js';
import type { RedisBackup } from './backup.js';
import { folderOf, MARK, seeTier } from './host-seen.js';
import { planTier, type TierPlan, type TierSeen } from './plan-primary.js';
import { fetchSnapshot, type RedisRestoreRun, roomFor } from './restore.js';

export interface RedisPrimaryOptions {
  /** The host that is to be primary. */
  readonly host: string;
  /** Hosts whose old data may be moved aside. */
  readonly replace: readonly string[];
  /** How long loading, and each replica's copy, may take. */
  readonly timeoutMs: number;
}

const FOLDER = folderOf(REDIS.liveFile);
const FILE = `${FOLDER}/dump.rdb`;

/**
 * Disaster recovery: the whole tier comes to a snapshot. The Sentinels are stopped before anything else, so that nobody
 * promotes a replica with old data, and begin anew at the end; all data are moved aside before the first Redis starts, so
 * that none comes back, whichever host restarts meanwhile.
 *
 * @returns folders with old data, `host: path`
 * @throws UserError where somebody's Redis runs, or has data that nobody allowed to be moved
 */
export async function restoreRedis(
  run: RedisRestoreRun,
  backup: RedisBackup,
  options: RedisPrimaryOptions,
): Promise<string[]> {
  assertReadable(run, backup);
  const { tier, say } = run;
  const { host } = options;
  const seen = await seeTier(run, (one, fault) => say(`${one} does not answer: ${fault}`));
  const wish = { members: tier.members, sentinels: tier.sentinels, backup: backup.manifest.id };
  const plan = planTier({ ...wish, host, replace: options.replace }, seen);
  if (plan.refusals.length > 0)
    throw new AggregateError(
      plan.refusals.map((refusal) => new UserError(refusal)),
      'The restore was refused',
    );
  if (plan.load) assertRoom(host, seen, backup);
  if (plan.sentinels) await stopSentinels(run);
  const aside = await clear(run, plan, host, backup);
  if (plan.load) await loadOn(run, host, backup, options);
  await Promise.all(plan.replicas.map((one) => makeReplica(run, one, options)));
  if (plan.sentinels) await watch(run, host);
  await unmark(run, host);
  return aside;
}

function assertRoom(host: string, seen: TierSeen, backup: RedisBackup): void {
  const { disk, memory } = roomFor(backup);
  const { freeBytes, memoryBytes } = seen[host] ?? { freeBytes: 0, memoryBytes: 0 };
  const fail = (free: number, needed: number, what: string): never => {
    throw new UserError(`${host}: ${free} of the ${needed} bytes of ${what} that are needed are there`);
  };
  if (freeBytes < disk) fail(freeBytes, disk, 'disk');
  if (memoryBytes < memory) fail(memoryBytes, memory, 'memory');
}

/** Of every host of the tier; all at once. */
function onAll<T>({ tier }: RedisRestoreRun, work: (host: string) => Promise<T>): Promise<T[]> {
  return Promise.all(tier.members.map(({ host }) => work(host)));
}

/** Arguments: unit. */
const STOP_SCRIPT = `
set -eu
systemctl stop "$1"
systemctl reset-failed "$1" 2> /dev/null || :
`;

async function stopSentinels(run: RedisRestoreRun): Promise<void> {
  const options = { sudo: true, signal: run.signal, timeoutMs: 60_000, name: 'stopping Sentinel' };
  await onAll(run, (host) => run.remote.script(host, STOP_SCRIPT, [SENTINEL.unit], options));
}

/**
 * Moves the folder of the data aside as it is, with the files that Redis and Sentinel go on with, so that none of them could
 * start. What an unfinished restore left there goes. Prints where the old one is. Arguments: folder, mark, unit, snapshot.
 */
const CLEAR_SCRIPT = `
set -eu
folder=$1 mark=$2 unit=$3 id=$4
# It is one of an unfinished restore: it need not save anything, and could wait for ever for a disk that is full.
systemctl --no-block stop "$unit"
systemctl kill -s KILL "$unit" 2> /dev/null || :
systemctl stop "$unit"
systemctl reset-failed "$unit" 2> /dev/null || :
if [ -e "$folder/$mark" ] && [ "$(cat -- "$folder/$mark")" = "$id" ]; then
  rm -rf -- "$folder"
elif [ -e "$folder" ] && [ -n "$(ls -A -- "$folder")" ]; then
  aside="$folder.replaced-$(date -u +%Y%m%dT%H%M%SZ)"
  mv -T -- "$folder" "$aside"
  echo "$aside"
fi
new="$folder.new"
rm -rf -- "$new"
install -d -m 0750 -o redis -g redis -- "$new"
printf '%s\\n' "$id" > "$new/$mark"
chmod 0600 -- "$new/$mark"
sync -- "$new/$mark"
[ ! -e "$folder" ] || rmdir -- "$folder"
mv -T -- "$new" "$folder"
`;

async function clear(
  run: RedisRestoreRun,
  plan: TierPlan,
  primary: string,
  { manifest }: RedisBackup,
): Promise<string[]> {
  const hosts = [...(plan.load ? [primary] : []), ...plan.replicas];
  const args = [FOLDER, MARK, REDIS.unit, manifest.id];
  const options = { sudo: true, signal: run.signal, timeoutMs: 120_000, name: 'moving old data aside' };
  const moved = hosts.map(async (host) => {
    const { stdout } = await run.remote.script(host, CLEAR_SCRIPT, args, options);
    return stdout.trim() === '' ? [] : [`${host}: ${stdout.trim()}`];
  });
  return (await Promise.all(moved)).flat();
}

/**
 * Starts Redis with the snapshot; its unit's own script then brings persistence into the form that is rendered. One that
 * appends to a file of its own never reads the snapshot again, so it must not lie there until that is switched off.
 * Arguments: unit, password file, port, keys, folder, mark, snapshot.
 */
const START_SCRIPT = `${ASK}
unit=$1 auth=$2 port=$3 keys=$4 folder=$5 mark=$6 id=$7
systemctl start "$unit" || { journalctl -q -o cat -n 20 -u "$unit" | grep -E ' # |rror' | tail -n 3 >&2; exit 1; }
said=$(ask "$auth" "$port" 'INFO persistence')
of() { printf '%s\\n' "$said" | sed -n "s/^$1://p"; }
loaded=$(($(of rdb_last_load_keys_loaded) + $(of rdb_last_load_keys_expired)))
[ "$loaded" = "$keys" ] || { echo "Redis has loaded $loaded keys, and $keys were stored" >&2; exit 1; }
is() { ask "$auth" "$port" "CONFIG GET $1" | sed -n 2p; }
if [ "$(is appendonly)" = yes ] || [ -z "$(is save)" ]; then rm -f -- "$folder/dump.rdb"; fi
printf '%s loaded\\n' "$id" > "$folder/$mark"
sync -- "$folder/$mark"
`;

async function loadOn(
  run: RedisRestoreRun,
  host: string,
  backup: RedisBackup,
  { timeoutMs }: RedisPrimaryOptions,
): Promise<void> {
  const { remote, tier, signal, say } = run;
  const options = { sudo: true, signal };
  const part = `${FOLDER}/snapshot.part`;
  await fetchSnapshot(run, host, backup, part);
  // Only now is there something that Redis would read.
  await remote.run(host, ['mv', '-T', '--', part, FILE], { ...options, name: 'putting it in place' });
  await seed(run, host, REDIS.liveFile, 'redis', '');
  say(`${host}: the snapshot is there, and is loaded`);
  const { id, keys } = backup.manifest;
  const args = [REDIS.unit, REDIS.passwordFile, String(tier.port), String(keys), FOLDER, MARK, id];
  await remote.script(host, START_SCRIPT, args, { ...options, timeoutMs, name: 'loading' });
}

/** @throws Error where somebody else made a live file meanwhile: whatever it begins with, it is not this snapshot */
async function seed(
  { remote, signal }: RedisRestoreRun,
  host: string,
  liveFile: string,
  program: 'redis' | 'sentinel',
  input: string,
): Promise<void> {
  const options = { sudo: true, signal, timeoutMs: 60_000, input, name: 'making the live file' };
  const { stdout } = await remote.script(host, SEED_SCRIPT, [liveFile, program, program], options);
  if (stdout.trim() === '') return;
  throw new UserError(
    `${host}: ${liveFile} ${stdout.trim()}: somebody else sets up Redis there; run again when that is over`,
  );
}

async function makeReplica(
  run: RedisRestoreRun,
  host: string,
  { host: primary, timeoutMs }: RedisPrimaryOptions,
): Promise<void> {
  const { remote, tier, signal } = run;
  const options = { sudo: true, signal, timeoutMs: Math.max(timeoutMs, 60_000) };
  await seed(run, host, REDIS.liveFile, 'redis', `replicaof ${addressOf(run, primary)} ${tier.port}\n`);
  await remote.script(host, 'systemctl start "$1"', [REDIS.unit], { ...options, name: 'starting Redis' });
  await untilTrue(run, host, timeoutMs, 'following the primary', async () => {
    const args = [REDIS.passwordFile, String(tier.port)];
    return linkState((await remote.script(host, LINK_SCRIPT, args, options)).stdout);
  });
}

function addressOf({ tier }: RedisRestoreRun, host: string): string {
  const member = tier.members.find((one) => one.host === host);
  if (!member) throw new Error(`${host} is no cache host`);
  return member.address;
}

/** Sentinels hear of each other every 2 s, by way of the primary, and of its replicas every 10 s; in milliseconds. */
const QUORUM_MS = 90_000;

/** Arguments: password file, port, the primary's name. */
const VIEW_SCRIPT = `${ASK}
ask "$1" "$2" "SENTINEL CKQUORUM $3" | head -n 1
ask "$1" "$2" "SENTINEL GET-MASTER-ADDR-BY-NAME $3" | head -n 1
ask "$1" "$2" "SENTINEL MASTER $3" | sed -n '/^num-slaves$/{n;p;}'
`;

/** The Sentinels begin anew: what they knew of primaries, replicas and each other was of before. */
async function watch(run: RedisRestoreRun, primary: string): Promise<void> {
  const { remote, tier, signal } = run;
  const options = { sudo: true, signal, timeoutMs: 60_000 };
  const address = addressOf(run, primary);
  const quorum = Math.floor(tier.members.length / 2) + 1;
  await onAll(run, async (host) => {
    await remote.run(host, ['rm', '-f', '--', SENTINEL.liveFile], options);
    const line = `sentinel monitor ${tier.service} ${address} ${tier.port} ${quorum}\n`;
    await seed(run, host, SENTINEL.liveFile, 'sentinel', line);
    await remote.script(host, 'systemctl start "$1"', [SENTINEL.unit], {
      ...{ ...options, name: 'starting Sentinel' },
    });
  });
  const replicas = String(tier.members.length - 1);
  const args = [SENTINEL.passwordFile, String(SENTINEL.port), tier.service];
  await onAll(run, (host) =>
    untilTrue(run, host, QUORUM_MS, 'the Sentinels agreeing', async () => {
      const { stdout } = await remote.script(host, VIEW_SCRIPT, args, options);
      const [said = '', named, known] = stdout.trim().split('\n');
      if (!said.startsWith('OK')) return said || 'no answer';
      if (named !== address) return `Sentinel names ${named}`;
      return known === replicas || `Sentinel knows of ${known ?? 'no'} replicas, and there are ${replicas}`;
    }),
  );
}

async function untilTrue(
  { signal, say }: RedisRestoreRun,
  host: string,
  limitMs: number,
  what: string,
  ask: () => Promise<true | string>,
): Promise<void> {
  const left = await until(ask, { limitMs, signal, say: (answer) => say(`${host}: ${answer}`) });
  if (left !== null) throw new UserError(`${host}: ${what} took longer than ${limitMs / 1_000} s: ${left}`);
}

/** The primary's mark goes last: as long as it is there, a run that is done again knows what is done. */
async function unmark(run: RedisRestoreRun, primary: string): Promise<void> {
  const { remote, signal, tier } = run;
  const remove = (host: string): Promise<unknown> =>
    remote.run(host, ['rm', '-f', '--', `${FOLDER}/${MARK}`], { sudo: true, signal });
  await Promise.all(tier.members.filter(({ host }) => host !== primary).map(({ host }) => remove(host)));
  await remove(primary);
}
