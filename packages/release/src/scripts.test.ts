import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appLayout } from '@perlstack/configs';
import { DRAIN, hostScript, OBSERVE_WEB, SET_SERVER } from './scripts.js';
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
