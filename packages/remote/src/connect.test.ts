import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Host, UserError } from '@perlstack/stack';
import { connect } from './connect.js';
import { ConnectError, RemoteError } from './errors.js';
import { fingerprint, generateKeyPair } from './keys.js';
import type { Remote, RemoteOptions } from './remote.js';
import { alive, startServer, type TestServer, type TestServerOptions, testHost } from './testing.js';

// A machine under load takes its time; nothing here is judged by the clock.
jest.setTimeout(60_000);

const user = generateKeyPair('user');
const stranger = fingerprint(generateKeyPair().publicKey);
const servers: TestServer[] = [];
const remotes: Remote[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'remote-'));
});

afterEach(async () => {
  await Promise.all(remotes.splice(0).map((remote) => remote.close()));
  await Promise.all(servers.splice(0).map((server) => server.close()));
  rmSync(folder, { recursive: true });
});

async function server(options: Partial<TestServerOptions> = {}): Promise<TestServer> {
  const started = await startServer({ authorized: user.publicKey, ...options });
  servers.push(started);
  return started;
}

function open(hosts: Host[], options?: RemoteOptions, privateKey = user.privateKey): Remote {
  const remote = connect({ stack: 'test', hosts }, { privateKey }, options);
  remotes.push(remote);
  return remote;
}

async function failure<T>(promise: Promise<T>): Promise<Error> {
  return promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: Error) => error,
  );
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

