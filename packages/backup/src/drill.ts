import { type PostgresLine, printPostgresql } from '@perlstack/configs';
import { asPostgres } from '@perlstack/postgres';
import { askOf } from './ask.js';
import type { Backup, BackupFacts } from './catalogue.js';
import {
  type Place,
  recoverySettings,
  removePlace,
  type Restorer,
  type ServerRun,
  type Target,
} from './restore.js';
import { compareRows, countRows, type Rows } from './rows.js';

/** A statement that must give exactly `t`. */
export interface Assertion {
  readonly database: string;
  readonly sql: string;
}

export interface DrillOptions {
  readonly host: string;
  readonly target: Target;
  readonly assertions: readonly Assertion[];
  /** Whether the rows are to be those that the manifest notes: only where recovery ends at its point. */
  readonly compareRows: boolean;
  /** How long recovery may take. */
  readonly timeoutMs: number;
}

/** What a drill found. */
export interface DrillReport {
  readonly backup: string;
  readonly host: string;
  readonly target: string;
  readonly startedAt: string;
  /** In milliseconds: what it takes to have the data back, and to be sure of them. */
  readonly timings: { readonly restore: number; readonly recovery: number; readonly checks: number };
  readonly tables: number;
  readonly assertions: number;
  /** Where recovery came to. */
  readonly lastCommit: string | null;
  readonly faults: readonly string[];
}

export const DRILL_PORT = 5_499;

export const drillPlace = (host: string, version: number): Place => ({
  host,
  data: `/var/lib/postgresql/${version}/perlstack-drill`,
  scratch: '/run/perlstack-drill',
});

/**
 * Proves a backup: restores it beside the running server, replays the log, has PostgreSQL check every index and table,
 * counts the rows and asks the user's own questions; then removes all of it, whatever happened.
 */
export async function drill(
  run: ServerRun,
  restorer: Restorer,
  backup: Backup<BackupFacts>,
  options: DrillOptions,
): Promise<DrillReport> {
  const place = drillPlace(options.host, run.cluster.version);
  const startedAt = new Date();
  await removePlace(run, place);
  try {
    await restorer.files(place);
    const restored = Date.now();
    await recover(run, place, await restorer.log(place, options.target, options.timeoutMs), options);
    const recovered = Date.now();
    run.say(`${place.host}: recovered, being checked`);
    const rows = options.compareRows ? backup.manifest.rows : null;
    const checked = await checkServer(run, place, { rows, assertions: options.assertions });
    return {
      ...{ backup: backup.manifest.id, host: place.host, target: describeTarget(options.target) },
      startedAt: startedAt.toISOString(),
      timings: {
        restore: restored - +startedAt,
        recovery: recovered - restored,
        checks: Date.now() - recovered,
      },
      ...checked,
    };
  } finally {
    await removePlace(run, place);
  }
}

export function describeTarget(target: Target): string {
  switch (target.kind) {
    case 'latest':
      return 'the end of the log';
    case 'backup':
      return 'the end of the backup';
    case 'time':
      return target.at.toISOString();
    case 'lsn':
      return target.lsn;
  }
}

/** Arguments: programs, data directory, scratch folder, port, seconds. Input: lines of a configuration. */
const RECOVER_SCRIPT = `
set -eu
programs=$1 data=$2 scratch=$3 port=$4 seconds=$5
as() { env --chdir=/ runuser -u postgres -- "$@"; }
give_up() { grep -E 'FATAL|PANIC|restore-wal|ERROR' "$scratch/log" | tail -n 3 >&2; exit 1; }
umask 077
cat > "$scratch/postgresql.conf"
# A standby starts with nothing less than its primary had.
as env LC_ALL=C "$programs/pg_controldata" -D "$data" | sed -n \\
  -e 's/^max_connections setting: */max_connections = /p' \\
  -e 's/^max_worker_processes setting: */max_worker_processes = /p' \\
  -e 's/^max_wal_senders setting: */max_wal_senders = /p' \\
  -e 's/^max_prepared_xacts setting: */max_prepared_transactions = /p' \\
  -e 's/^max_locks_per_xact setting: */max_locks_per_transaction = /p' >> "$scratch/postgresql.conf"
echo 'local all postgres peer' > "$scratch/pg_hba.conf"
: > "$scratch/pg_ident.conf"
rm -f -- "$data/postgresql.auto.conf" "$data/standby.signal"
: > "$data/postgresql.auto.conf"
: > "$data/recovery.signal"
chown postgres: "$scratch"/* "$data/postgresql.auto.conf" "$data/recovery.signal"
as "$programs/pg_ctl" start -w -s -t "$seconds" -D "$data" -l "$scratch/log" -o "-c config_file=$scratch/postgresql.conf" || give_up
until [ "$(as "$programs/psql" -XAtq -h "$scratch" -p "$port" -d postgres -c 'SELECT pg_is_in_recovery()' 2> /dev/null)" = f ]; do
  [ -e "$data/postmaster.pid" ] || give_up
  [ $((seconds -= 1)) -gt 0 ] || { echo "recovery did not come to its end in time" >&2; exit 1; }
  sleep 1
done
`;

