import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { render } from '@perlstack/configs';
import {
  assertAllowed,
  handlers as convergeHandlers,
  observe as observeHosts,
  plan as planHosts,
} from '@perlstack/converge';
import { type BalancerNode, createClient, type LinodeClient } from '@perlstack/linode';
import {
  createHostCloud,
  findClouds,
  FULL_TOKEN,
  type HostCloud,
  type LinodeApi,
  openHostCloud,
  startApi,
  whyNoHosts,
} from '@perlstack/local-cloud';
import { execute } from '@perlstack/procedure';
import { entryAddresses, handlers, inventory as inventoryOf, observe, plan } from '@perlstack/provision';
import { deploy } from '@perlstack/release';
import { connect, generateKeyPair, type Remote } from '@perlstack/remote';
import { type Inventory, messageOf, parseStack, type StackFile } from '@perlstack/stack';
import { type LoadHandle, startLoad } from './load-handle.js';
import type { LoadConfig } from './load-run.js';
import { packShop } from './shop.js';
import { openTunnels, type Tunnels } from './tunnels.js';

// A stack behind a NodeBalancer, made through the API as a user's is: who reaches what, who is told of the visitor, and
// what a web host that loses its power costs.

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;
const run = promisify(execFile);

const STACK = `
stack: shop
region: us-ord
app:
  workers: 16
  workerMemory: 32MiB
  packages: [libmojolicious-perl]
  health: { path: /healthz, body: ok, latency: 5s, successes: 2, timeout: 60s, release: /version }
tiers:
  web: { type: g6-nanode-1, count: 2, entry: nodebalancer }
  app: { type: g6-standard-1, count: 1 }
`;

/** What the API gives to Linodes in the order in which they come. */
const PUBLIC_ADDRESSES = Array.from({ length: 10 }, (_, index) => `203.0.113.${10 + index}`);

