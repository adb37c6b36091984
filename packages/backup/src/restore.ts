import type { Removable, SignRequest, Storage } from '@perlstack/object-storage';
import { asPostgres, parseLsn, segmentAt } from '@perlstack/postgres';
import { commandLine, type Remote, RemoteError } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import type { Backup, BackupFacts, Catalogue } from './catalogue.js';
import type { Cluster } from './cluster.js';
import { type Fetching, fetchTo, SECRET_FILE } from './fetch.js';
import { chainOf, combine } from './incremental.js';
import type { Manifest } from './manifest.js';
import { RESTORE_WAL_PROGRAM } from './restore-wal-program.js';
import { backupsNamed, idsOf, type Stored, type StoredFacts } from './stored.js';
import { segmentName } from './wal.js';

/** Where recovery is to end. */
export type Target =
  | { readonly kind: 'latest' }
  | { readonly kind: 'time'; readonly at: Date }
  | { readonly kind: 'lsn'; readonly lsn: string }
  /** As soon as the copy is consistent. */
  | { readonly kind: 'backup' };

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
  /** Puts what `restore_command` needs into the scratch folder. @returns the command */
  readonly log: (place: Place, target: Target) => Promise<string>;
}

/**
 * Out of the bucket by URLs, with no key on the host.
 *
 * @param proven whether a drill found the backup good: then its digest says all that PostgreSQL's own manifest would
 * @throws UserError when the backup cannot be read
 */
export function streamRestorer(
  run: RestoreRun,
  backup: Backup,
  catalogue: Catalogue,
  proven: boolean,
): Restorer {
  assertReadable(run, backup);
  return {
    files: (place) => restoreFiles(run, place, backup, catalogue, proven),
    log: (place, target) => layLog(run, place, catalogue, backup, target),
  };
}

/**
 * The backup from which a target can be reached.
 *
 * @param id of a certain one; `null`: the newest that ends before the target
 * @throws UserError when there is none
 */
export function chooseBackup<M extends BackupFacts>(
  backups: readonly Backup<M>[],
  id: string | null,
  target: Target,
): Backup<M> {
  const wanted = backupsNamed(backups, id);
  const before = wanted.filter((backup) => isBefore(backup, target));
  const chosen = before.at(-1);
  if (chosen) return chosen;
  const first = wanted[0]?.manifest.finishedAt ?? '';
  throw new UserError(
    `Input "target": no backup ends before it; the oldest that would do ends at ${first}; there is: ${idsOf(backups)}`,
  );
}

function isBefore({ manifest }: Backup<BackupFacts>, target: Target): boolean {
  if (target.kind === 'time')
    return Date.parse(manifest.finishedAt) <= +target.at || proofBefore(manifest.proof, +target.at);
  if (target.kind === 'lsn') return parseLsn(manifest.wal.stopLsn) <= parseLsn(target.lsn);
  return true;
}

const proofBefore = (proof: Backup['manifest']['proof'], at: number): boolean =>
  proof !== null && Date.parse(proof.at) <= at;

/** Arguments: data directory, scratch folder, bytes that are needed, whether old data may be there. Exits with 66 when there is something, 67 without room. */
const PREPARE_SCRIPT = `
set -eu
data=$1 scratch=$2 needed=$3 over=$4
if [ "$over" = yes ] && [ -e "$data/PG_VERSION" ]; then install -d -m 0700 -o postgres -g postgres -- "$scratch"; exit; fi
[ ! -e "$data" ] || [ -z "$(ls -A -- "$data")" ] || { echo "$data is not empty" >&2; exit 66; }
free=$(df -B1 --output=avail -- "$(dirname -- "$data")" | tail -n 1 | tr -d ' ')
[ "$free" -ge "$needed" ] || { echo "$free of the $needed bytes that are needed are free" >&2; exit 67; }
install -d -m 0700 -o postgres -g postgres -- "$data" "$scratch"
`;

/**
 * Makes the folders of a place.
 *
 * @param path where the data are to lie
 * @param over whether data that are there may stay, to be made to fit
 * @throws RemoteError when there are data already, or too little room for them
 */
