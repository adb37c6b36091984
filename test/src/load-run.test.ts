import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Kind, Window } from './load-ledger.js';
import { DEFAULT_LOAD, Load } from './load-run.js';

let server: Server | undefined;
afterEach(() => void server?.close());

/** What becomes of one client's requests, one after the other. */
async function visit(
  kind: Kind,
  requests: number,
  answer: (request: IncomingMessage, response: ServerResponse, number: number) => void,
): Promise<Window> {
  let number = 0;
  server = createServer((request, response) => answer(request, response, (number += 1))).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = { clients: { [kind]: 1 }, maxRequests: requests, thinkMs: [0, 0] as const, slowMs: 1 };
  const load = new Load({ ...DEFAULT_LOAD, ...settings, urls: [url], host: 'shop.example.com' });
  load.start();
  while (load.since().requests < requests) await new Promise((resolve) => setTimeout(resolve, 5));
  await load.stop();
  return load.since();
}

describe('Load', () => {
  it('asks by name, and keeps its session', async () => {
    const seen: (string | undefined)[][] = [];
    const { failed } = await visit('visit', 3, ({ headers }, response, number) => {
      seen.push([headers.host, headers.cookie]);
      if (number === 1) response.setHeader('set-cookie', 'session=abc; path=/; HttpOnly');
      response.end(JSON.stringify({ visits: number }));
    });
    expect(failed).toBe(0);
    expect(seen).toEqual([
      ['shop.example.com', undefined],
      ['shop.example.com', 'session=abc'],
      ['shop.example.com', 'session=abc'],
    ]);
  });

  it('calls it a fault when a session goes back, and none when a visit was counted twice', async () => {
    const counted = [1, 3, 2, 5];
    const { failures } = await visit('visit', 4, (_, response, number) =>
      response.end(JSON.stringify({ visits: counted[number - 1] })),
    );
    expect(failures.map(({ fault }) => fault)).toEqual(['the session went from 3 visits to 2']);
  });

  it('calls another status, another id and a broken answer faults', async () => {
    const { failures } = await visit('post', 3, (_, response, number) => {
      if (number === 1) response.writeHead(503).end('not available');
      else if (number === 2) response.writeHead(201).end('{"id":"other"}');
      else response.writeHead(201, { 'content-length': 100 }).end('{"id"', () => response.destroy());
    });
    expect(failures.map(({ fault }) => fault)).toEqual([
      'status 503: not available',
      'answered with another id: {"id":"other"}',
      expect.stringContaining('broke off'),
    ]);
  });
});
