import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, posix } from 'node:path';
import { type Duplex, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { messageOf, UserError } from '@perlstack/stack';
import { Parser, type ReadEntry } from 'tar';
import { type ArchiveEntry, faultOf } from './archive-rules.js';

/** A build that may be unpacked on a host. */
export interface Artifact {
  readonly path: string;
  /** SHA-256 of the file, in hexadecimal. */
  readonly sha256: string;
  /** Size of the file, and of what it unpacks to, in bytes. */
  readonly bytes: number;
  readonly unpackedBytes: number;
  readonly files: number;
  readonly build: BuildFacts;
}

/** What an artifact holds for building its modules. */
export interface BuildFacts {
  /** SHA-256 of the files that name the dependencies; null where there is none. */
  readonly cpanfile: string | null;
  readonly snapshot: string | null;
  /** It brings the distributions themselves, in `vendor/cache`: so many bytes. */
  readonly vendored: boolean;
  readonly vendoredBytes: number;
  /** It brings modules that are built already, or something in their place. */
  readonly hasLocal: boolean;
  /** The kind of perl for which the modules that it brings were compiled (`archname`); null where none was, or none tells. */
  readonly archname: string | null;
  /** Perl's interface for which they were compiled, such as `5.36`; null likewise. */
  readonly perl: string | null;
  /** Path of its own cpm; null where it has none. */
  readonly cpm: string | null;
}

export interface ArtifactLimits {
  readonly entries: number;
  readonly unpackedBytes: number;
}

const DEFAULT_LIMITS: ArtifactLimits = { entries: 300_000, unpackedBytes: 16 * 1024 ** 3 };

/**
 * Reads an artifact from beginning to end without unpacking it.
 *
 * @param expected.psgi path of the PSGI file that it must hold
 * @param expected.sha256 what it must hash to, if known
 * @throws UserError naming the file and the first thing that is wrong with it.
 */
export async function checkArtifact(
  path: string,
  expected: { readonly psgi: string; readonly sha256?: string },
  limits: ArtifactLimits = DEFAULT_LIMITS,
): Promise<Artifact> {
  const say = (what: string): UserError => new UserError(`artifact ${basename(path)} ${what}`);
  const hash = createHash('sha256');
  let bytes = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const contents: Contents = { digests: new Map(), perl: null };
  const entries = await listEntries(path, measure, limits, say, contents);
  const sha256 = hash.digest('hex');
  if (expected.sha256 !== undefined && expected.sha256.toLowerCase() !== sha256) {
    throw say(
      `has SHA-256 ${sha256}, not ${expected.sha256}: it is not the file that was built; download it anew`,
    );
  }
  const fault = faultOf(entries);
  if (fault !== undefined) throw say(`is refused: ${fault}. Nothing was changed`);
  requirePsgi(entries, expected.psgi, say);
  const unpackedBytes = entries.reduce((sum, entry) => sum + entry.size, 0);
  return { path, sha256, bytes, unpackedBytes, files: entries.length, build: buildFacts(entries, contents) };
}

/** What is noted of files while they pass. */
interface Contents {
  /** SHA-256 of the files that name the dependencies, by name. */
  readonly digests: Map<string, string>;
  /** As `BuildFacts.perl`. */
  perl: string | null;
}

const CPANFILE = 'cpanfile';
const SNAPSHOT = 'cpanfile.snapshot';
/** Where a local::lib has what is compiled. */
const COMPILED = /^local\/lib\/perl5\/([^/]+-linux[^/]*)\//;

function buildFacts(entries: readonly ArchiveEntry[], { digests, perl }: Contents): BuildFacts {
  const paths = new Map(entries.map((entry) => [nameIn(entry.path), entry]));
  const programs = ['bin/cpm', 'cpm'].filter((path) => ((paths.get(path)?.mode ?? 0) & 0o111) !== 0);
  const names = [...paths.keys()];
  const vendored = entries.filter(({ path }) => nameIn(path).startsWith('vendor/cache/'));
  return {
    cpanfile: digests.get(CPANFILE) ?? null,
    snapshot: digests.get(SNAPSHOT) ?? null,
    vendored: vendored.length > 0,
    vendoredBytes: vendored.reduce((sum, { size }) => sum + size, 0),
    hasLocal: names.some((name) => name === 'local' || name.startsWith('local/')),
    archname: names.map((name) => COMPILED.exec(name)?.[1]).find((name) => name !== undefined) ?? null,
    perl,
    cpm: programs[0] === undefined ? null : `./${programs[0]}`,
  };
}

/** A path as it is below the top, without a slash at its end. */
const nameIn = (path: string): string => posix.normalize(path).replace(/\/$/, '');

type Say = (what: string) => UserError;

async function listEntries(
  path: string,
  measure: Transform,
  limits: ArtifactLimits,
  say: Say,
  contents: Contents,
): Promise<ArchiveEntry[]> {
  const unpack = await decompressorFor(path, say);
  const entries: ArchiveEntry[] = [];
  const faults: Error[] = [];
  let size = 0;
  const parser = new Parser({ strict: true, maxMetaEntrySize: 1024 ** 2 });
  const note = (entry: ReadEntry): void => {
    entries.push(plain(entry));
    size += entry.size;
    if (entries.length > limits.entries) faults.push(say(`holds more than ${limits.entries} entries`));
    if (size > limits.unpackedBytes) faults.push(say(`unpacks to more than ${limits.unpackedBytes} bytes`));
    const name = nameIn(entry.path);
    if (name === CPANFILE || name === SNAPSHOT) {
      const content = createHash('sha256');
      entry.on('data', (chunk: Buffer) => content.update(chunk));
      entry.on('end', () => contents.digests.set(name, content.digest('hex')));
    }
    if (contents.perl === null && COMPILED.test(name) && name.endsWith('.so')) lookForPerl(entry, contents);
    entry.resume();
  };
  parser.on('entry', note);
  // Types that the parser does not unpack (devices, pipes) are not entries to it; for us they are a reason to refuse.
  parser.on('ignoredEntry', note);
  parser.on('error', (error: Error) => faults.push(error));
  const parse = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      parser.write(chunk);
      if (faults[0]) throw faults[0];
    }
    parser.end();
    if (faults[0]) throw faults[0];
  };
  try {
    await pipeline(createReadStream(path), measure, unpack, parse);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw say(`is no readable tar archive: ${messageOf(error)}; build or download it anew`);
  }
  if (entries.length === 0) throw say(`is no readable tar archive: it holds no entry; ${HOW_TO_PACK}`);
  return entries;
}

