import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Remote } from '@perlstack/remote';
import { gate, type GateOptions } from './gate.js';
import type { HttpProbe, Probe } from './probe.js';

/** Scripts run on this machine, as they would on a host. */
const thisMachine = {
  async script(_host: string, script: string, args: readonly string[] = [], options = {}) {
    const { input = '', signal } = options as { input?: string; signal?: AbortSignal };
    const child = spawn('sh', ['-c', script, 'probe', ...args], { signal });
    child.on('error', () => undefined);
    Readable.from([input]).pipe(child.stdin);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: child.exitCode ?? -1, stdout, stderr, truncated: false };
  },
} as unknown as Remote;

const hasCurl = spawnSync('curl', ['--version']).status === 0;
const askers: [string, Partial<Probe>][] = [
  ['this machine', {}],
  ...(hasCurl ? [['a host', { from: 'web-1' }] as [string, Partial<Probe>]] : []),
];

let folder: string;
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gate-'));
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  server = undefined;
  rmSync(folder, { recursive: true });
});

async function serve(
  listener: RequestListener,
  place: object = { host: '127.0.0.1', port: 0 },
): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(place, resolve));
  const address = server.address();
  return typeof address === 'string' ? 'http://app' : `http://127.0.0.1:${(address as AddressInfo).port}`;
}

const quick = { intervalMs: 5, timeoutMs: 5_000, remote: thisMachine };
/** Ends with the first failure: a time limit that is short enough for a test is too short for a busy machine. */
const once: Partial<GateOptions> = { giveUp: async () => 'that will do' };
const pass = (probe: HttpProbe, more: Partial<GateOptions> = {}) =>
  gate({ probes: [probe], ...quick, ...more });

