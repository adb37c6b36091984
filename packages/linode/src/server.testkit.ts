import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from './clock.js';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly token: string;
  readonly filter: unknown;
  readonly body: unknown;
}

export type Responder = (seen: Seen, response: ServerResponse, request: IncomingMessage) => void;

export interface TestServer {
  readonly url: string;
  readonly seen: Seen[];
  close(): Promise<void>;
}

/** A server on loopback that notes what it is asked and answers as the test says. */
export async function serve(respond: Responder): Promise<TestServer> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = note(request, Buffer.concat(chunks).toString());
      seen.push(one);
      respond(one, response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function note({ method = '', url = '', headers }: IncomingMessage, body: string): Seen {
  const filter = headers['x-filter'];
  return {
    method,
    url,
    token: headers.authorization ?? '',
    filter: typeof filter === 'string' ? JSON.parse(filter) : undefined,
    body: body === '' ? undefined : JSON.parse(body),
  };
}

export function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** A clock whose time passes only by sleeping, at once; it keeps how long each sleep was. */
export function quickClock(): Clock & { readonly slept: number[] } {
  const slept: number[] = [];
  let now = 0;
  return {
    slept,
    now: () => now,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      slept.push(ms);
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
