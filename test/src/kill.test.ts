import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  FULL_TOKEN,
  type LinodeApi,
  type LocalCloud,
  MemoryDriver,
  openLocalCloud,
  startApi,
  whyNoHosts,
} from '@perlstack/local-cloud';
import { generateKeyPair } from '@perlstack/remote';
import type { Host, Inventory } from '@perlstack/stack';
import { lookAtAppHost, lookAtWebHost, restingAppHost, restingWebHost } from './kill/host-state.js';
import type { Tasks } from './kill/orders.js';
import { VICTIM, Victims, walk } from './kill/victims.js';
import { type LoadHandle, startLoad } from './load-handle.js';
import { bundleInto } from './one-file.js';
import { AGE_LOCK } from './release-site.js';
import { packShop } from './shop.js';

jest.setTimeout(900_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;
const { privateKey } = generateKeyPair('workflow');

/** A number that is in the configuration of both tiers makes every host's differ. */
function stackFile({ web = 1, app = 2, drainSeconds = 20, maxRequests = 1_000 } = {}): string {
  return `
stack: shop
region: us-ord
app:
  workers: 6
  maxRequests: ${maxRequests}
  packages: [libmojolicious-perl]
  health: { path: /healthz, body: ok, latency: 10s, successes: 1, timeout: 60s, release: /version }
  drainTimeout: ${drainSeconds}s
  keepReleases: 3
tiers:
  web: { type: g6-nanode-1, count: ${web} }
  app: { type: g6-standard-1, count: ${app} }
`;
}

/** A step begins as soon as those before it have ended: every boundary is the end of one, or the start. */
const ENDS = ' (done|skipped)$';
/** Of a deploy's steps these only look: after one of them all is as it was before it. */
const DEPLOY_ENDS = '(?<!/(compile|prove|gate)) (done|skipped)$';

const begun = performance.now();
/** Straight to the terminal: the figures belong to the result. */
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const secondsSince = (time: number): number => Math.round((performance.now() - time) / 1_000);

/** Says what was walked; no boundary counts twice. */
function tell(what: string, boundaries: readonly string[], since: number): void {
  say(`${what}: killed at ${boundaries.length} boundaries in ${secondsSince(since)} s`);
  expect(new Set(boundaries).size).toBe(boundaries.length);
}

let bundle: string;
let program: string;
beforeAll(async () => {
  bundle = await mkdtemp(join(tmpdir(), 'victim-'));
  program = await bundleInto(bundle, VICTIM);
});
afterAll(async () => {
  await rm(bundle, { recursive: true, force: true });
  say(`All walks: ${secondsSince(begun)} s`);
});

/** What of a server is the same whenever and wherever the stack is provisioned. */
function essence({ hosts }: Inventory): unknown {
  return hosts.map(({ name, tier, privateAddress, publicAddress, ssh, memoryMiB, vcpus }: Host) => ({
    ...{ name, tier, privateAddress, memoryMiB, vcpus },
    ...{ public: publicAddress !== null, via: ssh.via, keys: ssh.hostKeys.length },
  }));
}

/** How many there are of everything that could have been made twice. */
function census({ state }: LinodeApi): unknown {
  const labels = (of: Map<unknown, { label: string }>): string[] =>
    [...of.values()].map(({ label }) => label).sort();
  const { linodes, vpcs, firewalls, placementGroups } = state;
  return {
    linodes: labels(linodes),
    vpcs: labels(vpcs),
    firewalls: labels(firewalls),
    placementGroups: labels(placementGroups),
  };
}

describe('provision, killed between any two steps', () => {
  let victims: Victims;
  let apis: LinodeApi[] = [];
  beforeAll(() => {
    victims = new Victims(program);
  });
  afterAll(async () => {
    await victims?.close();
    await Promise.all(apis.splice(0).map((api) => api.close()));
  });

  async function orderOn(api: LinodeApi, text: string): Promise<Tasks['provision']> {
    return { stackFile: text, privateKey, apiUrl: api.url, token: FULL_TOKEN.token, hostKeys: false };
  }

  async function emptyApi(): Promise<LinodeApi> {
    await Promise.all(apis.splice(0).map((api) => api.close()));
    const api = await startApi({ driver: new MemoryDriver(), timeScale: 0.002 });
    apis = [api];
    return api;
  }

  it.each<[string, string | null, string]>([
    ['a new stack', null, stackFile()],
    ['another number of servers', stackFile({ web: 1, app: 2 }), stackFile({ web: 2, app: 1 })],
  ])('is finished by a rerun, and nothing is there twice: %s', async (what, before, wanted) => {
    const since = performance.now();
    const prepare = async (): Promise<LinodeApi> => {
      const api = await emptyApi();
      if (before !== null) await victims.finish('provision', await orderOn(api, before));
      return api;
    };
    let api = await prepare();
    const undisturbed = await victims.finish('provision', await orderOn(api, wanted));
    const expected = { servers: essence(undisturbed.inventory), left: [], census: census(api) };

    const { boundaries, result } = await walk(victims, {
      task: 'provision',
      next: async () => orderOn((api = await prepare()), wanted),
      afterwards: async (boundary, order) => {
        const { inventory, left } = await victims.finish('provision', order);
        expect({ boundary, servers: essence(inventory), left, census: census(api) }).toEqual({
          boundary,
          ...expected,
        });
      },
    });
    expect({ servers: essence(result.inventory), left: result.left, census: census(api) }).toEqual(expected);
    tell(`provision, ${what}`, boundaries, since);
  });
});

describeHosts(
  `on real hosts${obstacle === null ? '' : ` (skipped: ${obstacle})`}, killed between any two steps,`,
  () => {
    let folder: string;
    let cloud: LocalCloud;
    let victims: Victims;
    let load: LoadHandle | undefined;
    let inventory: Inventory;
    let serving = '';
    let text = stackFile();
    let number = 0;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'kill-test-'));
      cloud = await openLocalCloud();
      victims = new Victims(program, (argv) => cloud.hosts.inInternet(argv));
    });
    afterAll(async () => {
      await load?.close();
      await victims?.close();
      await cloud?.close();
      await rm(folder, { recursive: true, force: true });
    });

    const named = (tier: string): string[] =>
      inventory.hosts.filter((host) => host.tier === tier).map(({ name }) => `shop-${name}`);

    /** One release on every host, nothing left over, no lock, nobody drained; and no visitor noticed anything. */
    async function expectRest(boundary: string): Promise<void> {
      const [app, web] = await Promise.all([
        Promise.all(named('app').map((host) => lookAtAppHost(cloud.hosts, host))),
        Promise.all(named('web').map((host) => lookAtWebHost(cloud.hosts, host))),
      ]);
      const since = await load?.since('boundary');
      await load?.mark('boundary');
      expect({ boundary, app, web, failed: since?.failed ?? 0, example: since?.failures[0] }).toEqual({
        boundary,
        app: app.map(() => restingAppHost(serving)),
        web: web.map(() => restingWebHost(serving)),
        ...{ failed: 0, example: undefined },
      });
    }

    /** Runs again and again after a kill, each time a boundary further. */
    it('provision is finished by a rerun, and no second machine is made', async () => {
      const since = performance.now();
      const order = {
        stackFile: text,
        privateKey,
        apiUrl: cloud.apiUrl,
        token: FULL_TOKEN.token,
        hostKeys: true,
      };
      const { boundaries, result } = await walk(victims, {
        task: 'provision',
        next: async () => order,
        afterwards: async () => undefined,
      });
      ({ inventory } = result);
      expect(result.left).toEqual([]);
      expect(inventory.hosts.map(({ name }) => name)).toEqual(['web-1', 'app-1', 'app-2']);
      expect(inventory.hosts.map(({ ssh }) => ssh.hostKeys.length)).toEqual([1, 1, 1]);
      const machines = (await cloud.hosts.hosts()).map(({ label, running }) => `${label} ${running}`);
      expect(machines.sort()).toEqual(['shop-app-1 true', 'shop-app-2 true', 'shop-web-1 true']);
      expect(census(cloud.api)).toMatchObject({ vpcs: [expect.anything()], linodes: { length: 3 } });
      expect(boundaries.filter((one) => one.endsWith('/rotate-host-key started'))).toHaveLength(3);
      tell('provision, real hosts', boundaries, since);
    });

    const converging = (): Tasks['converge'] => ({ stackFile: text, privateKey, inventory });

    it('the first converge is finished by a rerun', async () => {
      const since = performance.now();
      const { boundaries, result } = await walk(victims, {
        task: 'converge',
        // The second app host is as the first.
        only: `^(?!app-2/).*(${ENDS}|packages started)`,
        next: async () => converging(),
        afterwards: async () => undefined,
      });
      expect(result.left).toEqual([]);
      tell('converge, fresh hosts', boundaries, since);
    });

    async function newRelease(more: Partial<Tasks['deploy']> = {}): Promise<Tasks['deploy']> {
      const release = `r${(number += 1)}`;
      const artifact = await packShop({ release, bootMs: 0, directory: folder });
      return {
        ...converging(),
        ...{ release, artifact, owner: `run-${number}`, journal: join(folder, `journal-${number}`) },
        ...{ strategy: 'socket', timings: { settleMs: 50, intervalMs: 20 } },
        ...more,
      };
    }

    /** What a rerun of the same workflow run does: the same owner on a new machine, without the journal. */
    async function runAgain(order: Tasks['deploy']): Promise<void> {
      const result = await victims.finish('deploy', { ...order, journal: `${order.journal}-again` });
      const { outcome, reason, unresolved, notes } = result;
      expect({ outcome, reason, unresolved, notes }).toEqual({
        ...{ outcome: expect.stringMatching(/^(succeeded|nothing-to-do)$/), reason: undefined },
        ...{ unresolved: [], notes: [] },
      });
      serving = order.release;
    }

    it('the first deploy is finished by a rerun', async () => {
      const order = await newRelease();
      const since = performance.now();
      const { boundaries } = await walk(victims, {
        task: 'deploy',
        only: `${ENDS}|upload started`,
        next: async () => order,
        afterwards: async () => undefined,
      });
      serving = order.release;
      await expectRest('the end');
      tell('deploy, first release', boundaries, since);
    });

    describe('under load,', () => {
      beforeAll(async () => {
        const urls = inventory.hosts.flatMap(({ tier, publicAddress }) =>
          tier === 'web' ? [`http://${publicAddress}`] : [],
        );
        const clients = { get: 2, post: 2, 'slow-get': 1, 'slow-post': 1 };
        const config = { urls, clients, slowMs: 400, prefix: `kill${Date.now()}` };
        load = startLoad(config, (argv) => cloud.hosts.inInternet(argv));
        await load.mark('boundary');
      });

      it('converge of a change is finished by a rerun', async () => {
        const since = performance.now();
        let change = 0;
        const { boundaries, result } = await walk(victims, {
          task: 'converge',
          only: `${ENDS}|web-1/validate started`,
          next: async () => {
            change += 1;
            text = stackFile({ drainSeconds: 20 + (change % 40), maxRequests: 1_000 + change });
            return converging();
          },
          afterwards: async (boundary, order) => {
            expect({ boundary, ...(await victims.finish('converge', order)) }).toEqual({
              boundary,
              left: [],
            });
            await expectRest(boundary);
          },
        });
        expect(result.left).toEqual([]);
        await expectRest('the end');
        tell('converge, a change', boundaries, since);
      });

      it.each<['socket' | 'drain', string]>([
        ['socket', `${DEPLOY_ENDS}|app-1/upload started`],
        // Each host takes its time, for the web server trusts the one before it only after a while.
        ['drain', '^(app-1/(take-out|drain|restart|put-back)|app-2/restart) done$'],
      ])('deploy by strategy %s is finished by a rerun', async (strategy, only) => {
        const since = performance.now();
        const { boundaries, options, result } = await walk(victims, {
          task: 'deploy',
          only,
          next: () => newRelease({ strategy }),
          afterwards: async (boundary, order) => {
            await runAgain(order);
            await expectRest(boundary);
          },
        });
        expect(result).toMatchObject({ outcome: 'succeeded', unresolved: [], notes: [] });
        serving = options.release;
        await expectRest('the end');
        tell(`deploy, ${strategy}`, boundaries, since);
      });

      it('the same run can go back to the release before', async () => {
        const since = performance.now();
        const order = await newRelease({ strategy: 'drain' });
        const only = '^app-2/take-out done$';
        const boundary = 'app-2/take-out done';
        expect(await victims.run('deploy', order, { survived: [], only })).toEqual({ boundary });
        const artifact = await packShop({ release: serving, bootMs: 0, directory: folder });
        await runAgain({ ...order, release: serving, artifact });
        await expectRest(boundary);
        tell('deploy, back to the release before', [boundary], since);
      });

      it('another run is refused while the lock may be held, and takes it over later', async () => {
        const since = performance.now();
        const { boundaries } = await walk(victims, {
          task: 'deploy',
          only: '^(app-1/upload done|app-2/switch done|hold done)$',
          next: () => newRelease(),
          afterwards: async (boundary, killed) => {
            const order = await newRelease();
            const patient = { ...order, timings: { ...order.timings, leaseMs: 3_600_000 } };
            expect({ boundary, ...(await victims.run('deploy', patient, null)) }).toEqual({
              boundary,
              error: expect.stringContaining(`${killed.owner}, deploying ${killed.release} `),
            });
            await takeOver(order, killed.owner);
            await expectRest(boundary);
          },
        });
        const last = `r${number}`;
        serving = last;
        tell('deploy, lock taken over', boundaries, since);
      });

      /** The same run, once its owner before has been silent for longer than a lease lasts. */
      async function takeOver(order: Tasks['deploy'], owner: string): Promise<void> {
        await Promise.all(named('app').map((host) => cloud.hosts.exec(host, ['sh', '-c', AGE_LOCK])));
        expect(await victims.run('deploy', order, null)).toMatchObject({
          result: { outcome: 'succeeded', notes: [expect.stringContaining(`the lock of ${owner}`)] },
        });
        serving = order.release;
      }

      it.each<['socket' | 'drain', string]>([
        ['socket', '^(app-1/upload done|app-2/boot done|app-1/switch started|app-2/gate done|hold done)$'],
        ['drain', '^(app-1/take-out done|app-2/restart started)$'],
      ])('what a deploy by strategy %s left is put back by its post step', async (strategy, only) => {
        const since = performance.now();
        const { boundaries, options } = await walk(victims, {
          task: 'deploy',
          only,
          next: () => newRelease({ strategy }),
          afterwards: async (boundary, order) => {
            const { unresolved, note } = await victims.finish('finish', order);
            expect({ boundary, unresolved, note }).toEqual({ boundary, unresolved: [], note: undefined });
            await expectRest(boundary);
          },
        });
        serving = options.release;
        await expectRest('the end');
        tell(`deploy, ${strategy}, put back`, boundaries, since);
      });

      it('and no request failed, no order is lost or doubled', async () => {
        const { requests, failed, repeated } = (await load?.stop()) ?? {
          requests: 0,
          failed: 0,
          repeated: 0,
        };
        const journals = await Promise.all(
          named('app').map((host) => cloud.hosts.exec(host, ['cat', '/run/shop/orders.log'])),
        );
        const lines = journals.flatMap(({ stdout }) => stdout.split('\n'));
        const orders = await load?.balance(lines);
        expect({ failed, orders }).toMatchObject({
          failed: 0,
          orders: { lost: [], doubled: [], unclear: [] },
        });
        expect(orders?.acknowledged).toBeGreaterThan(100);
        say(
          `${requests} requests, ${orders?.acknowledged} orders, none failed, lost or doubled; ${repeated} asked again`,
        );
      });
    });
  },
);
