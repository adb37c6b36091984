import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '@perlstack/stack';
import type { HostDriver } from '../driver.js';
import {
  type ObjectStorage,
  type ObjectStorageOptions,
  startObjectStorage,
} from '../object-storage/gateway.js';
import { isAlive } from './alive.js';
import { createCgroup, isPopulated, killCgroup, machineCgroups, removeCgroup } from './cgroup.js';
import { type CommandOptions, type CommandResult, command } from './command.js';
import { type Context, cloudGroup, findRecord, machineOf, servicesGroup } from './context.js';
import { type Faults, createFaults } from './faults.js';
import { createHostDriver } from './host-driver.js';
import { type Log, defaultCacheDir } from './image.js';
import { allowInotify } from './inotify.js';
import { enterArgv, isOnOverlay, leaderOf, removeDisk } from './machine.js';
import { METADATA_SERVER } from './metadata.js';
import { isCloudId, namesOf, newCloudId } from './names.js';
import { createNetwork, inNamespace, removeNamespaces } from './network.js';
import { addressesOf } from './record.js';
import { requireHosts } from './requirements.js';
import {
  type CloudPaths,
  cloudsDir,
  hostPathsOf,
  listClouds,
  makeCloudDir,
  pathsOf,
  readBalancers,
  readCloud,
  readHosts,
  removeDir,
  writePrivate,
} from './store.js';

export interface HostStatus {
  readonly id: number;
  readonly label: string;
  readonly running: boolean;
  readonly addresses: readonly string[];
}

