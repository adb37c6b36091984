import { PassThrough } from 'node:stream';
import { type ObjectSeen, type Part, type Storage } from '@perlstack/object-storage';
import type { Remote } from '@perlstack/remote';
import { SEND_PROGRAM } from './send-program.js';

/** What copying anything into the bucket needs to know. */
export interface CopyRun {
  readonly remote: Remote;
  readonly storage: Storage;
  /** Public key of age; `null`: nothing is encrypted. */
  readonly recipient: string | null;
  /** Bytes a second; 0: as fast as it goes. */
  readonly rate: number;
  /** The page of the run. */
  readonly run: string | null;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** Told the key of an upload before there is one: whoever has to end what a killed run left knows it in time. */
  readonly onUpload?: (key: string) => void;
}

/** What a host is to send. */
export interface Sending {
  readonly host: string;
  /** Makes an argv that runs as the user whose data they are, for root. */
  readonly as: (argv: readonly string[]) => string[];
  readonly key: string;
  /** Each reads what the one before it writes; the last one's output becomes the object. */
  readonly programs: readonly (readonly string[])[];
  /** What the first program finds at /dev/fd/4. */
  readonly secret?: string;
  readonly partBytes: number;
  /** Bytes a second; 0: as fast as it goes. */
  readonly rate: number;
  readonly signal: AbortSignal;
  /** Told now and then how much was sent, and how much a second. */
  readonly onProgress?: (bytes: number, rate: number) => void;
  /** What the programs say on their standard errors. */
  readonly onSays?: (program: string, line: string) => void;
}

export interface Sent {
  readonly object: ObjectSeen;
  readonly sha256: string;
  readonly parts: readonly Part[];
}

/** Users of the server come first. */
export const YIELDING = ['nice', '-n', '10'];

/** Uploads at once; a part waits in a file meanwhile, and one more is being filled. */
const PARALLEL = 3;
/** A line of the log this often. */
export const PROGRESS_MS = 10_000;

/** How long a URL of a part is good for: less than a host that was taken over could make use of. */
const PART_EXPIRES_S = 3_600;

const MIB = 1024 * 1024;

/** Parts of 64 MiB, or larger where 9,000 of those would not do: an object has at most 10,000. */
export const partBytesFor = (bytes: number): number =>
  Math.max(64, Math.ceil((bytes * 1.1) / 9_000 / MIB)) * MIB;

export const mebibytes = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`;

/**
 * Has a host send the output of programs straight to the bucket. The runner hands out one URL a part, compares what the
 * storage says it holds with what the host says it sent, and only then makes an object of it. Whatever fails, nothing
 * looks like an object: the upload is ended, or stays one that was never completed.
 */
export async function sendFrom(remote: Remote, storage: Storage, sending: Sending): Promise<Sent> {
  const upload = await storage.createUpload(sending.key);
  try {
    const conversation = new Conversation(sending, async (part) => {
      const { url } = upload.signPart(part, storage.presigner(PART_EXPIRES_S));
      return url;
    });
    const { parts, sha256 } = await conversation.hold(remote);
    const object = await upload.complete(parts);
    return { object, sha256, parts };
  } catch (error) {
    // A cancel must not cancel this too.
    await storage
      .uncancelled()
      .openUpload(sending.key, upload.id)
      .abort()
      .catch(() => undefined);
    throw error;
  }
}

type Word =
  | { want: number }
  | { sent: { part: number; size: number; md5: string; etag: string } }
  | { at: number }
  | { says: [string, string] }
  | { done: { size: number; parts: number; sha256: string } };

class Conversation {
  readonly #sending: Sending;
  readonly #ticket: (part: number) => Promise<string>;
  readonly #input = new PassThrough();
  readonly #parts: Part[] = [];
  readonly #started = Date.now();
  #told = Date.now();
  #done: { size: number; parts: number; sha256: string } | undefined;

  constructor(sending: Sending, ticket: (part: number) => Promise<string>) {
    this.#sending = sending;
    this.#ticket = ticket;
  }

  async hold(remote: Remote): Promise<{ parts: readonly Part[]; sha256: string }> {
    const { host, as, programs, secret, partBytes, rate, signal } = this.#sending;
    const spec = {
      ...{ programs, partBytes, rate, parallel: PARALLEL, spool: '/var/tmp', tries: 7, silence: '30' },
      ...(secret === undefined ? {} : { secret }),
    };
    this.#say(spec);
    await remote.run(host, as([...YIELDING, 'perl', '-e', SEND_PROGRAM]), {
      ...{ sudo: true, input: this.#input, signal, name: 'the upload' },
      onLine: (line, stream) => stream === 'stdout' && this.#hear(line),
    });
    const parts = [...this.#parts].sort((one, other) => one.part - other.part);
    const done = this.#done;
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    if (!done || done.parts !== parts.length || done.size !== size)
      throw new Error(
        `${host}: sent ${size} bytes in ${parts.length} parts, and says ${JSON.stringify(done)}`,
      );
    return { parts, sha256: done.sha256 };
  }

  #progress(bytes: number): void {
    const now = Date.now();
    if (now - this.#told < PROGRESS_MS) return;
    this.#told = now;
    this.#sending.onProgress?.(bytes, bytes / ((now - this.#started) / 1_000));
  }

  #say(word: object): void {
    this.#input.write(`${JSON.stringify(word)}\n`);
  }

  #hear(line: string): void {
    const word = JSON.parse(line) as Word;
    if ('want' in word) {
      this.#ticket(word.want).then(
        (url) => this.#say({ part: word.want, url }),
        (error: unknown) => this.#input.destroy(error as Error),
      );
    } else if ('sent' in word) {
      const { part, size, md5, etag } = word.sent;
      if (etag !== md5)
        this.#input.destroy(new Error(`part ${part}: the bucket has ${etag} instead of ${md5}`));
      this.#parts.push({ part, size, md5 });
    } else if ('at' in word) this.#progress(word.at);
    else if ('says' in word) this.#sending.onSays?.(...word.says);
    else {
      this.#done = word.done;
      this.#input.end();
    }
  }
}
