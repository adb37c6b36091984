import { Readable } from 'node:stream';
import { ARCHIVE, SHARE_OF_DISK, SOCKET_FOLDER } from '@perlstack/configs';
import { allOf, type Removable, type Storage, type UploadSeen } from '@perlstack/object-storage';
import { asPostgres } from '@perlstack/postgres';
import { until } from '@perlstack/procedure';
import { messageOf, UserError } from '@perlstack/stack';
import { type Ask, askOf } from './ask.js';
import { type Book, namesFor, ticketHoursLeft, writeBook } from './book.js';
import {
  type BackupFacts,
  type Catalogue,
  checkLog,
  keptOf,
  readCatalogue,
  type Verified,
} from './catalogue.js';
import { BASE_PROGRAM } from './base-program.js';
import type { Cluster } from './cluster.js';
import { manifestFile } from './incremental.js';
import { type BackupKeys, type ClusterKeys, keysOf } from './keys.js';
import { type Histories, isOn, type Line, lineOf } from './lineage.js';
import { backupId, type Manifest } from './manifest.js';
import type { MemberSeen, MemberSilent, Source } from './members.js';
import { expiredSegments, planRetention, type RetentionPlan, type RetentionRules } from './retention.js';
import { between, countRows, DATABASES_SQL } from './rows.js';
import { type CopyRun, mebibytes, partBytesFor, sendFrom } from './send.js';
import { type Broken, removeStored, unreadIn, writeStored, type Writing } from './stored.js';
import { historyName, parseHistory, type Switch } from './wal.js';
import type { Ways } from './ways.js';

/** What a backup needs to know. */
export interface BackupRun extends CopyRun {
  readonly cluster: Cluster;
  readonly source: Source;
  /** Told what somebody should look after, though the backup goes on. */
  readonly warn: (line: string) => void;
}

/** A run that writes into the bucket. */
export interface BackupWriter extends BackupRun, Pick<Writing, 'stillHeld'> {
  readonly ways: Ways;
}

export const clusterKeys = ({ cluster, source }: BackupRun): ClusterKeys =>
  keysOf(cluster.stack).cluster(source.primary.systemId);

/** What it takes to ask the servers, whichever engine copies them. */
export type ServerSide = Pick<BackupRun, 'remote' | 'cluster' | 'signal'> & {
  readonly source: Pick<Source, 'primary'>;
};

const askPrimary = ({ remote, cluster, source, signal }: ServerSide): Ask =>
  askOf(remote, source.primary.host, cluster, signal);

/** What is there of earlier runs, and what was removed of it. */
export interface Cleared<T> {
  readonly stored: T;
  /** A sentence each. */
  readonly cleared: readonly string[];
}

/**
 * Reads what the bucket has, and removes what an earlier run left of it that never became a backup: nobody but the holder of the
 * lease may call this.
 */
export async function readAndClear<T extends { readonly broken: readonly Broken[] }>(
  { storage, stillHeld }: Clearing,
  keys: Pick<BackupKeys, 'bases'>,
  read: () => Promise<T>,
): Promise<Cleared<T>> {
  const [stored, uploads] = await Promise.all([read(), storage.uploads(keys.bases)]);
  const abandoned = stored.broken.filter(({ unfinished }) => unfinished);
  if (unreadIn(stored.broken) !== null || uploads.length + abandoned.length === 0)
    return { stored, cleared: [] };
  await stillHeld('nothing was removed');
  return { stored, cleared: await clearLeftovers(storage, uploads, abandoned) };
}

type Clearing = Pick<Writing, 'stillHeld'> & {
  readonly storage: Pick<Storage, 'uploads' | 'openUpload' | 'removeVersions'>;
};

/** Ends uploads that nobody is at any more. @returns what each was, in words */
export async function endUploads(
  storage: Pick<Storage, 'openUpload'>,
  uploads: readonly UploadSeen[],
): Promise<string[]> {
  for (const { key, id } of uploads) await storage.openUpload(key, id).abort();
  return uploads.map(
    ({ key, initiated }) => `an upload of ${key} that was begun ${initiated.toISOString()} and never ended`,
  );
}

async function clearLeftovers(
  storage: Clearing['storage'],
  uploads: readonly UploadSeen[],
  abandoned: readonly Broken[],
): Promise<string[]> {
  const ended = await endUploads(storage, uploads);
  const locked = await storage.removeVersions(abandoned.flatMap((one) => one.objects.flatMap(allOf)));
  const left = (one: Broken): boolean =>
    one.objects.some(({ key }) => locked.some((stays) => stays.key === key));
  return [
    ...ended,
    ...abandoned.filter((one) => !left(one)).map(({ id }) => `backup ${id}, which never came to its end`),
  ];
}

