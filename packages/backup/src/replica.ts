import { postgresLayout, printPostgresql, privateAddressOf, REPLICATION_ROLE } from '@perlstack/configs';
import { connectionTo, dropLostSlotSql, slotOf, slotSql } from '@perlstack/postgres';
import { until } from '@perlstack/procedure';
import { type Inventory, UserError } from '@perlstack/stack';
import { askOf } from './ask.js';
import type { Cluster } from './cluster.js';
import { type MemberSeen, onlyPrimary, readMembers } from './members.js';
import { clearPlace, type OnBegun, orAbandon, RESTORE_SCRATCH } from './primary.js';
import {
  FORGET,
  INTO_PLACE,
  KEEP_SETTINGS,
  type Place,
  type Restorer,
  type ServerRun,
  stagedAt,
  START_UNIT,
  tellKept,
} from './restore.js';

export interface ReplicaOptions {
  readonly host: string;
  readonly inventory: Inventory;
  /** The host whose old data may be moved aside. */
  readonly replace: string | null;
  /** How long the replica may take until it streams. */
  readonly timeoutMs: number;
  readonly onBegun?: OnBegun;
}

/**
 * Who leads now, which a restore into a replica needs to know before the bucket is looked into.
 *
 * @throws UserError when nobody does, or the replica-to-be does itself
 */
export async function leaderFor(
  { remote, cluster, signal }: Pick<ServerRun, 'remote' | 'cluster' | 'signal'>,
  host: string,
): Promise<MemberSeen> {
  const members = await readMembers(remote, cluster, signal);
  const primary = onlyPrimary(members);
  if (primary.host === host)
    throw new UserError(
      `${host} is the primary: nothing was changed; name another server in the input "host", or see mode "primary"`,
    );
  return primary;
}

/** How long the primary's log may take to be in the bucket. */
const ARCHIVE_MS = 180_000;

/**
 * Has the primary keep its log for a replica from now on, and waits until all that came before is in the bucket: what the
 * replica replays from there and what it then streams leave no gap between them.
 *
 * @throws UserError when the log does not come
 */
async function holdLog(
  { remote, cluster, signal }: Pick<ServerRun, 'remote' | 'cluster' | 'signal'>,
  primary: string,
  host: string,
): Promise<void> {
  const ask = askOf(remote, primary, cluster, signal);
  await ask(dropLostSlotSql(host) + slotSql(host));
  const waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready';\n";
  const isEmpty = async (): Promise<true | string> => {
    const segments = await ask(waiting);
    return segments === '0' || segments;
  };
  const left = await until(isEmpty, { limitMs: ARCHIVE_MS, signal });
  if (left !== null)
    throw new UserError(`${primary}: ${left} segments of the log wait to be archived; see its log`);
}

/**
 * Starts the restored server as the unit does, as a replica that takes the log from the bucket until that has no more, and
 * then from the primary; what it needed of the bucket goes when it streams. Arguments: data directory, unit, programs, port,
 * seconds, scratch folder, where the data are now. Input: lines of settings.
 */
const FOLLOW_SCRIPT = `
set -eu
place=$1 unit=$2 programs=$3 port=$4 seconds=$5 scratch=$6 data=$7
as() { env --chdir=/ runuser -u postgres -- "$@"; }
umask 077
sql() { as "$programs/psql" -XAtq -p "$port" -d postgres -c "$1"; }
${KEEP_SETTINGS}lay_settings
rm -f -- "$data/recovery.signal"
: > "$data/standby.signal"
chown postgres: "$data/standby.signal"
${INTO_PLACE}${START_UNIT}until [ "$(sql 'SELECT status FROM pg_stat_wal_receiver' 2> /dev/null)" = streaming ]; do
  systemctl is-active --quiet "$unit" || { echo "PostgreSQL ended before it streamed; see its log" >&2; exit 1; }
  [ $((seconds -= 1)) -gt 0 ] || { echo "it did not come to stream in time; see its log" >&2; exit 1; }
  sleep 1
done
sql 'ALTER SYSTEM RESET restore_command'
systemctl reload "$unit"
${FORGET}`;

/**
 * A backup and its log become the data of a server that then follows the primary: the copy of a large database comes from the
 * bucket, and the primary, which has users, only sends what is newer.
 *
 * @param restorerFor told of the log as it is when all that the primary wrote before is in the bucket
 */
export async function restoreReplica(
  run: ServerRun,
  primary: MemberSeen,
  restorerFor: () => Promise<Restorer>,
  options: ReplicaOptions,
): Promise<void> {
  const { host, replace } = options;
  await clearPlace(run, host, replace);
  await orAbandon(run, host, options, () => follow(run, primary, restorerFor, options));
}

async function follow(
  run: ServerRun,
  primary: MemberSeen,
  restorerFor: () => Promise<Restorer>,
  { host, inventory, timeoutMs }: ReplicaOptions,
): Promise<void> {
  const { remote, cluster, signal } = run;
  const { data, unit, programs } = cluster.layout;
  const place: Place = { host, data, scratch: RESTORE_SCRATCH };
  await holdLog(run, primary.host, host);
  const restorer = await restorerFor();
  const staged = stagedAt(place);
  await restorer.files(staged);
  const command = await restorer.log(place, { kind: 'latest' }, timeoutMs);
  const settings: [string, string][] = [
    ...followSettings(cluster, primary.host, host, inventory),
    ['restore_command', command],
  ];
  const seconds = String(Math.ceil(timeoutMs / 1_000));
  const { stdout } = await remote.script(
    host,
    FOLLOW_SCRIPT,
    [data, unit, programs, String(cluster.port), seconds, place.scratch, staged.data],
    {
      ...{ sudo: true, signal, name: 'recovery', timeoutMs: timeoutMs + 60_000 },
      input: printPostgresql('Of a replica', settings),
    },
  );
  tellKept(run, host, stdout);
}

function followSettings(
  { port, version }: Cluster,
  primary: string,
  host: string,
  { hosts }: Inventory,
): [string, string][] {
  const leader = hosts.find(({ name }) => name === primary);
  if (!leader) throw new Error(`${primary} is no host of the inventory`);
  const connection = connectionTo(privateAddressOf(leader), port, REPLICATION_ROLE);
  return [
    ['primary_conninfo', `${connection} passfile=${postgresLayout(version).passfile}`],
    ['primary_slot_name', slotOf(host)],
    ['recovery_target_timeline', 'latest'],
  ];
}
