import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BalancerSpec, NodeHealth } from '../driver.js';
import { type Cgroup, cgroupOf, createCgroup, isPopulated, killCgroup, removeCgroup } from './cgroup.js';
import { command } from './command.js';
import { type Context, stationsOf } from './context.js';
import { haproxyConfig, nodeHealth, runningGeneration } from './haproxy.js';
import { prefixOf } from './names.js';
import { inNamespace } from './network.js';
import type { BalancerRecord } from './record.js';
import { startDetached } from './service.js';
import { type BalancerPaths, balancerPathsOf, removeDir, writePrivate } from './store.js';

/** The NodeBalancers of a cloud: a HAProxy each, in a network namespace and a control group of its own. */
export interface Balancers {
  set(id: number, balancer: BalancerSpec | null): Promise<void>;
  health(id: number): Promise<ReadonlyMap<number, NodeHealth>>;
}

export function createBalancers(context: Context): Balancers {
  // Each change looks at what the one before it has left.
  let last: Promise<unknown> = Promise.resolve();
  return {
    set: (id, balancer) => {
      const work = (): Promise<void> => (balancer ? place(context, balancer) : remove(context, id));
      const next = last.then(work, work);
      last = next.catch(() => undefined);
      return next;
    },
    // During a change the program may not answer.
    health: async (id) => {
      await last;
      return healthOf(context, id);
    },
  };
}

async function place(context: Context, balancer: BalancerSpec): Promise<void> {
  const { id } = balancer;
  const paths = balancerPathsOf(context.paths, id);
  const before = context.balancers.get(id);
  const generation = (before?.generation ?? 0) + 1;
  await mkdir(paths.dir, { recursive: true, mode: 0o700 });
  if (before === undefined) await writePrivate(paths.state, NO_STATE);
  const config = haproxyConfig(balancer, { generation, socket: paths.socket, state: paths.state });
  await checked(paths, config);
  const record = recordOf(balancer, generation);
  await writePrivate(paths.record, JSON.stringify(record));
  context.balancers.set(id, record);
  await connectIt(context, record, before);
  await serve(context, record, config);
}

/** The first line of a state file, which HAProxy asks for. */
const NO_STATE = '1\n';

/** @throws CommandError with HAProxy's words when it would not take the configuration */
async function checked(paths: BalancerPaths, config: string): Promise<void> {
  await writeFile(paths.candidate, config, { mode: 0o600 });
  await command(['haproxy', '-c', '-q', '-f', paths.candidate]);
}

function recordOf(balancer: BalancerSpec, generation: number): BalancerRecord {
  const { id, interfaces, sources, firewall } = balancer;
  const walls = interfaces
    .filter(({ kind }) => kind === 'public')
    .map((link) => [link.id, firewall] as const);
  return {
    spec: { id, interfaces },
    sources,
    generation,
    firewalls: Object.fromEntries(
      walls.flatMap(([link, wall]) => (wall === null ? [] : [[link, wall] as const])),
    ),
    cuts: [],
    frozen: false,
    lossPercent: 0,
  };
}

async function connectIt(context: Context, record: BalancerRecord, before?: BalancerRecord): Promise<void> {
  await context.network.loadRules(record.spec, stationsOf(context));
  if (JSON.stringify(before?.spec) === JSON.stringify(record.spec)) return;
  await context.network.plug(record.spec, record.sources);
}

async function serve(context: Context, { spec, generation }: BalancerRecord, config: string): Promise<void> {
  const paths = balancerPathsOf(context.paths, spec.id);
  const group = groupOf(context, spec.id);
  await writePrivate(paths.config, config);
  if (await isPopulated(group)) {
    await writePrivate(paths.state, await ask(paths.socket, 'show servers state'));
    await ask(paths.master, 'reload');
  } else {
    await createCgroup(group);
    const argv = ['haproxy', '-W', '-S', paths.master, '-f', paths.config];
    await startDetached(group, inNamespace(context.names.host(spec.id), argv), paths.log);
  }
  await untilRunning(paths, generation);
}

async function untilRunning(paths: BalancerPaths, generation: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    // There is no socket before the first start and for a moment during a reload.
    const info = await ask(paths.socket, 'show info').catch(() => '');
    if (runningGeneration(info) === generation) return;
    await sleep(25);
  }
  throw new Error(`HAProxy does not run generation ${generation} of its configuration; see ${paths.log}`);
}

async function remove(context: Context, id: number): Promise<void> {
  const record = context.balancers.get(id);
  if (record === undefined) return;
  const group = groupOf(context, id);
  await context.network.unplug(record.spec);
  await killCgroup(group);
  await removeCgroup(group);
  context.balancers.delete(id);
  await context.network.release(record.spec);
  await removeDir(balancerPathsOf(context.paths, id).dir);
}

async function healthOf(context: Context, id: number): Promise<ReadonlyMap<number, NodeHealth>> {
  if (!context.balancers.has(id)) return new Map();
  return nodeHealth(await ask(balancerPathsOf(context.paths, id).socket, 'show stat'));
}

function groupOf({ layout, id: cloud }: Context, id: number): Cgroup {
  return cgroupOf(layout, prefixOf(cloud), `balancer-${id}`);
}

/** HAProxy's answer to a command at one of its sockets. */
async function ask(socket: string, what: string): Promise<string> {
  const line = connect(socket);
  line.setTimeout(5_000, () => line.destroy(new Error(`HAProxy gave no answer at ${socket}`)));
  line.end(`${what}\n`);
  return text(line);
}
