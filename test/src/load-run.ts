import { setMaxListeners } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FailedRequest, type Kind, KINDS, Ledger, type Window } from './load-ledger.js';

/** What kind of visitors there are, and how they behave. */
export interface LoadConfig {
  /** Base URLs of the web hosts; client n visits number n modulo their count. */
  readonly urls: readonly string[];
  /** Clients of each kind. */
  readonly clients: Readonly<Record<Kind, number>>;
  /** How long a slow request takes, in milliseconds. */
  readonly slowMs: number;
  /** Pause of a client between an answer and its next request, in milliseconds: evenly from the first to the second. */
  readonly thinkMs: readonly [number, number];
  /** Limit of one request, in milliseconds; longer ones count as failed. */
  readonly timeoutMs: number;
  /** Bounds of the whole run. */
  readonly maxRequests: number;
  readonly maxSeconds: number;
  /** Path of the fast GETs. */
  readonly path: string;
  /**
   * Ask again on a new connection when one that was kept was closed without an answer, as browsers do: a reload of nginx
   * closes those that are idle, and may meet a request on its way.
   */
  readonly repeats: boolean;
  /** Begins every POST's id: different for each run against the same application. */
  readonly prefix: string;
}

export const DEFAULT_LOAD: Omit<LoadConfig, 'urls'> = {
  clients: { get: 12, post: 8, 'slow-get': 6, 'slow-post': 6 },
  slowMs: 2_000,
  thinkMs: [15, 25],
  timeoutMs: 30_000,
  maxRequests: 1_000_000,
  maxSeconds: 1_800,
  path: '/',
  repeats: false,
  prefix: 'order',
};

interface Outgoing {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly id?: string;
  readonly body?: string;
  readonly expected: number;
}

/** Clients that ask one after the other, each on a connection of its own that it keeps. */
export class Load {
  readonly #config: LoadConfig;
  readonly #ledger: Ledger;
  readonly #stop = new AbortController();
  readonly #clients: Promise<void>[] = [];
  #sent = 0;
  #inFlight = 0;
  #repeated = 0;

  constructor(config: LoadConfig) {
    this.#config = config;
    this.#ledger = new Ledger();
    setMaxListeners(0, this.#stop.signal);
  }

  start(): void {
    const end = setTimeout(() => this.#stop.abort(), this.#config.maxSeconds * 1_000);
    end.unref();
    let number = 0;
    for (const kind of KINDS) {
      for (let client = 0; client < this.#config.clients[kind]; client += 1) {
        this.#clients.push(this.#visit(kind, (number += 1)));
      }
    }
  }

  mark(name: string): void {
    this.#ledger.mark(name);
  }

  /** What came to an end since a mark; without one, since the start. */
  since(name?: string): Window & { inFlight: number; repeated: number } {
    return { ...this.#ledger.since(name), inFlight: this.#inFlight, repeated: this.#repeated };
  }

  /** Lets the requests under way come to their end and starts no more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients);
  }

  /** The ids of all POSTs that were answered as they should be, and of all others. */
  account(): { acknowledged: readonly string[]; unanswered: readonly string[] } {
    return this.#ledger.account();
  }

  async #visit(kind: Kind, client: number): Promise<void> {
    const { urls, thinkMs } = this.#config;
    const base = new URL(urls[client % urls.length] ?? '');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { signal } = this.#stop;
    const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal }).catch(() => undefined);
    // Slow clients that began as one would end as one: at any moment some requests are to be just begun.
    if (kind.startsWith('slow')) await pause(Math.random() * this.#config.slowMs);
    for (let turn = 0; !signal.aborted && this.#sent < this.#config.maxRequests; turn += 1) {
      this.#sent += 1;
      await this.#ask(kind, agent, base, this.#outgoing(kind, client, turn));
      const [least, most] = thinkMs;
      await pause(least + Math.random() * (most - least));
    }
    agent.destroy();
  }

  #outgoing(kind: Kind, client: number, turn: number): Outgoing {
    const { path, slowMs, prefix } = this.#config;
    if (kind === 'get') return { method: 'GET', path, expected: 200 };
    if (kind === 'slow-get') return { method: 'GET', path: `/slow?ms=${slowMs}`, expected: 200 };
    const id = `${prefix}-${client}-${turn}`;
    const body = JSON.stringify({ id });
    const slow = kind === 'slow-post' ? `?ms=${slowMs}` : '';
    return { method: 'POST', path: `/orders${slow}`, id, body, expected: 201 };
  }

  async #ask(kind: Kind, agent: Agent, base: URL, outgoing: Outgoing): Promise<void> {
    if (outgoing.id !== undefined) this.#ledger.sent(outgoing.id);
    this.#inFlight += 1;
    const start = performance.now();
    let fault = await exchange(agent, base, outgoing, this.#config.timeoutMs);
    for (; fault === CLOSED && this.#config.repeats; this.#repeated += 1) {
      fault = await exchange(agent, base, outgoing, this.#config.timeoutMs);
    }
    this.#inFlight -= 1;
    const ms = performance.now() - start;
    const failure: FailedRequest | undefined =
      fault === undefined
        ? undefined
        : {
            kind,
            url: new URL(outgoing.path, base).href,
            at: new Date().toISOString(),
            ms: Math.round(ms),
            fault,
            ...(outgoing.id === undefined ? {} : { id: outgoing.id }),
          };
    this.#ledger.ended(kind, ms, failure, outgoing.id);
  }
}

const CLOSED = 'the connection was closed before it was used again';

/** @returns what was wrong with the answer, or undefined. */
function exchange(
  agent: Agent,
  base: URL,
  outgoing: Outgoing,
  timeoutMs: number,
): Promise<string | undefined> {
  const { method, path, body, id, expected } = outgoing;
  const headers =
    body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const signal = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve) => {
    const request = httpRequest(new URL(path, base), { method, agent, headers, signal }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', (error) => resolve(`answer broke off: ${error.message}`));
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString('utf8');
        if (!answer.complete) resolve('answer broke off');
        else if (answer.statusCode !== expected)
          resolve(`status ${answer.statusCode}: ${text.slice(0, 200)}`);
        else
          resolve(
            id === undefined || idIn(text) === id
              ? undefined
              : `answered with another id: ${text.slice(0, 200)}`,
          );
      });
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      const closed = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      resolve(closed ? CLOSED : error.message);
    });
    request.end(body);
  });
}

function idIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { id?: unknown }).id;
  } catch {
    return undefined;
  }
}