/** The load of an hour, as of a first import, is not that of a day. */
const LEAST_SPAN_MS = 6 * 3_600_000;

/** Segments a day, from when those of the last two days came to the bucket. */
export function pace(wal: Catalogue['wal'], now: Date): number {
  const since = +now - 2 * 86_400_000;
  const times = [...wal.values()].map(({ modified }) => +modified).filter((time) => time >= since);
  if (times.length === 0) return 0;
  const span = Math.max(+now - Math.min(...times), LEAST_SPAN_MS);
  return (times.length * 86_400_000) / span;
}

/** What is left of the tickets must last longer than any copy. */
const LASTS_HOURS = 24;

/**
 * Whether the log has been handed over all along and goes on so while the data are copied: then new tickets need not be
 * there before the copy begins.
 *
 * @param perDay segments a day
 */
export function logGoesOn(
  { storage, source: { primary } }: Pick<BackupRun, 'storage' | 'source'>,
  { backups }: Pick<Catalogue, 'backups'>,
  perDay: number,
): boolean {
  const hours = ticketHoursLeft(primary, perDay, storage.now());
  return backups.length > 0 && primary.dropped.length === 0 && (hours ?? 0) >= LASTS_HOURS;
}

/**
 * Gives every member the tickets for the log of the coming week: any of them may be the primary by then. One that is
 * off must not keep the others from being backed up.
 *
 * @param perDay segments a day
 */
export async function renewBook(run: BackupWriter, perDay: number): Promise<Book> {
  const { remote, storage, cluster, recipient, signal, ways } = run;
  const { primary } = run.source;
  await assertKnowsWays(run);
  const names = namesFor({
    ...{ timeline: primary.timeline, lsn: primary.lsn, segmentBytes: primary.segmentBytes },
    ...{ waiting: primary.waiting, perDay },
  });
  const limitBytes = primary.diskBytes * SHARE_OF_DISK;
  const book = await writeBook(storage, clusterKeys(run), names, { recipient, limitBytes, ways });
  const target = { path: ARCHIVE.book, mode: 0o600, owner: 'postgres', group: 'postgres' };
  const give = async (host: string): Promise<void> => {
    await remote.upload(host, target, Readable.from(book.content), { sudo: true, signal });
    await remote.script(host, MARK_SCRIPT, [cluster.layout.data, ARCHIVE.mark], {
      ...{ sudo: true, signal, name: 'marking the data' },
    });
  };
  await Promise.all(
    cluster.members.map((host) =>
      give(host).catch((error: unknown) => {
        if (host === primary.host || signal.aborted) throw error;
        run.say(`${host} has no new tickets until the next backup: ${messageOf(error)}`);
      }),
    ),
  );
  return book;
}

/** Every copy of the data has the mark, and keeps its log until it has a book. Arguments: data directory, name. */
const MARK_SCRIPT = `[ ! -e "$1/PG_VERSION" ] || runuser -u postgres -- touch -- "$1/$2"`;

/** @throws UserError where the program that hands the log over is of a time before versions and locks */
async function assertKnowsWays({ remote, source, signal, ways }: BackupWriter): Promise<void> {
  if (ways.once === 'condition' && ways.lock === null) return;
  const { host } = source.primary;
  const look = ['grep', '-qF', 'lock-until', ARCHIVE.program];
  const { code } = await remote.run(host, look, { sudo: true, signal, okCodes: [0, 1, 2] });
  if (code === 0) return;
  throw new UserError(
    `${host}: ${ARCHIVE.program} does not know buckets with versions yet; run apply-configs, then this again`,
  );
}

/** Arguments: file. Input: lines that go from it. What is let go at this very moment is found in the bucket, as a gap. */
const FORGET_SCRIPT = `
set -eu
[ -e "$1" ] || exit 0
grep -vxFf /dev/stdin -- "$1" > "$1.new" || [ $? = 1 ]
chown postgres: "$1.new"
mv -T -- "$1.new" "$1"
`;

