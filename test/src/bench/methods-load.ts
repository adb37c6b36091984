import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** What visitors ask for, over TLS and HTTP/2: short and long, an answer that comes piece by piece, a body that is sent slowly. */
export const KINDS = ['get', 'post', 'slow get', 'slow post', 'stream', 'slow upload'] as const;
export type H2Kind = (typeof KINDS)[number];

export interface H2Order {
  readonly url: string;
  readonly host: string;
  /** Path of the certificate of who vouches for the site. */
  readonly ca: string;
  readonly prefix: string;
}

export interface H2Counts {
  readonly ok: number;
  readonly failed: number;
  readonly faults: readonly string[];
}

/** How long the slow ones take, in milliseconds. */
const SLOW_MS = 2_000;
const CLIENTS: Readonly<Record<H2Kind, number>> = {
  ...{ get: 4, post: 3, 'slow get': 3, 'slow post': 3 },
  ...{ stream: 3, 'slow upload': 3 },
};
const MOST_SECONDS = 300;

/** One connection a client, kept until the server ends it, as a browser does. */
class Client {
  readonly #order: H2Order;
  readonly #ca: string;
  #session: ClientHttp2Session | undefined;

  constructor(order: H2Order) {
    this.#order = order;
    this.#ca = readFileSync(order.ca, 'utf8');
  }

  /** @returns what was wrong; undefined when nothing was */
  async ask(kind: H2Kind, id: string): Promise<string | undefined> {
    const session = this.#connected();
    const posts = kind === 'post' || kind === 'slow post' || kind === 'slow upload';
    const stream = session.request({
      ':method': posts ? 'POST' : 'GET',
      ':path': PATHS[kind],
      ':authority': this.#order.host,
      ...(posts ? { 'content-type': 'application/json' } : {}),
    });
    const answer = new Promise<string | undefined>((resolve) => {
      let [status, text] = [0, ''];
      stream.setEncoding('utf8');
      stream.setTimeout(30_000, () => resolve('no answer in 30 s'));
      stream.on('response', (headers) => (status = Number(headers[':status'])));
      stream.on('data', (piece: string) => (text += piece));
      stream.on('error', (error: Error) => resolve(error.message));
      stream.on('close', () => resolve('the stream was closed'));
      stream.on('end', () => resolve(faultOf(kind, status, text, id)));
    });
    const body = JSON.stringify({ id });
    if (kind === 'slow upload') await trickle(stream, body);
    else stream.end(posts ? body : undefined);
    return answer;
  }

  #connected(): ClientHttp2Session {
    const known = this.#session;
    if (known && !known.closed && !known.destroyed) return known;
    const { url, host } = this.#order;
    const session = connect(url, { servername: host, ca: this.#ca });
    session.on('error', () => undefined);
    this.#session = session;
    return session;
  }

  close(): void {
    this.#session?.destroy();
  }
}

const PATHS: Readonly<Record<H2Kind, string>> = {
  ...{ get: '/', post: '/orders', 'slow get': `/slow?ms=${SLOW_MS}`, 'slow post': `/orders?ms=${SLOW_MS}` },
  ...{ stream: `/stream?ms=${SLOW_MS}`, 'slow upload': '/orders' },
};

function faultOf(kind: H2Kind, status: number, text: string, id: string): string | undefined {
  const posts = kind.endsWith('post') || kind === 'slow upload';
  if (status !== (posts ? 201 : 200)) return `status ${status}`;
  if (posts && !text.includes(id)) return 'answered with another id';
  return kind === 'stream' && !text.endsWith('end\n') ? 'the answer broke off' : undefined;
}

/** Sends a body in ten pieces. */
async function trickle(stream: NodeJS.WritableStream, body: string): Promise<void> {
  const size = Math.ceil(body.length / 10);
  for (let at = 0; at < body.length; at += size) {
    stream.write(body.slice(at, at + size));
    await sleep(SLOW_MS / 10);
  }
  stream.end();
}

/** Asks until standard input says to stop, then prints the counts and the ids of the POSTs that were acknowledged. */
async function main(order: H2Order): Promise<void> {
  const counts = Object.fromEntries(
    KINDS.map((kind) => [kind, { ok: 0, failed: 0, faults: [] as string[] }]),
  );
  const acknowledged: string[] = [];
  const end = Date.now() + MOST_SECONDS * 1_000;
  let stopped = false;
  const visit = async (kind: H2Kind, number: number): Promise<void> => {
    const client = new Client(order);
    const count = counts[kind] ?? { ok: 0, failed: 0, faults: [] };
    for (let turn = 0; !stopped && Date.now() < end; turn += 1) {
      const id = `${order.prefix}-${number}-${turn}`;
      const fault = await client.ask(kind, id).catch((error: Error) => error.message);
      if (fault === undefined) count.ok += 1;
      else count.failed += 1;
      if (fault !== undefined && count.faults.length < 5) count.faults.push(fault);
      if (fault === undefined) acknowledged.push(id);
      await sleep(20 + Math.random() * 20);
    }
    client.close();
  };
  const clients = KINDS.flatMap((kind, at) =>
    Array.from({ length: CLIENTS[kind] }, (_, number) => visit(kind, 10 * at + number)),
  );
  for await (const line of createInterface({ input: process.stdin })) if (line === 'stop') break;
  stopped = true;
  await Promise.all(clients);
  process.stdout.write(`${JSON.stringify({ counts, acknowledged })}\n`);
}

if (process.argv[2] !== undefined && import.meta.filename === process.argv[1]) {
  await main(JSON.parse(process.argv[2]) as H2Order);
}