/** Real hosts on this machine, in networks that only they and what is started in their internet can see. */
export interface HostCloud {
  readonly id: string;
  readonly driver: HostDriver;
  readonly faults: Faults;
  /** Network namespace that stands for the internet. */
  readonly internetNamespace: string;
  /** An argv that runs another in the internet: where the runner and the load generator belong. */
  inInternet(argv: readonly string[]): string[];
  hosts(): Promise<HostStatus[]>;
  /** Runs a command as root at a host's console, whatever its network or sshd do; for diagnosis. */
  exec(host: number | string, argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** An argv for a shell at the host's console, to be started with this terminal. */
  consoleArgv(host: number | string): Promise<string[]>;
  /** Resolves when the host's sshd answers; by then the users of its user data exist. */
  waitForSsh(host: number | string, options?: { timeoutMs?: number }): Promise<void>;
  /** Starts object storage, once a cloud; it ends with the cloud. */
  startObjectStorage(options?: ObjectStorageOptions): Promise<ObjectStorage>;
  /** Removes all of it. */
  close(): Promise<void>;
}

export interface HostCloudOptions {
  /** Letters and digits; made up when it is not given. */
  readonly id?: string;
  /** Where images are kept. */
  readonly cacheDir?: string;
  /** Debian packages that hosts can install besides those that a stack needs; an image of its own has them. */
  readonly packages?: readonly string[];
  readonly log?: Log;
}

/**
 * Makes an empty cloud of real hosts.
 *
 * @throws {UserError} where this machine can't run hosts, with the reason
 */
export async function createHostCloud(options: HostCloudOptions = {}): Promise<HostCloud> {
  const log = options.log ?? (() => undefined);
  await requireHosts(log);
  await allowInotify();
  const id = options.id ?? newCloudId();
  if (!isCloudId(id)) throw new UserError(`cloud id "${id}": use up to 16 lower-case letters and digits`);
  const paths = pathsOf(join(cloudsDir(), id));
  if ((await readCloud(paths.dir)) !== null)
    throw new UserError(`cloud ${id} exists already: remove it first`);
  await prepareDir(paths, id);
  const context = await contextOf(id, options);
  try {
    const services = servicesGroup(context.layout, id);
    await createCgroup(cloudGroup(context.layout, id));
    await createCgroup(services);
    await context.network.create();
  } catch (error) {
    await removeCloud(id);
    throw error;
  }
  return cloudOf(context);
}

async function prepareDir(paths: CloudPaths, id: string): Promise<void> {
  await makeCloudDir(paths);
  // Inside a container the folder may be on an overlay, and the kernel stacks no overlay's upper layer on another.
  if (await isOnOverlay(paths.dir)) {
    await command(['mount', '-t', 'tmpfs', '-o', 'mode=700', 'tmpfs', paths.dir]);
    await makeCloudDir(paths);
  }
  const record = { id, ownerPid: process.pid, createdAt: new Date().toISOString() };
  await writePrivate(paths.record, JSON.stringify(record));
  await writeFile(paths.metadataServer, METADATA_SERVER, { mode: 0o600 });
}

async function contextOf(id: string, options: HostCloudOptions): Promise<Context> {
  const paths = pathsOf(join(cloudsDir(), id));
  const layout = await machineCgroups();
  const names = namesOf(id);
  const records = new Map((await readHosts(paths)).map((record) => [record.spec.id, record]));
  const balancers = new Map((await readBalancers(paths)).map((record) => [record.spec.id, record]));
  return {
    id,
    names,
    paths,
    layout,
    network: createNetwork(names, paths, servicesGroup(layout, id)),
    cacheDir: options.cacheDir ?? defaultCacheDir(),
    packages: options.packages ?? [],
    log: options.log ?? (() => undefined),
    records,
    balancers,
  };
}

/** Takes up a cloud that another process made; closing it removes the cloud. */
export async function openHostCloud(
  id: string,
  options: Omit<HostCloudOptions, 'id'> = {},
): Promise<HostCloud> {
  if (!isCloudId(id) || (await readCloud(join(cloudsDir(), id))) === null)
    throw new UserError(`cloud ${id}: there is none`);
  return cloudOf(await contextOf(id, options));
}

function cloudOf(context: Context): HostCloud {
  const close = (): Promise<void> => removeCloud(context.id);
  const leader = async (host: number | string): Promise<number> => {
    const record = findRecord(context, host);
    const pid = await leaderOf(machineOf(context, record).group);
    if (pid === null) throw new UserError(`host ${record.spec.label} is off`);
    return pid;
  };
  return {
    id: context.id,
    driver: createHostDriver(context, close),
    faults: createFaults(context),
    internetNamespace: context.names.internet,
    inInternet: (argv) => inNamespace(context.names.internet, argv),
    hosts: () => statusOf(context),
    exec: async (host, argv, options) => command(enterArgv(await leader(host), argv), options),
    consoleArgv: async (host) => enterArgv(await leader(host), ['env', '--chdir=/root', 'bash', '--login']),
    startObjectStorage: (options) => startObjectStorage(context, options),
    waitForSsh: (host, { timeoutMs = 60_000 } = {}) => waitForSsh(context, host, timeoutMs),
    close,
  };
}

async function statusOf(context: Context): Promise<HostStatus[]> {
  const records = [...context.records.values()];
  return Promise.all(
    records.map(async (record) => ({
      id: record.spec.id,
      label: record.spec.label,
      running: await isPopulated(machineOf(context, record).group),
      addresses: addressesOf(record.spec),
    })),
  );
}

// From inside the host's own network, so that no firewall and no cut link stands between.
const BANNER =
  'exec 3<>/dev/tcp/127.0.0.1/22; read -r -t 2 -u 3 line; case $line in SSH-2.0*) exit 0;; esac; exit 1';

async function waitForSsh(context: Context, host: number | string, timeoutMs: number): Promise<void> {
  const record = findRecord(context, host);
  const argv = inNamespace(context.names.host(record.spec.id), ['bash', '-c', BANNER]);
  const limit = Date.now() + timeoutMs;
  while ((await command(argv, { okCodes: [0, 1, 255] })).code !== 0) {
    if (Date.now() > limit) {
      const { console: log } = machineOf(context, record).paths;
      throw new Error(`host ${record.spec.label}: no SSH after ${timeoutMs} ms; its console is in ${log}`);
    }
    await sleep(100);
  }
}

export interface FoundCloud {
  readonly id: string;
  readonly ownerPid: number;
  /** Whether the process that made it still runs. */
  readonly ownerAlive: boolean;
  readonly createdAt: string;
  readonly hosts: readonly HostStatus[];
}

/** The clouds on this machine, whoever made them. */
export async function findClouds(): Promise<FoundCloud[]> {
  const records = await listClouds();
  return Promise.all(
    records.map(async (record) => ({
      ...record,
      ownerAlive: isAlive(record.ownerPid),
      hosts: await statusOf(await contextOf(record.id, {})),
    })),
  );
}

/** Removes a cloud with all its hosts, whoever made it and however far it got. Removing it twice does no harm. */
export async function removeCloud(id: string): Promise<void> {
  if (!isCloudId(id)) throw new UserError(`cloud id "${id}": use up to 16 lower-case letters and digits`);
  const paths = pathsOf(join(cloudsDir(), id));
  const group = cloudGroup(await machineCgroups(), id);
  await killCgroup(group);
  await removeNamespaces(id);
  await removeCgroup(group);
  for (const { spec } of await readHosts(paths)) await removeDisk(hostPathsOf(paths, spec.id));
  if (await isMountPoint(paths.dir)) await command(['umount', '--lazy', paths.dir]);
  await removeDir(paths.dir);
}

async function isMountPoint(folder: string): Promise<boolean> {
  return (await command(['mountpoint', '--quiet', folder], { okCodes: [0, 1, 32] })).code === 0;
}
