import { asPostgres, identifier, literal, type LocalServer, psqlArgv } from '@perlstack/postgres';
import { UserError } from '@perlstack/stack';
import { askOf } from '../ask.js';
import { fetchObject, MAKING_ROOM, type RestoreRun } from '../restore.js';
import { compareRows, countRows } from '../rows.js';
import type { Writing } from '../stored.js';
import { GLOBALS_FILTER, type Wanted } from './globals-filter.js';
import type { DumpManifest } from './manifest.js';
import { type DatabaseThere, type Placement, TEMPORARY } from './plan-restore.js';
import { EMPTY_SQL } from './server.js';

/** A server that runs, on the host on which the programs are. */
export interface DumpTarget {
  readonly host: string;
  readonly server: LocalServer;
  /** Folder with `pg_restore`. */
  readonly programs: string;
  /** The socket's folder. */
  readonly socket: string;
}

/** A database that no restore is of: whoever moves the others needs to be in another one. */
const ADMINISTRATION = 'template1';

type Asks = Pick<RestoreRun, 'remote' | 'signal'>;

const administrator = ({ remote, signal }: Asks, { host, server }: DumpTarget) => {
  const ask = askOf(remote, host, server, signal);
  return (sql: string): Promise<string> => ask(sql, ADMINISTRATION);
};

/** The databases of a server, but for what an unfinished restore left. */
export async function databasesOn(run: Asks, target: DumpTarget): Promise<DatabaseThere[]> {
  const list = `SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM pg_database WHERE NOT datistemplate;\n`;
  const names = JSON.parse(await administrator(run, target)(list)) as string[];
  const ask = askOf(run.remote, target.host, target.server, run.signal);
  const there: DatabaseThere[] = [];
  for (const name of names.filter((one) => !one.startsWith(TEMPORARY))) {
    // One that nobody may connect to is somebody's.
    const empty = await ask(`SELECT ${EMPTY_SQL};\n`, name).catch(() => 'f');
    there.push({ name, empty: empty === 't' });
  }
  return there;
}

/** Removes what a restore left that never came to its end; harmless where there is nothing. */
export async function dropTemporaries(run: Asks, target: DumpTarget): Promise<void> {
  await administrator(
    run,
    target,
  )(
    `SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE starts_with(datname, ${literal(TEMPORARY)}) \\gexec\n`,
  );
}

/** Arguments: data directory, bytes. */
const ROOM_SCRIPT = `
set -eu
free=$(df -B1 --output=avail -- "$1" | tail -n 1 | tr -d ' ')
[ "$free" -ge "$2" ] || { echo "$free of the $2 bytes that are needed are free" >&2; exit 67; }
`;

/** A server that runs must not fill its disk. @throws RemoteError when there is too little room for databases */
export async function assertRoom(
  { remote, cluster, signal }: Pick<RestoreRun, 'remote' | 'cluster' | 'signal'>,
  { host }: DumpTarget,
  placements: readonly Placement[],
): Promise<void> {
  const bytes = roomForDump(placements.map(({ database }) => database));
  await remote.script(host, ROOM_SCRIPT, [cluster.layout.data, String(bytes)], {
    ...{ sudo: true, signal, name: MAKING_ROOM },
  });
}

/** What databases take on a disk, in bytes. */
export const roomForDump = (databases: readonly { readonly bytes: number }[]): number =>
  Math.ceil(databases.reduce((sum, { bytes }) => sum + bytes, 0) * 1.1) + 256 * 1024 * 1024;

export interface RestoredDump {
  /** Databases that were there before, by the names that they have now. */
  readonly aside: readonly string[];
  /** What the databases have otherwise than the dump noted, a sentence each. */
  readonly faults: readonly string[];
}

/**
 * Restores databases of a dump into a running server. Each is filled under another name; when all are whole, they come to
 * their places in one transaction. Whatever fails before, the server has the databases that it had.
 *
 * @param strict whether rows that differ are a failure
 * @param stillHeld whether no other restore is at work with the server by now
 * @throws UserError, RemoteError when something fails
 */
export async function restoreDump(
  run: RestoreRun,
  target: DumpTarget,
  manifest: DumpManifest,
  placements: readonly Placement[],
  { strict, stillHeld }: Pick<Writing, 'stillHeld'> & { readonly strict: boolean },
): Promise<RestoredDump> {
  const held = (): Promise<void> => stillHeld('nothing was changed');
  const roles = await rolesOn(run, target);
  await dropTemporaries(run, target);
  try {
    await applyGlobals(run, target, manifest, { part: 'make', databases: named(placements), roles });
    const faults: string[] = [];
    for (const placement of placements) {
      await held();
      faults.push(...(await fill(run, target, placement)));
    }
    const [fault] = faults;
    if (strict && fault !== undefined) throw new UserError(fault);
    await applyGlobals(run, target, manifest, { part: 'keep', databases: named(placements), roles });
    await held();
    return { aside: await swap(run, target, placements), faults };
  } catch (error) {
    // A cancel must not cancel this too; what is there by now may be another one's.
    const left = { ...run, signal: AbortSignal.timeout(60_000) };
    await held()
      .then(() => dropTemporaries(left, target))
      .catch(() => undefined);
    throw error;
  }
}

