import { LONGEST_SIGNED_S, type Removable, type SignRequest, type Storage } from '@perlstack/object-storage';
import { asPostgres, parseLsn, segmentAt } from '@perlstack/postgres';
import { commandLine, type Remote, RemoteError } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import type { Backup, BackupFacts, Catalogue, LogFile } from './catalogue.js';
import type { Cluster } from './cluster.js';
import { type Fetching, fetchTo, SECRET_FILE } from './fetch.js';
import { chainOf, combine } from './incremental.js';
import { bareSwitch, isOn, isOnWay, type Line, lineAt } from './lineage.js';
import type { Manifest } from './manifest.js';
import { RESTORE_WAL_PROGRAM } from './restore-wal-program.js';
import { backupsNamed, idsOf, type Stored, type StoredFacts } from './stored.js';
import { segmentName, type Switch } from './wal.js';

/** Where recovery is to end, and on which timeline. */
export type Target = (
  | { readonly kind: 'latest' }
  | { readonly kind: 'time'; readonly at: Date }
  | { readonly kind: 'lsn'; readonly lsn: string }
  /** As soon as the copy is consistent. */
  | { readonly kind: 'backup' }
) & {
  /** Along which timeline: that of the backup itself, or a later one by its number; default: the newest that PostgreSQL finds. */
  readonly along?: 'current' | number;
  /** Where that one has nothing in the bucket yet: its beginning, on the timeline before. */
  readonly upTo?: Switch;
};

/**
 * Where the data of a real server are until all is there that its recovery takes: nobody, and no restart of the host, can take a
 * copy whose log nobody has read for the server that it was.
 */
export const stagedAt = (place: Place): Place => ({ ...place, data: `${place.data}.restoring` });

/** A server that is restored: its folder, and how it is started. */
export interface Place {
  readonly host: string;
  /** Data directory to be; its parent is there. */
  readonly data: string;
  /** For what lives only as long as the restore does, in memory. */
  readonly scratch: string;
}

