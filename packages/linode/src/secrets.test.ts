import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createClient, type LinodeClient } from './client.js';
import { answer, quickClock, type Responder, serve, type TestServer } from './server.testkit.js';

const TOKEN = 'tok-0123456789abcdef';
const ROOT_PASS = 'correct horse battery';
const PRIVATE_KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----';
const USER_DATA = Buffer.from(`#cloud-config\nssh_keys:\n  ed25519_private: ${PRIVATE_KEY}\n`).toString(
  'base64',
);
const AUTHORIZED = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5';
const SECRETS = [TOKEN, ROOT_PASS, USER_DATA, 'b3BlbnNzaC1rZXk', AUTHORIZED, 'Bearer tok'];

let server: TestServer;
afterEach(() => server.close());

const create = (client: LinodeClient) =>
  client.createLinode({
    ...{ label: 'shop-web-1', region: 'us-ord', type: 'g6-nanode-1', image: 'linode/debian13' },
    ...{ root_pass: ROOT_PASS, authorized_keys: [AUTHORIZED], metadata: { user_data: USER_DATA } },
    ...{ interface_generation: 'linode', interfaces: [] },
  });
const update = (client: LinodeClient) => client.updateLinode(7, { tags: ['a'] });

/** An answer that repeats everything that it was sent. */
const echo =
  (status: number, headers: Record<string, string> = {}): Responder =>
  (seen, response) =>
    answer(
      response,
      status,
      {
        errors: [
          {
            field: JSON.stringify(seen.body),
            reason: `${seen.token} ${JSON.stringify(seen.body)} ${PRIVATE_KEY}`,
          },
        ],
      },
      headers,
    );

const scopes = { 'x-oauth-scopes': 'linodes:read_only', 'x-accepted-oauth-scopes': 'linodes:read_write' };
const FAULTS: [string, Responder][] = [
  ...[400, 401, 403, 404, 405, 408, 422, 429, 500, 502, 503].map((status): [string, Responder] => [
    `${status}`,
    echo(status),
  ]),
  ['a missing scope', echo(401, scopes)],
  ['a redirect', echo(302, { location: 'http://127.0.0.1:1/' })],
  [
    'a page instead of JSON',
    (seen, response) => void response.writeHead(500).end(`<html>${seen.token}</html>`),
  ],
  ['a broken connection', (_, __, request) => void request.socket.destroy()],
  [
    'half an answer',
    (_, response) =>
      void response.writeHead(200, { 'content-length': '99' }).write('{', () => response.destroy()),
  ],
  ['no answer in time', () => undefined],
];

/** Every way in which an error reaches a log. */
function everyWay(error: unknown): string {
  const all: unknown[] = [];
  for (let one = error; one !== undefined && one !== null; one = (one as { cause?: unknown }).cause)
    all.push(one);
  return all
    .flatMap((one) => [
      String(one),
      JSON.stringify(one),
      JSON.stringify(one, Object.getOwnPropertyNames(one)),
      inspect(one, { depth: null, showHidden: true, getters: true }),
      (one as Error).message,
      (one as Error).stack ?? '',
    ])
    .join('\n');
}

describe.each([
  ['a create', create],
  ['a change', update],
])('no secret comes out of %s', (_, call) => {
  it.each(FAULTS)('after %s', async (__, respond) => {
    server = await serve(respond);
    const client = createClient({ token: TOKEN, baseUrl: server.url, clock: quickClock(), timeoutMs: 100 });
    const error: unknown = await call(client).then(
      () => new Error('it succeeded'),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).not.toBe('it succeeded');
    const printed = everyWay(error);
    expect(SECRETS.filter((secret) => printed.includes(secret))).toEqual([]);
    expect((error as Error).message).not.toMatch(/\n/);
  });

  it('after a refused connection', async () => {
    server = await serve(() => undefined);
    const { url } = server;
    await server.close();
    const error: unknown = await call(
      createClient({ token: TOKEN, baseUrl: url, clock: quickClock() }),
    ).catch((thrown: unknown) => thrown);
    expect(SECRETS.filter((secret) => everyWay(error).includes(secret))).toEqual([]);
    server = await serve(() => undefined);
  });

  it('after a cancel', async () => {
    const abort = new AbortController();
    server = await serve(() => abort.abort());
    const client = createClient({ token: TOKEN, baseUrl: server.url, signal: abort.signal });
    const error: unknown = await call(client).catch((thrown: unknown) => thrown);
    expect(SECRETS.filter((secret) => everyWay(error).includes(secret))).toEqual([]);
  });
});

it('does not show the token when the client itself is printed', async () => {
  server = await serve(() => undefined);
  const client = createClient({ token: TOKEN, baseUrl: server.url });
  expect(everyWay(client)).not.toContain(TOKEN);
});
