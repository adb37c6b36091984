import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Remote, RunOptions } from '@perlstack/remote';
import { gate, type GateOptions } from './gate.js';
import type { Check } from './group.js';
import { BODY_LIMIT, type HttpProbe, type Probe, type TlsProbe } from './probe.js';

/** Scripts run on this machine, as they would on a host. */
const thisMachine = {
  async script(_host: string, script: string, args: readonly string[] = [], options = {}) {
    const { input = '', signal, onLine } = options as RunOptions;
    const child = spawn('sh', ['-c', script, 'probe', ...args], { signal });
    child.on('error', () => undefined);
    Readable.from([input]).pipe(child.stdin);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    stdout.split('\n').forEach((line) => onLine?.(line, 'stdout'));
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
  it('waits once before it asks, and its time begins after that', async () => {
    let asked: number | undefined;
    const url = await serve((_, answer) => {
      asked ??= performance.now();
      answer.end();
    });
    const start = performance.now();
    const probe = { kind: 'http', url, ...from } as HttpProbe;
    const { passed, tries } = await pass(probe, { delayMs: 4_000, timeoutMs: 3_900, successes: 1 });
    expect({ passed, tries }).toMatchObject({ passed: true, tries: 1 });
    expect((asked ?? 0) - start).toBeGreaterThanOrEqual(3_990);
  });

  it('follows redirects as far as it is told to, and takes no header and no login to another origin', async () => {
    const seen: string[] = [];
    const url = await serve((request, answer) => {
      const { host = '', authorization = '-', 'x-key': key = '-' } = request.headers;
      const [name = '', port = ''] = host.split(':');
      seen.push(`${name} ${request.url} ${String(key)} ${authorization}`);
      const next: Record<string, string> = {
        '/a': '/b',
        '/b': `http://127.0.0.1:${port}/c`,
        '/c': `http://localhost:${port}/d`,
        // Back at home, what went away does not come back.
        '/d': `http://127.0.0.1:${port}/e`,
      };
      const to = next[request.url ?? ''];
      if (to === undefined) answer.end('there');
      else answer.writeHead(302, { Location: to }).end('away');
    });
    const { port } = new URL(url);
    const probe: HttpProbe = {
      ...(from as object),
      ...{ kind: 'http', url: `http://me:s3cret@127.0.0.1:${port}/a`, headers: { 'X-Key': 'k' } },
      ...{ body: 'there', redirects: 4, location: '/e' },
    };
    const open = await pass(probe, { ...once, successes: 1 });
    expect(open.reason).toMatch(
      /1 of 1 consecutive 200 after 4 redirects to http:\/\/127.0.0.1:\d+\/e from /,
    );
    const basic = `Basic ${Buffer.from('me:s3cret').toString('base64')}`;
    expect(seen).toEqual([
      `127.0.0.1 /a k ${basic}`,
      `127.0.0.1 /b k ${basic}`,
      `127.0.0.1 /c k ${basic}`,
      'localhost /d - -',
      '127.0.0.1 /e - -',
    ]);
    const bounded = await pass({ ...probe, redirects: 3 }, { ...once, successes: 1 });
    expect(bounded.reason).toMatch(
      /: 302 after 3 redirects to \S+\/d in \d+ ms, leading to \S+\/e, and no more are followed, body "away"$/,
    );
    expect(JSON.stringify([open, bounded])).not.toContain('s3cret');
  });

  it.each([
    [{ location: 'https://shop.example/new?a=1' }, true, /consecutive 302 from/],
    [{ location: '/new' }, false, /leading to https:\/\/shop.example\/new\?a=1, not to http:\S+\/new$/],
    [{ location: 'https://shop.example/new?a=1', status: [301] }, false, /: 302 in \d+ ms, leading to/],
  ])('wants a redirect: %j', async (more, passed, reason) => {
    const url = await serve((_request, answer) =>
      answer.writeHead(302, { Location: 'https://shop.example/new?a=1' }).end(),
    );
    const probe: HttpProbe = { ...(from as object), kind: 'http', url, ...more };
    const verdict = await pass(probe, { ...once, successes: 1 });
    expect(verdict.passed).toBe(passed);
    expect(verdict.reason).toMatch(reason);
  });

  it('goes by no redirect to what is not HTTP', async () => {
    const url = await serve((_request, answer) =>
      answer.writeHead(302, { Location: 'file:///etc/hostname' }).end(),
    );
    const verdict = await pass({ ...(from as object), kind: 'http', url, redirects: 5 }, once);
    expect(verdict.reason).toMatch(/: 302 in \d+ ms, leading to file:\/\/\/etc\/hostname, empty body$/);
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

  const itOnHost = 'from' in from ? it : it.skip;
  itOnHost('has a host go on by itself until somebody listens', async () => {
    const socket = join(folder, 'app.sock');
    let commands = 0;
    const script: Remote['script'] = (...call) => {
      commands += 1;
      return thisMachine.script(...call);
    };
    const late = setTimeout(() => void serve((_request, answer) => answer.end(), { path: socket }), 400);
    const probe: HttpProbe = { kind: 'http', url: 'http://app/', socket, ...(from as object) };
    const verdict = await pass(probe, { remote: { ...thisMachine, script } });
    clearTimeout(late);
    expect(verdict.passed).toBe(true);
    const failures = verdict.tries - 3;
    expect(failures).toBeGreaterThan(1);
    expect(commands).toBeLessThan(failures);
  });

  it('says that nobody listens', async () => {
    const probe: HttpProbe = {
      kind: 'http',
      url: 'http://app/',
      socket: join(folder, 'none'),
      ...(from as object),
    };
    const verdict = await pass(probe, once);
    expect(verdict.reason).toMatch(
      /^no success in .* \(\d+ tr(y|ies)\); that will do; last: .*none \/.*: .*(ENOENT|nobody accepts)/,
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

  it('reads JSON of up to 1 MiB, and says when there is more', async () => {
    const document = (bytes: number): string => {
      const [head, tail] = ['{"filling":"', '","state":"up"}'];
      return `${head}${'x'.repeat(bytes - head.length - tail.length)}${tail}`;
    };
    const url = await serve((request, answer) =>
      answer.end(document(request.url === '/fits' ? BODY_LIMIT : BODY_LIMIT + 1)),
    );
    const json = { pointer: '/state', equals: 'up' };
    const probe = (path: string): HttpProbe => ({
      ...(from as object),
      kind: 'http',
      url: `${url}${path}`,
      json,
    });
    expect(await pass(probe('/fits'))).toMatchObject({ passed: true, tries: 3 });
    const { passed, reason } = await pass(probe('/more'), once);
    expect(passed).toBe(false);
    expect(reason).toMatch(/: 200 in \d+ ms, a body of more than 1 MiB: ask for less of it$/);
    const text = await pass({ ...(from as object), kind: 'http', url: `${url}/more`, body: '"up"}' }, once);
    expect(text.reason).toMatch(/without ""up"}" in the first 1 MiB, body "{"filling/);
  });

  it('opens a TCP connection', async () => {
    const listener = createTcpServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    const probe = { kind: 'tcp', address: '127.0.0.1', port, ...(from as object) } as const;
    const open = await gate({ probes: [probe], ...quick });
    await new Promise<void>((resolve) => listener.close(() => resolve()));
    const closed = await gate({ probes: [probe], ...quick, ...once });
    expect(open.reason).toMatch(/^3 of 3 consecutive open from 127\.0\.0\.1 port/);
    expect(closed.reason).toMatch(/refused/i);
  });
});

/** Two authorities, and certificates by the first: for this machine's address, for another name, and one that has ended. */
function certify(): void {
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  for (const name of ['ca', 'other'])
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
      '-days',
      '9',
      '-subj',
      `/CN=${name}`,
    );
  const leaf = (name: string, alternative: string, days: string): void => {
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${alternative}\n`);
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`];
    openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.crt`, '-days', days);
  };
  leaf('good', 'IP:127.0.0.1', '5');
  leaf('foreign', 'DNS:elsewhere.example', '5');
  leaf('ended', 'IP:127.0.0.1', '-1');
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

(hasOpenssl ? describe : describe.skip).each(askers)(
  'an authority of one’s own, asked from %s',
  (_who, from) => {
    const file = (name: string): string => readFileSync(join(folder, name), 'utf8');
    beforeEach(certify);

    const serveTls = async (name: string): Promise<number> => {
      server = createTlsServer({ key: file(`${name}.key`), cert: file(`${name}.crt`) }, (_request, answer) =>
        answer.end('ok'),
      );
      await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
      return (server.address() as AddressInfo).port;
    };
    const probes = (port: number, ca?: string): (HttpProbe | TlsProbe)[] => {
      const common = { ...(from as object), ...(ca === undefined ? {} : { ca: file(ca) }) };
      return [
        { ...common, kind: 'http', url: `https://127.0.0.1:${port}/` },
        { ...common, kind: 'tls', address: '127.0.0.1', port, days: 3 },
      ];
    };

    it('is believed where it is named', async () => {
      const port = await serveTls('good');
      const verdict = await gate({ probes: probes(port, 'ca.crt'), ...quick, ...once });
      expect(verdict).toMatchObject({ passed: true, evidence: [{ ok: true }, { ok: true }] });
    });

    it.each<[string, string, string | undefined, RegExp]>([
      ['none is named', 'good', undefined, /self.signed|unable.to.(get|verify)/i],
      ['another is named', 'good', 'other.crt', /self.signed|unable.to.(get|verify)/i],
      [
        'the name is another',
        'foreign',
        'ca.crt',
        /does(?: not|n't) match|no alternative|mismatch|not in the cert/i,
      ],
      ['the certificate has ended', 'ended', 'ca.crt', /expired/i],
    ])('does not help where %s', async (_what, certificate, ca, complaint) => {
      const port = await serveTls(certificate);
      const { passed, evidence } = await gate({ probes: probes(port, ca), ...quick, ...once });
      expect(passed).toBe(false);
      for (const { ok, seen } of evidence) {
        expect(ok).toBe(false);
        expect(seen).toMatch(complaint);
      }
    });
  },
);

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

  it('makes no more tries than it may', async () => {
    const url = await serve((_request, answer) => answer.writeHead(502).end());
    const verdict = await pass({ kind: 'http', url }, { maxTries: 2 });
    expect(verdict).toMatchObject({ passed: false, tries: 2 });
    expect(verdict.reason).toContain('; no more than 2 tries are made; last:');
  });

  it('asks the members of a group at once, and holds the whole', async () => {
    let asked = 0;
    const url = await serve((request, answer) => {
      asked += 1;
      answer.writeHead(request.url === '/bad' ? 503 : 200).end();
    });
    const one = (path: string): HttpProbe => ({ kind: 'http', url: `${url}${path}` });
    const group: Check = { kind: 'group', name: 'pair', need: 'any', of: [one('/bad'), one('/good')] };
    const verdict = await gate({ probes: [one('/x'), group], ...quick, successes: 2, holdMs: 20 });
    expect(verdict).toMatchObject({
      passed: true,
      tree: [
        { ok: true, from: 'runner' },
        { group: 'pair', ok: true, members: [{ ok: false }, { ok: true }] },
      ],
    });
    expect(asked).toBe(3 * verdict.tries);
    const all = await gate({ probes: [one('/x'), { ...group, need: 'all' }], ...quick, ...once });
    expect(all.reason).toMatch(/; last: pair \(1 of 2 probes, needed 2\): \S+\/bad: 503/);
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
