import { type PostgresLayout, SOCKET_FOLDER } from './names.js';

/** What a server says of its files, as one text per fault; nothing where all is well. */
const FAULTS = `
SELECT format('%s:%s: %s: %s', sourcefile, sourceline, name, error) AS fault
  FROM pg_file_settings WHERE error IS NOT NULL AND error <> 'setting could not be applied'
UNION ALL
SELECT format('%s:%s: %s', current_setting('hba_file'), line_number, error)
  FROM pg_hba_file_rules WHERE error IS NOT NULL`;

/** SQL that fails with the faults of a server's files in its message, if there are any. */
const ASSERT_NO_FAULTS = `DO $$
DECLARE faults text;
BEGIN
  SELECT string_agg(fault, '; ') INTO faults FROM (${FAULTS}) AS found;
  IF faults IS NOT NULL THEN RAISE EXCEPTION '%', faults; END IF;
END $$`;

/**
 * Asks PostgreSQL itself: its parser for the settings, then a server of its own that starts with these very files, in
 * a new and empty data folder, reachable through a socket in it alone. Its memory is kept small, so that it fits beside
 * the real one. Arguments: folder of the programs, configuration file, SQL.
 */
const VALIDATE = `
set -eu
bin=$1 config=$2 sql=$3
cd /
scratch=$(mktemp -d /tmp/postgresql-check.XXXXXX)
chown postgres: "$scratch"
as() { runuser -u postgres -- "$@"; }
finish() {
  code=$?
  [ ! -e "$scratch/data/postmaster.pid" ] || as "$bin/pg_ctl" stop -D "$scratch/data" -m immediate -s || :
  rm -rf -- "$scratch"
  exit $code
}
trap finish EXIT
trap 'exit 143' TERM INT HUP PIPE

as touch "$scratch/postgresql.auto.conf"
as "$bin/postgres" -C data_directory -c "config_file=$config" -c "data_directory=$scratch" > /dev/null
as "$bin/initdb" -D "$scratch/data" -A peer -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions > "$scratch/initdb" 2>&1 || {
  cat "$scratch/initdb"
  exit 1
}
options="-c config_file=$config -c data_directory=$scratch/data -c unix_socket_directories=$scratch -c external_pid_file=$scratch/pid"
options="$options -c listen_addresses= -c shared_buffers=16MB -c huge_pages=off -c logging_collector=off"
options="$options -c log_destination=stderr -c archive_mode=off -c ssl=off -c fsync=off -c log_min_messages=warning"
as "$bin/pg_ctl" start -w -s -D "$scratch/data" -l "$scratch/log" -o "$options" > /dev/null 2>&1 || {
  grep -vE 'LOG:  (starting|listening|database system) ' "$scratch/log"
  exit 1
}
as "$bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$scratch" -d postgres -c "$sql"
`;

/** The check of a cluster's files, where they lie over the real ones. */
export function validateCommand({ programs, config }: PostgresLayout): string[] {
  return ['sh', '-c', VALIDATE, 'postgresql-check', programs, `${config}/postgresql.conf`, ASSERT_NO_FAULTS];
}

/** That the running server answers, and has taken its files without a fault: a reload itself never says so. */
export function probeCommand({ programs }: PostgresLayout, port: number): string[] {
  const psql = [
    `${programs}/psql`,
    '-X',
    '-q',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    SOCKET_FOLDER,
    '-p',
    String(port),
  ];
  return [
    'env',
    '--chdir=/',
    'runuser',
    '-u',
    'postgres',
    '--',
    ...psql,
    '-d',
    'postgres',
    '-c',
    ASSERT_NO_FAULTS,
  ];
}