describe.each(askers)('gate, asking from %s', (_who, from) => {
  it('follows redirects as far as it is told to, and takes no header to another host', async () => {
    const seen: string[] = [];
    const url = await serve((request, answer) => {
      seen.push(
        `${request.headers.host?.split(':')[0] ?? ''} ${request.url} ${String(request.headers['x-key'] ?? '-')}`,
      );
      const port = request.headers.host?.split(':')[1];
      if (request.url === '/a') answer.writeHead(302, { Location: '/b' }).end('to b');
      else if (request.url === '/b') answer.writeHead(301, { Location: `http://localhost:${port}/c` }).end();
      else answer.end('there');
    });
    const probe: HttpProbe = {
      ...(from as object),
      kind: 'http',
      url: `${url}/a`,
      body: 'there',
      redirects: 2,
    };
    expect((await pass(probe, { successes: 1 })).reason).toContain('1 of 1 consecutive 200');
    expect(seen).toEqual(['127.0.0.1 /a -', '127.0.0.1 /b -', 'localhost /c -']);
    const { passed, reason } = await pass({ ...probe, redirects: 1 }, { ...once, successes: 1 });
    expect({ passed, reason }).toMatchObject({ passed: false, reason: expect.stringContaining('last: ') });
  });

  it('stays until it has held', async () => {
    let asked = 0;
    const url = await serve((_request, answer) => {
      asked += 1;
      answer.writeHead(asked === 2 ? 500 : 200).end();
    });
    const probe: HttpProbe = { ...(from as object), kind: 'http', url };
    const verdict = await pass(probe, { successes: 1, holdMs: 60 });
    expect(verdict).toMatchObject({ passed: true });
    expect(verdict.reason).toMatch(/, held for 60 ms$/);
    expect(asked).toBeGreaterThanOrEqual(4);
  });

  it('passes what answers with the right release', async () => {
    const url = await serve((request, answer) => {
      answer.setHeader('X-Seen', request.headers.authorization ?? '');
      answer.end(request.url === '/version' ? 'r2\n' : 'ok');
    });
    const probe: HttpProbe = {
      kind: 'http',
      url: `${url}/healthz`,
      headers: { authorization: `Basic "a\\b"` },
      answerHeaders: { 'X-Seen': `Basic "a\\b"` },
      body: 'ok',
      release: { id: 'r2', path: '/version' },
      ...(from as object),
    };
    const verdict = await pass(probe);
    expect(verdict.reason).toMatch(
      /^3 of 3 consecutive 200 from http:\/\/127\.0\.0\.1:\d+\/healthz.* in \d+ ms$/,
    );
    expect(verdict).toMatchObject({ passed: true, tries: 3 });
    const other = await pass({ ...probe, release: { id: 'r3', path: '/version' } }, once);
    expect(other.passed).toBe(false);
    expect(other.reason).toContain('of release "r2", not of r3');
  });

  it('counts consecutive successes only', async () => {
    const statuses = [200, 200, 500, 200, 200, 200];
    const url = await serve((_request, answer) => {
      answer.statusCode = statuses.shift() ?? 404;
      answer.end();
    });
    const verdict = await pass({ kind: 'http', url, ...(from as object) });
    expect(verdict).toMatchObject({ passed: true, tries: 6 });
  });

  it('asks through a unix socket', async () => {
    const socket = join(folder, 'app.sock');
    await serve((request, answer) => answer.end(request.url), { path: socket });
    const verdict = await pass({
      kind: 'http',
      url: 'http://app/a?b=c',
      socket,
      body: '/a?b=c',
      ...(from as object),
    });
    expect(verdict.reason).toContain(`${socket} /a?b=c`);
    expect(verdict.passed).toBe(true);
  });

  it('says that nobody listens', async () => {
    const probe: HttpProbe = {
      kind: 'http',
      url: 'http://app/',
      socket: join(folder, 'none'),
      ...(from as object),
    };
    const verdict = await pass(probe, { timeoutMs: 50 });
    expect(verdict.reason).toMatch(
      /^no success in .* \(\d+ tr(y|ies)\); last: .*none \/.*: .*(ENOENT|nobody accepts)/,
    );
  });

  it('does not wait for an answer that does not come', async () => {
    const url = await serve(() => undefined);
    const verdict = await pass(
      { kind: 'http', url, ...(from as object) },
      { perTryTimeoutMs: 60, timeoutMs: 80 },
    );
    expect(verdict.reason).toContain('no answer in 60 ms');
  });

  it('reads no more than the beginning of a long answer', async () => {
    const url = await serve((_request, answer) => {
      answer.write('ok');
      const more = (): void => {
        while (!answer.destroyed && answer.write('x'.repeat(65_536)));
        answer.once('drain', more);
      };
      more();
    });
    const verdict = await pass({ kind: 'http', url, body: 'ok', ...(from as object) }, { successes: 1 });
    expect(verdict.passed).toBe(true);
  });

  it('opens a TCP connection', async () => {
    const listener = createTcpServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    const probe = { kind: 'tcp', address: '127.0.0.1', port, ...(from as object) } as const;
    const open = await gate({ probes: [probe], ...quick });
    await new Promise<void>((resolve) => listener.close(() => resolve()));
    const closed = await gate({ probes: [probe], ...quick, timeoutMs: 50 });
    expect(open.reason).toMatch(/^3 of 3 consecutive open from 127\.0\.0\.1 port/);
    expect(closed.reason).toMatch(/refused/i);
  });
});

describe('gate', () => {
  it('wants all probes to succeed at once', async () => {
    const url = await serve((request, answer) => {
      answer.statusCode = request.url === '/bad' ? 503 : 200;
      answer.end();
    });
    const probes: Probe[] = ['/good', '/bad'].map((path) => ({ kind: 'http', url: `${url}${path}` }));
    const verdict = await gate({ probes, ...quick, ...once });
    expect(verdict.passed).toBe(false);
    expect(verdict.evidence.map(({ ok }) => ok)).toEqual([true, false]);
    expect(verdict.reason).toContain('/bad: 503');
  });

  it('gives up when told why', async () => {
    const url = await serve((_request, answer) => answer.writeHead(502).end());
    const verdict = await pass({ kind: 'http', url }, { giveUp: async () => 'the unit failed' });
    expect(verdict).toMatchObject({ passed: false, tries: 1 });
    expect(verdict.reason).toContain('; the unit failed; last:');
  });

  it('ends when cancelled', async () => {
    const cancel = new AbortController();
    const url = await serve(() => cancel.abort());
    const verdict = await pass({ kind: 'http', url }, { signal: cancel.signal });
    expect(verdict.reason).toMatch(/^no success in .*; cancelled$/);
  });

  it('takes a host that cannot be asked for a failure', async () => {
    const remote = {
      script: async () => Promise.reject(new Error('web-1: connection lost')),
    } as unknown as Remote;
    const verdict = await pass({ kind: 'http', url: 'http://a/', from: 'web-1' }, { remote, timeoutMs: 30 });
    expect(verdict.reason).toContain('web-1: connection lost');
  });
});
