import type { Storage } from '@perlstack/object-storage';
import { RemoteError } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import { type DumpKeys, keysOf } from '../keys.js';
import { backupId, type Manifest } from '../manifest.js';
import { type Held, planRetention, type RetentionPlan, type RetentionRules } from '../retention.js';
import { DUMPED_COUNT_SQL } from '../rows.js';
import { type CopyRun, mebibytes, partBytesFor, sendFrom } from '../send.js';
import { heldOf, readStored, type Stored, type StoredBackups, writeStored, type Writing } from '../stored.js';
import { DUMP_PROGRAM, GLOBALS_PROGRAM } from './dump-program.js';
import { type Dump, type DumpedDatabase, type DumpManifest, readDumpManifest } from './manifest.js';
import { type DatabaseSeen, type DumpServer, secretLine, serverArgs, type ServerSeen } from './server.js';

/** What a dump needs to know. */
export interface DumpRun extends CopyRun {
  readonly stack: string;
  readonly server: DumpServer;
  readonly seen: ServerSeen;
  readonly role: Dump['source']['role'];
  readonly lagBytes: number;
  readonly databases: readonly DatabaseSeen[];
  /** Those that were asked for; `null`: all of them. */
  readonly selected: readonly string[] | null;
}

/** A run that writes into the bucket. */
export type DumpWriter = DumpRun & Writing;

/** What a manifest says of the data alone. */
type Taken = Omit<Dump, 'finishedAt' | 'lockedUntil'>;

export type StoredDump = Stored<DumpManifest>;
export type StoredDumps = StoredBackups<DumpManifest>;

export const dumpKeys = (stack: string): DumpKeys => keysOf(stack).dumps;

/** Reads what the bucket has of a stack's dumps. */
export const readDumps = (storage: Storage, stack: string): Promise<StoredDumps> =>
  readStored(storage, dumpKeys(stack), readDumpManifest);

/** Verifiers of passwords are secrets: they leave the server only for who has the key, and where it tells them at all. */
const withPasswords = ({ recipient, server }: DumpRun): boolean =>
  recipient !== null && server.address === null;

/**
 * Has the server's host send every database, and then the roles, into the bucket, one after the other.
 *
 * @returns what the manifest needs to know
 * @throws UserError when a database cannot be dumped
 */
export async function takeDump(run: DumpRun): Promise<Taken> {
  const { storage, server, seen, recipient } = run;
  const started = storage.now();
  const id = backupId(started);
  const keys = dumpKeys(run.stack);
  const databases: DumpedDatabase[] = [];
  for (const [at, database] of run.databases.entries())
    databases.push(await dumpDatabase(run, id, at + 1, database));
  const passwords = withPasswords(run);
  const job = {
    ...{ maintenance: server.maintenance, passwords },
    databases: databases.map(({ number, name }) => [number, name]),
  };
  const globals = await send(run, keys.globals(id, recipient !== null), GLOBALS_PROGRAM, job, 0);
  const { major, version, program } = seen;
  return {
    ...{ format: 1, id, stack: run.stack },
    source: { server: server.address, host: server.host, role: run.role, lagBytes: run.lagBytes },
    postgresql: { major, version, program },
    selected: run.selected === null ? null : [...run.selected],
    ...{ databases, globals: { passwords, object: globals.object }, startedAt: started.toISOString() },
    run: run.run,
  };
}

/** What the program on the host says of what it dumped. */
type Dumped = Pick<DumpedDatabase, 'bytes' | 'rows'>;

async function dumpDatabase(
  run: DumpRun,
  id: string,
  number: number,
  { name, bytes }: DatabaseSeen,
): Promise<DumpedDatabase> {
  const key = dumpKeys(run.stack).database(id, number, name, run.recipient !== null);
  const job = { database: name, count: DUMPED_COUNT_SQL };
  const { object, said } = await send(run, key, DUMP_PROGRAM, job, bytes).catch((error: unknown) => {
    throw explainDump(error, name);
  });
  if (said === null) throw new Error(`${run.server.host}: the program did not say what it dumped of ${name}`);
  const dumped = JSON.parse(said) as Dumped;
  run.say(`${name}: ${object.size} bytes in ${object.parts.length} parts; every part is as it was sent`);
  return { name, number, bytes: dumped.bytes, rows: dumped.rows, object };
}

interface Sent {
  readonly object: Manifest['object'];
  /** The line of JSON that the program ended with. */
  readonly said: string | null;
}

async function send(run: DumpRun, key: string, program: string, job: object, bytes: number): Promise<Sent> {
  const { server, recipient } = run;
  const { host, as } = server;
  let said: string | null = null;
  run.onUpload?.(key);
  const sent = await sendFrom(run.remote, run.storage, {
    ...{ host, as, key, rate: run.rate, signal: run.signal, partBytes: partBytesFor(bytes) },
    programs: [
      ['perl', '-e', program, ...serverArgs(server, 4, job)],
      ['zstd', '-q', '-3', '-T0', '-c'],
      ...(recipient ? [['age', '-r', recipient]] : []),
    ],
    ...(server.secret === null ? {} : { secret: secretLine(server) }),
    onProgress: (sum, rate) => run.say(`${host}: ${mebibytes(sum)} sent, ${mebibytes(rate)}/s`),
    onSays: (who, line) => {
      if (who === 'perl' && line.startsWith('{')) said = line;
    },
  });
  const { size, etag, version } = sent.object;
  return {
    object: { key, size, etag, version, sha256: sent.sha256, parts: [...sent.parts], recipient },
    said,
  };
}

/** A failure as the user is told it, with what to do where that is known. */
export function explainDump(error: unknown, database: string): unknown {
  if (!(error instanceof RemoteError)) return error;
  const message = messageOf(error).replace('perl failed with code 1: ', '');
  const advice = /conflict with recovery|canceling statement due to conflict/.test(message)
    ? '; the replica had to replay what the dump was in the way of: run it again at a quieter time, or with source: primary'
    : '';
  return new UserError(`Database ${database} could not be dumped: ${message}${advice}`, { cause: error });
}

/** The last thing that is written of a dump. */
export function writeDump(
  run: Pick<DumpWriter, 'storage' | 'stack' | keyof Writing>,
  dump: Taken,
): Promise<Dump> {
  const { storage, stack } = run;
  const objects = [...dump.databases.map(({ object }) => object), dump.globals.object];
  return writeStored(storage, dumpKeys(stack).manifest(dump.id), objects, run, dump);
}

/** Dumps of one server and of the same choice of databases: none takes the place of one of another kind. */
const seriesOf = ({ manifest: { source, selected } }: StoredDump): string =>
  JSON.stringify([source.server, selected && [...selected].sort()]);

/** What the rules let go, of each series by itself. A dump has no log behind it, so that there is no window of recovery. */
export function dumpRetentionOf(
  { backups }: Pick<StoredDumps, 'backups'>,
  rules: RetentionRules,
  now: Date,
): RetentionPlan<Held> {
  const series = new Map<string, StoredDump[]>();
  for (const backup of backups) {
    const name = seriesOf(backup);
    series.set(name, [...(series.get(name) ?? []), backup]);
  }
  const plans = [...series.values()].map((some) =>
    planRetention(some.map(heldOf), { ...rules, pitrMs: null }, now),
  );
  return {
    verdicts: plans.flatMap(({ verdicts }) => verdicts).sort((one, other) => one.id.localeCompare(other.id)),
    removed: plans.flatMap(({ removed }) => removed),
    freedBytes: plans.reduce((sum, { freedBytes }) => sum + freedBytes, 0),
    window: null,
  };
}
