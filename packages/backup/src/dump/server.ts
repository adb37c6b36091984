import { SOCKET_FOLDER } from '@perlstack/configs';
import { asPostgres } from '@perlstack/postgres';
import { type Remote, RemoteError } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import type { Cluster } from '../cluster.js';
import { LOOK_PROGRAM } from './dump-program.js';

/** A PostgreSQL that is dumped, and how the host that runs pg_dump comes to it. */
export interface DumpServer {
  /** The host that runs the programs. */
  readonly host: string;
  /** Makes an argv that runs as who does so, for root. */
  readonly as: (argv: readonly string[]) => string[];
  readonly reach: Reach;
  /** A database that is there for who wants to look at the others. */
  readonly maintenance: string;
  /** `HOST:PORT`, where it is no host of the stack. */
  readonly address: string | null;
  /** What the programs need to be let in; `null`: they are the server's own administrator. */
  readonly secret: ServerSecret | null;
}

/** In arguments, so nothing of it is secret. */
interface Reach {
  readonly host: string;
  readonly port: number;
  /** Without one, who runs the programs is let in. */
  readonly user?: string;
  /** Folder with pg_dump; the newest there is where it is not said. */
  readonly programs?: string;
}

export interface ServerSecret {
  readonly password: string;
  /** Certificates of who vouches for the server, in PEM; empty: whom the host trusts anyway. */
  readonly ca: string;
}

/** The stack's own PostgreSQL on one of its hosts. */
export const ownServer = ({ layout, port }: Cluster, host: string): DumpServer => ({
  ...{ host, as: asPostgres, maintenance: 'postgres', address: null, secret: null },
  reach: { host: SOCKET_FOLDER, port, programs: layout.programs },
});

