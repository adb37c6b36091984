import { StringDecoder } from 'node:string_decoder';

/** Keeps the end of an output, up to a number of bytes. */
export class Tail {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#chunks[0] && this.#length - this.#chunks[0].length >= this.#limit) {
      this.#length -= this.#chunks[0].length;
      this.#dropped += this.#chunks[0].length;
      this.#chunks.shift();
    }
  }

  get truncated(): boolean {
    return this.#dropped > 0 || this.#length > this.#limit;
  }

  text(): string {
    const all = Buffer.concat(this.#chunks);
    return all.subarray(Math.max(0, all.length - this.#limit)).toString('utf8');
  }
}

/** Cuts a stream of bytes into lines; a character that is split between two chunks stays whole. */
export class Lines {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  add(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line.replace(/\r$/, ''));
  }

  /** Hands out what stands after the last newline. */
  end(): void {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    if (rest !== '') this.#onLine(rest.replace(/\r$/, ''));
  }
}

/** How far into an output the line that announces the process is looked for: login scripts may speak before it. */
const ANNOUNCEMENT_WINDOW = 64 * 1024;

/** Takes the one line `<marker><number>` out of a stream of bytes and passes the rest on. */
export class Announcement {
  readonly #marker: Buffer;
  readonly #pass: (chunk: Buffer) => void;
  #held: Buffer = Buffer.alloc(0);
  #searching = true;
  /** The number announced, once it was seen. */
  pid: number | undefined;

  constructor(marker: string, pass: (chunk: Buffer) => void) {
    this.#marker = Buffer.from(marker);
    this.#pass = pass;
  }

  add(chunk: Buffer): void {
    if (!this.#searching) return this.#pass(chunk);
    this.#held = Buffer.concat([this.#held, chunk]);
    const start = this.#held.indexOf(this.#marker);
    const end = start < 0 ? -1 : this.#held.indexOf('\n', start);
    if (end >= 0) {
      this.pid = Number(this.#held.subarray(start + this.#marker.length, end).toString('latin1'));
      this.#release(Buffer.concat([this.#held.subarray(0, start), this.#held.subarray(end + 1)]));
    } else if (this.#held.length > ANNOUNCEMENT_WINDOW) {
      this.#release(this.#held);
    }
  }

  end(): void {
    if (this.#searching) this.#release(this.#held);
  }

  #release(bytes: Buffer): void {
    this.#searching = false;
    this.#held = Buffer.alloc(0);
    if (bytes.length > 0) this.#pass(bytes);
  }
}
