import { UserError } from '@perlstack/stack';
import type { FirewallSpec, HostDriver, HostSpec } from '../driver.js';
import { isPopulated, killCgroup, removeCgroup } from './cgroup.js';
import { createBalancers } from './balancer.js';
import { type Context, changeRecord, findRecord, machineOf, saveRecord, stationsOf } from './context.js';
import { ensureImage } from './image.js';
import { makeDisk, makeGroups, powerOff, powerOn, removeDisk } from './machine.js';
import { removeMetadata, writeMetadata } from './metadata.js';
import type { HostRecord } from './record.js';
import { hostPathsOf, removeDir } from './store.js';

/** The driver that stands real Debian hosts behind the simulated API. */
export function createHostDriver(context: Context, close: () => Promise<void>): HostDriver {
  const balancers = createBalancers(context);
  return {
    create: (spec) => create(context, spec),
    boot: (id) => boot(context, id),
    shutdown: (id) => shutdown(context, id),
    reboot: async (id) => {
      await shutdown(context, id);
      await boot(context, id);
    },
    destroy: (id) => destroy(context, id),
    setFirewall: (id, interfaceId, firewall) => setFirewall(context, id, interfaceId, firewall),
    setBalancer: (id, balancer) => balancers.set(id, balancer),
    balancerNodes: (id) => balancers.health(id),
    close,
  };
}

async function create(context: Context, spec: HostSpec): Promise<void> {
  refuseDoubles(context, spec);
  const imageRoot = await ensureImage(spec.image, context.cacheDir, context.log, context.packages);
  const record: HostRecord = { spec, imageRoot, firewalls: {}, cuts: [], frozen: false, lossPercent: 0 };
  await saveRecord(context, record);
  await makeDisk(spec, imageRoot, hostPathsOf(context.paths, spec.id));
  await writeMetadata(context.paths.metadata, spec);
}

function refuseDoubles(context: Context, spec: HostSpec): void {
  const double = [...context.records.values()].find(
    (other) => other.spec.id === spec.id || other.spec.label === spec.label,
  );
  if (double !== undefined) {
    throw new UserError(
      `host ${spec.label}: the local cloud has host ${double.spec.label} (${double.spec.id}) already`,
    );
  }
}

async function boot(context: Context, id: number): Promise<void> {
  const record = { ...findRecord(context, id), frozen: false };
  const machine = machineOf(context, record);
  if (await isPopulated(machine.group)) return;
  await saveRecord(context, record);
  await makeGroups(machine.group, record.spec.memoryMiB);
  await context.network.loadRules(record.spec, stationsOf(context));
  await context.network.plug(record.spec);
  await powerOn(context.layout, machine);
}

async function shutdown(context: Context, id: number): Promise<void> {
  const record = findRecord(context, id);
  const { group } = machineOf(context, record);
  await powerOff(group);
  await context.network.unplug(record.spec);
  await removeCgroup(group);
}

async function destroy(context: Context, id: number): Promise<void> {
  const record = findRecord(context, id);
  const { group, paths } = machineOf(context, record);
  await context.network.unplug(record.spec);
  await killCgroup(group);
  await removeCgroup(group);
  await context.network.release(record.spec);
  await removeDisk(paths);
  await removeMetadata(context.paths.metadata, record.spec);
  await removeDir(paths.dir);
  context.records.delete(id);
}

async function setFirewall(
  context: Context,
  id: number,
  interfaceId: number,
  firewall: FirewallSpec | null,
): Promise<void> {
  const record = findRecord(context, id);
  const { [interfaceId]: _old, ...others } = record.firewalls;
  const firewalls = firewall === null ? others : { ...others, [interfaceId]: firewall };
  await changeRecord(context, { ...record, firewalls });
}
