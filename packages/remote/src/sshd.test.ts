import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dial, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Host } from '@perlstack/stack';
import { connect } from './connect.js';
import { fingerprint, generateKeyPair } from './keys.js';
import type { Remote } from './remote.js';
import { alive, testHost } from './testing.js';

// A machine under load takes its time; nothing here is judged by the clock.
jest.setTimeout(60_000);

const SSHD = '/usr/sbin/sshd';
const installed = existsSync(SSHD);

(installed ? describe : describe.skip)(
  `OpenSSH's server${installed ? '' : ` (skipped: ${SSHD} is missing; the Debian package openssh-server has it)`}`,
  () => {
    const user = generateKeyPair('user');
    const hostKey = generateKeyPair('host');
    const remotes: Remote[] = [];
    let folder: string;
    let port: number;
    let sshd: ChildProcess;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'sshd-'));
      port = await freePort();
      sshd = startSshd(folder, port, hostKey.privateKey, user.publicKey);
      await answers(port, sshd);
    });

    afterEach(async () => {
      await Promise.all(remotes.splice(0).map((remote) => remote.close()));
    });

    afterAll(() => {
      sshd.kill();
      rmSync(folder, { recursive: true });
    });

    const host = (name: string, overrides: Partial<Host['ssh']> = {}): Host =>
      testHost(name, {
        address: '127.0.0.1',
        port,
        user: userInfo().username,
        hostKeys: [fingerprint(hostKey.publicKey)],
        ...overrides,
      });

    /** Gives a port that leads to the server, and the sockets of those who come by it. */
    async function relayed(use: (relay: number, pairs: readonly Socket[]) => Promise<void>): Promise<void> {
      const pairs: Socket[] = [];
      const relay = createServer({ allowHalfOpen: true }, (near) => {
        const far = dial(port, '127.0.0.1');
        for (const socket of [near, far]) pairs.push(socket.on('error', () => undefined));
        near.pipe(far).pipe(near);
      });
      relay.listen(0, '127.0.0.1');
      await once(relay, 'listening');
      try {
        await use((relay.address() as AddressInfo).port, pairs);
      } finally {
        pairs.forEach((socket) => socket.destroy());
        relay.close();
      }
    }

    const open = (hosts: Host[], privateKey = user.privateKey): Remote => {
      const remote = connect({ stack: 'test', hosts }, { privateKey });
      remotes.push(remote);
      return remote;
    };

    /** Has it read its configuration anew, with a line more. */
    const reload = async (more: string): Promise<void> => {
      const config = join(folder, 'config');
      const [before = ''] = readFileSync(config, 'utf8').split('# more\n');
      writeFileSync(config, `${before}# more\n${more}\n`);
      sshd.kill('SIGHUP');
      await sleep(300);
      await answers(port, sshd);
    };

    const expectGroupToEnd = async (remote: Remote): Promise<void> => {
      const abort = new AbortController();
      const pids: number[] = [];
      const onLine = (line: string): void => {
        pids.push(...line.split(' ').map(Number));
        abort.abort();
      };
      const script = 'sleep 600 & echo $! $$; wait';
      await expect(remote.script('web-1', script, [], { signal: abort.signal, onLine })).rejects.toThrow(
        'cancelled',
      );
      while (pids.some(alive)) await sleep(5);
      expect(pids).toHaveLength(2);
    };

    it('runs commands with nasty words', async () => {
      const words = ['', "it's", '$HOME `id`', 'a\nb', '*', '"', '\\', '!', '~'];
      const { stdout } = await open([host('web-1')]).run('web-1', ['printf', '%s\\0', ...words]);
      expect(stdout.split('\0').slice(0, -1)).toEqual(words);
    });

    it('runs 30 commands over one connection, which allows 10 at a time', async () => {
      const remote = open([host('web-1')]);
      const results = await Promise.all(
        Array.from({ length: 30 }, (_, i) => remote.script('web-1', 'sleep 0.05; echo $1', [String(i)])),
      );
      expect(results.map((result) => Number(result.stdout))).toEqual(Array.from({ length: 30 }, (_, i) => i));
      expect(remote.counters()).toEqual({ connections: 1, retries: 0, commands: 30 });
    });

    it('connects 25 times where more than 10 handshakes at once would be dropped', async () => {
      const names = Array.from({ length: 25 }, (_, i) => `web-${i}`);
      const remote = open(names.map((name) => host(name)));
      await Promise.all(names.map((name) => remote.run(name, ['true'])));
      expect(remote.counters().connections).toBe(25);
    });

    it('uploads a large binary file', async () => {
      const content = randomBytes(20_000_000);
      const path = join(folder, 'large');
      const { username, gid } = userInfo();
      const target = { path, mode: 0o600, owner: username, group: String(gid) };
      await open([host('web-1')]).upload('web-1', target, content);
      const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
      expect(hash(readFileSync(path))).toBe(hash(content));
    });

    it('ends the process group of a cancelled command', async () => {
      await expectGroupToEnd(open([host('web-1')]));
    });

    it('gives a command to a shell that waits for one, with all of its input', async () => {
      const remote = open([host('web-1')]);
      await remote.run('web-1', ['true']);
      await sleep(1_100);
      const input = randomBytes(300_000);
      const script = 'ps -o etimes= -p $$; sha256sum; exit 3';
      const options = { input, okCodes: [3] };
      const [age, hash] = (await remote.script('web-1', script, [], options)).stdout.split('\n');
      // It was there before it was told anything.
      expect(Number(age)).toBeGreaterThanOrEqual(1);
      expect(hash?.split(' ')[0]).toBe(createHash('sha256').update(input).digest('hex'));
    });

    it('ends the process group of a command that a waiting shell became', async () => {
      const remote = open([host('web-1')]);
      await remote.run('web-1', ['true']);
      await sleep(200);
      await expectGroupToEnd(remote);
    });

    it.each([1, 2])('gets along with a server that allows %d sessions a connection', async (sessions) => {
      await reload(`MaxSessions ${sessions}`);
      const remote = open([host('web-1')]);
      await remote.run('web-1', ['true']);
      const numbers = Array.from({ length: 2 * sessions }, (_, i) => String(i));
      for (const one of numbers) expect((await remote.run('web-1', ['echo', one])).stdout).toBe(`${one}\n`);
      const both = numbers.slice(0, 2).map((one) => remote.run('web-1', ['echo', one]));
      expect((await Promise.all(both)).map(({ stdout }) => stdout.trim())).toEqual(numbers.slice(0, 2));
      await reload('');
    });

    it('does not wait for the farewell of a host that says nothing any more', async () => {
      await relayed(async (relay, pairs) => {
        const remote = open([host('web-1', { port: relay })]);
        await remote.run('web-1', ['true']);
        pairs.forEach((socket) => socket.unpipe().pause());
        await remote.close();
        expect(remote.counters().connections).toBe(1);
      });
    });

    it('connects anew to a host that broke off with its jump host, which goes on', async () => {
      await relayed(async (relay, pairs) => {
        const remote = open([host('web-1'), host('app-1', { via: 'web-1', port: relay })]);
        await remote.run('app-1', ['true']);
        // What a jump host sees of a machine that was started again.
        pairs.forEach((socket) => socket.resetAndDestroy());
        await sleep(1_000);
        expect((await remote.run('app-1', ['echo', 'back'])).stdout).toBe('back\n');
        expect(remote.counters().connections).toBe(3);
      });
    });

    it('goes through a jump host and verifies both keys', async () => {
      const stranger = [fingerprint(generateKeyPair().publicKey)];
      const hops = (first: Partial<Host['ssh']>, second: Partial<Host['ssh']>): Remote =>
        open([host('web-1', first), host('app-1', { via: 'web-1', ...second })]);
      expect((await hops({}, {}).run('app-1', ['echo', 'in'])).stdout).toBe('in\n');
      const offered = `offered ssh-ed25519 ${fingerprint(hostKey.publicKey)}`;
      await expect(hops({ hostKeys: stranger }, {}).run('app-1', ['true'])).rejects.toThrow(offered);
      await expect(hops({}, { hostKeys: stranger }).run('app-1', ['true'])).rejects.toThrow(
        /^app-1 .* offered/,
      );
    });

    it('is let in anew beside the connections in use, on every hop', async () => {
      const remote = open([host('web-1'), host('app-1', { via: 'web-1' })]);
      await remote.run('app-1', ['true']);
      expect(remote.counters().connections).toBe(2);
      await remote.reach('app-1');
      expect(remote.counters()).toMatchObject({ connections: 4, commands: 1 });
      await remote.run('app-1', ['true']);
      expect(remote.counters().connections).toBe(4);
    });

    it('notices that nobody is let in any more, while the old connection goes on', async () => {
      const remote = open([host('web-1')]);
      await remote.run('web-1', ['true']);
      const keys = join(folder, 'authorized_keys');
      const before = readFileSync(keys);
      writeFileSync(keys, '');
      await expect(remote.reach('web-1')).rejects.toThrow('the SSH key does not fit: web-1');
      await remote.run('web-1', ['true']);
      writeFileSync(keys, before);
      await remote.reach('web-1');
    });

    it('notices that a jump host is none any more', async () => {
      const hosts = [host('web-1'), host('app-1', { via: 'web-1' })];
      const alone = open(hosts.slice(0, 1));
      const remote = open(hosts);
      await remote.reach('web-1');
      await reload('AllowTcpForwarding no');
      await alone.reach('web-1');
      await expect(remote.reach('web-1')).rejects.toThrow(/app-1.*web-1 says: forwarding is prohibited/);
      await reload('');
      await remote.reach('web-1');
    });

    it('says that a key does not fit', async () => {
      const remote = open([host('web-1')], generateKeyPair().privateKey);
      await expect(remote.run('web-1', ['true'])).rejects.toThrow('the SSH key does not fit: web-1');
    });

    it('says that nobody listens', async () => {
      const remote = open([host('web-1', { port: await freePort() })]);
      await expect(remote.run('web-1', ['true'])).rejects.toThrow('connection refused');
    });
  },
);

function startSshd(folder: string, port: number, hostKey: string, authorized: string): ChildProcess {
  // The folder of its unprivileged half, which the service's own start makes.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const config = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${write('host_key', hostKey)}`,
    `AuthorizedKeysFile ${write('authorized_keys', `${authorized}\n`)}`,
    `PidFile ${join(folder, 'pid')}`,
    'LogLevel QUIET',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
  ];
  return spawn(SSHD, ['-D', '-e', '-f', write('config', `${config.join('\n')}\n`)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(port: number, sshd: ChildProcess): Promise<void> {
  while (sshd.exitCode === null) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = dial(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (up) return;
    await sleep(20);
  }
  throw new Error(`sshd ended with exit code ${sshd.exitCode}`);
}
