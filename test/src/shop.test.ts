import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import { type HostsSite, openHosts } from './hosts-site.js';
import { packShop, type Fault } from './shop.js';

// The first run builds the image.
jest.setTimeout(300_000);

const run = promisify(execFile);
const hasStarman = spawnSync('starman', ['--version']).error === undefined;
const hasMojolicious = spawnSync('perl', ['-MMojolicious::Lite', '-e', '0']).status === 0;
const whereItRuns = hasStarman && hasMojolicious ? describe : describe.skip;
const FOLDER = path.dirname(new URL('../apps/shop/app.psgi', import.meta.url).pathname);

let home: string;
beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'shop-test-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const digestOf = async (file: string) =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

describe('packShop', () => {
  it('gives the same bytes for the same release, and others for another fault', async () => {
    const first = await digestOf(await packShop({ release: 'r1', directory: home }));
    expect(await digestOf(await packShop({ release: 'r1', directory: home }))).toBe(first);
    expect(await digestOf(await packShop({ release: 'r1', fault: 'hang', directory: home }))).not.toBe(first);
  });

  it('packs what runs and nothing else, readable for all and owned by root', async () => {
    const archive = await packShop({ release: 'r1', directory: home });
    const { stdout } = await run('tar', ['--list', '--verbose', '--numeric-owner', '--file', archive]);
    const lines = stdout.trim().split('\n');
    const names = lines.map((line) => line.split(/\s+/).at(-1));
    expect(names).toEqual(expect.arrayContaining(['app.psgi', 'lib/Shop/Orders.pm', 'public/assets/r1.css']));
    expect(names.filter((name) => name?.startsWith('t/') || name?.startsWith('.'))).toEqual([]);
    expect(lines.filter((line) => !/^(-rw-r--r--|drwxr-xr-x) 0\/0 /.test(line))).toEqual([]);
  });
});

interface Answer {
  status: number;
  body: string;
}

function ask(socketPath: string, method: string, url: string, json?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath, method, path: url, headers: { 'content-type': 'application/json' } },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.on('error', reject).end(json === undefined ? undefined : JSON.stringify(json));
  });
}

/** A release under Starman, started the way its unit starts it, on a socket of its own. */
class Running {
  readonly socket: string;
  readonly journal: string;
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;

  constructor(folder: string, release: string) {
    this.socket = `${folder}.sock`;
    this.journal = `${folder}.orders`;
    const options = ['--listen', this.socket, '--workers', '4', '--disable-keepalive', '--preload-app'];
    this.process = spawn('starman', [...options, '-I', `${folder}/lib`, `${folder}/app.psgi`], {
      env: { ...process.env, RELEASE: release, ORDERS_LOG: this.journal },
      stdio: 'ignore',
    });
    this.ended = once(this.process, 'exit');
  }

  async answers(): Promise<void> {
    for (;;) {
      if (this.process.exitCode !== null) throw new Error(`starman ended with ${this.process.exitCode}`);
      const answer = await ask(this.socket, 'GET', '/version').catch(() => null);
      if (answer?.status === 200) return;
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    this.process.kill('SIGQUIT');
    await this.ended;
  }
}

async function unpack(release: string, fault: Fault): Promise<string> {
  const folder = path.join(home, `${release}-${fault}`, 'releases', release);
  await mkdir(folder, { recursive: true });
  const archive = await packShop({ release, fault, directory: home });
  await run('tar', ['--extract', '--file', archive, '--directory', folder]);
  return folder;
}

whereItRuns('the packed application under Starman (needs starman and libmojolicious-perl)', () => {
  it('answers, and finishes the work in flight when it is told to quit', async () => {
    const shop = new Running(await unpack('r1', 'none'), 'r1');
    await shop.answers();
    expect(await ask(shop.socket, 'GET', '/healthz')).toEqual({
      status: 200,
      body: '{"release":"r1","status":"ok"}',
    });
    expect((await ask(shop.socket, 'GET', '/')).body).toContain('/assets/r1.css');
    const slow = ask(shop.socket, 'POST', '/orders?ms=600', { id: 'slow' });
    await sleep(200);
    await shop.stop();
    expect((await slow).status).toBe(201);
    expect(await readFile(shop.journal, 'utf8')).toBe('slow\n');
  });

  it('writes one line for each of many orders at once', async () => {
    const shop = new Running(await unpack('r2', 'none'), 'r2');
    await shop.answers();
    const ids = Array.from({ length: 200 }, (_, at) => `order-${at}`);
    const answers = await Promise.all(ids.map((id) => ask(shop.socket, 'POST', '/orders', { id })));
    expect(answers.filter(({ status }) => status !== 201)).toEqual([]);
    expect((await readFile(shop.journal, 'utf8')).trim().split('\n').sort()).toEqual(ids.sort());
    await shop.stop();
  });

  it.each<Fault>(['broken-syntax', 'dies'])('ends by itself when it is made to be %s', async (fault) => {
    const shop = new Running(await unpack('r3', fault), 'r3');
    await expect(shop.answers()).rejects.toThrow('starman ended');
  });
});

(hasMojolicious ? it : it.skip)('passes its own Perl tests (needs libmojolicious-perl)', async () => {
  const { stdout } = await run('prove', ['-l', 't'], { cwd: FOLDER });
  expect(stdout).toContain('Result: PASS');
});

const obstacle = await whyNoHosts();

(obstacle === null ? describe : describe.skip)(
  `its Perl tests on a host${obstacle === null ? '' : ` (${obstacle})`}`,
  () => {
    const ONE_HOST =
      'stack: shop\nregion: us-ord\nimage: IMAGE\napp: {}\ntiers: { web: { count: 1 }, app: { count: 1 } }\n';
    const PACKAGES =
      'libdbd-pg-perl libmojolicious-perl libredis-perl perl postgresql redis-server redis-sentinel redis-tools';
    let site: HostsSite | undefined;
    afterEach(() => site?.close());

    it.each(['linode/debian13', 'linode/debian12'])(
      'pass with the PostgreSQL and Redis of %s',
      async (image) => {
        site = await openHosts(ONE_HOST.replace('IMAGE', image));
        const { stdout: archive } = await run('tar', ['-cz', '-C', FOLDER, '.'], { encoding: 'buffer' });
        await site.remote.run('web-1', ['tar', '-xz', '--one-top-level=/tmp/shop'], { input: archive });
        await site.ask(
          'web-1',
          `apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends ${PACKAGES}`,
        );
        const output = await site.ask('web-1', 'cd /tmp/shop && prove -l t 2>&1');
        expect(output).toMatch(/t\/stores\.t \.+ ok[^]*Result: PASS/);
      },
    );
  },
);
