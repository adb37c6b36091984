import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appLayout } from '@perlstack/configs';
import { MODULES } from './modules.js';
import { type AuditEntry, entryOf, lineOf, mergeAudits, requireNewest } from './audit.js';
import { DRAIN, hostScript, OBSERVE_WEB, PACK, RECENT, SET_SERVER, UNPACK, UPLOAD } from './scripts.js';
import type { Site } from './site.js';

const SITE = `upstream shop_app {
    zone shop_app 512k;
    # server 10.0.0.1:5000;
    server 10.0.0.1:5000 max_fails=10 fail_timeout=3s;
    server 10.0.0.11:5000 max_fails=10 fail_timeout=3s;
    server [2001:db8::1]:5000;
}
server {
    server_name _;
}
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nginx-'));
  mkdirSync(join(folder, 'conf.d'));
  writeFileSync(join(folder, 'conf.d/shop.conf'), SITE);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs a script with this folder for /etc/nginx, and an nginx that accepts or refuses what it is shown. */
function run(script: string, args: readonly string[], nginx = 'true') {
  const here = script.replaceAll('/etc/nginx', folder);
  const stubs = `set -eu\nnginx() { ${nginx}; }\nsystemctl() { echo "systemctl $*" >&2; }\n`;
  const { status, stdout, stderr } = spawnSync('sh', ['-c', stubs + here, 'test', ...args], {
    encoding: 'utf8',
  });
  return { status, stdout: stdout.trim(), stderr: stderr.trim() };
}
const down = () => run(OBSERVE_WEB, []).stdout;
const site = () => readFileSync(join(folder, 'conf.d/shop.conf'), 'utf8');

describe('taking a server out of an upstream', () => {
  it.each(['10.0.0.1:5000', '10.0.0.11:5000', '[2001:db8::1]:5000'])(
    '%s, and no other, and putting it back',
    (address) => {
      expect(run(SET_SERVER, ['down', address])).toEqual({
        status: 0,
        stdout: '1',
        stderr: 'systemctl reload nginx',
      });
      expect(down()).toBe(address);
      expect(run(SET_SERVER, ['up', address]).stdout).toBe('1');
      expect(down()).toBe('');
      expect(site()).toBe(SITE);
      expect(readdirSync(join(folder, 'conf.d'))).toEqual(['shop.conf']);
    },
  );

  it('that is out already changes and reloads nothing', () => {
    run(SET_SERVER, ['down', '10.0.0.1:5000']);
    const before = site();
    expect(run(SET_SERVER, ['down', '10.0.0.1:5000'])).toEqual({ status: 0, stdout: '0', stderr: '' });
    expect(site()).toBe(before);
  });

  it('is put back when nginx does not accept it', () => {
    expect(run(SET_SERVER, ['down', '10.0.0.1:5000'], 'return 1').status).toBe(68);
    expect(site()).toBe(SITE);
  });

  it('that no upstream names is an error', () => {
    expect(run(SET_SERVER, ['down', '10.0.0.2:5000'])).toMatchObject({
      status: 69,
      stderr: 'no upstream of nginx names 10.0.0.2:5000',
    });
  });
});

describe('the log of deploys, as a look at a host has it', () => {
  const run = (number: number, workflow: string) => ({ id: `o/r/${workflow}/${number}`, workflow, number });
  const entry = (release: string, number: number, workflow: string): AuditEntry =>
    entryOf(run(number, workflow), { event: 'succeeded', kind: 'deploy', release, previous: null });

  function recent(entries: readonly AuditEntry[]): AuditEntry[] {
    if (entries.length > 0) writeFileSync(join(folder, 'audit.log'), entries.map(lineOf).join(''));
    const { stdout } = spawnSync('sh', ['-c', `set -eu\nstate=${folder}\n${RECENT}\nrecent`], {
      encoding: 'utf8',
    });
    return mergeAudits([stdout.split('\n').filter(Boolean)]);
  }

  it('keeps the newest run of each workflow, however often others deployed since', () => {
    const others = Array.from({ length: 20 }, (_, at) => entry(`h${at}`, at, 'hotfix.yml'));
    const before = [
      entry('r8', 8, 'deploy.yml'),
      entry('r10', 10, 'deploy.yml'),
      entry('r9', 9, 'deploy.yml'),
    ];
    const found = recent([...before, ...others]);
    expect(found).toHaveLength(12 + 1);
    expect(() => requireNewest(found, run(9, 'deploy.yml'), 'r9', new Set())).toThrow(
      /older than r10, which run #10/,
    );
    expect(() => requireNewest(found, run(11, 'deploy.yml'), 'r11', new Set())).not.toThrow();
  });

  it('is nothing where there is none', () => {
    expect(recent([])).toEqual([]);
  });
});

describe('draining', () => {
  /** How many connections the drain of a release still sees. */
  const left = (release: string): number => {
    const layout = { ...appLayout('shop'), runDirectory: folder };
    const script = hostScript({ layout } as Site, DRAIN);
    return Number(spawnSync('sh', ['-c', script, 'test', '0', '', release], { encoding: 'utf8' }).stdout);
  };

  const listenAt = async (path: string): Promise<Server> => {
    const server = createServer().listen(join(folder, path));
    await once(server, 'listening');
    return server;
  };

  it('counts the connections of all units of a release, accepted or not, and of no other', async () => {
    for (const unit of ['unit2', 'unit3']) mkdirSync(join(folder, unit));
    const paths = ['r1.sock', 'unit2/r1.sock', 'unit3/r1.sock', 'r11.sock', 'unit2/xr1.sock'];
    const servers = await Promise.all(paths.map(listenAt));
    expect(left('r1')).toBe(0);
    // While a script runs, this process accepts nothing: they wait.
    const clients = [0, 0, 1, 3, 4, 4].map((at) => connect(join(folder, paths[at] ?? '')));
    expect(left('r1')).toBe(3);
    await Promise.all(clients.map((client) => once(client, 'connect')));
    await new Promise((resolve) => setImmediate(resolve));
    expect(left('r1')).toBe(3);
    for (const client of clients) client.destroy();
    for (const server of servers) server.close();
  });
});

describe('modules that are fetched', () => {
  it('are told by their size too, whatever lies in the place of the note', () => {
    const home = join(folder, 'home');
    const [content, pack, victim] = [
      join(folder, 'content'),
      join(folder, 'pack.tar'),
      join(folder, 'victim'),
    ];
    mkdirSync(join(home, 'releases/r1'), { recursive: true });
    mkdirSync(join(content, 'lib/perl5'), { recursive: true });
    writeFileSync(join(content, 'lib/perl5/Shop.pm'), 'x'.repeat(100_000));
    writeFileSync(victim, 'as it was');
    symlinkSync(victim, join(content, '.perlstack-bytes'));
    spawnSync('tar', ['-cf', pack, '-C', content, '.']);
    const sha = createHash('sha256').update(readFileSync(pack)).digest('hex');
    const layout = { ...appLayout('shop'), home, releases: join(home, 'releases') };
    const script = hostScript({ layout } as Site, MODULES).replace('tar --extract --zstd', 'tar --extract');
    // Nobody but root can give files away; what a host is asked for over the network lies here.
    const stubs = `chown() { :; }\nsystemctl() { :; }\ncurl() { cp '${pack}' "$part.tar.zst"; }\n`;
    const args = ['r1', 'k1', 'http://10.0.0.1/', sha, '60', 'carton'];
    const { status, stdout, stderr } = spawnSync('sh', ['-c', stubs + script, 'test', ...args], {
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `${sha} fetched\n`, stderr: '' });
    const noted = Number(readFileSync(join(home, 'modules/k1/.perlstack-bytes'), 'utf8'));
    expect(noted).toBeGreaterThanOrEqual(100_000);
    expect(noted).toBeLessThan(150_000);
    expect(readFileSync(victim, 'utf8')).toBe('as it was');
    expect(readlinkSync(join(home, 'releases/r1/local'))).toBe('../../modules/k1');
  });
});

describe('a copy of a release', () => {
  const UNPACKED_AT = 1_700_000_000;
  const MARKS = ['.perlstack-good', '.perlstack-migrated', '.perlstack-sha256'];

  /** As one of two hosts that lie in a folder each. */
  function on(name: string, script: string, args: readonly string[], input?: Buffer) {
    const home = join(folder, name);
    const layout = { ...appLayout('shop'), home, releases: join(home, 'releases') };
    // Nobody but root can give files away.
    const text = `chown() { :; }\n${hostScript({ layout } as Site, script)}`;
    const { status, stdout, stderr } = spawnSync('sh', ['-c', text, 'test', ...args], { input });
    return { status, stdout, stderr: stderr.toString().trim() };
  }
  const sealed = (packed: Buffer): Buffer =>
    Buffer.concat([packed, Buffer.from(createHash('sha256').update(packed).digest('hex'))]);
  const pack = (...has: string[]): Buffer => {
    const { status, stdout, stderr } = on('app-1', PACK, ['r1', ...has]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout;
  };

  beforeEach(() => {
    const release = join(folder, 'app-1/releases/r1');
    mkdirSync(join(release, 'lib'), { recursive: true });
    writeFileSync(join(release, 'lib/Shop.pm'), '1;\n');
    for (const mark of MARKS) writeFileSync(join(release, mark), 'x');
    utimesSync(join(release, '.perlstack-sha256'), UNPACKED_AT, UNPACKED_AT);
    symlinkSync('../../modules/0123456789abcdef', join(release, 'local'));
    mkdirSync(join(folder, 'app-1/modules/0123456789abcdef/lib/perl5'), { recursive: true });
  });

  it('has its marks, its place in the order of releases and its modules', () => {
    expect(on('app-2', UNPACK, ['r1'], sealed(pack()))).toMatchObject({ status: 0, stderr: '' });
    const release = join(folder, 'app-2/releases/r1');
    expect(readdirSync(release).sort()).toEqual([...MARKS, 'lib', 'local']);
    expect(readFileSync(join(release, 'lib/Shop.pm'), 'utf8')).toBe('1;\n');
    expect(statSync(join(release, '.perlstack-sha256')).mtimeMs / 1_000).toBe(UNPACKED_AT);
    expect(readlinkSync(join(release, 'local'))).toBe('../../modules/0123456789abcdef');
    expect(readdirSync(join(release, 'local/lib'))).toEqual(['perl5']);
    expect(readdirSync(join(folder, 'app-2/releases'))).toEqual(['r1']);
  });

  it('brings no modules to where they are', () => {
    on('app-2', UNPACK, ['r1'], sealed(pack('0123456789abcdef', 'k2')));
    expect(readdirSync(join(folder, 'app-2'))).toEqual(['releases']);
  });

  it('is told by its size, which an upload notes, and by the key of its modules', () => {
    const content = join(folder, 'content');
    mkdirSync(content);
    writeFileSync(join(content, 'app.psgi'), 'x'.repeat(100_000));
    const { stdout: artifact } = spawnSync('tar', ['-cz', '-C', content, '.']);
    const sha = createHash('sha256').update(artifact).digest('hex');
    expect(on('app-1', UPLOAD, ['r2', sha], artifact)).toMatchObject({ status: 0, stderr: '' });
    const noted = (host: string): number =>
      Number(readFileSync(join(folder, host, 'releases/r2/.perlstack-bytes'), 'utf8'));
    // A folder takes some too, as much as the file system likes.
    expect(noted('app-1')).toBeGreaterThanOrEqual(100_000);
    expect(noted('app-1')).toBeLessThan(150_000);
    const { stdout } = on('app-1', PACK, ['r2']);
    expect(on('app-2', UNPACK, ['r2'], sealed(stdout))).toMatchObject({ status: 0 });
    expect(noted('app-2')).toBe(noted('app-1'));
    const trees = 'for one in r1 r2; do echo "$one: $(tree_of "$releases/$one")"; done';
    expect(on('app-1', trees, []).stdout.toString()).toBe('r1: 0123456789abcdef\nr2: \n');
  });

  it('that arrives damaged, or in part, leaves nothing', () => {
    const whole = sealed(pack());
    const damaged = Buffer.from(whole);
    damaged[60] = (damaged[60] ?? 0) ^ 1;
    for (const input of [damaged, whole.subarray(0, -70), Buffer.alloc(0)]) {
      expect(on('app-2', UNPACK, ['r1'], input)).toMatchObject({
        status: 65,
        stderr: expect.stringContaining('what came has another SHA-256'),
      });
      expect(readdirSync(join(folder, 'app-2/releases'))).toEqual([]);
    }
  });

  it('that the disk has no room for does not begin', () => {
    const huge = Buffer.concat([Buffer.from(`${2 ** 60}\n`), pack().subarray(5)]);
    expect(on('app-2', UNPACK, ['r1'], sealed(huge))).toMatchObject({
      status: 67,
      stderr: expect.stringMatching(/^\d+ MiB of disk are left, and it needs \d+: make room$/),
    });
    expect(readdirSync(join(folder, 'app-2/releases'))).toEqual([]);
  });

  it('does not take the place of one that is there', () => {
    mkdirSync(join(folder, 'app-2/releases/r1'), { recursive: true });
    expect(on('app-2', UNPACK, ['r1'], sealed(pack()))).toMatchObject({ status: 0 });
    expect(readdirSync(join(folder, 'app-2/releases/r1'))).toEqual([]);
  });
});
