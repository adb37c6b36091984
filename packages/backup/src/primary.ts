import { printPostgresql } from '@perlstack/configs';
import type { Storage } from '@perlstack/object-storage';
import type { Remote } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import type { Cluster } from './cluster.js';
import { keysOf } from './keys.js';
import {
  FORGET,
  INTO_PLACE,
  KEEP_SETTINGS,
  MAKING_ROOM,
  type Place,
  recoverySettings,
  REMOVE,
  type Restorer,
  type ServerRun,
  stagedAt,
  START_UNIT,
  type Target,
  tellKept,
} from './restore.js';

/** A cluster of which the bucket has backups. */
export interface ClusterSeen {
  /** Its system identifier. */
  readonly id: string;
  /** Ids of its backups, the newest last. */
  readonly backups: readonly string[];
}

/** The clusters of a stack, the one whose backup is the newest first: after servers were made anew the bucket may have several. */
async function clustersIn(storage: Storage, stack: string): Promise<ClusterSeen[]> {
  const { clusters, cluster } = keysOf(stack);
  const ids = (await storage.folders(clusters)).map((folder) => folder.slice(clusters.length, -1));
  // The log of each is beside its backups, and may be long.
  const found = await Promise.all(
    ids.map(async (id) => {
      const { bases } = cluster(id);
      const keys = (await storage.versions(bases)).filter(({ versions }) => versions.length > 0);
      const manifests = keys.map(({ key }) => key).filter((key) => key.endsWith('/manifest.json'));
      return { id, backups: manifests.map((key) => key.slice(bases.length).split('/')[0] ?? '').sort() };
    }),
  );
  return found
    .filter(({ backups }) => backups.length > 0)
    .sort((one, other) => (newestOf(one) < newestOf(other) ? 1 : -1));
}

/** Ids begin with the time. */
const newestOf = ({ backups }: ClusterSeen): string => backups.at(-1) ?? '';

/**
 * The cluster that a restore is of: that of a certain backup, else the one whose backup is the newest.
 *
 * @param backup id of a certain one; `null`: any
 * @param onOthers told of the others, where nobody named a backup: servers that were made anew may have been backed up empty
 * @throws UserError when there is none
 */
export async function chooseCluster(
  storage: Storage,
  stack: string,
  backup: string | null = null,
  onOthers: (words: string) => void = () => undefined,
): Promise<string> {
  const clusters = await clustersIn(storage, stack);
  const [newest, ...others] = clusters;
  if (!newest) throw new UserError(`The bucket ${storage.bucket} has no whole backup of ${stack}`);
  if (backup !== null) return (clusters.find(({ backups }) => backups.includes(backup)) ?? newest).id;
  if (others.length > 0)
    onOthers(
      `The bucket has backups of ${clusters.length} clusters of ${stack}, as where servers were made anew. The newest one is taken; the others end with ${others.map(newestOf).join(', ')}, which the input "backup" chooses`,
    );
  return newest.id;
}

/**
 * Told when a host was found free for the restore and is about to be written to: from then on whoever ends the restore has to
 * call `abandonRestore`, if this process cannot.
 */
export type OnBegun = () => void;

/** Where the restore of a real server keeps what lives only as long as it does. */
export const RESTORE_SCRATCH = '/run/perlstack-restore';

export interface PrimaryOptions {
  readonly host: string;
  readonly target: Target;
  /** The host whose old data may be moved aside. */
  readonly replace: string | null;
  /** Whether they stay where they are, to be made to fit: what they hold beyond the backup is lost. */
  readonly delta?: boolean;
  readonly timeoutMs: number;
  readonly onBegun?: OnBegun;
}

/**
 * Makes sure that nothing is lost: a server that runs is refused, also one that is not yet up because it recovers from a crash, or
 * that no unit knows; and old data are moved aside, never removed, and that
 * only where their host is named; or they stay, to be made to fit. Arguments: data directory, unit, whether they may be
 * moved, whether they stay, scratch folder, in which an earlier run may have left its secrets; data that one left unfinished
 * are of no use.
 */
const CLEAR_SCRIPT = `${REMOVE}
set -eu
data=$1 unit=$2 may=$3 stay=$4 scratch=$5
state=$(systemctl show -p ActiveState --value -- "$unit")
case $state in
  inactive|failed) ;;
  *) echo "PostgreSQL runs here: stop it first, if it is really to be replaced ($unit is $state)" >&2; exit 66 ;;
esac
pid=$(head -n 1 -- "$data/postmaster.pid" 2> /dev/null || :)
pid=\${pid#-}
if [ -n "$pid" ] && [ "$(readlink -- "/proc/$pid/cwd")" = "$(readlink -f -- "$data")" ]; then
  echo "PostgreSQL runs here: process $pid works on $data, though $unit is $state; end it first, if it is really to be replaced" >&2
  exit 66
fi
${FORGET}remove "$data".restoring*
if [ -e "$data" ] && [ -n "$(ls -A -- "$data")" ]; then
  [ "$may" = yes ] || { echo "$data is not empty: name this host in the input replace, and it is moved aside" >&2; exit 66; }
  [ "$stay" = no ] || exit 0
  mv -T -- "$data" "$data.replaced-$(date -u +%Y%m%dT%H%M%SZ)"
fi
rm -rf -- "$data"
`;

/**
 * Starts the restored server as the unit does, with recovery's settings in `postgresql.auto.conf` until it is over, behind those
 * of the user. Arguments: data directory, unit, programs, port, seconds, scratch folder, where the data are now. Input: lines of
 * settings.
 */
