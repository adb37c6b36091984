import { mkdir } from 'node:fs/promises';
import { UserError } from '@perlstack/stack';
import { type Cgroup, type CgroupLayout, cgroupOf } from './cgroup.js';
import type { Log } from './image.js';
import type { Machine } from './machine.js';
import { type Names, prefixOf } from './names.js';
import type { Network } from './network.js';
import type { BalancerRecord, HostRecord, Station } from './record.js';
import { type CloudPaths, hostPathsOf, writePrivate } from './store.js';

/** What the parts of one cloud share. */
export interface Context {
  readonly id: string;
  readonly names: Names;
  readonly paths: CloudPaths;
  readonly layout: CgroupLayout;
  readonly network: Network;
  readonly cacheDir: string;
  /** What hosts can install besides what a stack needs. */
  readonly packages: readonly string[];
  readonly log: Log;
  /** By Linode id. */
  readonly records: Map<number, HostRecord>;
  /** By NodeBalancer id; no Linode has the id of a NodeBalancer. */
  readonly balancers: Map<number, BalancerRecord>;
}

/** Everything that hangs on the routers. */
export function stationsOf({ records, balancers }: Context): Station[] {
  return [...records.values(), ...balancers.values()];
}

/** The control group of a whole cloud. */
export function cloudGroup(layout: CgroupLayout, cloudId: string): Cgroup {
  return cgroupOf(layout, prefixOf(cloudId));
}

/** The control group of a cloud's own programs (metadata servers). */
export function servicesGroup(layout: CgroupLayout, cloudId: string): Cgroup {
  return cgroupOf(layout, prefixOf(cloudId), 'services');
}

/** A host by Linode id or label. */
export function findRecord(context: Context, host: number | string): HostRecord {
  const records = [...context.records.values()];
  const found = records.find(({ spec }) => spec.id === host || spec.label === host);
  if (found !== undefined) return found;
  const known = records.map(({ spec }) => spec.label).join(', ') || 'none';
  throw new UserError(`host ${host}: the local cloud ${context.id} has no such host (it has: ${known})`);
}

/** Keeps what is known of a host, here and on disk. */
export async function saveRecord(context: Context, record: HostRecord): Promise<void> {
  const paths = hostPathsOf(context.paths, record.spec.id);
  await mkdir(paths.dir, { recursive: true, mode: 0o700 });
  await writePrivate(paths.record, JSON.stringify(record));
  context.records.set(record.spec.id, record);
}

/** Keeps a change to a host's record and has the routers follow it. */
export async function changeRecord(context: Context, record: HostRecord): Promise<void> {
  await saveRecord(context, record);
  await context.network.loadRules(record.spec, stationsOf(context));
}

export function machineOf(context: Context, { spec }: HostRecord): Machine {
  const name = context.names.host(spec.id);
  return {
    spec,
    name,
    namespace: name,
    group: cgroupOf(context.layout, prefixOf(context.id), `host-${spec.id}`),
    paths: hostPathsOf(context.paths, spec.id),
  };
}