describeHosts(`a stack behind a NodeBalancer${obstacle === null ? '' : ` (skipped: ${obstacle})`}`, () => {
  const user = generateKeyPair('workflow');
  const file: StackFile = parseStack(STACK, 'perlstack.yml');
  let cloud: HostCloud;
  let api: LinodeApi;
  let client: LinodeClient;
  let tunnels: Tunnels;
  let ways: ReadonlyMap<string, number>;
  let remote: Remote;
  let entry: string;
  let folder: string;
  let load: LoadHandle | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entry-test-'));
    cloud = await createHostCloud();
    api = await startApi({ driver: cloud.driver, timeScale: 0 });
    client = createClient({ token: FULL_TOKEN.token, baseUrl: api.url, pollMs: 200 });
    tunnels = await openTunnels(cloud);
    const opened = PUBLIC_ADDRESSES.map(async (address) => [address, await tunnels.to(address, 22)] as const);
    ways = new Map(await Promise.all(opened));
    await provision();
    const observed = await observe(client, file);
    const inventory = reachable(inventoryOf(file.stack, observed));
    [entry = ''] = entryAddresses(file.stack, observed);
    remote = connect(inventory, { privateKey: user.privateKey }, { waitMs: 60_000 });
    await configure(inventory);
    const artifact = { path: await packShop({ release: 'one', directory: folder }) };
    const owner = { id: 'run-1', url: 'https://ci.example/run-1' };
    await deploy({ stack: file.stack, inventory, remote, release: 'one', artifact, owner });
  });

  afterAll(async () => {
    await load?.close();
    await remote?.close();
    await tunnels?.close();
    await api?.close();
    await cloud?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The same hosts, where this process can connect to them. */
  function reachable({ stack, hosts }: Inventory): Inventory {
    return {
      stack,
      hosts: hosts.map((host) => {
        const port = ways.get(host.ssh.address);
        return port === undefined ? host : { ...host, ssh: { ...host.ssh, address: '127.0.0.1', port } };
      }),
    };
  }

  async function provision(): Promise<void> {
    const { steps } = plan(file, await observe(client, file, { purpose: 'apply' }));
    const tools = {
      client,
      stack: file.stack,
      sshPublicKey: user.publicKey,
      connect: (to: Inventory) => connect(reachable(to), { privateKey: user.privateKey }, { waitMs: 60_000 }),
    };
    const { failures } = await execute(steps, handlers(tools), { onFailure: 'keep' });
    if (failures[0]) throw new Error(`${failures[0].step.id}: ${messageOf(failures[0].error)}`);
  }

  async function configure(inventory: Inventory): Promise<void> {
    const bundle = render(file.stack, inventory);
    const intended = planHosts(bundle, await observeHosts(remote, bundle));
    assertAllowed(intended);
    const { failures } = await execute(intended.steps, convergeHandlers(remote, bundle));
    if (failures[0]) throw new Error(`${failures[0].step.id}: ${messageOf(failures[0].error)}`);
  }

  const ask = async (host: string, script: string): Promise<string> =>
    (await cloud.exec(`shop-${host}`, ['sh', '-c', script])).stdout.trim();

  /** Visits the site from an address of the internet. */
  async function visit(path: string, from = '192.0.2.1', site = entry): Promise<string> {
    const curl = [
      'curl',
      '-sS',
      '--connect-timeout',
      '3',
      '--fail',
      '--interface',
      from,
      `http://${site}${path}`,
    ];
    const [command = '', ...args] = cloud.inInternet(curl);
    return (await run(command, args)).stdout;
  }

  interface Logged {
    readonly client: string;
    readonly uri: string;
    readonly status: string;
  }

  const log = async (host: string): Promise<Logged[]> => {
    const lines = await ask(host, 'cat /var/log/nginx/access.log 2>/dev/null || true');
    return lines
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Logged);
  };

  async function balancer(): Promise<{ id: number; port: number; nodes: BalancerNode[] }> {
    const [{ id } = { id: 0 }] = await client.nodeBalancers({ label: 'shop-entry' });
    const [port] = await client.nodeBalancerPorts(id);
    return { id, port: port?.id ?? 0, nodes: await client.balancerNodes(id, port?.id ?? 0) };
  }

  const health = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await balancer()).nodes.map(({ label, status }) => [label, status]));

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const limit = Date.now() + 60_000; !(await holds()); await sleep(100)) {
      if (Date.now() > limit) throw new Error(`not after a minute: ${what}`);
    }
  }

  const isInRotation = (host: string, status: 'UP' | 'DOWN') => async (): Promise<boolean> =>
    (await health())[host] === status;

  /** How many connections the NodeBalancer has with a web host, those of its checks included. */
  async function connectionsTo(address: string): Promise<number> {
    const { id } = await balancer();
    const namespace = cloud.internetNamespace.replace(/internet$/, `host-${id}`);
    const { stdout } = await run('ip', ['netns', 'exec', namespace, 'ss', '-Htn', 'dst', `${address}:80`]);
    return stdout.split('\n').filter(Boolean).length;
  }

  async function visitors(config: Partial<LoadConfig>): Promise<LoadHandle> {
    await load?.close();
    const clients = { get: 6, 'slow-get': 4, 'slow-post': 4, post: 2 };
    const usual = { urls: [`http://${entry}`], clients, slowMs: 1_000, thinkMs: [40, 60] as const };
    load = startLoad({ ...usual, ...config }, (argv) => cloud.inInternet(argv));
    await sleep(3_000);
    return load;
  }

  /** What the application carried out, by its own account. */
  const orders = async (): Promise<string[]> =>
    (await ask('app-1', 'cat /run/shop/orders.log || true')).split('\n');

  it('has both web hosts in rotation once they are configured, and needs nothing more', async () => {
    await until('both are up', async () => Object.values(await health()).join() === 'UP,UP');
    const { id } = await balancer();
    expect(await client.nodeBalancerPorts(id)).toMatchObject([
      { port: 80, protocol: 'tcp', proxy_protocol: 'v2', nodes_status: { up: 2, down: 0 } },
    ]);
    expect(plan(file, await observe(client, file)).steps).toEqual([]);
  });

  it('tells nginx and the application who their visitor is, through both web hosts', async () => {
    const pages = await Promise.all(Array.from({ length: 8 }, () => visit('/?who', '192.0.2.77')));
    for (const page of pages) expect(page).toContain('<span id="client">192.0.2.77</span>');
    for (const host of ['web-1', 'web-2']) {
      const seen = (await log(host)).filter(({ uri }) => uri === '/?who');
      expect(new Set(seen.map(({ client: who }) => who))).toEqual(new Set(['192.0.2.77']));
    }
  });

  it('is not deceived by what a visitor says of himself', async () => {
    const curl = [
      'curl',
      '-sS',
      '-m',
      '10',
      '-H',
      'X-Forwarded-For: 198.51.100.1',
      '-H',
      'X-Real-IP: 198.51.100.1',
    ];
    const [command = '', ...args] = cloud.inInternet([...curl, `http://${entry}/`]);
    expect((await run(command, args)).stdout).toContain('<span id="client">192.0.2.1</span>');
  });

  it('is the only way to the web hosts', async () => {
    const [web] = (await observe(client, file)).linodes;
    await expect(visit('/', '192.0.2.1', web?.publicAddress ?? '')).rejects.toThrow(/timed out|Timeout/);
    const inside = `curl -sS -m 3 -o /dev/null http://${web?.privateAddress}/ 2>&1 || true`;
    expect(await ask('app-1', inside)).toMatch(/timed out|Timeout/);
  });

  it('loses no request when its nodes change', async () => {
    const clients = await visitors({ repeats: false });
    const { id, port, nodes } = await balancer();
    const node = nodes.find(({ label }) => label === 'web-2');
    await client.deleteBalancerNode(id, port, node?.id ?? 0);
    await sleep(1_000);
    await provision();
    await until('web-2 is up again', isInRotation('web-2', 'UP'));
    const { failed, requests, failures } = await clients.stop();
    expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
    expect(requests).toBeGreaterThan(100);
    expect(await clients.balance(await orders())).toMatchObject({ lost: [], doubled: [] });
  });

  describe('a web host loses its power', () => {
    const victim = 'shop-web-2';
    const address = '10.10.0.3';

    afterAll(async () => {
      await restore();
    });

    async function restore(): Promise<void> {
      const [linode] = await client.linodes({ label: victim });
      await cloud.driver.boot(linode?.id ?? 0);
      await until('web-2 is up again', isInRotation('web-2', 'UP'));
    }

    it('costs visitors with a connection for each request only what was in flight on it', async () => {
      const clients = await visitors({ keepsConnections: false, prefix: 'fresh' });
      await cloud.faults.kill(victim);
      const cut = Date.now();
      await until('web-2 is down', isInRotation('web-2', 'DOWN'));
      await until('nothing waits for web-2', async () => (await connectionsTo(address)) === 0);
      await clients.mark('after');
      await sleep(3_000);
      const after = await clients.since('after');
      const whole = await clients.stop();
      expect(after).toMatchObject({ failed: 0 });
      expect(after.requests).toBeGreaterThan(50);
      // Every failure that there was is in the list, with its moments.
      expect(whole.failures).toHaveLength(whole.failed);
      const begunLater = whole.failures.filter(({ at, ms }) => Date.parse(at) - ms > cut);
      expect(begunLater).toEqual([]);
      // Half of the visitors were with it: that nothing at all was lost would say that nothing happened.
      expect(whole.failed).toBeGreaterThan(0);
      expect(whole.failed).toBeLessThanOrEqual(16);
      expect(await clients.balance(await orders())).toMatchObject({ lost: [], doubled: [] });
      expect((await log('web-1')).filter(({ status }) => !/^(200|201)$/.test(status))).toEqual([]);
    });

    it('is in rotation again soon after its power is back', async () => {
      await restore();
      const before = (await log('web-2')).length;
      await until('web-2 is visited', async () => {
        await visit('/version');
        return (await log('web-2')).length > before;
      });
    });

    it('costs visitors who keep their connections one request each at the most, of those who were with it', async () => {
      const clients = await visitors({ prefix: 'kept', repeats: false });
      const connections = await connectionsTo(address);
      await cloud.faults.kill(victim);
      await until('web-2 is down', isInRotation('web-2', 'DOWN'));
      await until('nothing waits for web-2', async () => (await connectionsTo(address)) === 0);
      await clients.mark('after');
      await sleep(3_000);
      const after = await clients.since('after');
      const whole = await clients.stop();
      expect(after).toMatchObject({ failed: 0 });
      expect(after.requests).toBeGreaterThan(50);
      expect(whole.failed).toBeGreaterThan(0);
      expect(whole.failed).toBeLessThanOrEqual(connections);
      expect(await clients.balance(await orders())).toMatchObject({ lost: [], doubled: [] });
    });
  });

  it('can be asked, and removed, by a process that did not make it', async () => {
    const { id, nodes } = await balancer();
    const other = await openHostCloud(cloud.id);
    const seen = await other.driver.balancerNodes(id);
    expect([...seen.keys()].sort()).toEqual(nodes.map((node) => node.id).sort());
    const haproxies = async (): Promise<string> => {
      const pattern = `clouds/${cloud.id}/balancers`;
      const { stdout } = await run('pgrep', ['-f', pattern]).catch(() => ({ stdout: '' }));
      return stdout.trim();
    };
    expect(await haproxies()).not.toBe('');
    await other.close();
    expect(await haproxies()).toBe('');
    expect((await findClouds()).map((one) => one.id)).not.toContain(cloud.id);
    expect((await run('ip', ['netns', 'list'])).stdout).not.toContain(`-${cloud.id}-`);
  });
});
