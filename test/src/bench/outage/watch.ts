import { setTimeout as sleep } from 'node:timers/promises';
import { ARCHIVE } from '@perlstack/configs';
import { type BackupSite, PRIMARY } from '../../backup-site.js';
import { repeat } from './repeat.js';

/** The log on the primary at one moment. */
export interface LogSeen {
  /** Segments that wait. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Of all of pg_wal, with what is kept for replicas and for use again. */
  readonly bytes: number;
  /** The segment that is written to. */
  readonly current: string;
}

const SQL = `SELECT json_build_object('waiting', count(*), 'waitingBytes', coalesce(sum(size), 0),
  'bytes', (SELECT sum(size) FROM pg_ls_waldir()), 'current', pg_walfile_name(pg_current_wal_lsn()))
FROM pg_ls_waldir() WHERE name IN (SELECT replace(name, '.ready', '') FROM pg_ls_archive_statusdir()
  WHERE name LIKE '%.ready')`;

export const seeLog = async (site: BackupSite): Promise<LogSeen> =>
  JSON.parse(await site.sql(PRIMARY, SQL)) as LogSeen;

/** The most that was seen. */
export type Most = Omit<LogSeen, 'current'>;

const EVERY_MS = 2_000;

/** Looks at the log every two seconds, until it is stopped. */
export function watchLog(site: BackupSite): () => Promise<Most> {
  let most: Most = { waiting: 0, waitingBytes: 0, bytes: 0 };
  const stop = repeat(EVERY_MS, async () => {
    const seen = await seeLog(site);
    most = {
      waiting: Math.max(most.waiting, seen.waiting),
      waitingBytes: Math.max(most.waitingBytes, seen.waitingBytes),
      bytes: Math.max(most.bytes, seen.bytes),
    };
  });
  return async () => {
    await stop();
    return most;
  };
}

/** How much of the log may wait, as the book of tickets has it. */
export const limitOf = async (site: BackupSite): Promise<number> =>
  Number(await site.hosts.ask(PRIMARY, `sed -n 's/^limit //p' ${ARCHIVE.book}`));

/** Waits until all is taken of the log before a segment. @returns seconds */
export async function drained(site: BackupSite, last: string): Promise<number> {
  const start = performance.now();
  const waits = `SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready' AND name < '${last}'`;
  for (let tries = 0; (await site.sql(PRIMARY, waits)) !== '0'; tries += 1) {
    if (tries === LONGEST_DRAIN_S) throw new Error('the log that waits is not taken');
    await sleep(1_000);
  }
  return (performance.now() - start) / 1_000;
}

const LONGEST_DRAIN_S = 1_200;
