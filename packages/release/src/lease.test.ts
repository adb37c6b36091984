import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Remote, RunOptions } from '@perlstack/remote';
import { parseStack, UserError } from '@perlstack/stack';
import { noJournal } from '@perlstack/procedure';
import { acquire, clearOthers, type Lease, LockedError } from './lease.js';
import { lockAlone, unlock } from './lock.js';
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
let folder: string;
let lock: string;
let held: Lease[];
/** Hosts that answer nothing: whatever is asked of them hangs. */
let silent: Set<string>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lease-'));
  for (const name of ['app-1', 'app-2']) mkdirSync(join(folder, name));
  lock = lockOn('app-1');
  held = [];
  silent = new Set();
});
const lockOn = (name: string): string => join(folder, name, 'deploy.lock');
afterEach(async () => {
  for (const lease of held) await lease.release();
  rmSync(folder, { recursive: true });
});

/** The scripts run on this machine, with a folder of the test in place of each host's. */
function site(timings: Partial<Timings> = {}, apps = ['app-2', 'app-1']): Site {
  const script = async (on: string, body: string, args: readonly string[] = [], options: RunOptions = {}) => {
    if (silent.has(on)) {
      await new Promise((_resolve, reject) => options.signal?.addEventListener('abort', reject));
    }
    const here = body.replace('state=/var/lib/perlstack/shop', `state=${join(folder, on)}`);
    const child = spawn('sh', ['-c', here, 'lock', ...args]);
    child.stdin.on('error', () => undefined).end(options.input);
    const closed = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    if (!(options.okCodes ?? [0]).includes(code)) throw new Error(`exit code ${code}: ${stderr}`);
    return { code, stdout, stderr, truncated: false };
  };
  const inventory = { stack: 'shop', hosts: [...apps, 'web-1'].map(host) };
  return siteOf(stack, inventory, { script } as unknown as Remote, timings);
}

async function take(id: string, timings?: Partial<Timings>): Promise<Lease> {
  const owner = { id, actor: 'ada', url: `https://ci.example/${id}` };
  const lease = await acquire(site(timings), owner, 'r2');
  held.push(lease);
  return lease;
}

/** As if its owner had been silent for so long. */
const age = (seconds: number): void => utimesSync(lock, new Date(), Date.now() / 1_000 - seconds);

