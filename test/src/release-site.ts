import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { render } from '@perlstack/configs';
import { handlers, observe, plan } from '@perlstack/converge';
import { createHostCloud, type HostCloud, type HostSpec } from '@perlstack/local-cloud';
import { execute } from '@perlstack/procedure';
import { connect, fingerprint, type Remote } from '@perlstack/remote';
import { type Host, type Inventory, messageOf, parseStack, type Stack } from '@perlstack/stack';
import type { DeployOrder } from './deploy-process.js';
import { openTunnels, type Tunnels } from './tunnels.js';

const run = promisify(execFile);

/** A web host and app hosts, configured for the sample shop. */
export interface Site {
  readonly cloud: HostCloud;
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly remote: Remote;
  readonly folder: string;
  /** What a visitor in the internet opens. */
  readonly url: string;
  /** A path in `folder` for the journal of a new deploy. */
  journal(): string;
  /** Runs a deploy as a process; resolves when it has ended, by itself or by its own SIGKILL. */
  process(
    order: Omit<DeployOrder, 'stack' | 'inventory' | 'keyFile'>,
  ): Promise<{ killed: boolean; output: string }>;
  /** Runs a shell command on a host as root and gives its trimmed output. */
  ask(host: string, script: string): Promise<string>;
  /** The lines of the order journals of all app hosts. */
  orders(): Promise<string[]>;
  close(): Promise<void>;
}

const STACK_FILE = `
stack: shop
region: us-ord
app:
  workers: 24
  packages: [libmojolicious-perl]
  health: { path: /healthz, body: ok, latency: 2s, successes: 3, timeout: 15s, release: /version }
  drainTimeout: 20s
  keepReleases: 3
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-standard-1, count: 2 }
`;

/** @param app how many app hosts */
export async function openSite(app: number): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'release-test-'));
  const cloud = await createHostCloud();
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true }), () => cloud.close()];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).reverse()) await one();
  };
  try {
    const keys = { user: await makeKey(folder, 'user'), host: await makeKey(folder, 'host') };
    const names = ['web-1', ...Array.from({ length: app }, (_, index) => `app-${index + 1}`)];
    const specs = names.map((name, index) => specOf(name, index + 1, keys));
    await Promise.all(specs.map((spec) => start(cloud, spec)));
    const tunnels = await openTunnels(cloud);
    closing.push(() => tunnels.close());
    const hosts = await Promise.all(
      specs.map((spec, index) => hostOf(names[index] ?? '', spec, keys.host, tunnels)),
    );
    const inventory: Inventory = { stack: 'shop', hosts };
    const { stack } = parseStack(STACK_FILE, 'perlstack.yml');
    const remote = connect(inventory, { privateKey: keys.user.privateKey });
    closing.push(() => remote.close());
    await configure(remote, stack, inventory);
    return siteOf({ cloud, stack, inventory, remote, folder, keyFile: keys.user.file, close });
  } catch (error) {
    await close();
    throw error;
  }
}

function siteOf(
  base: Pick<Site, 'cloud' | 'stack' | 'inventory' | 'remote' | 'folder' | 'close'> & { keyFile: string },
): Site {
  const { remote, inventory, stack, keyFile, folder } = base;
  const ask: Site['ask'] = async (host, script) =>
    (await remote.script(host, script, [], { sudo: true })).stdout.trim();
  let journals = 0;
  return {
    ...base,
    ask,
    url: `http://${inventory.hosts[0]?.publicAddress}`,
    journal: () => join(folder, `journal-${(journals += 1)}`),
    process: (order) => runProcess({ ...order, stack, inventory, keyFile }),
    orders: async () => {
      const hosts = inventory.hosts.filter(({ tier }) => tier === 'app');
      const journals = await Promise.all(
        hosts.map(({ name }) => ask(name, 'cat /run/shop/orders.log || true')),
      );
      return journals.flatMap((journal) => journal.split('\n'));
    },
  };
}

