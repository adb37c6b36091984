import { printPostgresql } from '@perlstack/configs';
import type { Storage } from '@perlstack/object-storage';
import { UserError } from '@perlstack/stack';
import { keysOf } from './keys.js';
import { type Place, recoverySettings, type Restorer, type ServerRun, type Target } from './restore.js';

/**
 * The cluster whose backup is the newest: after a restore into a new cluster, the bucket has two.
 *
 * @throws UserError when there is none
 */
export async function newestCluster(storage: Storage, stack: string): Promise<string> {
  const { clusters, cluster } = keysOf(stack);
  const ids = (await storage.folders(clusters)).map((folder) => folder.slice(clusters.length, -1));
  // The log of each is beside its backups, and may be long.
  const found = await Promise.all(
    ids.map(async (id) =>
      (await storage.versions(cluster(id).bases)).flatMap(({ versions: [first] }) =>
        first ? [{ id, ...first }] : [],
      ),
    ),
  );
  const manifests = found.flat().filter(({ key }) => key.endsWith('/manifest.json'));
  const [newest] = manifests.sort((one, other) => +other.modified - +one.modified);
  if (!newest) throw new UserError(`The bucket ${storage.bucket} has no whole backup of ${stack}`);
  return newest.id;
}

export interface PrimaryOptions {
  readonly host: string;
  readonly target: Target;
  /** The host whose old data may be moved aside. */
  readonly replace: string | null;
  /** Whether they stay where they are, to be made to fit: what they hold beyond the backup is lost. */
  readonly delta?: boolean;
  readonly timeoutMs: number;
}

/**
 * Makes sure that nothing is lost: a server that runs is refused, and old data are moved aside, never removed, and that
 * only where their host is named; or they stay, to be made to fit. Arguments: data directory, unit, whether they may be
 * moved, whether they stay.
 */
const CLEAR_SCRIPT = `
set -eu
data=$1 unit=$2 may=$3 stay=$4
if systemctl is-active --quiet "$unit"; then echo "PostgreSQL runs here: stop it first, if it is really to be replaced" >&2; exit 66; fi
if [ -e "$data" ] && [ -n "$(ls -A -- "$data")" ]; then
  [ "$may" = yes ] || { echo "$data is not empty: name this host in the input replace, and it is moved aside" >&2; exit 66; }
  [ "$stay" = no ] || exit 0
  mv -T -- "$data" "$data.replaced-$(date -u +%Y%m%dT%H%M%SZ)"
fi
rm -rf -- "$data"
`;

/**
 * Starts the restored server as the unit does, with recovery's settings in `postgresql.auto.conf` until it is over.
 * Arguments: data directory, unit, programs, port, seconds, scratch folder. Input: lines of settings.
 */
const START_SCRIPT = `
set -eu
data=$1 unit=$2 programs=$3 port=$4 seconds=$5 scratch=$6
as() { env --chdir=/ runuser -u postgres -- "$@"; }
umask 077
cat > "$data/postgresql.auto.conf"
rm -f -- "$data/standby.signal"
: > "$data/recovery.signal"
chown postgres: "$data/postgresql.auto.conf" "$data/recovery.signal"
systemctl start "$unit"
until [ "$(as "$programs/psql" -XAtq -p "$port" -d postgres -c 'SELECT pg_is_in_recovery()' 2> /dev/null)" = f ]; do
  systemctl is-active --quiet "$unit" || { echo "PostgreSQL ended during recovery; see its log" >&2; exit 1; }
  [ $((seconds -= 1)) -gt 0 ] || { echo "recovery did not come to its end in time" >&2; exit 1; }
  sleep 1
done
: > "$data/postgresql.auto.conf"
# The targets of recovery are read at a start alone: as long as they stay, every reload names them as faults.
systemctl restart "$unit"
rm -rf -- "$scratch"
`;

/** @throws RemoteError where a server runs, or has data that nobody allowed to be moved */
export async function clearPlace(
  { remote, cluster, signal }: ServerRun,
  host: string,
  replace: string | null,
  delta = false,
): Promise<void> {
  const { data, unit } = cluster.layout;
  const may = [replace === host, delta].map((yes) => (yes ? 'yes' : 'no'));
  const args = [data, unit, ...may];
  await remote.script(host, CLEAR_SCRIPT, args, { sudo: true, signal, name: 'making room' });
}

/** Disaster recovery: a backup and its log become the data of a server that does not run, which then is a primary. */
export async function restorePrimary(
  run: ServerRun,
  restorer: Restorer,
  { host, target, replace, delta = false, timeoutMs }: PrimaryOptions,
): Promise<void> {
  const { remote, cluster, signal } = run;
  const { data, unit, programs } = cluster.layout;
  const place: Place = { host, data, scratch: '/run/perlstack-restore' };
  await clearPlace(run, host, replace, delta);
  await restorer.files(place);
  const command = await restorer.log(place, target);
  const args = [
    data,
    unit,
    programs,
    String(cluster.port),
    String(Math.ceil(timeoutMs / 1_000)),
    place.scratch,
  ];
  await remote.script(host, START_SCRIPT, args, {
    ...{ sudo: true, signal, name: 'recovery', timeoutMs: timeoutMs + 60_000 },
    input: printPostgresql('Until recovery is over', recoverySettings(command, target)),
  });
}