/** Nobody but the host's administrator can reach it, it archives nothing, and it may not crowd out the real one. */
export const scratchSettings = (place: Place): PostgresLine[] => [
  ['data_directory', place.data],
  ['hba_file', `${place.scratch}/pg_hba.conf`],
  ['ident_file', `${place.scratch}/pg_ident.conf`],
  ['listen_addresses', ''],
  ['unix_socket_directories', place.scratch],
  ['port', String(DRILL_PORT)],
  ['archive_mode', 'off'],
  ['shared_buffers', '64MB'],
  ['huge_pages', 'off'],
  ['fsync', 'off'],
  ['max_wal_size', '4GB'],
  ['logging_collector', 'off'],
  ['log_destination', 'stderr'],
  ['log_min_messages', 'warning'],
  ['cluster_name', 'perlstack-drill'],
];

async function recover(
  run: ServerRun,
  place: Place,
  restoreCommand: string,
  options: DrillOptions,
): Promise<void> {
  const settings: PostgresLine[] = [
    ...recoverySettings(restoreCommand, options.target),
    ...scratchSettings(place),
  ];
  const seconds = String(Math.ceil(options.timeoutMs / 1_000));
  const args = [run.cluster.layout.programs, place.data, place.scratch, String(DRILL_PORT), seconds];
  await run.remote.script(place.host, RECOVER_SCRIPT, args, {
    ...{ sudo: true, signal: run.signal, name: 'recovery', timeoutMs: options.timeoutMs + 60_000 },
    input: printPostgresql('Of a drill', settings),
  });
}

/** What a scratch server is asked. */
export interface Checks {
  /** What was noted of its tables; `null`: nothing that would hold where it is. */
  readonly rows: Rows | null;
  readonly assertions: readonly Assertion[];
}

/** Has PostgreSQL check all that it has, counts its rows, and asks the user's questions. */
export async function checkServer(
  run: ServerRun,
  place: Place,
  { rows, assertions }: Checks,
): Promise<Pick<DrillReport, 'tables' | 'assertions' | 'lastCommit' | 'faults'>> {
  const { remote, cluster, signal } = run;
  const faults: string[] = [];
  const ask = askOf(remote, place.host, { ...cluster, port: DRILL_PORT, socket: place.scratch }, signal);
  const amcheck = [
    `${cluster.layout.programs}/pg_amcheck`,
    ...['-h', place.scratch, '-p', String(DRILL_PORT), '--all', '--install-missing', '--heapallindexed'],
  ];
  const checked = await remote.run(place.host, asPostgres(amcheck), {
    ...{ sudo: true, signal, okCodes: [0, 1, 2], name: 'pg_amcheck' },
  });
  if (checked.code !== 0)
    faults.push(`pg_amcheck: ${(checked.stdout || checked.stderr).trim().split('\n').slice(0, 2).join(' ')}`);
  const counts = await countRows(ask);
  if (rows) faults.push(...compareRows(rows, counts));
  for (const { database, sql } of assertions) {
    const answer = await ask(`${sql}\n;\n`, database).catch((error: unknown) => String(error));
    if (answer !== 't')
      faults.push(`${database}: ${sql}: the answer is ${answer.slice(0, 200) || 'nothing'}, not t`);
  }
  return {
    tables: Object.values(counts).reduce((sum, tables) => sum + Object.keys(tables).length, 0),
    assertions: assertions.length,
    lastCommit: (await ask('SELECT max(pg_last_xact_replay_timestamp())::text;\n')) || null,
    faults,
  };
}