export interface RestoreRun {
  readonly remote: Remote;
  readonly storage: Storage;
  readonly cluster: Cluster;
  /** Private key of age, where backups are encrypted. */
  readonly identity: string | null;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** What a server that is restored takes, whichever engine brings it back. */
export type ServerRun = Pick<RestoreRun, 'remote' | 'cluster' | 'signal' | 'say'>;

/** How an engine brings a backup back. */
export interface Restorer {
  /** Makes the data directory and the scratch folder of a place, and fills the first with checked files. */
  readonly files: (place: Place) => Promise<void>;
  /**
   * Puts what `restore_command` needs into the scratch folder.
   *
   * @param lastsMs how long recovery may take: no longer is what it needs good for, nor there
   * @returns the command
   */
  readonly log: (place: Place, target: Target, lastsMs: number) => Promise<string>;
}

/** A backup, with what is beside it. */
export interface Chosen {
  readonly backup: Backup;
  readonly catalogue: Catalogue;
  /** Which the log goes on with; `null`: nobody knows. */
  readonly line: Line | null;
}

/**
 * Out of the bucket by URLs, with no key on the host.
 *
 * @param proven whether a drill found the backup good: then its digest says all that PostgreSQL's own manifest would
 * @throws UserError when the backup cannot be read
 */
export function streamRestorer(
  run: RestoreRun,
  { backup, catalogue, line }: Chosen,
  proven: boolean,
): Restorer {
  assertReadable(run, backup);
  return {
    files: (place) => restoreFiles(run, place, backup, catalogue, proven),
    log: (place, target, lastsMs) => layLog(run, place, { backup, catalogue, line }, target, lastsMs),
  };
}

/**
 * The backup from which a target can be reached.
 *
 * @param id of a certain one; `null`: the newest that ends before the target, on the line that the log goes on with
 * @throws UserError when there is none
 */
export function chooseBackup<M extends BackupFacts>(
  backups: readonly Backup<M>[],
  id: string | null,
  target: Target,
  line: Line | null,
): Backup<M> {
  const named = backupsNamed(backups, id);
  const wanted = id === null ? named.filter(({ manifest }) => isOn(line, manifest.wal)) : named;
  if (wanted.length === 0)
    throw new UserError(
      `Input "backup": none leads to timeline ${line?.timeline ?? ''}, with which the log goes on; name one to recover along its own timeline: ${idsOf(backups)}`,
    );
  const before = wanted.filter((backup) => isBefore(backup, target));
  const chosen = before.at(-1);
  if (chosen) return chosen;
  const first = wanted[0]?.manifest.finishedAt ?? '';
  throw new UserError(
    `Input "target": no backup ends before it; the oldest that would do ends at ${first}; there is: ${idsOf(backups)}`,
  );
}

/**
 * A target with the timeline on which it is: a point that the backup itself noted, and its end, are on its own; anything else is on
 * the line that the log goes on with, if the backup leads there, and else on its own too.
 *
 * @param names of the log in the bucket
 */
export function targetAlong(
  { manifest }: Backup<BackupFacts>,
  target: Target,
  line: Line | null,
  names: Pick<ReadonlySet<string>, 'has'>,
): Target {
  if (target.along !== undefined) return target;
  if (target.kind === 'backup') return { ...target, along: 'current' };
  if (!line) return target;
  const log = { names, segmentBytes: manifest.wal.segmentBytes };
  const { timeline } = target.kind === 'time' ? lineAt(line, target.at, log) : line;
  if (manifest.wal.timeline === timeline || !isOn(line, manifest.wal)) return { ...target, along: 'current' };
  const upTo = target.kind === 'latest' ? bareSwitch(line, log) : null;
  return { ...target, along: timeline, ...(upTo ? { upTo } : {}) };
}

function isBefore({ manifest }: Backup<BackupFacts>, target: Target): boolean {
  if (target.kind === 'time')
    return Date.parse(manifest.finishedAt) <= +target.at || proofBefore(manifest.proof, +target.at);
  if (target.kind === 'lsn') return parseLsn(manifest.wal.stopLsn) <= parseLsn(target.lsn);
  return true;
}

const proofBefore = (proof: Backup['manifest']['proof'], at: number): boolean =>
  proof !== null && Date.parse(proof.at) <= at;

/**
 * Arguments: data directory, scratch folder, bytes that are needed, whether old data may be there, programs. Exits with 66 when there
 * is something, 67 without room, 69 where a program is missing.
 */
const PREPARE_SCRIPT = `
set -eu
data=$1 scratch=$2 needed=$3 over=$4
shift 4
missing=
for one in "$@"; do command -v -- "$one" > /dev/null || missing="$missing \${one##*/}"; done
[ -z "$missing" ] || { echo "it has no$missing" >&2; exit 69; }
# A host without a cluster has no folder for them.
[ -d "$(dirname -- "$data")" ] || install -d -m 0755 -o postgres -g postgres -- "$(dirname -- "$data")"
if [ "$over" = yes ] && [ -e "$data/PG_VERSION" ]; then install -d -m 0700 -o postgres -g postgres -- "$scratch"; exit; fi
[ ! -e "$data" ] || [ -z "$(ls -A -- "$data")" ] || { echo "$data is not empty" >&2; exit 66; }
free=$(df -B1 --output=avail -- "$(dirname -- "$data")" | tail -n 1 | tr -d ' ')
[ "$free" -ge "$needed" ] || { echo "$free of the $needed bytes that are needed are free" >&2; exit 67; }
install -d -m 0700 -o postgres -g postgres -- "$data" "$scratch"
`;

/** What looks whether there is room is called so: where it fails, that says nothing of the backup. */
export const MAKING_ROOM = 'making room';

/**
 * Makes the folders of a place.
 *
 * @param path where the data are to lie
 * @param over whether data that are there may stay, to be made to fit
 * @param programs what the restore takes
 * @throws RemoteError when there are data already, or too little room for them
 * @throws UserError where the host lacks a program
 */
export async function makeRoom(
  { remote, signal, cluster }: Pick<ServerRun, 'remote' | 'signal' | 'cluster'>,
  { host, scratch }: Place,
  path: string,
  bytes: number,
  { over = false, programs = [] }: { readonly over?: boolean; readonly programs?: readonly string[] } = {},
): Promise<void> {
  const args = [path, scratch, String(bytes), over ? 'yes' : 'no', ...programs];
  try {
    await remote.script(host, PREPARE_SCRIPT, args, { sudo: true, signal, name: MAKING_ROOM });
  } catch (error) {
    if (!(error instanceof RemoteError) || error.code !== 69) throw error;
    throw new UserError(
      `${host}: ${error.stderr.trim()}; restore on a server of the database tier, or install postgresql-${cluster.version}, age, curl and zstd there. Nothing was changed`,
    );
  }
}

/** What a drill takes, which may be on a host that is no server of the database. */
const programsFor = ({ cluster }: RestoreRun, { object }: Manifest): string[] => [
  ...['pg_ctl', 'pg_verifybackup', 'pg_amcheck', 'psql'].map((name) => `${cluster.layout.programs}/${name}`),
  ...['perl', 'curl', 'zstd', ...(object.recipient === null ? [] : ['age'])],
];

/** What the data of a backup take on a disk, in bytes. */
export const roomFor = ({ manifest }: Backup<BackupFacts>): number =>
  Math.ceil(manifest.postgresql.databaseBytes * 1.1) + 256 * 1024 * 1024;

/** @throws UserError when a backup is encrypted and nobody gave the key; asked before anything is touched */
export function assertReadable(
  { identity }: Pick<RestoreRun, 'identity'>,
  { manifest }: Stored<StoredFacts>,
): void {
  const { id, object } = manifest;
  if (object.recipient === null || identity !== null) return;
  throw new UserError(
    `Input "age-identity": backup ${id} is encrypted for ${object.recipient}; give the private key of that pair`,
  );
}

/**
 * Makes room and takes the backup's files out of the bucket, and those it builds on. What comes has the SHA-256 that was
 * noted when it was sent; whether that was sound PostgreSQL's own manifest judges, once, as it takes reading all files again.
 */
export async function restoreFiles(
  run: RestoreRun,
  place: Place,
  backup: Backup,
  { backups }: Pick<Catalogue, 'backups'>,
  proven: boolean,
): Promise<void> {
  const { remote, cluster, signal } = run;
  const chain = chainOf(backups, backup.manifest);
  const parts = chain.length === 1 ? [place.data] : chain.map(({ id }) => `${place.data}.${id}`);
  const each = roomFor(backup);
  const sum = chain.reduce((bytes, { object }) => bytes + object.size, 0);
  // Packed, the parts of a chain take about what they take in the bucket; unpacked, four times that is seldom too little.
  const needed = chain.length === 1 ? each : each + 4 * sum;
  const programs = programsFor(run, backup.manifest);
  for (const path of [...new Set([place.data, ...parts])])
    await makeRoom(run, place, path, needed, { programs });
  for (const [at, manifest] of chain.entries()) await fetchFiles(run, place.host, parts[at] ?? '', manifest);
  if (chain.length > 1) await combine(remote, place.host, cluster.layout, parts, place.data, signal);
  if (proven) return;
  const check = [`${cluster.layout.programs}/pg_verifybackup`, '--quiet', '--exit-on-error', place.data];
  await remote.run(place.host, asPostgres(check), { sudo: true, signal, name: 'pg_verifybackup' });
}

/** A copy is two archives, the second being its manifest; blocks as large as a pipe take a third less time than tar's own. */
const UNPACK = ['--ignore-zeros', '--blocking-factor=128'];

function fetchFiles(run: RestoreRun, host: string, folder: string, { object }: Manifest): Promise<void> {
  const into = ['tar', '-x', ...UNPACK, '-f', '-', '-C', folder];
  return fetchObject(run, { host, as: asPostgres, object, into });
}

export interface FetchObject extends Pick<Fetching, 'host' | 'as'> {
  readonly object: Manifest['object'];
  /** The program that gets the data as they were before they were packed. */
  readonly into: readonly string[];
}

/** What reads a version, or, where the bucket keeps none, the object. */
export const readOf = ({ key, version }: Removable): SignRequest => ({
  ...{ method: 'GET', key },
  ...(version === null ? {} : { query: { versionId: version } }),
});

/** What reads a file of the log: where the bucket keeps versions, the first one counts. */
export const readOfLog = ({ key, seen }: Pick<LogFile, 'key' | 'seen'>): SignRequest =>
  readOf({ key, version: seen?.versions[0]?.version ?? null });

/** Takes a backup's data out of the bucket, straight to a host; what comes is compared with what the manifest says. */
export async function fetchObject(
  { remote, storage, identity, signal, say }: Omit<RestoreRun, 'cluster'>,
  { host, as, object, into }: FetchObject,
): Promise<void> {
  // The longest: it goes by a pipe, and nothing of it stays where the object is read.
  const { url } = storage.presigner(LONGEST_SIGNED_S).sign(readOf(object));
  await fetchTo(remote, {
    ...{ host, as, url, size: object.size, sha256: object.sha256, signal },
    programs: [
      ...(object.recipient === null ? [] : [['age', '-d', '-i', SECRET_FILE]]),
      ['zstd', '-q', '-d', '-c'],
      into,
    ],
    ...(object.recipient === null ? {} : { secret: `${identity ?? ''}\n` }),
    onProgress: (bytes) => say(`${host}: ${Math.floor((100 * bytes) / object.size)} % of ${object.key} read`),
  });
}

/** What belongs to a recovery, or to the replica that was copied, and to nobody else; and what keeps one from archiving. */
const OF_RECOVERY = [
  ...[
    'restore_command',
    'archive_cleanup_command',
    'recovery_end_command',
    'recovery_target[a-z_]*',
    'archive_command',
  ],
  ...['recovery_min_apply_delay', 'primary_conninfo', 'primary_slot_name', 'promote_trigger_file'],
].join('|');

/**
 * In shell, with `data` set: finds the settings of `ALTER SYSTEM` that came back with the data, which are the user's, and prints a
 * line `kept NAME` for each. `lay_settings` writes them, with what stands on its input behind them.
 */
export const KEEP_SETTINGS = String.raw`
kept=$(grep -vE '^[[:space:]]*(#|$|(${OF_RECOVERY})[[:space:]]*=)' -- "$data/postgresql.auto.conf" 2> /dev/null || :)
printf '%s\n' "$kept" | sed -n 's/^[[:space:]]*\([A-Za-z_.0-9]*\)[[:space:]]*=.*/kept \1/p'
lay_settings() {
  { [ -z "$kept" ] || printf '%s\n' "$kept"; cat; } > "$data/postgresql.auto.conf"
  chown postgres: "$data/postgresql.auto.conf"
}
`;

/** Says which settings came back, as what prints `kept NAME` tells. */
export function tellKept(run: Pick<ServerRun, 'say'>, host: string, said: string): void {
  const names = [...said.matchAll(/^kept (.+)$/gm)].map(([, name]) => name ?? '');
  if (names.length > 0)
    run.say(`${host}: what ALTER SYSTEM had set came back with the data: ${names.join(', ')}`);
}

/** In shell, with `data` and `place` set: what is ready to be started goes where the unit looks for it, and is `data` there. */
export const INTO_PLACE = `
if [ "$data" != "$place" ]; then mv -T -- "$data" "$place"; data=$place; fi
`;

/**
 * In shell: starts `unit`, also where somebody tried so often before that systemd would not; where it fails, says in PostgreSQL's
 * own words why.
 */
export const START_UNIT = `
systemctl reset-failed "$unit" 2> /dev/null || :
systemctl start "$unit" || {
  newest=$(ls -t /var/log/postgresql/*.log 2> /dev/null | head -n 1)
  [ -z "$newest" ] || tail -n 100 -- "$newest" | grep -E 'FATAL|PANIC|restore-wal' | tail -n 3 >&2
  exit 1
}
`;

/**
 * In shell, `remove PATH...`: removes data that nobody goes on with. Where their runner was killed, tar may write there for another
 * moment, until the program that feeds it finds that nobody listens.
 */
export const REMOVE = `
remove() {
  tries=100
  until rm -rf -- "$@" 2> /dev/null; do
    [ $((tries -= 1)) -gt 0 ] || { rm -rf -- "$@"; return; }
    sleep 0.1
  done
}
`;

/** In shell, with `scratch` set: removes a scratch folder, and what would do it later. */
export const FORGET = `
systemctl stop "$(basename -- "$scratch")-forget.timer" 2> /dev/null || :
rm -rf -- "$scratch"
`;

/**
 * Has the host itself remove what lets it read the bucket, whatever becomes of the runner. Arguments: scratch folder, seconds.
 */
const FORGET_LATER_SCRIPT = `
set -eu
scratch=$1 seconds=$2
unit="$(basename -- "$scratch")-forget"
systemctl stop "$unit.timer" 2> /dev/null || :
systemd-run --quiet --collect --unit="$unit" --on-active="$seconds" rm -f -- "$scratch/urls" "$scratch/identity"
`;

/** Between the end of recovery, or of the time for it, and the end of what it needs. */
const GRACE_S = 600;

/**
 * The files of the log on the way to a target. What is behind a switch must not be handed out: see `isOnWay`.
 *
 * @param wal by name
 */
export function onWay<T>(
  wal: ReadonlyMap<string, T>,
  { timeline, segmentBytes }: BackupFacts['wal'],
  target: Target,
  line: Line | null,
): [string, T][] {
  const goal = target.upTo?.timeline ?? (target.along === 'current' ? timeline : (target.along ?? Infinity));
  return [...wal].filter(([name]) => isOnWay(line, goal, name, segmentBytes));
}

/** Puts what `restore_command` needs into the scratch folder. @returns the command */
export async function layLog(
  run: RestoreRun,
  place: Place,
  { backup: { manifest }, catalogue, line }: Chosen,
  target: Target,
  lastsMs: number,
): Promise<string> {
  const { remote, storage, identity, signal } = run;
  const seconds = Math.min(LONGEST_SIGNED_S, Math.ceil(lastsMs / 1_000) + GRACE_S);
  const presigner = storage.presigner(seconds);
  const lines = onWay(catalogue.wal, manifest.wal, target, line).map(
    ([name, file]) => `${name} ${presigner.sign(readOfLog(file)).url}`,
  );
  const put = (name: string, content: string): Promise<void> =>
    remote.upload(
      place.host,
      { path: `${place.scratch}/${name}`, mode: 0o600, owner: 'postgres', group: 'postgres' },
      Buffer.from(content),
      { sudo: true, signal },
    );
  await remote.script(place.host, FORGET_LATER_SCRIPT, [place.scratch, String(seconds)], {
    ...{ sudo: true, signal, name: 'systemd-run' },
  });
  await put('urls', `${lines.join('\n')}\n`);
  await put('restore-wal', RESTORE_WAL_PROGRAM);
  const { timeline, stopLsn, segmentBytes } = manifest.wal;
  const end = segmentName(timeline, segmentAt(stopLsn, segmentBytes), segmentBytes);
  if (target.kind === 'latest') await put('to-the-end', `${end} ${segmentBytes}\n`);
  const encrypted = [...catalogue.wal.values()].some(({ key }) => key.endsWith('.age'));
  if (encrypted && identity !== null) await put('identity', `${identity}\n`);
  return `${commandLine(['perl', `${place.scratch}/restore-wal`, place.scratch])} "%f" "%p"`;
}

/** Settings of recovery. */
export function recoverySettings(restoreCommand: string, target: Target): [string, string][] {
  return [
    ['restore_command', restoreCommand],
    ['recovery_target_timeline', String(target.upTo?.timeline ?? target.along ?? 'latest')],
    ['recovery_target_action', 'promote'],
    ...targetSettings(target),
  ];
}

function targetSettings(target: Target): [string, string][] {
  switch (target.kind) {
    case 'latest':
      // A switch names the end of the last record, with which another one may begin.
      return target.upTo
        ? [
            ['recovery_target_lsn', target.upTo.lsn],
            ['recovery_target_inclusive', 'off'],
          ]
        : [];
    case 'backup':
      return [['recovery_target', 'immediate']];
    case 'time':
      return [['recovery_target_time', target.at.toISOString().replace('Z', '+00')]];
    case 'lsn':
      return [['recovery_target_lsn', target.lsn]];
  }
}

/** Ends and removes what a restore made. Arguments: data directory, scratch folder, programs. */
const REMOVE_SCRIPT = `${REMOVE}
data=$1 scratch=$2 programs=$3
[ ! -e "$data/postmaster.pid" ] || env --chdir=/ runuser -u postgres -- "$programs/pg_ctl" stop -D "$data" -m immediate -w -s || :
remove "$data" "$data".2*Z
${FORGET}`;

/** Removes a scratch server with everything of it; harmless when there is none. */
export async function removePlace(
  run: Pick<RestoreRun, 'remote'> & { readonly cluster: Pick<Cluster, 'layout'> },
  place: Place,
): Promise<void> {
  await run.remote.script(
    place.host,
    REMOVE_SCRIPT,
    [place.data, place.scratch, run.cluster.layout.programs],
    {
      ...{ sudo: true, timeoutMs: 120_000, name: 'removal of the scratch server' },
    },
  );
}

/**
 * What a restore that failed says of the backup; `null`: nothing, since it was called off, or its host has no room, lacks a
 * program or did not answer, or somebody asked for what cannot be. Data that do not come as they were stored, a key that does not
 * fit, a log with a gap or a recovery that takes too long say that a disaster would be no better.
 */
export function faultOf(error: unknown): string | null {
  const failure = error instanceof UserError ? error.cause : error;
  if (!(failure instanceof RemoteError)) return null;
  return failure.reason === 'exit' && failure.command !== MAKING_ROOM ? messageOf(error) : null;
}

/** A failure of a command on a host as a sentence for the user: what it said is the reason. */
export function asUserError(error: unknown, what: string): unknown {
  return error instanceof RemoteError ? new UserError(`${what}: ${messageOf(error)}`) : error;
}
