import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Remote, RunOptions } from '@perlstack/remote';
import { parseStack, UserError } from '@perlstack/stack';
import { acquire, type Lease } from './lease.js';
import { type Site, siteOf, type Timings } from './site.js';

const { stack } = parseStack('stack: shop\nregion: us-ord\napp: {}\n', 'perlstack.yml');
const host = (name: string) => ({
  name,
  tier: name.split('-')[0] ?? '',
  publicAddress: null,
  privateAddress: '10.0.0.1',
  ssh: { address: '10.0.0.1', port: 22, user: 'deploy', hostKeys: [], via: null },
  memoryMiB: null,
  vcpus: null,
  diskMiB: null,
  placement: null,
  linodeId: null,
});
const inventory = { stack: 'shop', hosts: ['app-2', 'app-1', 'web-1'].map(host) };

let folder: string;
let lock: string;
let held: Lease[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lease-'));
  lock = join(folder, 'deploy.lock');
  held = [];
});
afterEach(async () => {
  for (const lease of held) await lease.release();
  rmSync(folder, { recursive: true });
});

/** The scripts run on this machine, with the folder of the test in place of the host's. */
function site(timings: Partial<Timings> = {}): Site {
  const script = async (on: string, body: string, args: readonly string[] = [], options: RunOptions = {}) => {
    expect(on).toBe('app-1');
    const here = body.replace('state=/var/lib/perlstack/shop', `state=${folder}`);
    const child = spawn('sh', ['-c', here, 'lock', ...args]);
    child.stdin.on('error', () => undefined).end(options.input);
    const closed = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    if (!(options.okCodes ?? [0]).includes(code)) throw new Error(`exit code ${code}: ${stderr}`);
    return { code, stdout, stderr, truncated: false };
  };
  return siteOf(stack, inventory, { script } as unknown as Remote, timings);
}

async function take(id: string, timings?: Partial<Timings>): Promise<Lease> {
  const lease = await acquire(site(timings), { id, url: `https://ci.example/${id}` }, 'r2');
  held.push(lease);
  return lease;
}

/** As if its owner had been silent for so long. */
const age = (seconds: number): void => utimesSync(lock, new Date(), Date.now() / 1_000 - seconds);

describe('the deploy lock', () => {
  it('is taken on the first app host by name, and freed', async () => {
    const lease = await take('run-1');
    expect(lease).toMatchObject({ found: 'free', remark: undefined });
    expect(JSON.parse(readFileSync(lock, 'utf8'))).toMatchObject({ owner: 'run-1', release: 'r2' });
    await lease.release();
    expect(existsSync(lock)).toBe(false);
  });

  it('tells for how long nobody had held it', async () => {
    const untouched = (seconds: number): void => {
      const then = Date.now() / 1_000 - seconds;
      utimesSync(folder, then, then);
    };
    // Whoever asks first of all makes a file of the folder's.
    await (await take('run-1')).release();
    untouched(100);
    const lease = await take('run-2');
    expect(lease.untouchedMs).toBeGreaterThanOrEqual(99_000);
    untouched(100);
    expect(await take('run-2')).toMatchObject({ found: 'ours', untouchedMs: 0 });
    untouched(100);
    await lease.release();
    expect((await take('run-3')).untouchedMs).toBeLessThan(99_000);
    age(65);
    untouched(100);
    expect(await take('run-4')).toMatchObject({ found: 'abandoned', untouchedMs: 0 });
  });

  it('is refused to another, who is told who holds it', async () => {
    await take('run-1');
    const refused = take('run-2');
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(
      /is under way: run-1 \(https:\/\/ci\.example\/run-1\), deploying r2 since 20\S+Z holds the lock on app-1, last sign of life \d+ s ago/,
    );
    // An id that only begins alike is another owner.
    await expect(take('run-12')).rejects.toThrow(UserError);
    await expect(take('run')).rejects.toThrow(UserError);
  });

  it('is had by one of many who ask at once', async () => {
    const asked = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((id) => take(id)));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('is taken again at once by another attempt of its owner', async () => {
    await take('run-1');
    expect(await take('run-1')).toMatchObject({ found: 'ours' });
  });

  it('is taken over when its owner has been silent, not before', async () => {
    await take('run-1');
    age(55);
    await expect(take('run-2')).rejects.toThrow(/last sign of life 5\d s ago/);
    age(65);
    const lease = await take('run-2');
    expect(lease.found).toBe('abandoned');
    expect(lease.remark).toMatch(/^the lock of run-1 .* silent for 6\d s, was taken over$/);
  });

  it('is somebody else’s when nobody can read it', async () => {
    writeFileSync(lock, 'not ours');
    await expect(take('run-1')).rejects.toThrow(/\? deploying|under way: \?/);
  });

  it('is kept alive while it is held', async () => {
    await take('run-1', { heartbeatMs: 10 });
    const old = Date.now() / 1_000 - 1_000;
    utimesSync(lock, old, old);
    while (statSync(lock).mtimeMs / 1_000 < old + 1) await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(take('run-2')).rejects.toThrow(/last sign of life \d s ago/);
  });

  it('is lost when another has it, whose lock then stays', async () => {
    const lease = await take('run-1', { heartbeatMs: 10 });
    writeFileSync(lock, '{"owner":"run-2","release":"r3"}');
    await new Promise((resolve) => lease.lost.addEventListener('abort', resolve, { once: true }));
    expect(String(lease.lost.reason)).toMatch(/was lost: another deploy took it over/);
    await lease.release();
    expect(existsSync(lock)).toBe(true);
  });

  it('is lost when its host cannot be reached for long, before others may take it', async () => {
    const lease = await take('run-1', { heartbeatMs: 10, leaseMs: 60 });
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'no folder any more');
    await new Promise((resolve) => lease.lost.addEventListener('abort', resolve, { once: true }));
    held = [];
    expect(String(lease.lost.reason)).toMatch(/the deploy lock on app-1 was lost: exit code/);
  });
});
