import { setMaxListeners } from 'node:events';
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FailedRequest, type Kind, KINDS, Ledger, type Window } from './load-ledger.js';

/** What kind of visitors there are, and how they behave. */
export interface LoadConfig {
  /** Base URLs of the web hosts; client n visits number n modulo their count. */
  readonly urls: readonly string[];
  /** Clients of each kind; none of one that is not named. */
  readonly clients: Readonly<Partial<Record<Kind, number>>>;
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
  /** Sent with the fast GETs: whose pages they are. */
  readonly cookie?: string;
  /** What their answers must contain. */
  readonly contains?: string;
  /**
   * Ask again on a new connection when one that was kept was closed without an answer, as browsers do: a reload of nginx
   * closes those that are idle, and may meet a request on its way.
   */
  readonly repeats: boolean;
  /** Begins every POST's id: different for each run against the same application. */
  readonly prefix: string;
  /** Keep a client's connection for its next request; else each request makes one. */
  readonly keepsConnections: boolean;
  /** The site's name, where it is not the host of the URLs. */
  readonly host?: string;
  /** Certificate, in PEM form, of who vouches for the site. */
  readonly ca?: string;
}

export const DEFAULT_LOAD: Omit<LoadConfig, 'urls'> = {
  clients: { get: 12, post: 8, 'slow-get': 6, 'slow-post': 6, visit: 4 },
  slowMs: 2_000,
  thinkMs: [150, 250],
  timeoutMs: 30_000,
  maxRequests: 1_000_000,
  maxSeconds: 1_800,
  path: '/',
  repeats: true,
  keepsConnections: true,
  prefix: 'order',
};

/** For what is to meet as many requests as there can be, each of which counts; at this speed visitors are most of what a small machine does. */
export const FULL_SPEED = { thinkMs: [15, 25], repeats: false } as const;

interface Outgoing {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly id?: string;
  readonly body?: string;
  readonly cookie?: string;
  readonly expected: number;
  /** What is wrong with the body of an answer with the expected status, or undefined. */
  readonly judge?: (text: string, answer: IncomingMessage) => string | undefined;
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
      for (let client = 0; client < (this.#config.clients[kind] ?? 0); client += 1) {
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
    const agent = agentFor(base, this.#config);
    const visitor = new Visitor();
    const { signal } = this.#stop;
    const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal }).catch(() => undefined);
    // Slow clients that began as one would end as one: at any moment some requests are to be just begun.
    if (kind.startsWith('slow')) await pause(Math.random() * this.#config.slowMs);
    for (let turn = 0; !signal.aborted && this.#sent < this.#config.maxRequests; turn += 1) {
      this.#sent += 1;
      await this.#ask(kind, agent, base, this.#outgoing(kind, client, turn, visitor));
      const [least, most] = thinkMs;
      await pause(least + Math.random() * (most - least));
    }
    agent.destroy();
  }

  #outgoing(kind: Kind, client: number, turn: number, visitor: Visitor): Outgoing {
    const { slowMs, prefix } = this.#config;
    if (kind === 'visit') return visitor.outgoing();
    if (kind === 'get') return pageOf(this.#config);
    if (kind === 'slow-get') return { method: 'GET', path: `/slow?ms=${slowMs}`, expected: 200 };
    const id = `${prefix}-${client}-${turn}`;
    const body = JSON.stringify({ id });
    const slow = kind === 'slow-post' ? `?ms=${slowMs}` : '';
    const judge = (text: string): string | undefined =>
      field(text, 'id') === id ? undefined : `answered with another id: ${text.slice(0, 200)}`;
    return { method: 'POST', path: `/orders${slow}`, id, body, expected: 201, judge };
  }

  async #ask(kind: Kind, agent: Agent, base: URL, outgoing: Outgoing): Promise<void> {
    if (outgoing.id !== undefined) this.#ledger.sent(outgoing.id);
    this.#inFlight += 1;
    const start = performance.now();
    let fault = await exchange(agent, base, outgoing, this.#config);
    for (; fault === CLOSED && this.#config.repeats; this.#repeated += 1) {
      fault = await exchange(agent, base, outgoing, this.#config);
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

function pageOf({ path, cookie, contains }: LoadConfig): Outgoing {
  const judge = (text: string): string | undefined =>
    contains === undefined || text.includes(contains) ? undefined : `a page without "${contains}"`;
  return { method: 'GET', path, ...(cookie === undefined ? {} : { cookie }), expected: 200, judge };
}

const CLOSED = 'the connection was closed before it was used again';

/** Somebody whose visits the site counts in a session. */
class Visitor {
  #cookie: string | undefined;
  #visits = 0;

  outgoing(): Outgoing {
    return {
      ...{ method: 'GET', path: '/visit', expected: 200 },
      ...(this.#cookie === undefined ? {} : { cookie: this.#cookie }),
      judge: (text, answer) => this.#judge(text, answer),
    };
  }

  /** A visit may be counted twice, when it was asked again; a session that lost one is a fault. */
  #judge(text: string, { headers }: IncomingMessage): string | undefined {
    this.#cookie = headers['set-cookie']?.[0]?.split(';')[0] ?? this.#cookie;
    const before = this.#visits;
    this.#visits = Number(field(text, 'visits'));
    return this.#visits > before ? undefined : `the session went from ${before} visits to ${this.#visits}`;
  }
}

function agentFor({ protocol }: URL, { host, ca, keepsConnections }: LoadConfig): Agent {
  const options = { keepAlive: keepsConnections, maxSockets: 1 };
  if (protocol !== 'https:') return new Agent(options);
  return new TlsAgent({
    ...options,
    ...(ca === undefined ? {} : { ca }),
    ...(host === undefined ? {} : { servername: host }),
  });
}

/** @returns what was wrong with the answer, or undefined. */
function exchange(
  agent: Agent,
  base: URL,
  outgoing: Outgoing,
  { timeoutMs, host }: LoadConfig,
): Promise<string | undefined> {
  const { method, path } = outgoing;
  const signal = AbortSignal.timeout(timeoutMs);
  const ask = base.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const headers = headersOf(outgoing, host);
    const request = ask(new URL(path, base), { method, agent, headers, signal }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', (error) => resolve(`answer broke off: ${error.message}`));
      answer.on('end', () => resolve(faultIn(answer, Buffer.concat(parts).toString('utf8'), outgoing)));
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      const closed = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      resolve(closed ? CLOSED : error.message);
    });
    request.end(outgoing.body);
  });
}

function headersOf({ body, cookie }: Outgoing, host: string | undefined): Record<string, string | number> {
  return {
    ...(host === undefined ? {} : { host }),
    ...(cookie === undefined ? {} : { cookie }),
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  };
}

function faultIn(answer: IncomingMessage, text: string, { expected, judge }: Outgoing): string | undefined {
  if (!answer.complete) return 'answer broke off';
  if (answer.statusCode !== expected) return `status ${answer.statusCode}: ${text.slice(0, 200)}`;
  return judge?.(text, answer);
}

/** A field of a JSON object; undefined where the text is none. */
function field(text: string, name: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