/** A base that was taken after segments were let go needs none of them: nobody has to hear of them again. */
export async function forgetDropped(
  { remote, signal }: BackupRun,
  { host, dropped }: MemberSeen,
): Promise<void> {
  if (dropped.length === 0) return;
  const input = `${dropped.join('\n')}\n`;
  await remote.script(host, FORGET_SCRIPT, [`${ARCHIVE.folder}/dropped`], {
    ...{ sudo: true, input, signal, name: 'forgetting what was let go' },
  });
}

/**
 * Arguments: data directory. Input: names that the bucket has. Histories stay in the directory for good, and PostgreSQL hands
 * over whatever is marked so, histories first.
 */
const HISTORIES_SCRIPT = `
set -eu
cd -- "$1/pg_wal"
stored=$(cat)
ls | grep '[.]history$' | grep -vxF -e "$stored" | while read -r name; do
  runuser -u postgres -- touch -- "archive_status/$name.ready"
done
`;

/**
 * Has the primary hand over the histories that the bucket lacks: because they were let go, or because whoever wrote them was lost
 * before. PostgreSQL finds no timeline behind one whose history is missing, and a recovery would take its number once more.
 *
 * @param stored names of histories in the bucket
 */
export async function handOverHistories(
  { remote, cluster, source, signal }: ServerSide,
  stored: readonly string[],
): Promise<void> {
  const { host, timeline } = source.primary;
  if (timeline === 1) return;
  const input = stored.join('\n');
  await remote.script(host, HISTORIES_SCRIPT, [cluster.layout.data], {
    ...{ sudo: true, input, signal, name: 'handing over histories' },
  });
}

/** A replica that takes longer than this to come to where its primary is has no place in a backup. */
const SETTLE_MS = 120_000;

/**
 * Waits until the source has what the primary had when the tickets were there: what the log lost before them must not be
 * what the copy needs after its end. The checkpoint also keeps short what a restore has to replay.
 *
 * @throws UserError when a replica does not come so far
 */
export async function settleSource(run: BackupRun): Promise<void> {
  const { remote, cluster, source, signal } = run;
  // A primary is where it is, and the copy begins with a checkpoint of its own.
  if (source.source === source.primary) return;
  const now = await askPrimary(run)('CHECKPOINT;\nSELECT pg_current_wal_lsn();\n');
  const ask = askOf(remote, source.source.host, cluster, signal);
  const replayed = `SELECT CASE WHEN pg_last_wal_replay_lsn() >= '${now}' THEN 'all' ELSE pg_last_wal_replay_lsn()::text END;\n`;
  const hasAll = async (): Promise<true | string> => {
    const at = await ask(replayed);
    return at === 'all' || at;
  };
  const left = await until(hasAll, { limitMs: SETTLE_MS, signal });
  if (left !== null)
    throw new UserError(
      `${source.source.host} came to ${left} and not to ${now} within ${SETTLE_MS / 1_000} s; see why it lags, or use source: primary`,
    );
}

/** What a manifest says of the data alone. */
type Base = Omit<Manifest, 'proof' | 'rows' | 'finishedAt' | 'lockedUntil'>;

/** What was copied, and the point behind it. */
export interface Copied {
  readonly base: Base;
  readonly proof: Proof;
}

/**
 * Copies the data of the source into the bucket. Where the server refuses to build on a backup before it copies anything, as one
 * does that was made anew and has no summaries of the log of before, all of it is copied.
 *
 * @param parent what an incremental backup builds on; `null`: all of it is copied
 * @param keepsManifest whether the next one is to build on it
 * @returns what the manifest needs to know
 */
export async function takeBase(
  run: BackupRun,
  parent: Manifest | null,
  keepsManifest: boolean,
): Promise<Copied> {
  if (!parent) return copyBase(run, null, keepsManifest);
  let begun = false;
  const onBegun = (): void => void (begun = true);
  return copyBase(run, parent, keepsManifest, onBegun).catch((error: unknown) => {
    if (begun || run.signal.aborted) throw error;
    run.warn(`A full backup, because none could be built on ${parent.id}: ${messageOf(error)}`);
    return copyBase(run, null, keepsManifest);
  });
}

