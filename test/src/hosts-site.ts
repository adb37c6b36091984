import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createHostCloud, type HostCloud, type HostSpec, type InterfaceSpec } from '@perlstack/local-cloud';
import { type DesiredTier, layout } from '@perlstack/provision';
import { connect, fingerprint, type Remote } from '@perlstack/remote';
import { type Host, type Inventory, jumpTier, parseStack, type Stack } from '@perlstack/stack';
import { openTunnels, type Tunnels } from './tunnels.js';

const run = promisify(execFile);

/** Hosts as provisioning leaves them: booted, with their networks and the user `deploy`, and nothing installed. */
export interface HostsSite {
  readonly cloud: HostCloud;
  readonly stack: Stack;
  readonly inventory: Inventory;
  /** Connections to all hosts; to private ones through a public one, as everywhere. */
  readonly remote: Remote;
  /** The same hosts as the cloud's internet reaches them, for an action that runs in there. */
  readonly inside: Inventory;
  /** File with the private key that every host lets in. */
  readonly keyFile: string;
  readonly privateKey: string;
  /** For temporary files; removed at the end. */
  readonly folder: string;
  readonly tunnels: Tunnels;
  /** Runs a shell command on a host as root, over SSH, and gives its trimmed output. */
  readonly ask: (host: string, script: string) => Promise<string>;
  /** The same at the host's console, whatever its network, sshd or sudo do; with the exit code. */
  readonly console: (
    host: string,
    script: string,
  ) => Promise<{ readonly code: number; readonly output: string }>;
  /** Boots a host that was killed, and waits until it lets one in. */
  readonly revive: (host: string) => Promise<void>;
  /** A second set of connections, for which the caller is responsible. */
  readonly connect: () => Remote;
  readonly close: () => Promise<void>;
}

interface Size {
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
}

/** Of the types that the tests use, as Linode has them. */
const SIZES: Readonly<Record<string, Size>> = {
  'g6-nanode-1': { memoryMiB: 1_024, vcpus: 1, diskMiB: 25_600 },
  'g6-standard-1': { memoryMiB: 2_048, vcpus: 1, diskMiB: 51_200 },
  'g6-standard-2': { memoryMiB: 4_096, vcpus: 2, diskMiB: 81_920 },
};

export interface HostsOptions {
  /** Whether private hosts reach the internet, each by an address of its own, as provisioning has it. */
  readonly outbound?: boolean;
  /** Debian packages that the hosts can install besides those that a stack needs. */
  readonly packages?: readonly string[];
}

/** Boots the hosts of a stack file, without going through the API. */
export async function openHosts(
  stackFile: string,
  { outbound = false, packages = [] }: HostsOptions = {},
): Promise<HostsSite> {
  const { stack } = parseStack(stackFile, 'perlstack.yml');
  const folder = await mkdtemp(join(tmpdir(), 'hosts-test-'));
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).reverse()) await one();
  };
  try {
    const cloud = await createHostCloud({ packages });
    closing.push(() => cloud.close());
    const keys = { user: await makeKey(folder, 'user'), host: await makeKey(folder, 'host') };
    const tunnels = await openTunnels(cloud);
    closing.push(() => tunnels.close());
    const inventory = await boot(stack, cloud, keys, tunnels, outbound);
    const open = (): Remote => connect(inventory, { privateKey: keys.user.privateKey });
    const remote = open();
    closing.push(() => remote.close());
    return siteOf({ cloud, stack, inventory, remote, folder, tunnels, connect: open, close }, keys.user);
  } catch (error) {
    await close();
    throw error;
  }
}

function siteOf(
  base: Omit<HostsSite, 'ask' | 'console' | 'revive' | 'inside' | 'keyFile' | 'privateKey'>,
  key: Key,
): HostsSite {
  const { remote, cloud, stack } = base;
  return {
    ...base,
    inside: { ...base.inventory, hosts: base.inventory.hosts.map(asInside) },
    keyFile: key.file,
    privateKey: key.privateKey,
    ask: async (host, script) => (await remote.script(host, script, [], { sudo: true })).stdout.trim(),
    revive: async (host) => {
      const id = base.inventory.hosts.find(({ name }) => name === host)?.linodeId ?? 0;
      await cloud.driver.boot(id);
      await cloud.waitForSsh(id);
      // A connection of before its death ends with the first word on it.
      await remote.run(host, ['true']).catch(() => undefined);
    },
    console: async (host, script) => {
      const okCodes = Array.from({ length: 256 }, (_, code) => code);
      const argv = ['sh', '-c', script];
      const { code, stdout } = await cloud.exec(`${stack.stack}-${host}`, argv, { okCodes });
      return { code, output: stdout.trim() };
    },
  };
}

