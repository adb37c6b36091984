import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  DEBIAN_13_EXAMPLE,
  exampleHost,
  FULL_EXAMPLE,
  SMALL_EXAMPLE,
  UBUNTU_EXAMPLE,
  type Example,
} from './examples.js';
import { render } from './render.js';
import { certificateFor } from './tls.testkit.js';

// What the services' own programs say to the rendered files. nginx needs root: it runs with the files mounted over
// /etc/nginx, in namespaces of its own, where the hosts' addresses exist.
const answers = (...argv: string[]) => spawnSync(argv[0] ?? '', argv.slice(1)).status === 0;
const withNginx =
  process.getuid?.() === 0 &&
  answers('unshare', '--mount', '--net', 'nginx', '-v') &&
  answers('openssl', 'version');
const withSystemd = answers('systemd-analyze', '--version') && answers('test', '-x', '/usr/bin/starman');

const MANY: Example = {
  stack: SMALL_EXAMPLE.stack,
  inventory: {
    stack: 'shop',
    hosts: [
      exampleHost('web-1', '10.9.0.1'),
      ...Array.from({ length: 250 }, (_, at) => exampleHost(`app-${at}`, `10.10.1.${at}`)),
    ],
  },
  secrets: {},
};
/**
 * nginx looks up its group, so a group that every Debian has stands in for the application's own; and it reads the
 * certificate.
 */
const asGames = (example: Example): Example => ({
  ...example,
  ...(example.tls ? { tls: certificateFor(example.stack.app.domains, 1) } : {}),
  stack: { ...example.stack, app: { ...example.stack.app, name: 'games' } },
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'configs-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Writes the files of one host's service below the test's folder. */
async function stage(example: Example, host: string, service: string): Promise<void> {
  const { hosts } = render(example.stack, example.inventory, example);
  const rendered = hosts.find((entry) => entry.host === host)?.services.find(({ name }) => name === service);
  for (const file of rendered?.files ?? []) {
    await mkdir(path.dirname(path.join(folder, file.path)), { recursive: true });
    await writeFile(path.join(folder, file.path), file.content);
  }
}

const NGINX_TEST = `
set -e
ip link set lo up
ip address add "$2" dev lo
cp /etc/nginx/mime.types "$1/etc/nginx/"
mount --bind "$1/etc/nginx" /etc/nginx
mount -t tmpfs none /run
mount -t tmpfs none /var/log/nginx
exec nginx -t -q
`;

function testNginx(address: string): { status: number | null; stderr: string } {
  const argv = ['--mount', '--net', 'sh', '-c', NGINX_TEST, 'nginx-test', folder, address];
  const { status, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' });
  return { status, stderr };
}

(withNginx ? describe : describe.skip)('nginx (needs nginx, unshare and root)', () => {
  it.each<[string, Example, string, string]>([
    ['a small web host', SMALL_EXAMPLE, 'web-1', '10.10.0.2/24'],
    ['a small app host', SMALL_EXAMPLE, 'app-1', '10.10.1.2/24'],
    ['a web host with all settings', FULL_EXAMPLE, 'web-2', '10.10.0.3/24'],
    ['an app host with an IPv6 address', FULL_EXAMPLE, 'app-2', 'fd00::12/64'],
    ['a web host with 250 app hosts', MANY, 'web-1', '10.9.0.1/24'],
    ['an app host of Ubuntu', UBUNTU_EXAMPLE, 'app-1', '10.10.1.2/24'],
  ])('accepts %s', async (_what, example, host, address) => {
    await stage(asGames(example), host, 'nginx');
    expect(testNginx(address)).toEqual({ status: 0, stderr: '' });
  });

  it('knows "http2 on" where the platform says so', async () => {
    await stage(asGames(DEBIAN_13_EXAMPLE), 'web-1', 'nginx');
    const { status, stderr } = testNginx('10.10.0.2/24');
    const known = spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr;
    const [, minor = 0] = (/nginx\/([\d.]+)/.exec(known)?.[1] ?? '').split('.').map(Number);
    if (minor > 25) expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    else expect(stderr).toContain('unknown directive "http2"');
  });

  it('is really asked', async () => {
    await stage(asGames(SMALL_EXAMPLE), 'web-1', 'nginx');
    await writeFile(path.join(folder, 'etc/nginx/conf.d/games.conf'), 'upstream a { server; }\n');
    const { status, stderr } = testNginx('10.10.0.2/24');
    expect(status).not.toBe(0);
    expect(stderr).toContain('/etc/nginx/conf.d/games.conf:1');
  });
});

(withSystemd ? describe : describe.skip)('systemd (needs systemd-analyze and starman)', () => {
  const verify = (unit: string) =>
    spawnSync('systemd-analyze', ['verify', path.join(folder, 'etc/systemd/system', unit)], {
      encoding: 'utf8',
    });

  it.each<[string, Example, string]>([
    ['small', SMALL_EXAMPLE, 'shop@.service'],
    ['full', FULL_EXAMPLE, 'web-shop@.service'],
    ['Debian 13', DEBIAN_13_EXAMPLE, 'shop@.service'],
  ])('accepts the unit of the %s stack', async (_what, example, unit) => {
    await stage(example, 'app-1', 'starman');
    const { status, stderr } = verify(unit);
    expect({ status, about: stderr.split('\n').filter((line) => line.includes(unit)) }).toEqual({
      status: 0,
      about: [],
    });
  });

  it('is really asked', async () => {
    await mkdir(path.join(folder, 'etc/systemd/system'), { recursive: true });
    await writeFile(path.join(folder, 'etc/systemd/system/x@.service'), '[Service]\nExecStart=relative\n');
    expect(verify('x@.service').status).not.toBe(0);
  });
});
