import { type LocalServer, psql } from '@perlstack/postgres';
import type { Remote } from '@perlstack/remote';

/** Asks a server something in SQL. @returns what psql prints, trimmed */
export type Ask = (sql: string, database?: string) => Promise<string>;

/** @returns what asks a server of a host, the cluster's own or one that was restored beside it, as its administrator */
export function askOf(remote: Remote, host: string, server: LocalServer, signal: AbortSignal): Ask {
  return async (sql, database) => {
    const options = { sudo: true, input: sql, signal, name: 'psql' };
    return (await remote.run(host, psql(server, database), options)).stdout.trim();
  };
}