describe('run', () => {
  it('gives code and both outputs, as they are', async () => {
    const remote = open([(await server()).host('web-1')]);
    const result = await remote.run('web-1', ['sh', '-c', 'echo " out"; echo err >&2; exit 3'], {
      okCodes: [0, 3],
    });
    expect(result).toEqual({ code: 3, stdout: ' out\n', stderr: 'err\n', truncated: false });
  });

  it('hands over arguments that a shell would take for something else', async () => {
    const remote = open([(await server()).host('web-1')]);
    const words = ['', "it's", '$HOME `id`', 'a\nb', '*', '"', '\\'];
    const { stdout } = await remote.run('web-1', ['printf', '%s\\0', ...words]);
    expect(stdout.split('\0').slice(0, -1)).toEqual(words);
  });

  it('fails with host, program, code and the last lines of what it said, and without its arguments', async () => {
    const remote = open([(await server()).host('web-1')]);
    const error = await failure(remote.run('web-1', ['ls', '/does/not/exist', '/nor/this']));
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ host: 'web-1', command: 'ls', reason: 'exit', code: 2 });
    expect(error.message).toMatch(
      /^web-1: ls ended with exit code 2: ls: .*\/does\/not\/exist.* \| ls: .*\/nor\/this/,
    );
  });

  it('names a script as it was called', async () => {
    const remote = open([(await server()).host('web-1')]);
    const error = await failure(remote.script('web-1', 'exit $1', ['4'], { name: 'observing' }));
    expect(error.message).toBe('web-1: observing ended with exit code 4');
  });

  it('says which signal ended a program', async () => {
    const remote = open([(await server()).host('web-1')]);
    const error = await failure(remote.script('web-1', 'kill -SEGV $$'));
    expect(error).toMatchObject({ reason: 'signal', code: null });
    expect(error.message).toContain('SEGV');
  });

  it('reads nothing from an absent input', async () => {
    const remote = open([(await server()).host('web-1')]);
    expect((await remote.run('web-1', ['cat'])).stdout).toBe('');
  });

  it('passes 20 MB through a program unchanged, from a buffer and from a stream', async () => {
    const remote = open([(await server()).host('web-1')]);
    const data = randomBytes(20_000_000);
    const expected = `${createHash('sha256').update(data).digest('hex')}  -\n`;
    expect((await remote.run('web-1', ['sha256sum'], { input: data })).stdout).toBe(expected);
    expect((await remote.run('web-1', ['sha256sum'], { input: Readable.from([data]) })).stdout).toBe(
      expected,
    );
  });

  it('takes a program that leaves its input unread', async () => {
    const remote = open([(await server()).host('web-1')]);
    const input = Readable.from([randomBytes(5_000_000), randomBytes(5_000_000)]);
    expect((await remote.run('web-1', ['echo', 'enough'], { input })).stdout).toBe('enough\n');
  });

  it('stops the program when the input fails, and says what failed', async () => {
    const remote = open([(await server()).host('web-1')]);
    const input = Readable.from(
      (async function* () {
        yield 'first';
        await sleep(1);
        throw new Error('the disk of the runner is gone');
      })(),
    );
    const error = await failure(
      remote.script('web-1', 'cat; touch "$1"', [join(folder, 'after')], { input }),
    );
    expect(error.message).toBe('the disk of the runner is gone');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('gives lines as they come, with characters whole and the last one without a newline', async () => {
    const remote = open([(await server()).host('web-1')]);
    const lines: string[] = [];
    const script = `printf 'a\\303'; sleep 0.05; printf '\\244b\\r\\nlast'; echo oops >&2`;
    await remote.script('web-1', script, [], { onLine: (line, stream) => lines.push(`${stream}:${line}`) });
    expect(lines.sort()).toEqual(['stderr:oops', 'stdout:aäb', 'stdout:last']);
  });

  it('gives a line before the program has ended', async () => {
    const remote = open([(await server()).host('web-1')]);
    const gate = join(folder, 'gate');
    const script = 'echo ready; until [ -e "$1" ]; do sleep 0.01; done; echo over';
    const onLine = (line: string): void => {
      if (line === 'ready') writeFileSync(gate, '');
    };
    expect((await remote.script('web-1', script, [gate], { onLine })).stdout).toBe('ready\nover\n');
  });

  it('keeps the end of an output that is too long, and says so', async () => {
    const remote = open([(await server()).host('web-1')], { maxOutputBytes: 1000 });
    const { stdout, truncated } = await remote.run('web-1', ['seq', '100000']);
    expect(stdout).toHaveLength(1000);
    expect(stdout.endsWith('99999\n100000\n')).toBe(true);
    expect(truncated).toBe(true);
  });

  it('runs 30 commands side by side over one connection, 8 at a time', async () => {
    const web = await server({ maxSessions: 8 });
    const remote = open([web.host('web-1')]);
    const runs = Array.from({ length: 30 }, (_, i) =>
      remote.script('web-1', 'sleep 0.02; echo $1', [String(i)]),
    );
    const results = await Promise.all(runs);
    expect(results.map((result) => Number(result.stdout))).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(remote.counters()).toEqual({ connections: 1, retries: 0, commands: 30 });
    expect(web.seen.connections).toBe(1);
  });

  it('waits for a free channel where a server allows only a few', async () => {
    const remote = open([(await server({ maxSessions: 3 })).host('web-1')]);
    const runs = Array.from({ length: 8 }, () => remote.run('web-1', ['true']));
    await expect(Promise.all(runs)).resolves.toHaveLength(8);
  });

  it('refuses a command line that no shell would take', async () => {
    const remote = open([(await server()).host('web-1')]);
    await expect(remote.run('web-1', ['echo', 'x'.repeat(130_000)])).rejects.toThrow(
      'pass data on standard input',
    );
  });

  it('refuses a host that the inventory does not have', async () => {
    const remote = open([(await server()).host('web-1')]);
    await expect(remote.run('web-2', ['true'])).rejects.toThrow(
      '"web-2" is no host of this inventory: web-1',
    );
  });
});

