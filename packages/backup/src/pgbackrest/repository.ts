import { asPostgres } from '@perlstack/postgres';
import type { Remote } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import type { BackupFacts, Catalogue, LogFile } from '../catalogue.js';
import type { Cluster } from '../cluster.js';
import { ONE_A_LINE, readArchiveEntry } from './archive-list.js';
import { explained, type Pgbackrest } from './command.js';
import { explain } from './explain.js';
import { readInfo, type RepositoryInfo } from './info.js';

/** A stanza's repository, as pgBackRest on one host sees it. */
export interface Repository extends RepositoryInfo {
  readonly catalogue: Catalogue<BackupFacts>;
}

/** @throws UserError when it cannot be read */
export async function readMade({ host, run }: Pgbackrest): Promise<RepositoryInfo> {
  const info = readInfo(await run(['info', '--output=json']));
  if ('fault' in info) throw new UserError(`${host}: ${explain(info.fault)}`);
  return info;
}

/** The same with the list of its log. @throws UserError when it cannot be read */
export async function readRepository(
  remote: Remote,
  cluster: Cluster,
  pgbackrest: Pgbackrest,
  signal: AbortSignal,
): Promise<Repository> {
  const info = await readMade(pgbackrest);
  const wal =
    info.made && info.archiveId !== null
      ? await readLog(remote, cluster, pgbackrest.host, info.archiveId, signal)
      : new Map<string, LogFile>();
  return { ...info, catalogue: { backups: info.backups, broken: info.broken, wal } };
}

/** However long the log is, its list is read line by line. */
async function readLog(
  remote: Remote,
  { stack }: Cluster,
  host: string,
  archiveId: string,
  signal: AbortSignal,
): Promise<Map<string, LogFile>> {
  const list = `pgbackrest --stanza="$1" repo-ls --log-level-console=off --log-level-stderr=error --recurse --output=json "archive/$1/$2"`;
  const script = `set -o pipefail; ${list} | ${ONE_A_LINE}`;
  const wal = new Map<string, LogFile>();
  const listed = remote.run(host, asPostgres(['bash', '-c', script, 'repo-ls', stack, archiveId]), {
    ...{ sudo: true, signal, name: 'pgbackrest' },
    onLine: (line, stream) => {
      const entry = stream === 'stdout' ? readArchiveEntry(line) : null;
      if (entry) wal.set(entry.name, entry);
    },
  });
  await listed.catch((error: unknown) => {
    throw explained(error, host);
  });
  return wal;
}
