import { UserError } from '@perlstack/stack';
import { databaseName } from '../layout.js';

/** The role with which a replica follows its primary. */
export const REPLICATION_ROLE = 'replicator';

/** Names that PostgreSQL, or this stack, has given away already. */
const TAKEN = ['postgres', 'template0', 'template1', 'public', 'none', REPLICATION_ROLE];

/**
 * Database of an application, and the role that owns it.
 *
 * @throws UserError when PostgreSQL has another use for the name.
 */
export function databaseOf(app: string): string {
  const name = databaseName(app);
  if (!TAKEN.includes(name)) return name;
  throw new UserError(
    `app.name: "${app}" names the database and its role too, and PostgreSQL uses "${name}" otherwise; choose another`,
  );
}

/** Every path and unit name of a cluster, where Debian's packages expect them. */
export interface PostgresLayout {
  /** `/etc/postgresql/17/main` */
  readonly config: string;
  /** `/var/lib/postgresql/17` */
  readonly versionFolder: string;
  /** `/var/lib/postgresql/17/main` */
  readonly data: string;
  /** `postgresql@17-main.service` */
  readonly unit: string;
  /** Passwords for libpq, with which a replica follows whoever is primary. */
  readonly passfile: string;
  readonly pidFile: string;
  /** `/usr/lib/postgresql/17/bin` */
  readonly programs: string;
}

/** Folder of the server's socket. */
export const SOCKET_FOLDER = '/run/postgresql';

export function postgresLayout(version: number): PostgresLayout {
  const config = `/etc/postgresql/${version}/main`;
  const versionFolder = `/var/lib/postgresql/${version}`;
  return {
    config,
    versionFolder,
    data: `${versionFolder}/main`,
    unit: `postgresql@${version}-main.service`,
    passfile: `${config}/replication.pgpass`,
    pidFile: `${SOCKET_FOLDER}/${version}-main.pid`,
    programs: `/usr/lib/postgresql/${version}/bin`,
  };
}
