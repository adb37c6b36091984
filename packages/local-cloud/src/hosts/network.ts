import { type Cgroup } from './cgroup.js';
import { command } from './command.js';
import {
  HOST_SETTINGS,
  type IpCommand,
  ROUTER_SETTINGS,
  hostCommands,
  internetCommands,
  namespaceOf,
  releaseCommands,
  sourceCommands,
  unplugCommands,
  vpcCommands,
} from './links.js';
import { type Names, prefixOf } from './names.js';
import { type RouterId, type Station, routerOf } from './record.js';
import { routerRules } from './rules.js';
import { startDetached } from './service.js';
import type { CloudPaths } from './store.js';

/** The networks of one cloud: the internet, a router for each VPC, a namespace for each host that is on. */
export interface Network {
  /** Makes the internet's namespace. */
  create(): Promise<void>;
  /**
   * Gives a host or a NodeBalancer a fresh namespace, connected as its interfaces say.
   *
   * @param sources further addresses of its interface in a VPC
   */
  plug(spec: Plugged, sources?: readonly string[]): Promise<void>;
  /** Takes it off the network at once; harmless when it is off. */
  unplug(spec: Plugged): Promise<void>;
  /** Forgets what is off and will not come back. */
  release(spec: Plugged): Promise<void>;
  /** Loads the rules of every router that it hangs on, and makes the router where there is none yet. */
  loadRules(spec: Plugged, stations: readonly Station[]): Promise<void>;
}

type Plugged = Station['spec'];

async function runIp(commands: readonly IpCommand[]): Promise<void> {
  for (const words of commands) await command(['ip', ...words]);
}

/** The network namespaces whose names begin so. */
export async function namespaces(prefix: string): Promise<string[]> {
  const { stdout } = await command(['ip', 'netns', 'list']);
  const names = stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
  return names.filter((name) => name.startsWith(prefix));
}

/** Ends what still runs in a cloud's namespaces (load generators of a killed owner), then removes them. */
export async function removeNamespaces(cloudId: string): Promise<void> {
  for (const name of await namespaces(`${prefixOf(cloudId)}-`)) {
    const { stdout } = await command(['ip', 'netns', 'pids', name], { okCodes: [0, 1, 255] });
    for (const pid of stdout.split('\n').filter(Boolean).map(Number)) killIfThere(pid);
    await command(['ip', 'netns', 'delete', name], { okCodes: [0, 1] });
  }
}

function killIfThere(pid: number): void {
  if (pid === process.pid) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

// Inside a container /proc/sys is often read-only; `ip netns exec` gives a mount namespace of its own to change that in.
const SYSCTL =
  '[ -w /proc/sys/net/ipv4/ip_forward ] || mount -o remount,bind,rw /proc/sys; exec sysctl --quiet -w "$@"';

async function apply(settings: readonly string[], namespace: string): Promise<void> {
  await command(inNamespace(namespace, ['sh', '-euc', SYSCTL, 'sh', ...settings]));
}

/**
 * @param services control group of the metadata servers
 */
export function createNetwork(names: Names, paths: CloudPaths, services: Cgroup): Network {
  const makeRouter = async (
    namespace: string,
    commands: readonly IpCommand[],
    rules: string,
  ): Promise<void> => {
    await command(['ip', 'netns', 'add', namespace]);
    // Rules first: they make the kernel load connection tracking, and with it the settings for it.
    await loadInto(namespace, rules);
    await apply(ROUTER_SETTINGS, namespace);
    await runIp(commands);
    await startDetached(
      services,
      inNamespace(namespace, ['perl', paths.metadataServer, paths.metadata]),
      paths.log,
    );
  };

  const ensureVpc = async (vpcId: number, stations: readonly Station[]): Promise<void> => {
    const namespace = names.vpc(vpcId);
    if ((await namespaces(namespace)).includes(namespace)) return;
    await makeRouter(namespace, vpcCommands(names, vpcId), routerRules({ vpcId }, stations));
  };

  // A firewall may be attached before the host, and so its VPC's router, was ever there.
  const loadRules = async (spec: Plugged, stations: readonly Station[]): Promise<void> => {
    for (const router of routersOf(spec)) {
      if (router !== 'internet') await ensureVpc(router.vpcId, stations);
      await loadInto(namespaceOf(names, router), routerRules(router, stations));
    }
  };

  const unplug = async (spec: Plugged): Promise<void> => {
    // Each may be gone already, one by one: a host that turned itself off, or was killed half-way.
    for (const words of unplugCommands(names, spec)) await command(['ip', ...words], { okCodes: [0, 1, 2] });
    await command(['ip', 'netns', 'delete', names.host(spec.id)], { okCodes: [0, 1] });
  };

  // Routers are shared by hosts that come and go at the same time: one change after the other.
  const inTurn = queue();

  return {
    create: () => makeRouter(names.internet, internetCommands(names), routerRules('internet', [])),
    plug: async (spec, sources = []) => {
      await unplug(spec);
      await command(['ip', 'netns', 'add', names.host(spec.id)]);
      await runIp([...hostCommands(names, spec), ...sourceCommands(names, spec, sources)]);
      await apply(HOST_SETTINGS, names.host(spec.id));
    },
    unplug,
    release: async (spec) => {
      for (const words of releaseCommands(names, spec))
        await command(['ip', ...words], { okCodes: [0, 1, 2] });
    },
    loadRules: (spec, stations) => inTurn(() => loadRules(spec, stations)),
  };
}

function routersOf(spec: Plugged): RouterId[] {
  const byName = new Map(spec.interfaces.map(routerOf).map((router) => [JSON.stringify(router), router]));
  return [...byName.values()];
}

async function loadInto(namespace: string, rules: string): Promise<void> {
  await command(inNamespace(namespace, ['nft', '--file', '-']), { input: rules });
}

/** An argv that runs another inside a network namespace. */
export function inNamespace(namespace: string, argv: readonly string[]): string[] {
  return ['ip', 'netns', 'exec', namespace, ...argv];
}

/** Runs one piece of work after the other, in the order of the calls; a failed one does not stop the next. */
function queue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}