/**
 * What is compiled names the interface of the perl for which it was, and refuses to be loaded by another one: a string such as
 * `v5.36.0`, which XS_BOTH_VERSION_BOOTCHECK of perl's XSUB.h gives to `Perl_xs_handshake`.
 */
function lookForPerl(entry: ReadEntry, contents: Contents): void {
  let end = '';
  entry.on('data', (chunk: Buffer) => {
    const text = end + chunk.toString('latin1');
    contents.perl ??= /\0v(5\.\d+)\.\d+\0/.exec(text)?.[1] ?? null;
    end = text.slice(-LONGEST_VERSION);
  });
}

const LONGEST_VERSION = 16;

const plain = (entry: ReadEntry): ArchiveEntry => ({
  path: entry.path,
  type: entry.type,
  size: entry.size,
  mode: entry.mode ?? 0,
  ...(entry.linkpath === undefined ? {} : { linkpath: entry.linkpath }),
});

async function decompressorFor(path: string, say: Say): Promise<Duplex> {
  const magic = await firstBytes(path, say);
  if (magic.startsWith('1f8b')) return createGunzip();
  if (magic.startsWith('28b52ffd')) return createZstdDecompress();
  if (magic === '') throw say(`is empty: ${HOW_TO_PACK}`);
  const found = Object.entries(OTHER_FORMATS).find(([start]) => magic.startsWith(start))?.[1];
  throw say(`is ${found ?? 'no archive'}: ${HOW_TO_PACK}`);
}

const HOW_TO_PACK = 'make a tar.gz or tar.zst of the release, such as "tar -czf app.tar.gz -C build ."';

const OTHER_FORMATS: Readonly<Record<string, string>> = {
  '504b0304': 'a zip file',
  '425a68': 'compressed with bzip2',
  fd377a585a00: 'compressed with xz',
};

async function firstBytes(path: string, say: Say): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
      return buffer.subarray(0, bytesRead).toString('hex');
    } finally {
      await file.close();
    }
  } catch (error) {
    throw say(`cannot be read: ${messageOf(error)}`);
  }
}

/** The PSGI file must be where the unit looks for it; a folder around everything is the usual mistake. */
function requirePsgi(entries: readonly ArchiveEntry[], psgi: string, say: Say): void {
  const names = entries.map((entry) => posix.normalize(entry.path));
  if (names.includes(psgi)) return;
  const elsewhere = names.find((name) => name.endsWith(`/${psgi}`));
  const hint =
    elsewhere === undefined
      ? 'see app.psgi in the stack file'
      : `it holds ${elsewhere}: pack the contents of ${posix.dirname(elsewhere)}/, not the folder itself`;
  throw say(`does not hold ${psgi} at its top: ${hint}`);
}