async function runProcess(order: DeployOrder): Promise<{ killed: boolean; output: string }> {
  const program = fileURLToPath(new URL('../lib/deploy-process.js', import.meta.url));
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(process.execPath, [program, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { killed: child.signalCode === 'SIGKILL', output: output + errors };
}

/** Everything that a deploy expects of a host, by the way that users go. */
async function configure(remote: Remote, stack: Stack, inventory: Inventory): Promise<void> {
  const bundle = render(stack, inventory);
  const observed = await observe(remote, bundle);
  const { steps } = plan(bundle, observed);
  const outcome = await execute(steps, handlers(remote, bundle));
  const [failure] = outcome.failures;
  if (failure) throw new Error(`${failure.step.id}: ${messageOf(failure.error)}`);
}

interface Key {
  readonly file: string;
  readonly privateKey: string;
  readonly publicKey: string;
}

async function makeKey(folder: string, name: string): Promise<Key> {
  const file = join(folder, name);
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file]);
  const publicKey = (await readFile(`${file}.pub`, 'utf8')).trim();
  return { file, privateKey: await readFile(file, 'utf8'), publicKey };
}

async function start(cloud: HostCloud, spec: HostSpec): Promise<void> {
  await cloud.driver.create(spec);
  await cloud.driver.boot(spec.id);
  await cloud.waitForSsh(spec.id);
}

function specOf(name: string, number: number, keys: Readonly<Record<'user' | 'host', Key>>): HostSpec {
  const subnet = name.startsWith('web') ? 1 : 2;
  const common = { prefix: 24, nat11: null };
  const mac = (kind: number): string => `f2:3c:0${kind}:00:01:${number.toString(16).padStart(2, '0')}`;
  const place = { memoryMiB: 2048, vcpus: 1, region: 'us-ord', type: 'g6-standard-1' };
  return {
    id: 2_000 + number,
    label: `shop-${name}`,
    image: 'linode/debian13',
    ...place,
    userData: userData(name, keys),
    authorizedKeys: [],
    interfaces: [
      {
        ...common,
        id: 4_000 + number,
        kind: 'public',
        mac: mac(0),
        ipv4: `203.0.113.${20 + number}`,
        gateway: '203.0.113.1',
        defaultRoute: true,
        vpcId: null,
        subnetId: null,
      },
      {
        ...common,
        id: 5_000 + number,
        kind: 'vpc',
        mac: mac(1),
        ipv4: `10.10.${subnet}.${20 + number}`,
        gateway: `10.10.${subnet}.1`,
        defaultRoute: false,
        vpcId: 7,
        subnetId: subnet,
      },
    ],
  };
}

function userData(name: string, { user, host }: Readonly<Record<'user' | 'host', Key>>): string {
  const deploy = {
    name: 'deploy',
    lock_passwd: true,
    shell: '/bin/bash',
    sudo: 'ALL=(ALL) NOPASSWD:ALL',
    ssh_authorized_keys: [user.publicKey],
  };
  const config = {
    hostname: name,
    preserve_hostname: false,
    disable_root: true,
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: host.privateKey, ed25519_public: host.publicKey },
    users: [deploy],
  };
  return `#cloud-config\n${JSON.stringify(config)}\n`;
}

async function hostOf(name: string, spec: HostSpec, key: Key, tunnels: Tunnels): Promise<Host> {
  const [outside, inside] = spec.interfaces;
  const port = await tunnels.to(outside?.ipv4 ?? '', 22);
  return {
    name,
    tier: name.split('-')[0] ?? '',
    publicAddress: outside?.ipv4 ?? null,
    privateAddress: inside?.ipv4 ?? null,
    ssh: { address: '127.0.0.1', port, user: 'deploy', hostKeys: [fingerprint(key.publicKey)], via: null },
    memoryMiB: spec.memoryMiB,
    vcpus: spec.vcpus,
    diskMiB: null,
    linodeId: spec.id,
  };
}