async function copyBase(
  run: BackupRun,
  parent: Manifest | null,
  keepsManifest: boolean,
  onBegun?: () => void,
): Promise<Copied> {
  const {
    cluster,
    source: { source, primary, lagBytes },
    recipient,
  } = run;
  const started = run.storage.now();
  const id = backupId(started);
  const key = clusterKeys(run).data(id, recipient !== null);
  let start: { lsn: string; timeline: number } | undefined;
  let stopLsn: string | undefined;
  let marked: Promise<Proof> | undefined;
  let words = '';
  run.onUpload?.(key);
  const sent = await sendFrom(run.remote, run.storage, {
    ...{ host: source.host, as: asPostgres, key, rate: run.rate, signal: run.signal },
    programs: [copyArgv(run, id, parent, keepsManifest), ...(recipient ? [['age', '-r', recipient]] : [])],
    partBytes: partBytesFor(source.databaseBytes),
    onProgress: (bytes, rate) =>
      run.say(`${source.host}: ${mebibytes(bytes)} sent, ${mebibytes(rate)}/s${words}`),
    onSays: (program, line) => {
      if (program !== 'perl') return;
      const [word, value = '', more = ''] = line.split(' ');
      if (word === 'start') {
        start = { lsn: value, timeline: Number(more) };
        onBegun?.();
      } else if (word === 'end') {
        stopLsn = value;
        // The last of it is still on its way to the bucket.
        marked = markProof(run, id);
        marked.catch(() => undefined);
      } else if (word === 'read')
        words = `, ${Math.floor((100 * Number(value)) / Number(more))} % of the data read`;
    },
  }).finally(() => Promise.allSettled([marked]));
  if (!start || stopLsn === undefined || !marked)
    throw new Error(`${source.host}: the server did not say where in the log it is`);
  const base: Base = {
    ...{ format: 1, id, stack: cluster.stack, kind: parent ? 'incremental' : 'full' },
    parent: parent?.id ?? null,
    source: { host: source.host, role: source === primary ? 'primary' : 'replica', lagBytes },
    postgresql: {
      ...{ systemId: source.systemId, major: cluster.version, version: source.version },
      databaseBytes: source.databaseBytes,
    },
    wal: { timeline: start.timeline, startLsn: start.lsn, stopLsn, segmentBytes: source.segmentBytes },
    startedAt: started.toISOString(),
    object: {
      ...{ key, size: sent.object.size, etag: sent.object.etag, sha256: sent.sha256 },
      ...{ version: sent.object.version, parts: [...sent.parts], recipient },
    },
    run: run.run,
  };
  return { base, proof: await marked };
}

/** Packed by the server itself: then nobody has to hand on all of the data unpacked. */
function copyArgv(
  { cluster, source }: BackupRun,
  id: string,
  parent: Manifest | null,
  keepsManifest: boolean,
): string[] {
  const socket = `${SOCKET_FOLDER}/.s.PGSQL.${cluster.port}`;
  const [builtOn, kept] = [parent ? manifestFile(parent.id) : '', keepsManifest ? manifestFile(id) : ''];
  return ['perl', '-e', BASE_PROGRAM, socket, id, String(source.source.processors), builtOn, kept];
}

const POINT_SQL = (
  id: string,
): string => `SELECT json_build_object('lsn', pg_create_restore_point('perlstack ${id}')::text,
  'segment', pg_walfile_name(pg_current_wal_insert_lsn()), 'at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'));
${SNAPSHOT_SQL}SELECT pg_switch_wal() IS NULL;
`;

/** Which transactions are under way, and the next one's number: the same as before where nothing was written between. */
const SNAPSHOT_SQL = 'SELECT pg_current_snapshot();\n';

export interface Proof {
  readonly proof: NonNullable<Manifest['proof']>;
  readonly rows: Manifest['rows'];
}

/** Notes a moment on the primary whose state is known, for a drill to replay to. */
export async function markProof(run: ServerSide, id: string): Promise<Proof> {
  const ask = askPrimary(run);
  const [snapshot = '', databases = ''] = (await ask(`${SNAPSHOT_SQL}${DATABASES_SQL}`)).split('\n');
  const before = await countRows(ask, JSON.parse(databases) as string[]);
  const [point = '', now] = (await ask(POINT_SQL(id))).split('\n');
  const after = now === snapshot ? before : await countRows(ask);
  return { proof: JSON.parse(point) as Proof['proof'], rows: between(before, after) };
}

/**
 * Waits until a segment is in the bucket itself: PostgreSQL's own view says what the archive command said.
 *
 * @returns false when it has not come in time
 */
export async function untilArchived(run: BackupRun, segment: string, timeoutMs: number): Promise<boolean> {
  const key = clusterKeys(run).segment(segment, run.recipient !== null);
  const isThere = async (): Promise<true | string> => (await run.storage.head(key)) !== null || 'not there';
  return (await until(isThere, { limitMs: timeoutMs, signal: run.signal })) === null;
}