const named = (placements: readonly Placement[]): Record<string, string> =>
  Object.fromEntries(placements.map(({ database, temporary }) => [String(database.number), temporary]));

async function rolesOn(run: Asks, target: DumpTarget): Promise<string[]> {
  const names = await administrator(run, target)(`SELECT json_agg(rolname) FROM pg_roles;\n`);
  return JSON.parse(names) as string[];
}

async function applyGlobals(
  run: RestoreRun,
  { host, server }: DumpTarget,
  { globals }: DumpManifest,
  wanted: Wanted,
): Promise<void> {
  const into = ['perl', '-e', GLOBALS_FILTER, JSON.stringify(wanted), ...psqlArgv(server, ADMINISTRATION)];
  await fetchObject(run, { host, as: asPostgres, object: globals.object, into });
}

/** @returns what its rows are otherwise than they were */
async function fill(
  run: RestoreRun,
  { host, server, programs, socket }: DumpTarget,
  { database, temporary }: Placement,
): Promise<string[]> {
  const into = [
    `${programs}/pg_restore`,
    ...['--exit-on-error', '--no-tablespaces', '--no-password'],
    ...['-h', socket, '-p', String(server.port), '-d', temporary],
  ];
  run.say(`${host}: ${database.name}, ${database.object.size} bytes`);
  await fetchObject(run, { host, as: asPostgres, object: database.object, into });
  const ask = askOf(run.remote, host, server, run.signal);
  // A dump has no statistics, and without them the first queries are planned badly.
  const patiently: typeof ask = (sql, name) => ask(`SET statement_timeout = 0;\n${sql}`, name);
  await patiently('ANALYZE;\n', temporary);
  const found = await countRows(patiently, [temporary]);
  const rows = Object.entries(database.rows).map(([table, count]) => [table, { least: count, most: count }]);
  const noted = {
    [database.name]: Object.fromEntries(rows) as Record<string, { least: number; most: number }>,
  };
  return compareRows(noted, { [database.name]: found[temporary] ?? {} });
}

/** Moves all databases to their places, or none. @returns what was there before, as it is called now */
async function swap(run: Asks, target: DumpTarget, placements: readonly Placement[]): Promise<string[]> {
  const ask = administrator(run, target);
  try {
    await ask(swapSql(placements));
  } catch (error) {
    await ask(openSql(placements)).catch(() => undefined);
    throw error;
  }
  const kept: string[] = [];
  for (const { aside, drops } of placements)
    if (aside !== null && !(await release(run, target, aside, drops))) kept.push(aside);
  return kept;
}

/** Opens an old database again, or drops it if nothing is in it. @returns whether it was dropped */
async function release(run: Asks, target: DumpTarget, name: string, drops: boolean): Promise<boolean> {
  const ask = administrator(run, target);
  await ask(`ALTER DATABASE ${identifier(name)} ALLOW_CONNECTIONS true;\n`);
  if (!drops) return false;
  // Somebody may have put something into it meanwhile.
  const askIt = askOf(run.remote, target.host, target.server, run.signal);
  if ((await askIt(`SELECT ${EMPTY_SQL};\n`, name)) !== 't') return false;
  await ask(`DROP DATABASE ${identifier(name)};\n`);
  return true;
}

/** Nobody uses an old database from here on; its sessions end, since one with any cannot be moved. */
export function swapSql(placements: readonly Placement[]): string {
  const old = placements.flatMap(({ database, aside }) =>
    aside === null ? [] : [{ name: database.name, aside }],
  );
  const rename = (from: string, to: string): string =>
    `ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)};\n`;
  return [
    ...old.map(({ name }) => `ALTER DATABASE ${identifier(name)} ALLOW_CONNECTIONS false;\n`),
    ...old.map(
      ({ name }) =>
        `SELECT FROM pg_stat_activity, pg_terminate_backend(pid) WHERE datname = ${literal(name)};\n`,
    ),
    'BEGIN;\n',
    ...old.map(({ name, aside }) => rename(name, aside)),
    ...placements.map(({ database, temporary }) => rename(temporary, database.name)),
    'COMMIT;\n',
  ].join('');
}

/** What was closed for a move that failed is open again. */
const openSql = (placements: readonly Placement[]): string =>
  placements
    .filter(({ aside }) => aside !== null)
    .map(({ database }) => `ALTER DATABASE ${identifier(database.name)} ALLOW_CONNECTIONS true;\n`)
    .join('');
