import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type ConfigBundle, render } from '@perlstack/configs';
import { assertAllowed, type ConvergePlan, handlers, observe, plan } from '@perlstack/converge';
import { whyNoHosts } from '@perlstack/local-cloud';
import { execute } from '@perlstack/procedure';
import { deploy, type DeployOptions, type DeployResult, type Plan } from '@perlstack/release';
import { type Inventory, messageOf, parseStack } from '@perlstack/stack';
import { SET_SERVER } from '../../packages/release/src/scripts.js';
import { type HostsSite, openHosts } from './hosts-site.js';
import { type LoadHandle, startLoad } from './load-handle.js';
import { packShop } from './shop.js';

// What becomes of visitors when a stack grows: a new app host gets the release before it gets a request.

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();

const stackFile = (body: string): string => `
stack: shop
region: us-ord
app:
  workers: 5
  workerMemory: 32MiB
  packages: [libmojolicious-perl]
  limits: { body: ${body} }
  health: { path: /healthz, body: ok, latency: 10s, successes: 2, timeout: 60s, release: /version }
tiers:
  web: { type: g6-nanode-1, count: 2 }
  app: { type: g6-standard-1, count: 3 }
`;

const NOTHING: ConvergePlan = { steps: [], changes: [], refusals: [] };

(obstacle === null ? describe : describe.skip)(
  `a stack that grows under load${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let site: HostsSite;
    let load: LoadHandle | undefined;
    let inventory: Inventory;
    let body = '1MiB';

    /** All are booted; which of them belong to the stack is said by the inventory. */
    const growTo = (...names: string[]): void => {
      inventory = {
        ...site.inventory,
        hosts: site.inventory.hosts.filter(({ name }) => names.includes(name)),
      };
    };
    const bundle = (): ConfigBundle => render(parseStack(stackFile(body), 'perlstack.yml').stack, inventory);
    const look = async (): Promise<ConvergePlan> => plan(bundle(), await observe(site.remote, bundle()));

    async function converge(): Promise<ConvergePlan> {
      const intended = await look();
      assertAllowed(intended);
      const run = { onFailure: 'undo' } as const;
      const { failures } = await execute(intended.steps, handlers(site.remote, bundle()), run);
      if (failures[0]) throw new Error(messageOf(failures[0].error));
      return intended;
    }

    /** @returns which hosts had something to do, and which had not */
    async function roll(release: string): Promise<{ hosts: string[]; done: readonly string[] }> {
      let seen: Plan | undefined;
      const result = await deploy({
        ...{ stack: site.stack, inventory, remote: site.remote, release },
        artifact: { path: await packShop({ release, directory: site.folder }) },
        owner: { id: 'run-1' },
        onPlan: ({ plan: intended }) => void (seen = intended),
      });
      expect(result).toMatchObject({ outcome: 'succeeded', unresolved: [], notes: [] });
      const hosts = [...(seen?.roll ?? []), ...(seen?.finish ?? [])].flatMap((step) =>
        'host' in step ? [step.host] : [],
      );
      return { hosts: [...new Set(hosts)], done: seen?.done ?? [] };
    }

    const address = (name: string): string =>
      `${inventory.hosts.find((host) => host.name === name)?.privateAddress}:5000`;
    /** As a deploy does it. */
    const set = (want: 'up' | 'down', app: string, ...webs: string[]): Promise<unknown> =>
      Promise.all(
        webs.map((web) => site.remote.script(web, SET_SERVER, [want, address(app)], { sudo: true })),
      );
    /** The app hosts that get no requests. */
    async function down(web: string): Promise<string[]> {
      const lines = await site.ask(web, 'grep -hE "^ *server .* down;" /etc/nginx/conf.d/shop.conf || true');
      const names = inventory.hosts.filter(({ name }) => lines.includes(`${address(name)} `));
      return names.map(({ name }) => name);
    }
    const status = (app: string): Promise<string> =>
      site.ask('web-1', `curl -s -o /dev/null -w '%{http_code}' http://${address(app)}/version`);
    /** How many orders it was sent. */
    const orders = async (app: string): Promise<number> =>
      Number(await site.ask(app, `grep -c '/orders' /var/log/nginx/access.log || true`));

    async function expectUnnoticed(): Promise<void> {
      const { failed, failures, requests } = (await load?.since('start')) ?? { requests: 0 };
      expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
      expect(requests).toBeGreaterThan(50);
    }

    beforeAll(async () => {
      site = await openHosts(stackFile(body));
      growTo('web-1', 'app-1', 'app-2');
      await converge();
      expect(await down('web-1')).toEqual([]);
      await roll('r1');
      const clients = { get: 4, post: 4 };
      const url = `http://${inventory.hosts[0]?.publicAddress}`;
      const config = { urls: [url], clients, prefix: `grow${Date.now()}` };
      load = startLoad(config, (argv) => site.cloud.inInternet(argv));
      await load.mark('start');
    });
    afterAll(async () => {
      await load?.close();
      await site?.close();
    });

    it('sends no request to a new app host before a release is on it', async () => {
      growTo('web-1', 'app-1', 'app-2', 'app-3');
      const { changes } = await converge();
      expect(changes.filter(({ host, kind }) => host === 'web-1' && kind === 'file')).toMatchObject([
        { what: 'content; app-3 gets no requests until a release is on it' },
      ]);
      expect(await down('web-1')).toEqual(['app-3']);
      expect(await status('app-3')).toBe('502');
      await load?.mark('without');
      while (((await load?.since('without'))?.requests ?? 0) < 100) await site.ask('web-1', 'sleep 0.2');
      expect(await orders('app-3')).toBe(0);
      expect(await look()).toEqual(NOTHING);
      await expectUnnoticed();
    });

    it.each(['socket', 'drain'] as const)(
      'sends none there either when a release failed that was to be the first on it, by strategy %s',
      async (strategy) => {
        const release = `broken-${strategy}`;
        const artifact = {
          path: await packShop({ release, fault: 'unhealthy-later', directory: site.folder }),
        };
        const options = { stack: site.stack, inventory, remote: site.remote, release, artifact, strategy };
        const result = await deploy({ ...options, owner: { id: 'run-1' }, timings: { gateMs: 5_000 } });
        expect(result).toMatchObject({ outcome: 'rolled-back', unresolved: [] });
        expect(await down('web-1')).toEqual(['app-3']);
        expect(await orders('app-3')).toBe(0);
        expect(await look()).toEqual(NOTHING);
        await expectUnnoticed();
      },
    );

    it('sends requests there once the same release was deployed to all, of whom only the new one is touched', async () => {
      expect(await roll('r1')).toEqual({ hosts: ['app-3'], done: ['app-1', 'app-2'] });
      expect(await down('web-1')).toEqual([]);
      expect(await status('app-3')).toBe('200');
      while ((await orders('app-3')) < 10) await site.ask('web-1', 'sleep 0.2');
      expect(await look()).toEqual(NOTHING);
      await expectUnnoticed();
    });

    it('leaves an app host out that a deploy took out of service, whatever else changes', async () => {
      await set('down', 'app-2', 'web-1');
      expect(await look()).toEqual(NOTHING);
      body = '2MiB';
      const { changes } = await converge();
      expect(changes.find(({ host, kind }) => host === 'web-1' && kind === 'file')).toMatchObject({
        what: 'content; app-2 stays out until a deploy puts it back',
      });
      expect(await down('web-1')).toEqual(['app-2']);
      expect(await site.ask('web-1', 'grep -c "client_max_body_size 2m" /etc/nginx/conf.d/shop.conf')).toBe(
        '1',
      );
      expect(await look()).toEqual(NOTHING);
      await expectUnnoticed();
    });

    it('has a new web host leave the same ones out', async () => {
      growTo('web-1', 'web-2', 'app-1', 'app-2', 'app-3');
      await converge();
      expect([await down('web-1'), await down('web-2')]).toEqual([['app-2'], ['app-2']]);
      await set('up', 'app-2', 'web-1', 'web-2');
      expect(await look()).toEqual(NOTHING);
      expect(await site.ask('web-2', 'curl -s http://127.0.0.1/version')).toBe('r1');
      await expectUnnoticed();
    });

    describe('servers that were off during two deploys and a rollback', () => {
      const away = ['web-2', 'app-3'];
      /** To the network they are gone; their memory, in which orders are, stays. */
      const turn = async (on: boolean): Promise<void> => {
        const chain = "'{ type filter hook input priority -300; }'";
        const reset = 'rule inet away in meta l4proto tcp reject with tcp reset';
        const off = `nft add table inet away && nft add chain inet away in ${chain} && nft add ${reset}`;
        for (const name of away) {
          const { code, output } = await site.console(name, on ? 'nft delete table inet away' : off);
          expect({ code, output }).toEqual({ code: 0, output: '' });
        }
      };
      /** With connections of its own, as a run has them: those through a web server that died since are lost. */
      const without = async (more: Partial<DeployOptions>): Promise<DeployResult> => {
        const remote = site.connect();
        const what = { stack: site.stack, inventory, remote, owner: { id: 'run-1' }, maxFailures: 2 };
        return deploy({ ...what, ...more }).finally(() => remote.close());
      };
      const seen = async (script: string): Promise<string> => (await site.console('app-3', script)).output;
      const events: string[] = [];
      const repair = (): Promise<DeployResult> =>
        without({
          ...{ repair: true, maxFailures: 0 },
          onEvent: ({ step, state }) => void events.push(`${step.id} ${state}`),
        });

      it('return with an old release, and a web server that does not know who is out', async () => {
        await set('down', 'app-3', 'web-1');
        await site.ask('app-3', 'sleep 1');
        await turn(false);
        for (const release of ['r2', 'r3']) {
          const artifact = { path: await packShop({ release, directory: site.folder }) };
          expect(await without({ release, artifact })).toMatchObject({
            outcome: 'succeeded',
            unresolved: [],
          });
        }
        expect(await without({})).toMatchObject({ outcome: 'succeeded', release: 'r2', previous: 'r3' });
        await turn(true);
        expect([await down('web-1'), await down('web-2')]).toEqual([['app-3'], []]);
        expect(await seen('ls /srv/shop/releases; readlink /srv/shop/current')).toMatch(
          /^(?!.*r2)[^]*releases\/r1$/,
        );
        await expectUnnoticed();
      });

      it('are repaired: one is out everywhere, gets the release that serves, and then requests', async () => {
        const result = await repair();
        expect(result).toMatchObject({
          outcome: 'succeeded',
          release: 'r2',
          previous: 'r2',
          unresolved: [],
          left: [],
        });
        const order = [
          'app-3/keep-out done',
          'app-3/copy started',
          'app-3/gate done',
          'app-3/put-back started',
        ];
        expect(events.filter((event) => order.includes(event))).toEqual(order);
        expect(events.some((event) => event.startsWith('app-1/'))).toBe(false);
        expect([await down('web-1'), await down('web-2')]).toEqual([[], []]);
        expect(await seen('readlink /srv/shop/current')).toBe('releases/r2');
        expect(await seen('tail -n 1 /var/lib/perlstack/shop/audit.log')).toContain(
          '"event":"succeeded","kind":"repair","release":"r2"',
        );
        await expectUnnoticed();
      });

      it('need nothing the second time', async () => {
        expect(await repair()).toMatchObject({ outcome: 'nothing-to-do', release: 'r2' });
      });
    });

    it('loses no order, and carries none out twice', async () => {
      await load?.stop();
      const apps = inventory.hosts.filter(({ tier }) => tier === 'app');
      const journals = await Promise.all(
        apps.map(async ({ name }) => (await site.console(name, 'cat /run/shop/orders.log')).output),
      );
      const lines = journals.flatMap((journal) => journal.split('\n'));
      expect(await load?.balance(lines)).toMatchObject({ lost: [], doubled: [], unclear: [] });
      await expectUnnoticed();
    });
  },
);