describe('stopping', () => {
  const GROUP = 'sleep 600 & echo $! $$; wait';

  async function started(
    remote: Remote,
    options: { signal?: AbortSignal; timeoutMs?: number },
    script = GROUP,
  ) {
    const seen: number[] = [];
    const onLine = (line: string): number => seen.push(...line.split(' ').map(Number));
    const run = failure(remote.script('web-1', script, [], { ...options, onLine, name: 'waiting' }));
    await until(() => seen.length > 1);
    return { run, pids: seen };
  }

  it('ends the whole process group on a cancel', async () => {
    const remote = open([(await server()).host('web-1')]);
    const abort = new AbortController();
    const { run, pids } = await started(remote, { signal: abort.signal });
    expect(pids.map(alive)).toEqual([true, true]);
    abort.abort();
    expect(await run).toMatchObject({ reason: 'cancelled', message: 'web-1: waiting was cancelled' });
    await until(() => !pids.some(alive));
  });

  it('ends it at its time limit', async () => {
    const remote = open([(await server()).host('web-1')]);
    const { run, pids } = await started(remote, { timeoutMs: 2000 });
    expect(await run).toMatchObject({ reason: 'timeout' });
    expect((await run).message).toBe('web-1: waiting did not finish within 2 s and was stopped');
    await until(() => !pids.some(alive));
  });

  it('kills what ignores the request', async () => {
    const remote = open([(await server()).host('web-1')]);
    const abort = new AbortController();
    const { run, pids } = await started(
      remote,
      { signal: abort.signal },
      `trap '' TERM; echo $$ $$; while :; do sleep 0.1; done`,
    );
    abort.abort();
    expect(await run).toMatchObject({ reason: 'cancelled' });
    await until(() => !pids.some(alive));
  });

  it('does not start what was cancelled before', async () => {
    const remote = open([(await server()).host('web-1')]);
    const marker = join(folder, 'ran');
    const error = await failure(remote.run('web-1', ['touch', marker], { signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ reason: 'cancelled' });
    expect(existsSync(marker)).toBe(false);
    expect(remote.counters().connections).toBe(0);
  });

  it('does not wait for a connection that is still being made', async () => {
    const remote = open([testHost('web-1', { address: '127.0.0.1', port: 1, hostKeys: [stranger] })], {
      waitMs: 60_000,
    });
    const abort = new AbortController();
    const run = failure(remote.run('web-1', ['true'], { signal: abort.signal }));
    await until(() => remote.counters().retries > 0);
    abort.abort();
    expect(await run).toMatchObject({ reason: 'cancelled' });
  });

  it('leaves the connection usable', async () => {
    const remote = open([(await server()).host('web-1')]);
    await failure(remote.run('web-1', ['sleep', '60'], { timeoutMs: 50 }));
    expect((await remote.run('web-1', ['echo', 'still here'])).stdout).toBe('still here\n');
    expect(remote.counters().connections).toBe(1);
  });
});

describe('an output that goes somewhere', () => {
  const CAT = 'cat "$1"';

  it('is handed on byte by byte, however long it is', async () => {
    const remote = open([(await server()).host('web-1')], { maxOutputBytes: 1_000 });
    const content = Buffer.concat([Buffer.from([0, 255, 10, 13, 10]), randomBytes(3_000_000)]);
    writeFileSync(join(folder, 'file'), content);
    const output = new PassThrough();
    const [result, found] = await Promise.all([
      remote.script('web-1', CAT, [join(folder, 'file')], { output }),
      buffer(output),
    ]);
    expect(found.equals(content)).toBe(true);
    expect(result).toMatchObject({ code: 0, stdout: '', truncated: false });
  });

  it('ends with the program, which fails all the same', async () => {
    const remote = open([(await server()).host('web-1')]);
    const output = new PassThrough();
    const run = failure(remote.script('web-1', 'echo half; exit 3', [], { output }));
    expect(String(await buffer(output))).toBe('half\n');
    expect(await run).toMatchObject({ reason: 'exit', code: 3 });
  });

  it('that is closed early does not keep the program from ending', async () => {
    const remote = open([(await server()).host('web-1')]);
    writeFileSync(join(folder, 'file'), randomBytes(8_000_000));
    const output = new PassThrough();
    output.once('data', () => output.destroy());
    expect(await remote.script('web-1', CAT, [join(folder, 'file')], { output })).toMatchObject({ code: 0 });
  });

  it('that nobody reads does not keep a cancelled program from ending', async () => {
    const remote = open([(await server()).host('web-1')]);
    writeFileSync(join(folder, 'file'), randomBytes(8_000_000));
    const output = new PassThrough();
    const abort = new AbortController();
    const run = failure(
      remote.script('web-1', CAT, [join(folder, 'file')], { output, signal: abort.signal }),
    );
    await until(() => output.readableLength > 0);
    output.destroy();
    abort.abort();
    expect(await run).toMatchObject({ reason: 'cancelled' });
  });
});

describe('upload', () => {
  const { username } = userInfo();
  const owner = username;
  const group = String(process.getgid?.());

  it('puts a binary file in place with its mode', async () => {
    const remote = open([(await server()).host('web-1')]);
    const path = join(folder, "it's a file");
    const content = Buffer.concat([Buffer.from([0, 255, 10, 13, 10]), randomBytes(3_000_000)]);
    await remote.upload('web-1', { path, mode: 0o640, owner, group }, content);
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(statSync(path).mode & 0o7777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(["it's a file"]);
  });

  it('takes a stream, and an empty content', async () => {
    const remote = open([(await server()).host('web-1')]);
    const content = randomBytes(3_000_000);
    const path = join(folder, 'file');
    await remote.upload('web-1', { path, mode: 0o600, owner, group }, Readable.from([content]));
    expect(readFileSync(path).equals(content)).toBe(true);
    await remote.upload('web-1', { path, mode: 0o600, owner, group }, Buffer.alloc(0));
    expect(readFileSync(path)).toHaveLength(0);
  });

  it('replaces a link by the file and leaves what it pointed to', async () => {
    const remote = open([(await server()).host('web-1')]);
    writeFileSync(join(folder, 'real'), 'old');
    symlinkSync('real', join(folder, 'link'));
    await remote.upload(
      'web-1',
      { path: join(folder, 'link'), mode: 0o600, owner, group },
      Buffer.from('new'),
    );
    expect(readFileSync(join(folder, 'real'), 'utf8')).toBe('old');
    expect(readFileSync(join(folder, 'link'), 'utf8')).toBe('new');
  });

  it('leaves the old file when the content fails in the middle', async () => {
    const remote = open([(await server()).host('web-1')]);
    const path = join(folder, 'file');
    writeFileSync(path, 'old');
    const content = Readable.from(
      (async function* () {
        yield randomBytes(100_000);
        await sleep(1);
        throw new Error('torn');
      })(),
    );
    await expect(remote.upload('web-1', { path, mode: 0o600, owner, group }, content)).rejects.toThrow(
      'torn',
    );
    expect(readFileSync(path, 'utf8')).toBe('old');
    await until(() => readdirSync(folder).length === 1);
  });

  it('leaves the old file when the connection breaks in the middle', async () => {
    const web = await server();
    const remote = open([web.host('web-1')]);
    const path = join(folder, 'file');
    writeFileSync(path, 'old');
    const content = new Readable({ read: () => undefined });
    const upload = failure(remote.upload('web-1', { path, mode: 0o600, owner, group }, content));
    content.push('the first half');
    await until(() => readdirSync(folder).length > 1);
    web.cut();
    expect(await upload).toMatchObject({ reason: 'lost' });
    await until(() => readdirSync(folder).length === 1);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('fails where the folder is missing', async () => {
    const remote = open([(await server()).host('web-1')]);
    const target = { path: join(folder, 'none', 'file'), mode: 0o600, owner, group };
    await expect(remote.upload('web-1', target, Buffer.from('x'))).rejects.toThrow(
      /upload of .* exit code 1/,
    );
  });
});

describe('connecting', () => {
  it('opens nothing before it is needed', async () => {
    const web = await server();
    const remote = open([web.host('web-1')]);
    await remote.close();
    expect(web.seen.connections).toBe(0);
  });

  it('stops at a wrong host key before it logs in, naming both keys', async () => {
    const web = await server();
    const remote = open([web.host('web-1', { hostKeys: [stranger] })], { waitMs: 60_000 });
    const error = await failure(remote.run('web-1', ['true']));
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ host: 'web-1', reason: 'wrong-host-key' });
    expect(error.message).toContain(`offered ssh-ed25519 ${fingerprint(web.hostKey.publicKey)}`);
    expect(error.message).toContain(`accepts only ${stranger}`);
    expect(remote.counters()).toEqual({ connections: 0, retries: 0, commands: 0 });
  });

  it('accepts any of several host keys', async () => {
    const web = await server();
    const remote = open([web.host('web-1', { hostKeys: [stranger, fingerprint(web.hostKey.publicKey)] })]);
    await expect(remote.run('web-1', ['true'])).resolves.toMatchObject({ code: 0 });
  });

  it('says that the SSH key does not fit, naming it by its fingerprint', async () => {
    const other = generateKeyPair();
    const remote = open([(await server()).host('web-1')], {}, other.privateKey);
    const error = await failure(remote.run('web-1', ['true']));
    expect(error).toBeInstanceOf(ConnectError);
    expect(error).toMatchObject({ reason: 'refused' });
    expect(error.message).toMatch(/^the SSH key does not fit: web-1/);
    expect(error.message).toContain(fingerprint(other.publicKey));
  });

  it('says that a host cannot be reached', async () => {
    const web = await server();
    const gone = web.host('web-1');
    await web.close();
    const error = await failure(open([gone]).run('web-1', ['true']));
    expect(error).toMatchObject({ reason: 'unreachable' });
    expect(error.message).toMatch(/^web-1 \(127\.0\.0\.1 port \d+\) cannot be reached: connection refused\./);
  });

  it('refuses a key that is none before any connection', async () => {
    const web = await server();
    expect(() => open([web.host('web-1')], {}, 'not a key')).toThrow(UserError);
    expect(web.seen.connections).toBe(0);
  });

  it('tries again when the server closes before its banner', async () => {
    const messages: string[] = [];
    const remote = open([(await server({ dropFirst: 3 })).host('web-1')], {
      onRetry: (text) => messages.push(text),
    });
    await remote.run('web-1', ['true']);
    expect(remote.counters()).toMatchObject({ connections: 1, retries: 3 });
    expect(messages[0]).toMatch(/^web-1: .*, trying again$/);
  });

  it('waits for a host that boots, when it is told to', async () => {
    const first = await server();
    const { port } = first;
    await first.close();
    const host = testHost('web-1', { address: '127.0.0.1', port, hostKeys: [stranger] });
    const messages: string[] = [];
    const remote = open([host], { waitMs: 60_000, onRetry: (text) => messages.push(text) });
    const run = failure(remote.run('web-1', ['true']));
    await until(() => messages.length > 0);
    expect(messages[0]).toBe('web-1: connection refused, trying again');
    await remote.close();
    expect(await run).toMatchObject({ reason: 'unreachable' });
  });

  it('makes at most 8 handshakes at once', async () => {
    const web = await server({ loginMs: 20 });
    const names = Array.from({ length: 20 }, (_, i) => `web-${i}`);
    const remote = open(names.map((name) => web.host(name)));
    await Promise.all(names.map((name) => remote.run(name, ['true'])));
    expect(remote.counters().connections).toBe(20);
    expect(web.seen.mostHandshaking).toBe(8);
  });

  it('opens a lost connection again', async () => {
    const web = await server();
    const remote = open([web.host('web-1')]);
    await remote.run('web-1', ['true']);
    web.cut();
    await expect(remote.run('web-1', ['echo', 'again'])).rejects.toMatchObject({ reason: 'lost' });
    expect((await remote.run('web-1', ['echo', 'again'])).stdout).toBe('again\n');
    expect(remote.counters().connections).toBe(2);
  });

  it('does not say how a command ended whose connection was lost', async () => {
    const web = await server();
    const remote = open([web.host('web-1')]);
    const onLine = (): void => web.cut();
    const error = await failure(remote.script('web-1', 'echo x; sleep 0.5', [], { onLine }));
    expect(error).toMatchObject({ reason: 'lost', code: null });
    expect(error.message).toContain('whether it finished is not known');
  });

  it('does nothing more once it is closed', async () => {
    const remote = open([(await server()).host('web-1')]);
    await remote.run('web-1', ['true']);
    await remote.close();
    await expect(remote.run('web-1', ['true'])).rejects.toThrow('closed');
  });
});

describe('jump hosts', () => {
  async function behind(overrides: { web?: Partial<Host['ssh']>; app?: Partial<Host['ssh']> } = {}) {
    const web = await server();
    const apps = [await server(), await server()];
    const hosts = [
      web.host('web-1', overrides.web),
      ...apps.map((app, i) => app.host(`app-${i + 1}`, { via: 'web-1', ...overrides.app })),
    ];
    return { web, apps, remote: open(hosts) };
  }

  it('reaches private hosts through one connection to the jump host', async () => {
    const { web, apps, remote } = await behind();
    const runs = ['app-1', 'app-2', 'web-1', 'app-1'].map((host) => remote.run(host, ['echo', host]));
    expect((await Promise.all(runs)).map((result) => result.stdout)).toEqual([
      'app-1\n',
      'app-2\n',
      'web-1\n',
      'app-1\n',
    ]);
    expect(web.seen.connections).toBe(1);
    expect(apps.map((app) => app.seen.connections)).toEqual([1, 1]);
    expect(remote.counters().connections).toBe(3);
  });

  it('carries much data', async () => {
    const { remote } = await behind();
    const input = randomBytes(5_000_000);
    const { stdout } = await remote.run('app-1', ['sha256sum'], { input });
    expect(stdout).toContain(createHash('sha256').update(input).digest('hex'));
  });

  it('verifies the key of the jump host', async () => {
    const { apps, remote } = await behind({ web: { hostKeys: [stranger] } });
    const error = await failure(remote.run('app-1', ['true']));
    expect(error).toMatchObject({ host: 'web-1', reason: 'wrong-host-key' });
    expect(apps[0]?.seen.connections).toBe(0);
  });

  it('verifies the key of the host behind it', async () => {
    const { remote } = await behind({ app: { hostKeys: [stranger] } });
    const error = await failure(remote.run('app-1', ['true']));
    expect(error).toMatchObject({ host: 'app-1', reason: 'wrong-host-key' });
    expect(error.message).toMatch(/^app-1 \(127\.0\.0\.1 port \d+ through web-1\) shows the wrong host key/);
  });

  it('says so when the jump host cannot reach it', async () => {
    const { apps, remote } = await behind();
    await apps[0]?.close();
    const error = await failure(remote.run('app-1', ['true']));
    expect(error).toMatchObject({ host: 'app-1', reason: 'unreachable' });
  });

  it('comes back when the jump host was lost', async () => {
    const { web, remote } = await behind();
    await remote.run('app-1', ['true']);
    web.cut();
    await failure(remote.run('app-1', ['true']));
    expect((await remote.run('app-1', ['echo', 'back'])).stdout).toBe('back\n');
  });

  it('goes through another one of its tier when the jump host is gone', async () => {
    const [dead, web, app] = [await server(), await server(), await server()];
    const hosts = [dead.host('web-1'), web.host('web-2'), app.host('app-1', { via: 'web-1' })];
    const remote = open(hosts);
    await remote.run('app-1', ['true']);
    await dead.close();
    dead.cut();
    await failure(remote.run('app-1', ['true']));
    expect((await remote.run('app-1', ['echo', 'round'])).stdout).toBe('round\n');
    expect(web.seen.connections).toBe(1);
  });

  it('goes through no other one when the jump host shows a wrong key', async () => {
    const [false1, web, app] = [await server(), await server(), await server()];
    const hosts = [
      false1.host('web-1', { hostKeys: [stranger] }),
      web.host('web-2'),
      app.host('app-1', { via: 'web-1' }),
    ];
    const error = await failure(open(hosts).run('app-1', ['true']));
    expect(error).toMatchObject({ host: 'web-1', reason: 'wrong-host-key' });
    expect(web.seen.connections).toBe(0);
  });

  it.each([
    ['an unknown one', 'nowhere', 'web-1.ssh.via names "nowhere"'],
    ['a circle', 'web-1', 'web-1 → web-1'],
  ])('refuses %s at once', (_, via, message) => {
    const host = testHost('web-1', { address: '127.0.0.1', hostKeys: [stranger], via });
    expect(() => open([host])).toThrow(message);
  });
});