/** Where a server is that is no host of the stack. */
export interface ServerAddress {
  readonly user: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

const EXAMPLE =
  'postgresql://USER@HOST:PORT/DATABASE, such as postgresql://admin@db.example.com:5432/postgres';

/** @throws UserError for anything but the URL of a server, with a user and without a password */
export function serverFrom(text: string): ServerAddress {
  const fail = (why: string): never => {
    throw new UserError(`Input "server": ${why}; it must be ${EXAMPLE}`);
  };
  if (!URL.canParse(text)) return fail('this is no URL');
  const { protocol, username, password, hostname, port, pathname, search, hash } = new URL(text);
  if (password !== '')
    throw new UserError(
      'Input "server": a password does not belong there; hand it over as "server-password"',
    );
  if (protocol !== 'postgresql:' && protocol !== 'postgres:') return fail('this is no URL of PostgreSQL');
  if (username === '') return fail('it names no user');
  if (hostname === '' || search !== '' || hash !== '') return fail('it has to be a host and no more');
  const database = decodeURIComponent(pathname.slice(1));
  return {
    ...{ user: decodeURIComponent(username), host: hostname, port: Number(port || 5_432) },
    database: database === '' ? 'postgres' : database,
  };
}

/** Somebody on every host, with no right to anything of it. */
const asNobody = (argv: readonly string[]): string[] => [
  ...['env', '--chdir=/', 'LC_ALL=C.UTF-8', 'runuser', '-u', 'nobody', '--'],
  ...argv,
];

/** A server that is reached by way of a host of the stack, with TLS and its certificate checked. */
export const remoteServer = (
  { user, host: address, port, database }: ServerAddress,
  via: string,
  secret: ServerSecret,
): DumpServer => ({
  ...{ host: via, as: asNobody, maintenance: database, address: `${address}:${port}`, secret },
  reach: { host: address, port, user },
});

/** @param handle number of the file handle at which a program finds the secret */
export const serverArgs = (
  { reach, secret }: DumpServer,
  handle: number,
  job: object,
): readonly [string, string] => [
  JSON.stringify(secret === null ? reach : { ...reach, secret: handle }),
  JSON.stringify(job),
];

export const secretLine = ({ secret }: DumpServer): string =>
  secret === null ? '' : `${JSON.stringify(secret)}\n`;

export interface DatabaseSeen {
  readonly name: string;
  readonly bytes: number;
}

export interface ServerSeen {
  readonly version: string;
  readonly major: number;
  /** Version of the pg_dump that reads it. */
  readonly program: number;
  readonly databases: readonly DatabaseSeen[];
  /** Whether the database that one looks from has nothing of a user in it. */
  readonly maintenanceEmpty: boolean;
}

const notOfExtension = (catalog: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = o.oid AND d.deptype = 'e')`;

const hasNone = (catalog: string, namespace: string, more = ''): string =>
  `NOT EXISTS (SELECT FROM ${catalog} o JOIN pg_namespace n ON n.oid = o.${namespace}
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ${more} AND ${notOfExtension(catalog)})`;

/** Whether a database has nothing of a user in it; what extensions bring along does not count. */
export const EMPTY_SQL = `(${hasNone('pg_class', 'relnamespace')}
  AND ${hasNone('pg_proc', 'pronamespace')}
  AND ${hasNone('pg_type', 'typnamespace', "AND o.typtype IN ('d', 'e', 'r')")}
  AND ${hasNone('pg_namespace', 'oid', "AND n.nspname <> 'public'")}
  AND NOT EXISTS (SELECT FROM pg_largeobject_metadata))`.replaceAll(/\n\s*/g, ' ');

const LOOK_SQL = `SELECT json_build_object(
  'version', split_part(current_setting('server_version'), ' ', 1),
  'major', current_setting('server_version_num')::int / 10000,
  'maintenanceEmpty', ${EMPTY_SQL},
  'databases', (SELECT coalesce(json_agg(json_build_object('name', datname, 'bytes', pg_database_size(oid)) ORDER BY datname), '[]')
    FROM pg_database WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT')));`.replaceAll(
  /\n\s*/g,
  ' ',
);

const TOOLS = ['curl', 'zstd'];

/**
 * Asks a server what it has.
 *
 * @param encrypts whether what is dumped of it is to be encrypted
 * @throws UserError when it is not reached, or when its host cannot dump it
 */
export async function seeServer(
  remote: Remote,
  server: DumpServer,
  encrypts: boolean,
  signal: AbortSignal,
): Promise<ServerSeen> {
  const { host, as, maintenance } = server;
  const args = serverArgs(server, 0, {
    maintenance,
    look: LOOK_SQL,
    tools: encrypts ? ['age', ...TOOLS] : TOOLS,
  });
  try {
    const { stdout } = await remote.run(host, as(['perl', '-e', LOOK_PROGRAM, ...args]), {
      ...{ sudo: true, input: secretLine(server), signal, timeoutMs: 120_000, name: 'a look at the server' },
    });
    const { program, seen } = JSON.parse(stdout) as {
      program: number;
      seen: Omit<ServerSeen, 'program'>;
    };
    assertDumps(host, seen.major, program);
    return { ...seen, program };
  } catch (error) {
    throw explainLook(error, server);
  }
}

/** @throws UserError for a pg_dump that is older than its server */
export function assertDumps(host: string, server: number, program: number): void {
  if (program >= server) return;
  throw new UserError(
    `${host}: the server is PostgreSQL ${server}, and pg_dump here is ${program}, which cannot read it; install postgresql-client-${server}`,
  );
}

function explainLook(error: unknown, { host, address }: DumpServer): unknown {
  if (!(error instanceof RemoteError)) return error;
  const message = messageOf(error);
  // Debian's base has a Perl without its library.
  const bare = message.includes("Can't locate ");
  const missing = bare ? 'perl' : /there is no (pg_dump|[a-z, ]+) here/.exec(message)?.[1];
  if (missing === undefined)
    return address === null
      ? error
      : new UserError(`Input "server": ${host} does not come to ${address}: ${message}`, { cause: error });
  if (address === null)
    return new UserError(`${host}: there is no ${missing} here; run apply-configs, then this again`, {
      cause: error,
    });
  const packages = missing === 'pg_dump' ? 'postgresql-client' : missing;
  return new UserError(
    `${host}: there is no ${missing} here; add ${packages} to app.packages of the stack file and run apply-configs, or name another host in "via"`,
    { cause: error },
  );
}

/**
 * Which databases a dump is of.
 *
 * @param wanted by name; none: all of them, but for the one that is there to look from, as long as that is empty
 * @throws UserError for one that there is not
 */
export function chooseDatabases(
  { databases, maintenanceEmpty }: Pick<ServerSeen, 'databases' | 'maintenanceEmpty'>,
  maintenance: string,
  wanted: readonly string[],
): readonly DatabaseSeen[] {
  if (wanted.length === 0) {
    const all = databases.filter(({ name }) => !(maintenanceEmpty && name === maintenance));
    if (all.length > 0) return all;
    throw new UserError('The server has no database with anything in it, so there is nothing to dump');
  }
  return [...new Set(wanted)].map((name) => {
    const found = databases.find((one) => one.name === name);
    if (found) return found;
    const there = databases.map((one) => one.name).join(', ');
    throw new UserError(
      `Input "databases": there is no database ${JSON.stringify(name)}; there is: ${there}`,
    );
  });
}