const asInside = (host: Host): Host =>
  host.publicAddress === null
    ? host
    : { ...host, ssh: { ...host.ssh, address: host.publicAddress, port: 22 } };

interface Keys {
  readonly user: Key;
  readonly host: Key;
}

async function boot(
  stack: Stack,
  cloud: HostCloud,
  keys: Keys,
  tunnels: Tunnels,
  outbound: boolean,
): Promise<Inventory> {
  const tiers = layout(stack, () => 0);
  const planned = tiers.flatMap((tier, index) =>
    tier.hosts.map((host) => ({ tier, spec: specOf(stack, tier, index, host, keys, outbound) })),
  );
  await Promise.all(planned.map(({ spec }) => start(cloud, spec)));
  const doors = planned
    .filter(({ tier }) => tier.tier === jumpTier(stack))
    .map(({ spec }) => nameOf(stack, spec));
  const hosts = planned.map(async ({ tier, spec }, index) => {
    const via = tier.public ? null : (doors[index % Math.max(doors.length, 1)] ?? null);
    return hostOf(nameOf(stack, spec), tier.tier, spec, via, keys.host, tunnels);
  });
  return { stack: stack.stack, hosts: await Promise.all(hosts) };
}

const nameOf = ({ stack }: Stack, { label }: HostSpec): string => label.slice(stack.length + 1);

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

function sizeOf(type: string): Size {
  const size = SIZES[type];
  if (!size) throw new Error(`hosts-site.ts does not know the size of ${type}`);
  return size;
}

function specOf(
  stack: Stack,
  tier: DesiredTier,
  index: number,
  host: DesiredTier['hosts'][number],
  keys: Keys,
  outbound: boolean,
): HostSpec {
  const number = 100 * index + host.number;
  const { memoryMiB, vcpus } = sizeOf(tier.type);
  const inside = privateLink(number, tier, index, host.address, outbound);
  return {
    ...{ id: 2_000 + number, label: host.label, image: stack.image, memoryMiB, vcpus },
    ...{ region: stack.region, type: tier.type, authorizedKeys: [] },
    userData: userData(host.name, keys),
    interfaces: tier.public ? [publicLink(number), inside] : [inside],
  };
}

const macOf = (kind: number, number: number): string =>
  `f2:3c:0${kind}:00:${[number >> 8, number & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;

const outsideAddress = (first: number, number: number): string =>
  `203.0.113.${first + (number % 100) + 20 * Math.floor(number / 100)}`;

function publicLink(number: number): InterfaceSpec {
  return {
    ...{ id: 4_000 + number, kind: 'public', mac: macOf(0, number), defaultRoute: true },
    ...{
      ipv4: outsideAddress(20, number),
      gateway: '203.0.113.1',
      prefix: 24,
    },
    ...{ vpcId: null, subnetId: null, nat11: null },
  };
}

function privateLink(
  number: number,
  tier: DesiredTier,
  index: number,
  address: string,
  outbound: boolean,
): InterfaceSpec {
  const nat11 = outbound && !tier.public ? outsideAddress(120, number) : null;
  return {
    ...{ id: 5_000 + number, kind: 'vpc', mac: macOf(1, number), defaultRoute: !tier.public },
    ...{ ipv4: address, gateway: address.replace(/\d+$/, '1'), prefix: 24 },
    ...{ vpcId: 7, subnetId: index + 1, nat11 },
  };
}

function userData(name: string, { user, host }: Keys): string {
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

async function hostOf(
  name: string,
  tier: string,
  spec: HostSpec,
  via: string | null,
  key: Key,
  tunnels: Tunnels,
): Promise<Host> {
  const outside = spec.interfaces.find(({ kind }) => kind === 'public')?.ipv4 ?? null;
  const inside = spec.interfaces.find(({ kind }) => kind === 'vpc')?.ipv4 ?? null;
  const way =
    outside === null
      ? { address: inside ?? '', port: 22, via }
      : { address: '127.0.0.1', port: await tunnels.to(outside, 22), via: null };
  return {
    ...{ name, tier, publicAddress: outside, privateAddress: inside },
    ssh: { ...way, user: 'deploy', hostKeys: [fingerprint(key.publicKey)] },
    ...{ ...sizeOf(spec.type), placement: null, linodeId: spec.id },
  };
}
