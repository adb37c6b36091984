import { commandLine } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { type Backup, type BackupFacts, type Catalogue, coverageOf, gapAfter } from '../catalogue.js';
import type { Cluster } from '../cluster.js';
import {
  makeRoom,
  onWay,
  type Place,
  type Restorer,
  roomFor,
  type ServerRun,
  type Target,
} from '../restore.js';
import type { Histories, Line } from '../lineage.js';
import { HISTORY_NAME, parseHistory, type Switch, timelineOf } from '../wal.js';
import { everyNowAndThen } from './backup.js';
import { sha1Of } from './archive-list.js';
import type { Pgbackrest } from './command.js';
import { percentOf } from './progress.js';
import type { Repository } from './repository.js';

/**
 * `restore_command`, called as `restore-wal STANZA DATA SUMS NAME DESTINATION`, where the file of sums has a line
 * `NAME SHA1` for each segment, or `NAME -` for one that is not on the way. That one, as one that is not there, is the end of
 * the log; one that is there and cannot be read, or is not what was handed over, ends the whole recovery, by a code above 125:
 * it must not end too early and look well. pgBackRest itself compares no sum here, and the server takes a record that is not
 * sound for the end of the log.
 */
export const RESTORE_WAL = `
wanted=$(sed -n "s/^$4 //p" "$3")
[ "$wanted" != - ] || exit 1
pgbackrest --stanza="$1" --pg1-path="$2" --log-level-console=off --log-level-stderr=error archive-get "$4" "$5"
code=$?
give_up() { echo "restore-wal: ERROR: $1" >&2; exit 200; }
case $code in
  0) : ;;
  1) exit 1 ;;
  *) give_up "$4 could not be had from the bucket (pgbackrest $code)" ;;
esac
[ -n "$wanted" ] || exit 0
[ "$(sha1sum < "$5" | cut -d ' ' -f 1)" = "$wanted" ] || give_up "$4 in the bucket is not what was stored"
`;

/** A backup in the repository, with what is beside it. */
export interface ChosenInRepository {
  readonly backup: Backup<BackupFacts>;
  readonly catalogue: Pick<Catalogue, 'wal'>;
  /** Which the log goes on with; `null`: nobody knows. */
  readonly line: Line | null;
}

/** With the key that the host has. */
export function pgbackrestRestorer(
  run: ServerRun,
  pgbackrest: Pgbackrest,
  { backup, catalogue, line }: ChosenInRepository,
  { delta = false }: { readonly delta?: boolean } = {},
): Restorer {
  return {
    files: async (place) => {
      await makeRoom(run, place, place.data, roomFor(backup), { over: delta });
      const progress = everyNowAndThen((percent) =>
        run.say(`${place.host}: ${percent} % of the files are back`),
      );
      // What recovery is to do, the server is told by what starts it.
      const words = ['restore', `--set=${backup.manifest.id}`, '--type=none', `--pg1-path=${place.data}`];
      await pgbackrest.run([...words, ...(delta ? ['--delta'] : [])], {
        onLine: (line) => progress(percentOf(line)),
      });
    },
    log: (place, target) => layCommand(run, place, sumsOf(catalogue.wal, backup, target, line)),
  };
}

/** What `RESTORE_WAL` knows of the log. */
export function sumsOf(
  wal: Catalogue['wal'],
  { manifest }: Backup<BackupFacts>,
  target: Target,
  line: Line | null,
): string {
  const wanted = new Map(onWay(wal, manifest.wal, target, line));
  const lines = [...wal].flatMap(([name, { key }]) => {
    const sum = wanted.has(name) ? sha1Of(key) : '-';
    return sum === null ? [] : [`${name} ${sum}\n`];
  });
  return lines.join('');
}

async function layCommand(
  { remote, cluster, signal }: ServerRun,
  { host, scratch, data }: Place,
  lines: string,
): Promise<string> {
  const [program, sums] = [`${scratch}/restore-wal`, `${scratch}/sums`];
  for (const [path, content] of [[program, RESTORE_WAL] as const, [sums, lines] as const]) {
    const target = { path, mode: 0o600, owner: 'postgres', group: 'postgres' };
    await remote.upload(host, target, Buffer.from(content), { sudo: true, signal });
  }
  return `${commandLine(['sh', program, cluster.stack, data, sums])} "%f" "%p"`;
}

/** Reads the histories of timelines that the repository has. */
export async function readRepositoryHistories(
  pgbackrest: Pgbackrest,
  { stack }: Pick<Cluster, 'stack'>,
  { catalogue, archiveId }: Pick<Repository, 'catalogue' | 'archiveId'>,
): Promise<Histories> {
  const histories = new Map<number, readonly Switch[]>();
  for (const name of [...catalogue.wal.keys()].filter((one) => HISTORY_NAME.test(one))) {
    const text = await pgbackrest.run(['repo-get', `archive/${stack}/${archiveId}/${name}`]);
    histories.set(timelineOf(name), parseHistory(text));
  }
  return histories;
}

/**
 * Recovery to the end of the log would take a gap for that end.
 *
 * @throws UserError naming what is missing between a backup and the end
 */
export function assertNoGap(
  backup: Backup<BackupFacts>,
  catalogue: Catalogue<BackupFacts>,
  histories: Histories,
  target: Target,
): void {
  if (target.kind !== 'latest') return;
  const { timeline, startLsn } = backup.manifest.wal;
  const goal = target.along === 'current' ? timeline : target.along;
  const ways = new Map([...histories].filter(([one]) => goal === undefined || one === goal));
  const { missing } = coverageOf(backup, catalogue, ways, startLsn);
  if (missing.length > 0)
    throw new UserError(`${gapAfter(backup.manifest.id, missing)}; choose a target before it`);
}