const START_SCRIPT = `
set -eu
place=$1 unit=$2 programs=$3 port=$4 seconds=$5 scratch=$6 data=$7
as() { env --chdir=/ runuser -u postgres -- "$@"; }
umask 077
${KEEP_SETTINGS}lay_settings
rm -f -- "$data/standby.signal"
: > "$data/recovery.signal"
chown postgres: "$data/recovery.signal"
${INTO_PLACE}${START_UNIT}until [ "$(as "$programs/psql" -XAtq -p "$port" -d postgres -c 'SELECT pg_is_in_recovery()' 2> /dev/null)" = f ]; do
  systemctl is-active --quiet "$unit" || { echo "PostgreSQL ended during recovery; see its log" >&2; exit 1; }
  [ $((seconds -= 1)) -gt 0 ] || { echo "recovery did not come to its end in time; give it more in the input timeout" >&2; exit 1; }
  sleep 1
done
lay_settings < /dev/null
# The targets of recovery are read at a start alone: as long as they stay, every reload names them as faults.
systemctl restart "$unit"
${FORGET}`;

/**
 * None, which keeps what is to be archived: a recovery that is given up after it promoted the server would else leave a timeline in
 * the bucket that nothing follows, and which every later recovery takes for the newest.
 */
const NO_ARCHIVING: [string, string] = ['archive_command', ''];

/** @throws RemoteError where a server runs, or has data that nobody allowed to be moved */
export async function clearPlace(
  { remote, cluster, signal }: ServerRun,
  host: string,
  replace: string | null,
  delta = false,
): Promise<void> {
  const { data, unit } = cluster.layout;
  const may = [replace === host, delta].map((yes) => (yes ? 'yes' : 'no'));
  const args = [data, unit, ...may, RESTORE_SCRATCH];
  await remote.script(host, CLEAR_SCRIPT, args, { sudo: true, signal, name: MAKING_ROOM });
}

/**
 * Ends a restore that did not come to its end, and removes what lets the host read the bucket. The server, if it was started, is
 * stopped: without its log it would take what there is of it for all. So it cannot be started either before another restore; nor
 * can one whose files were made to fit where they are, and which was to be started next. Arguments: data directory, unit, scratch
 * folder.
 */
const ABANDON_SCRIPT = `${REMOVE}
data=$1 unit=$2 scratch=$3
remove "$data".restoring*
[ -e "$scratch" ] || exit 0
if [ -e "$data/backup_label" ] || grep -qsF -- "$scratch/" "$data/postgresql.auto.conf"; then
  systemctl stop "$unit" || :
  [ -e "$data/standby.signal" ] || : > "$data/recovery.signal"
  chown postgres: "$data"/*.signal
  echo "restore_command = 'echo this server was not restored to its end, run pg-restore again >&2; exit 200'" >> "$data/postgresql.auto.conf"
fi
${FORGET}`;

/** Leaves nothing secret of a restore that failed, or whose runner was killed; harmless after one that came to its end. */
export async function abandonRestore(
  { remote, cluster }: { readonly remote: Pick<Remote, 'script'>; readonly cluster: Pick<Cluster, 'layout'> },
  host: string,
): Promise<void> {
  const { data, unit } = cluster.layout;
  await remote.script(host, ABANDON_SCRIPT, [data, unit, RESTORE_SCRATCH], {
    ...{ sudo: true, timeoutMs: 120_000, name: 'giving the restore up' },
  });
}

/** Does what a restore takes, and, when that fails, leaves nothing secret of it. */
export async function orAbandon(
  run: ServerRun,
  host: string,
  { onBegun }: { readonly onBegun?: OnBegun },
  work: () => Promise<void>,
): Promise<void> {
  onBegun?.();
  try {
    await work();
  } catch (error) {
    await abandonRestore(run, host).catch((left: unknown) =>
      run.say(
        `${host}: what the restore needed is still in ${RESTORE_SCRATCH}, and goes by itself: ${messageOf(left)}`,
      ),
    );
    throw error;
  }
}

/** Disaster recovery: a backup and its log become the data of a server that does not run, which then is a primary. */
export async function restorePrimary(
  run: ServerRun,
  restorer: Restorer,
  options: PrimaryOptions,
): Promise<void> {
  const { host, replace, delta = false } = options;
  await clearPlace(run, host, replace, delta);
  await orAbandon(run, host, options, () => recover(run, restorer, options));
}

async function recover(
  run: ServerRun,
  restorer: Restorer,
  { host, target, timeoutMs, delta = false }: PrimaryOptions,
): Promise<void> {
  const { remote, cluster, signal } = run;
  const { data, unit, programs } = cluster.layout;
  const place: Place = { host, data, scratch: RESTORE_SCRATCH };
  const staged = delta ? place : stagedAt(place);
  await restorer.files(staged);
  const command = await restorer.log(place, target, timeoutMs);
  const args = [
    data,
    unit,
    programs,
    String(cluster.port),
    String(Math.ceil(timeoutMs / 1_000)),
    place.scratch,
    staged.data,
  ];
  const { stdout } = await remote.script(host, START_SCRIPT, args, {
    ...{ sudo: true, signal, name: 'recovery', timeoutMs: timeoutMs + 60_000 },
    input: printPostgresql('Until recovery is over', [...recoverySettings(command, target), NO_ARCHIVING]),
  });
  tellKept(run, host, stdout);
}