export async function makeRoom(
  { remote, signal }: Pick<ServerRun, 'remote' | 'signal'>,
  { host, scratch }: Place,
  path: string,
  bytes: number,
  over = false,
): Promise<void> {
  await remote.script(host, PREPARE_SCRIPT, [path, scratch, String(bytes), over ? 'yes' : 'no'], {
    ...{ sudo: true, signal, name: 'making room' },
  });
}

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
  for (const path of [...new Set([place.data, ...parts])]) await makeRoom(run, place, path, needed);
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
const readOf = ({ key, version }: Removable): SignRequest => ({
  ...{ method: 'GET', key },
  ...(version === null ? {} : { query: { versionId: version } }),
});

/** Takes a backup's data out of the bucket, straight to a host; what comes is compared with what the manifest says. */
export async function fetchObject(
  { remote, storage, identity, signal, say }: Omit<RestoreRun, 'cluster'>,
  { host, as, object, into }: FetchObject,
): Promise<void> {
  const { url } = storage.presigner(12 * 3_600).sign(readOf(object));
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

/** Puts what `restore_command` needs into the scratch folder. @returns the command */
export async function layLog(
  run: RestoreRun,
  place: Place,
  catalogue: Catalogue,
  { manifest }: Backup,
  target: Target,
): Promise<string> {
  const { remote, storage, identity, signal } = run;
  const presigner = storage.presigner(12 * 3_600);
  const lines = [];
  for (const [name, { key, seen }] of catalogue.wal) {
    const version = seen?.versions[0]?.version ?? null;
    lines.push(`${name} ${presigner.sign(readOf({ key, version })).url}`);
  }
  const put = (name: string, content: string): Promise<void> =>
    remote.upload(
      place.host,
      { path: `${place.scratch}/${name}`, mode: 0o600, owner: 'postgres', group: 'postgres' },
      Buffer.from(content),
      { sudo: true, signal },
    );
  await put('urls', `${lines.join('\n')}\n`);
  await put('restore-wal', RESTORE_WAL_PROGRAM);
  const { timeline, stopLsn, segmentBytes } = manifest.wal;
  const end = segmentName(timeline, segmentAt(stopLsn, segmentBytes), segmentBytes);
  if (target.kind === 'latest') await put('to-the-end', `${end.slice(8)}\n`);
  const encrypted = [...catalogue.wal.values()].some(({ key }) => key.endsWith('.age'));
  if (encrypted && identity !== null) await put('identity', `${identity}\n`);
  return `${commandLine(['perl', `${place.scratch}/restore-wal`, place.scratch])} "%f" "%p"`;
}

/** Settings of recovery. */
export function recoverySettings(restoreCommand: string, target: Target): [string, string][] {
  return [
    ['restore_command', restoreCommand],
    ['recovery_target_timeline', 'latest'],
    ['recovery_target_action', 'promote'],
    ...targetSettings(target),
  ];
}

function targetSettings(target: Target): [string, string][] {
  switch (target.kind) {
    case 'latest':
      return [];
    case 'backup':
      return [['recovery_target', 'immediate']];
    case 'time':
      return [['recovery_target_time', target.at.toISOString().replace('Z', '+00')]];
    case 'lsn':
      return [['recovery_target_lsn', target.lsn]];
  }
}

/** Ends and removes what a restore made. Arguments: data directory, scratch folder, programs. */
const REMOVE_SCRIPT = `
data=$1 scratch=$2 programs=$3
[ ! -e "$data/postmaster.pid" ] || env --chdir=/ runuser -u postgres -- "$programs/pg_ctl" stop -D "$data" -m immediate -w -s || :
rm -rf -- "$data" "$data".2*Z "$scratch"
`;

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

/** A failure of a command on a host as a sentence for the user: what it said is the reason. */
export function asUserError(error: unknown, what: string): unknown {
  return error instanceof RemoteError ? new UserError(`${what}: ${messageOf(error)}`) : error;
}