/** The last thing that is written of a backup. */
export const writeManifest = (run: BackupWriter, base: Base, proof: Proof | null): Promise<Manifest> =>
  writeStored(run.storage, clusterKeys(run).manifest(base.id), [base.object], run, {
    ...base,
    proof: proof?.proof ?? null,
    rows: proof?.rows ?? {},
  });

/** What is known of the bucket and its log before it is looked into. */
export interface Known extends Partial<Pick<Catalogue, 'backups'>> {
  /** The last segment that has to be there; default: what the primary had handed over when it was observed. */
  readonly upTo?: string | undefined;
}

/** Looks into the bucket for all that recovery within the window needs. */
export async function verifyLog(
  run: BackupRun,
  rules: RetentionRules,
  { backups, upTo = lastArchived(run.source.primary) }: Known = {},
): Promise<Verified> {
  const [catalogue, histories] = await Promise.all([
    readCatalogue(run.storage, clusterKeys(run), backups && { backups }),
    readHistories(run),
  ]);
  return checkLog(catalogue, {
    ...{ rules, histories, line: lineOf(histories, run.source.primary.timeline) },
    ...{ now: run.storage.now(), upTo },
    // Up to its end a backup has the log in itself.
    startOf: ({ wal }) => wal.stopLsn,
  });
}

/** The last segment that a primary handed over, as it says. */
export const lastArchived = ({ archived }: MemberSeen): string | undefined =>
  /^[0-9A-F]{24}$/.exec(archived.last ?? '')?.[0];

/**
 * How far the log has to be in the bucket after a backup: to the segment with its point, which was seen there, or as far as
 * the primary says by now.
 *
 * @param segment with the point of the backup; `null`: it did not reach the bucket
 */
export function reachOf(
  segment: string | null,
  members: readonly (MemberSeen | MemberSilent)[],
  { primary }: Pick<Source, 'primary'>,
): string | undefined {
  const now = members.find(({ host }) => host === primary.host);
  const seen = [segment, now && !('fault' in now) ? lastArchived(now) : undefined, lastArchived(primary)];
  return seen
    .flatMap((one) => one ?? [])
    .sort()
    .at(-1);
}

/**
 * The histories; from the primary, because those in the bucket may be encrypted. The history
 * of the newest timeline tells those of all before it.
 */
export async function readHistories(run: ServerSide): Promise<Histories> {
  const { timeline } = run.source.primary;
  if (timeline === 1) return new Map();
  const file = `pg_wal/${historyName(timeline)}`;
  const switches = parseHistory(
    await askPrimary(run)(`SELECT coalesce(pg_read_file('${file}', 0, 1048576, true), '');\n`),
  );
  return new Map([
    [timeline, switches],
    ...switches.slice(1).map(({ timeline: one }, at): [number, Switch[]] => [one, switches.slice(0, at + 1)]),
  ]);
}

export interface Retained {
  readonly plan: RetentionPlan;
  readonly segments: readonly string[];
  readonly freedBytes: number;
}

/**
 * What the rules let go of a catalogue.
 *
 * @param line which the primary is on
 */
export function retentionOf(
  catalogue: Catalogue<BackupFacts>,
  rules: RetentionRules,
  now: Date,
  line: Line | null,
): Retained {
  const plan = planRetention(catalogue.backups.map(keptOf), rules, now, (one) => isOn(line, one));
  const segments = expiredSegments([...catalogue.wal.keys()], plan.window);
  return { plan, segments, freedBytes: plan.freedBytes + bytesOf(catalogue.wal, segments) };
}

/** What the bucket has of some segments. */
export const bytesOf = (wal: Catalogue['wal'], segments: readonly string[]): number =>
  segments.reduce((sum, name) => sum + (wal.get(name)?.size ?? 0), 0);

/** Removes it, with all versions. @returns what stays, because the storage keeps it locked */
export function retain(
  run: BackupWriter,
  catalogue: Catalogue,
  { plan, segments }: Retained,
): Promise<Removable[]> {
  const files = segments.flatMap((name) => catalogue.wal.get(name)?.seen ?? []);
  return removeStored(run, clusterKeys(run), catalogue.backups, plan.removed, files);
}

/** @throws UserError for what is no public key of age */
export function assertRecipient(recipient: string): void {
  if (/^age1[02-9ac-hj-np-z]{58}$/.test(recipient)) return;
  throw new UserError(
    'Input "age-recipient": not a public key of age (age1…, 62 characters); make a pair with age-keygen',
  );
}
