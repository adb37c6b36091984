import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import { fileJournal, openSteps } from '@perlstack/procedure';
import { deploy, type DeployOptions, type DeployResult, finish, type Timings } from '@perlstack/release';
import { type LoadHandle, startLoad } from './load-handle.js';
import { AGE_LOCK, openSite, type Site } from './release-site.js';
import { type Fault, packShop } from './shop.js';

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

const APP_HOSTS = ['app-1', 'app-2'];

describeHosts(`rolling deploy${obstacle === null ? '' : ` (${obstacle})`}`, () => {
  let site: Site;
  let serving = '';
  let number = 0;

  const pack = (release: string, fault: Fault = 'none', bootMs = 0): Promise<string> =>
    packShop({ release, fault, bootMs, directory: site.folder });

  async function roll(
    release: string,
    fault: Fault,
    more: Partial<DeployOptions> = {},
  ): Promise<DeployResult> {
    return deploy({
      stack: site.stack,
      inventory: site.inventory,
      remote: site.remote,
      release,
      artifact: { path: await pack(release, fault, 500) },
      owner: { id: 'run-1', url: 'https://ci.example/run-1' },
      journal: fileJournal(site.journal()),
      ...more,
    });
  }

  const nextRelease = (): string => `r${(number += 1)}`;

  /** Everything as a deploy has to leave it: one release on every host, nothing left over, no lock, nobody drained. */
  async function expectClean(release: string): Promise<void> {
    for (const host of APP_HOSTS) {
      expect(await site.ask(host, 'readlink /srv/shop/current /srv/shop/current.sock')).toBe(
        `releases/${release}\n/run/shop/${release}.sock`,
      );
      const units = `systemctl list-units --all --plain --no-legend --full 'shop@*' | cut -d ' ' -f 1`;
      expect(await site.ask(host, units)).toBe(`shop@${release}.service`);
      expect(await site.ask(host, 'cd /etc/systemd/system/multi-user.target.wants && echo shop@*')).toBe(
        `shop@${release}.service`,
      );
      expect(await site.ask(host, 'ls -A /srv/shop/releases | grep "^[.]" || true')).toBe('');
      expect(await site.ask(host, 'nft list tables inet | grep perlstack_out || true')).toBe('');
    }
    expect(await site.ask('app-1', 'ls /var/lib/perlstack/shop/deploy.lock 2>/dev/null || true')).toBe('');
    expect(await site.ask('web-1', 'grep -rhE "^ *server .* down;" /etc/nginx || true')).toBe('');
    expect(await site.ask('web-1', 'curl -s http://127.0.0.1/version')).toBe(release);
  }

  beforeAll(async () => {
    site = await openSite(APP_HOSTS.length, { workers: 12 });
  });
  afterAll(async () => {
    await site?.close();
  });

  it('deploys to bare hosts, and has nothing to do the second time', async () => {
    serving = nextRelease();
    const first = await roll(serving, 'none');
    expect(first).toMatchObject({ outcome: 'succeeded', previous: null, unresolved: [], notes: [] });
    expect(first.servers.map(({ name }) => name)).toEqual(APP_HOSTS);
    await expectClean(serving);
    // What is seen beside taking the lock counts only where nobody had it a moment ago.
    await sleep(10_000);
    const before = site.remote.counters().commands;
    const second = await roll(serving, 'none');
    expect(second).toMatchObject({ outcome: 'nothing-to-do', previous: serving });
    // Lock, a look at three hosts and the release's health on two, unlock.
    expect(site.remote.counters().commands - before).toBe(7);
  });

  it('starts an instance anew that runs and does not answer, when the same release is deployed again', async () => {
    await site.ask('app-2', `rm /run/shop/${serving}.sock`);
    expect(await roll(serving, 'none')).toMatchObject({
      outcome: 'succeeded',
      previous: serving,
      unresolved: [],
    });
    await expectClean(serving);
  });

  async function expectUnnoticed(load: LoadHandle, mark: string): Promise<void> {
    const { failed, failures, requests } = await load.since(mark);
    expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
    expect(requests).toBeGreaterThan(50);
  }

  describe('under load', () => {
    let load: LoadHandle;

    beforeAll(async () => {
      const clients = { get: 8, post: 6, 'slow-get': 4, 'slow-post': 4 };
      load = startLoad({ urls: [site.url], clients, prefix: `p${Date.now()}` }, (argv) =>
        site.cloud.inInternet(argv),
      );
      await new Promise((resolve) => setTimeout(resolve, 2_500));
    });
    afterAll(async () => {
      await load?.close();
    });

    it('rolls a new release out without a failed request', async () => {
      const before = serving;
      serving = nextRelease();
      await load.mark(serving);
      const result = await roll(serving, 'none');
      expect(result).toMatchObject({ outcome: 'succeeded', previous: before, unresolved: [], notes: [] });
      expect(result.servers.map(({ cut }) => cut)).toEqual([0, 0]);
      await expectUnnoticed(load, serving);
      await expectClean(serving);
    });

    it.each<[Fault, RegExp]>([
      ['broken-syntax', /^app-[12]: app\.psgi of r\d+ does not compile: syntax error at /],
      ['dies', /^app-[12]: r\d+ is not healthy: .* does not stay up/],
      ['hang', /^app-[12]: r\d+ is not healthy: no success in 1\d\.\d s/],
      ['unhealthy', /^app-[12]: r\d+ is not healthy: no success in .* 503 in \d+ ms, body ".*unhealthy/],
      ['unhealthy-later', /^app-1: r\d+ is not healthy: .* failures in a row; last: http.* 500 in/],
    ])(
      'puts everything back after a release with the fault %s, without a failed request',
      async (fault, reason) => {
        const release = nextRelease();
        await load.mark(release);
        const journal = site.journal();
        const result = await roll(release, fault, { journal: fileJournal(journal) });
        expect(result).toMatchObject({ outcome: 'rolled-back', previous: serving, unresolved: [] });
        expect(result.reason).toMatch(reason);
        expect(result.evidence.length).toBeGreaterThan(0);
        expect(openSteps(journal)).toEqual([]);
        await expectUnnoticed(load, release);
        await expectClean(serving);
        expect(await site.ask('app-2', `ls -A /srv/shop/releases/${release} | grep perlstack`)).toContain(
          '.perlstack-bad',
        );
      },
    );

    it('goes back on the hosts that were switched when a later one fails', async () => {
      const release = nextRelease();
      await load.mark(release);
      // The second host's web tier path breaks just before it is looked at from there.
      const result = await roll(release, 'none', {
        onEvent: ({ step, state }) => {
          if (step.id === 'app-2/switch' && state === 'done')
            void site.ask('app-2', `systemctl kill -s STOP shop@${release}`);
        },
        timings: { gateMs: 3_000 },
      });
      await site.ask('app-2', `systemctl kill -s KILL shop@${release} 2>/dev/null || true`);
      expect(result).toMatchObject({ outcome: 'rolled-back', unresolved: [] });
      expect(result.reason).toMatch(/^app-2: /);
      await expectClean(serving);
    });

    it('loses and doubles no order', async () => {
      await load.stop();
      const { acknowledged, executed, lost, doubled } = await load.balance(await site.orders());
      expect({ lost, doubled }).toEqual({ lost: [], doubled: [] });
      expect(acknowledged).toBeGreaterThan(100);
      expect(executed).toBeGreaterThanOrEqual(acknowledged);
    });
  });

  describe('by strategy drain', () => {
    let load: LoadHandle;

    beforeAll(async () => {
      // One host alone can carry it.
      const clients = { get: 3, post: 2, 'slow-get': 2, 'slow-post': 1 };
      load = startLoad({ urls: [site.url], clients, prefix: `d${Date.now()}` }, (argv) =>
        site.cloud.inInternet(argv),
      );
    });
    afterAll(async () => {
      await load?.close();
    });

    it('replaces the instance on one host after the other, without a failed request', async () => {
      serving = nextRelease();
      await load.mark(serving);
      const result = await roll(serving, 'none', { strategy: 'drain' });
      expect(result).toMatchObject({ outcome: 'succeeded', unresolved: [] });
      expect(result.servers.map(({ cut }) => cut)).toEqual([0, 0]);
      await expectUnnoticed(load, serving);
      await expectClean(serving);
    });

    it('puts everything back when the release fails before a host is taken out', async () => {
      const release = nextRelease();
      await load.mark(release);
      const result = await roll(release, 'dies', { strategy: 'drain' });
      expect(result).toMatchObject({ outcome: 'rolled-back', unresolved: [] });
      await expectUnnoticed(load, release);
      await expectClean(serving);
    });

    it('goes back on the host that was replaced when a later one fails, without a failed request', async () => {
      const release = nextRelease();
      await load.mark(release);
      const result = await roll(release, 'none', {
        strategy: 'drain',
        onEvent: ({ step, state }) => {
          if (step.id === 'app-2/restart' && state === 'done')
            void site.ask('app-2', `systemctl kill -s STOP shop@${release}`);
        },
      });
      expect(result).toMatchObject({ outcome: 'rolled-back', unresolved: [] });
      expect(result.reason).toMatch(/^app-2: /);
      await expectUnnoticed(load, release);
      await expectClean(serving);
    });
  });

  describe('refuses, and changes nothing:', () => {
    it('another artifact under the same id', async () => {
      const artifact = { path: await pack('other', 'none', 1) };
      await expect(roll(serving, 'none', { artifact })).rejects.toThrow(
        /has a release .* made from another artifact/,
      );
      await expectClean(serving);
    });

    it('a second deploy while one is under way', async () => {
      const release = nextRelease();
      let refused: Promise<unknown> | undefined;
      const result = await roll(release, 'none', {
        onEvent: () => {
          refused ??= roll(nextRelease(), 'none', { owner: { id: 'run-2' } }).catch(
            (error: unknown) => error,
          );
        },
      });
      expect(result.outcome).toBe('succeeded');
      expect(String(await refused)).toMatch(
        /another deploy of shop is under way: run-1 \(https:\/\/ci\.example\/run-1\), deploying r\d+ since 20\S+Z holds the lock on app-1, last sign of life \d+ s ago/,
      );
      serving = release;
      await expectClean(serving);
    });
  });

  it('is refused by a lock that another host keeps, or waits: a run whose host fell silent is at work with it', async () => {
    const lock = { owner: 'run-9', url: null, release: 'r99', since: new Date().toISOString() };
    await site.ask('app-2', `echo '${JSON.stringify(lock)}' >/var/lib/perlstack/shop/deploy.lock`);
    await expect(roll(nextRelease(), 'none')).rejects.toThrow(
      /^another deploy of shop is under way: run-9, deploying r99 since \S+ holds the lock on app-2, .* Nothing was changed/,
    );
    await site.ask('app-2', 'touch /var/lib/perlstack/shop/deploy.lock');
    const release = nextRelease();
    const waiting: string[] = [];
    const result = await roll(release, 'none', {
      lockWaitMs: 120_000,
      onEvent: ({ step, message }) => {
        // It falls silent once it is waited for.
        if (step.id !== 'lock' || waiting.push(message ?? '') > 1) return;
        void site.ask('app-2', AGE_LOCK);
      },
    });
    expect(result).toMatchObject({ outcome: 'succeeded' });
    expect(waiting).toEqual([expect.stringMatching(/^waiting: another deploy .* run-9, .* on app-2$/)]);
    expect(await site.ask('app-2', 'ls /var/lib/perlstack/shop/deploy.lock || true')).toBe('');
    serving = release;
    await expectClean(serving);
  });

  // Every boundary between two steps is walked in kill.test.ts; here is what a kill means for the deploy that follows.
  describe('after a kill', () => {
    const timings: Partial<Timings> = { settleMs: 50 };

    let artifact: string;
    beforeEach(async () => {
      artifact = await pack('any');
    });

    async function killed(dieAt: string, strategy: 'socket' | 'drain', owner = 'run-1') {
      const order = {
        release: nextRelease(),
        artifact,
        owner,
        journal: site.journal(),
        strategy,
        timings,
        dieAt,
      };
      const { killed: died, output } = await site.process(order);
      expect({ died, output: died ? '' : output }).toEqual({ died: true, output: '' });
      return order;
    }

    it('another deploy takes the lock over, and says so', async () => {
      const order = await killed('app-1/switch done', 'socket', 'run-7');
      const release = nextRelease();
      await expect(roll(release, 'none', { timings })).rejects.toThrow(/run-7 .* holds the lock/);
      await site.ask('app-1', AGE_LOCK);
      const result = await roll(release, 'none', { timings });
      expect(result.outcome).toBe('succeeded');
      expect(result.notes).toEqual([
        expect.stringMatching(/^the lock of run-7 .* silent for \d+ s, was taken over$/),
      ]);
      serving = release;
      await expectClean(serving);
      const late = {
        stack: site.stack,
        inventory: site.inventory,
        remote: site.remote,
        release: order.release,
      };
      const finished = await finish({ ...late, owner: { id: 'run-7' }, journal: order.journal, timings });
      expect(finished).toMatchObject({
        undone: [],
        note: expect.stringContaining('no longer held its lock'),
      });
      await expectClean(serving);
    });

    it('a rollback that named no release is put back, and the log says what it was', async () => {
      const order = { owner: 'run-8', journal: site.journal(), timings };
      expect(await site.process({ ...order, dieAt: 'app-1/switch done' })).toMatchObject({ killed: true });
      const { stack, inventory, remote } = site;
      const left = { stack, inventory, remote, owner: { id: 'run-8' }, journal: order.journal, timings };
      const { note, unresolved } = await finish(left);
      expect({ note, unresolved }).toEqual({ note: undefined, unresolved: [] });
      await expectClean(serving);
      const log = await site.ask('app-2', 'tail -n 1 /var/lib/perlstack/shop/audit.log');
      expect(JSON.parse(log)).toMatchObject({
        ...{ owner: 'run-8', event: 'cancelled', kind: 'rollback', reason: 'killed, and put back' },
        ...{ release: expect.stringMatching(/^r\d+$/), previous: serving },
      });
      expect(JSON.parse(log)).not.toMatchObject({ release: serving });
    });

    it('a host that was drained, its instance stopped, is served from again when the next deploy fails at once', async () => {
      await killed('app-1/take-out done', 'drain');
      await site.ask('app-1', `systemctl stop shop@${serving}`);
      const result = await roll(nextRelease(), 'broken-syntax', { timings });
      expect(result).toMatchObject({ outcome: 'rolled-back', unresolved: [] });
      await expectClean(serving);
    });

    it('a release that turns out bad takes back the host that was switched before the kill', async () => {
      const release = nextRelease();
      const bad = await pack(release, 'unhealthy-later');
      const order = { release, artifact: bad, owner: 'run-1', journal: site.journal(), timings };
      expect(await site.process({ ...order, dieAt: 'app-1/switch done' })).toMatchObject({ killed: true });
      const { result } = resultOf(await site.process(order));
      expect(result).toMatchObject({ outcome: 'rolled-back', previous: serving });
      await expectClean(serving);
    });
  });

  it('puts everything back when it is cancelled', async () => {
    const cancel = new AbortController();
    const result = await roll(nextRelease(), 'none', {
      signal: cancel.signal,
      onEvent: ({ step, state }) => {
        if (step.id === 'app-1/gate' && state === 'started') cancel.abort();
      },
    });
    expect(result).toMatchObject({ outcome: 'cancelled', unresolved: [] });
    await expectClean(serving);
  });
});

function resultOf({ output }: { output: string }): { result: DeployResult | undefined } {
  const line = output.split('\n').find((one) => one.startsWith('{"result"'));
  return { result: line === undefined ? undefined : (JSON.parse(line) as { result: DeployResult }).result };
}
