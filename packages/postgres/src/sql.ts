import { postgresLayout, SOCKET_FOLDER, type PostgresSpec } from '@perlstack/configs';

/** A name in SQL, whatever it holds. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A text in SQL, whatever it holds. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The slot that keeps the WAL for a member; slots know no dashes. */
export const slotOf = (host: string): string => host.replaceAll('-', '_');

/**
 * Settings of our own sessions. Nothing of them is logged or counted, since statements hold verifiers; no commit waits
 * for a replica, because a cluster that is to wait for one has none at first.
 */
const SESSION = [
  'synchronous_commit=local',
  'log_statement=none',
  'log_min_duration_statement=-1',
  'log_min_error_statement=panic',
  'pg_stat_statements.track=none',
  'pg_stat_statements.track_utility=off',
  'statement_timeout=60s',
  'lock_timeout=30s',
];

const OPTIONS = SESSION.map((setting) => `-c ${setting}`).join(' ');

/** An argv that runs a program of PostgreSQL as its administrator. */
export function asPostgres(argv: readonly string[]): string[] {
  const environment = [`PGOPTIONS=${OPTIONS}`, 'PGCONNECT_TIMEOUT=10', 'LC_ALL=C.UTF-8'];
  return ['env', '--chdir=/', ...environment, 'runuser', '-u', 'postgres', '--', ...argv];
}

/** A server on the host that is asked; by default its socket is where Debian has it. */
export type LocalServer = Pick<PostgresSpec, 'version' | 'port'> & { readonly socket?: string };

/** A name that psql takes for nothing else: some would be whole connection strings. */
export const databaseWord = (name: string): string =>
  /^postgres(ql)?:|=/.test(name) ? `dbname='${name.replaceAll(/[\\']/g, '\\$&')}'` : name;

/** An argv for psql, which reads SQL from its standard input and prints bare values, for who is the administrator. */
export function psqlArgv(
  { version, port, socket = SOCKET_FOLDER }: LocalServer,
  database = 'postgres',
): string[] {
  const { programs } = postgresLayout(version);
  // Terse, because an error would quote the statement, which may hold a verifier.
  const quiet = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=terse'];
  const server = ['-h', socket, '-p', String(port), '-d', databaseWord(database)];
  return [`${programs}/psql`, ...quiet, ...server];
}

/** The same for anybody who may become the administrator. */
export const psql = (server: LocalServer, database?: string): string[] =>
  asPostgres(psqlArgv(server, database));