describe('the deploy lock', () => {
  it('is taken on the first app host by name, and freed', async () => {
    const lease = await take('run-1');
    expect(lease).toMatchObject({ found: 'free', remark: undefined });
    expect(JSON.parse(readFileSync(lock, 'utf8'))).toEqual({
      ...{ owner: 'run-1', actor: 'ada', url: 'https://ci.example/run-1', release: 'r2' },
      since: expect.any(String),
    });
    await lease.release();
    expect(existsSync(lock)).toBe(false);
  });

  it('tells for how long nobody had held it', async () => {
    const untouched = (seconds: number): void => {
      const then = Date.now() / 1_000 - seconds;
      utimesSync(join(folder, 'app-1'), then, then);
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
      /is under way: run-1 of ada \(https:\/\/ci\.example\/run-1\), deploying r2 since 20\S+Z holds the lock on app-1, last sign of life \d+ s ago/,
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
    expect(lease.remark).toMatch(/^the lock of run-1 of ada .* silent for 6\d s, was taken over$/);
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

  const lostOf = (lease: Lease): Promise<unknown> =>
    new Promise((resolve) => lease.lost.addEventListener('abort', resolve, { once: true }));

  it('is lost when its host cannot be reached for long, before others may take it', async () => {
    const alone = site({ heartbeatMs: 100, leaseMs: 4_000 }, ['app-1']);
    const lease = await acquire(alone, { id: 'run-1' }, 'r2');
    const place = join(folder, 'app-1');
    rmSync(place, { recursive: true });
    writeFileSync(place, 'no folder any more');
    await lostOf(lease);
    expect(String(lease.lost.reason)).toMatch(/the deploy lock on app-1 was lost: exit code/);
  });

  it('is lost by the clock of who holds it, though a sign of life hangs', async () => {
    const lease = await acquire(site({ heartbeatMs: 100, leaseMs: 1_000 }, ['app-1']), { id: 'run-1' }, 'r2');
    const last = performance.now();
    silent.add('app-1');
    await lostOf(lease);
    expect(performance.now() - last).toBeLessThan(1_000);
    expect(String(lease.lost.reason)).toMatch(/the deploy lock on app-1 was lost: it did not answer/);
  });

  describe('when its host falls silent', () => {
    const hasty = { heartbeatMs: 50, leaseMs: 1_500 };

    it('is kept by the next one, alive, and not lost; who takes the old one over is refused', async () => {
      const moved = new Promise<string>((resolve) => {
        void acquire(site(hasty), { id: 'run-1' }, 'r2', resolve).then((lease) => held.push(lease));
      });
      while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      silent.add('app-1');
      expect(await moved).toBe('app-1, which kept the deploy lock, fell silent: app-2 keeps it');
      const [lease] = held;
      expect(lease).toMatchObject({ host: 'app-2', lost: { aborted: false } });
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      expect(lease?.lost.aborted).toBe(false);

      // The host is back: its lock looks abandoned.
      silent.clear();
      age(65);
      const other = await take('run-2');
      expect(other.found).toBe('abandoned');
      const refused = clearOthers(site(), { id: 'run-2' }, 'r3', ['app-2']);
      await expect(refused).rejects.toThrow(LockedError);
      await expect(refused).rejects.toThrow(/run-1, deploying r2 since \S+ holds the lock on app-2/);
      await other.release();

      await lease?.release();
      expect([existsSync(lock), existsSync(lockOn('app-2'))]).toEqual([false, false]);
    });

    it('is given back there too, should that host answer again', async () => {
      const lease = await acquire(site(hasty), { id: 'run-1' }, 'r2');
      silent.add('app-1');
      while (lease.host !== 'app-2') await new Promise((resolve) => setTimeout(resolve, 5));
      silent.clear();
      await lease.release();
      expect([existsSync(lock), existsSync(lockOn('app-2'))]).toEqual([false, false]);
    });

    it('is lost where somebody else holds the lock of the next one, which stays', async () => {
      const lease = await acquire(site(hasty), { id: 'run-1' }, 'r2');
      writeFileSync(lockOn('app-2'), '{"owner":"run-2","release":"r3"}');
      silent.add('app-1');
      await lostOf(lease);
      expect(String(lease.lost.reason)).toMatch(/on app-1 was lost: another deploy .* run-2.* on app-2/);
      expect(readFileSync(lockOn('app-2'), 'utf8')).toContain('run-2');
    });

    it('is lost where no other host answers either', async () => {
      const lease = await acquire(site(hasty), { id: 'run-1' }, 'r2');
      silent.add('app-1').add('app-2');
      await lostOf(lease);
      expect(lease.host).toBe('app-1');
    });
  });

  it('that was abandoned on another host is cleared away', async () => {
    await take('run-1');
    writeFileSync(lockOn('app-2'), '{"owner":"run-0","release":"r1"}');
    const then = Date.now() / 1_000 - 65;
    utimesSync(lockOn('app-2'), then, then);
    await clearOthers(site(), { id: 'run-1' }, 'r2', ['app-2']);
    expect(existsSync(lockOn('app-2'))).toBe(false);
  });

  describe('that another host keeps', () => {
    const foreign = '{"owner":"run-9","release":"r9"}';
    const other = (): string => lockOn('app-2');

    /** Asks for the lock of all hosts; what they show is the locks that lie there. */
    function ask(waitMs: number, said: string[] = []) {
      const hosts = ['app-1', 'app-2'];
      const holder = { owner: 'run-9', actor: null, url: null, release: 'r9', since: '', silentSeconds: 0 };
      // Whether it begins before ours is taken or behind it, it comes to the hosts when there is one.
      const look = async () => {
        const held = () => hosts.filter((name) => existsSync(lockOn(name)));
        for (let tries = 0; held().length === 0 && tries < 2_000; tries += 1)
          await new Promise((resolve) => setTimeout(resolve, 5));
        return { locks: held().map((name) => ({ ...holder, host: name })) };
      };
      return lockAlone({
        ...{
          site: site(),
          owner: { id: 'run-1' },
          release: 'r2',
          waitMs,
          maxMissing: 0,
          journal: noJournal,
          look,
        },
        onEvent: ({ message }) => void said.push(message ?? ''),
        note: (remark) => void said.push(remark),
      });
    }

    it('refuses at once where nobody is to wait, names its holder, and ours is given back', async () => {
      writeFileSync(other(), foreign);
      await expect(ask(0)).rejects.toThrow(
        /under way: run-9, deploying r9 since \S+ holds the lock on app-2/,
      );
      expect([existsSync(lock), readFileSync(other(), 'utf8')]).toEqual([false, foreign]);
    });

    it('is waited for, as long as is said, while ours is given back', async () => {
      writeFileSync(other(), foreign);
      const said: string[] = [];
      const asked = ask(60_000, said);
      while (said.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(said).toEqual([
        expect.stringMatching(
          /^waiting: another deploy .* run-9, deploying r9 since \S+ holds the lock on app-2$/,
        ),
      ]);
      expect(existsSync(lock)).toBe(false);
      rmSync(other());
      const locked = await asked;
      expect(locked).toMatchObject({ site: { lockHost: 'app-1' }, seen: { locks: [{ host: 'app-1' }] } });
      expect([existsSync(lock), existsSync(other())]).toEqual([true, false]);
      await unlock(locked.site, locked.lease, null, noJournal, () => undefined);
      expect(existsSync(lock)).toBe(false);
    });
  });
});
