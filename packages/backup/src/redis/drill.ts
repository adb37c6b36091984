import { redisDatabases } from '@perlstack/configs';
import { assertReadable, MAKING_ROOM } from '../restore.js';
import { faultOfAnswer, type RedisAssertion } from './assertions.js';
import type { RedisBackup } from './backup.js';
import { compareKeys, countsIn, sumOf } from './keys-counted.js';
import { fetchSnapshot, type RedisRestoreRun, roomFor } from './restore.js';

export interface RedisDrillOptions {
  readonly host: string;
  readonly assertions: readonly RedisAssertion[];
  /** How long loading may take. */
  readonly timeoutMs: number;
}

/** What a drill found. */
export interface RedisDrillReport {
  readonly backup: string;
  readonly host: string;
  readonly startedAt: string;
  /** In milliseconds: what it takes to have the snapshot on a disk, in memory, and to be sure of it. */
  readonly timings: { readonly restore: number; readonly load: number; readonly checks: number };
  readonly keys: number;
  readonly assertions: number;
  readonly faults: readonly string[];
}

const FOLDER = '/var/lib/perlstack-redis-drill';
const UNIT = 'perlstack-redis-drill';
const SOCKET = `${FOLDER}/socket`;
const FILE = 'data.rdb';

/** Arguments: folder, bytes of disk and of memory that are needed. */
const PREPARE_SCRIPT = `
set -eu
folder=$1 disk=$2 memory=$3
free=$(df -B1 --output=avail -- "$(dirname -- "$folder")" | tail -n 1 | tr -d ' ')
[ "$free" -ge "$disk" ] || { echo "$free of the $disk bytes of disk that are needed are free" >&2; exit 67; }
free=$(awk '/^MemAvailable:/ { printf "%d", $2 * 1024 }' /proc/meminfo)
[ "$free" -ge "$memory" ] || { echo "$free of the $memory bytes of memory that are needed are free" >&2; exit 67; }
install -d -m 0700 -o redis -g redis -- "$folder"
`;

/**
 * A Redis of its own with a limit to its memory, which the kernel would end before any other program. Arguments: folder,
 * unit, socket, bytes of memory, seconds. Input: its configuration.
 */
const LOAD_SCRIPT = `
set -eu
folder=$1 unit=$2 socket=$3 memory=$4 seconds=$5
umask 077
cat > "$folder/redis.conf"
chown redis: "$folder/redis.conf"
systemd-run --quiet --collect --unit="$unit" --uid=redis --gid=redis --nice=10 -p MemoryMax="$memory" -p OOMScoreAdjust=1000 \\
  /usr/bin/redis-server "$folder/redis.conf"
until [ "$(redis-cli -s "$socket" PING 2> /dev/null)" = PONG ]; do
  if ! systemctl is-active --quiet "$unit"; then
    grep -E ' # |rror|emory' "$folder/log" | tail -n 3 >&2 || echo 'it ended without a word' >&2
    exit 1
  fi
  [ $((seconds -= 1)) -gt 0 ] || { echo "it was not loaded in time" >&2; exit 1; }
  sleep 1
done
redis-cli -s "$socket" INFO keyspace
`;

/** Arguments: folder, unit. */
const REMOVE_SCRIPT = `
systemctl stop "$2" 2> /dev/null || :
systemctl reset-failed "$2" 2> /dev/null || :
rm -rf -- "$1"
`;

/**
 * Nobody but this host's administrator can reach it. It is told that it is a replica of a primary that there is not: so it
 * takes no write, and keeps keys whose time is over, which a primary would leave out.
 */
const CONFIGURATION = `port 0
unixsocket ${SOCKET}
unixsocketperm 700
dir ${FOLDER}
dbfilename ${FILE}
logfile ${FOLDER}/log
databases ${redisDatabases}
replicaof 127.0.0.1 1
appendonly no
save ""
`;

/** Removes a scratch Redis with everything of it; harmless when there is none. */
export async function removeRedisDrill(
  { remote }: Pick<RedisRestoreRun, 'remote'>,
  host: string,
): Promise<void> {
  await remote.script(host, REMOVE_SCRIPT, [FOLDER, UNIT], {
    ...{ sudo: true, timeoutMs: 120_000, name: 'removal of the scratch server' },
  });
}

/**
 * Proves a snapshot: loads it beside the running Redis, counts its keys and asks the user's own questions; then removes all
 * of it, whatever happened.
 */
export async function drillRedis(
  run: RedisRestoreRun,
  backup: RedisBackup,
  options: RedisDrillOptions,
): Promise<RedisDrillReport> {
  assertReadable(run, backup);
  const { host, assertions } = options;
  const startedAt = new Date();
  await removeRedisDrill(run, host);
  try {
    await prepare(run, host, backup);
    await fetchSnapshot(run, host, backup, `${FOLDER}/${FILE}`);
    const restored = Date.now();
    const counts = countsIn(await load(run, backup, options));
    const loaded = Date.now();
    run.say(`${host}: loaded, being checked`);
    const faults = [...compareKeys(backup.manifest, counts), ...(await ask(run, host, assertions))];
    return {
      ...{ backup: backup.manifest.id, host, startedAt: startedAt.toISOString() },
      timings: { restore: restored - +startedAt, load: loaded - restored, checks: Date.now() - loaded },
      ...{ keys: sumOf(counts), assertions: assertions.length, faults },
    };
  } finally {
    await removeRedisDrill(run, host);
  }
}

async function prepare(
  { remote, signal }: RedisRestoreRun,
  host: string,
  backup: RedisBackup,
): Promise<void> {
  const { disk, memory } = roomFor(backup);
  await remote.script(host, PREPARE_SCRIPT, [FOLDER, String(disk), String(memory)], {
    ...{ sudo: true, signal, name: MAKING_ROOM },
  });
}

async function load(
  { remote, signal }: RedisRestoreRun,
  backup: RedisBackup,
  { host, timeoutMs }: RedisDrillOptions,
): Promise<string> {
  const memory = roomFor(backup).memory;
  const args = [FOLDER, UNIT, SOCKET, String(memory), String(Math.ceil(timeoutMs / 1_000))];
  const { stdout } = await remote.script(host, LOAD_SCRIPT, args, {
    ...{ sudo: true, signal, input: CONFIGURATION, timeoutMs: timeoutMs + 60_000, name: 'loading' },
  });
  return stdout;
}

/** @returns what is wrong with the answers, a sentence each */
async function ask(
  { remote, signal }: RedisRestoreRun,
  host: string,
  assertions: readonly RedisAssertion[],
): Promise<string[]> {
  const faults = [];
  for (const assertion of assertions) {
    const argv = ['redis-cli', '-s', SOCKET, '-n', assertion.database];
    const { stdout } = await remote.run(host, argv, {
      ...{ sudo: true, signal, input: `${assertion.command}\n`, okCodes: [0, 1], name: 'redis-cli' },
    });
    faults.push(faultOfAnswer(assertion, stdout.replace(/\n$/, '')));
  }
  return faults.filter((fault) => fault !== null);
}
