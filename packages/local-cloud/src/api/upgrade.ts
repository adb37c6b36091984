import { addressesOf } from './allot.js';
import type { Cloud } from './cloud.js';
import { badRequest } from './errors.js';
import { linodeRef } from './events.js';
import { attach, detachAll, firewallsOn } from './firewalls.js';
import { configToBoot, macOf } from './host-spec.js';
import type { JsonObject } from './json.js';
import { refuseWhenBusy } from './lifecycle.js';
import { linodeOf } from './lookup.js';
import type { Config, ConfigInterface, Linode, LinodeInterface } from './model.js';
import { interfaceView, settleRoutes } from './newer-interfaces.js';
import type { Call, Route } from './router.js';

export const upgradeRoutes: Route[] = [
  {
    method: 'POST',
    path: '/linode/instances/:linode/upgrade-interfaces',
    scopes: 'linodes:read_write',
    handle: upgrade,
  },
];

/** Turns the interfaces of a profile into interfaces of the Linode; there is no way back. Tries only, unless told. */
function upgrade(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const dryRun = body.boolean('dry_run') ?? true;
  const wanted = body.integer('config_id');
  body.check();
  const config = chooseProfile(linode, wanted);
  if (!dryRun) refuseWhenBusy(cloud, linode);
  const interfaces = build(cloud, linode, config, dryRun);
  const views = interfaces.map((one) => interfaceView(cloud, linode, one));
  if (!dryRun) apply(cloud, linode, interfaces);
  const shown = dryRun ? views : linode.interfaces.map((one) => interfaceView(cloud, linode, one));
  return { config_id: config.id, dry_run: dryRun, interfaces: shown };
}

function chooseProfile(linode: Linode, wanted: number | undefined): Config {
  if (linode.generation === 'linode') throw badRequest('Linode is already using Linode Interfaces.');
  const asked = linode.configs.find((config) => config.id === wanted);
  const config = wanted === undefined ? configToBoot(linode) : asked;
  if (config === undefined) throw badRequest('Invalid config ID', 'config_id');
  return config;
}

function build(cloud: Cloud, linode: Linode, config: Config, dryRun: boolean): LinodeInterface[] {
  const sources = config.interfaces.length === 0 ? [undefined] : config.interfaces;
  return sources.map((source) => {
    // What is only tried has no ids yet.
    const id = dryRun ? 0 : cloud.newId();
    const now = cloud.now();
    const base = {
      id,
      mac: macOf(source?.id ?? linode.firstInterface),
      created: now,
      updated: now,
      version: 1,
    };
    return {
      ...base,
      defaultRoute: { ipv4: source?.primary ?? false, ipv6: false },
      ...parts(cloud, linode, source),
    };
  });
}

function parts(
  cloud: Cloud,
  linode: Linode,
  source: ConfigInterface | undefined,
): Pick<LinodeInterface, 'public' | 'vpc' | 'vlan'> {
  const none = { public: null, vpc: null, vlan: null };
  if (source === undefined || source.purpose === 'public') {
    const addresses = addressesOf(cloud, linode).filter((address) => address.public);
    const listed = addresses.map(({ address }, index) => ({ address, primary: index === 0 }));
    return { ...none, public: { addresses: listed, ranges: [] } };
  }
  if (source.subnet === null || source.ipv4 === null) {
    return { ...none, vlan: { label: source.label ?? '', ipamAddress: source.ipamAddress } };
  }
  const ipv6 = source.ipv6 ?? { slaac: [], ranges: [], isPublic: false };
  const addresses = [{ address: source.ipv4, primary: true, nat11: source.nat11 }];
  return { ...none, vpc: { subnet: source.subnet, addresses, ranges: source.ranges, ipv6 } };
}

/** The Linode's firewall goes over to its interfaces, VLANs excepted. */
function apply(cloud: Cloud, linode: Linode, interfaces: readonly LinodeInterface[]): void {
  const [firewall] = firewallsOn(cloud, 'linode', linode.id);
  detachAll(cloud, 'linode', linode.id);
  linode.generation = 'linode';
  linode.interfaces.push(...interfaces);
  for (const config of linode.configs) config.interfaces = [];
  settleRoutes(linode);
  if (firewall !== undefined) {
    for (const one of interfaces) if (one.vlan === null) attach(cloud, firewall, 'linode_interface', one.id);
  }
  cloud.notify('linode_interfaces_upgrade', linodeRef(linode));
}
