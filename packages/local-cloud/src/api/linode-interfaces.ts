import { found, stamps } from './cloud.js';
import { enforce } from './enforce.js';
import { badRequest } from './errors.js';
import { linodeRef } from './events.js';
import { firewallsOn, firewallView, detachAll } from './firewalls.js';
import type { JsonObject } from './json.js';
import { linodeOf } from './lookup.js';
import type { EntityRef, Linode, LinodeInterface } from './model.js';
import {
  addInterface,
  changeInterface,
  checkTogether,
  claimRoutes,
  eligible,
  interfaceView,
  publicAddressesOf,
  readDraft,
  removeInterface,
  settleRoutes,
} from './newer-interfaces.js';
import { seatsOf } from './occupancy.js';
import type { Call, Route } from './router.js';
import { Claims } from './vpc-interfaces.js';

const READ = 'linodes:read_only';
const WRITE = 'linodes:read_write';
const BASE = '/linode/instances/:linode/interfaces';

export const linodeInterfaceRoutes: Route[] = [
  { method: 'GET', path: BASE, scopes: READ, handle: listInterfaces },
  { method: 'POST', path: BASE, scopes: WRITE, handle: createInterface },
  { method: 'GET', path: `${BASE}/settings`, scopes: READ, handle: (call) => settingsView(linodeOf(call)) },
  { method: 'PUT', path: `${BASE}/settings`, scopes: WRITE, handle: updateSettings },
  { method: 'GET', path: `${BASE}/history`, scopes: READ, handle: listHistory },
  { method: 'GET', path: `${BASE}/:interface`, scopes: READ, handle: getInterface },
  { method: 'PUT', path: `${BASE}/:interface`, scopes: WRITE, handle: updateInterface },
  { method: 'DELETE', path: `${BASE}/:interface`, scopes: WRITE, handle: deleteInterface },
  { method: 'GET', path: `${BASE}/:interface/firewalls`, scopes: READ, handle: listFirewalls },
];

/** Not paged, unlike other lists. */
function listInterfaces(call: Call): JsonObject {
  const linode = newerLinode(call);
  return { interfaces: linode.interfaces.map((one) => interfaceView(call.cloud, linode, one)) };
}

function getInterface(call: Call): JsonObject {
  const linode = newerLinode(call);
  return interfaceView(call.cloud, linode, interfaceOf(call, linode));
}

async function createInterface(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const linode = newerLinode(call);
  refuseUnlessOff(linode);
  const context = { cloud, region: linode.region, claims: new Claims(cloud), own: [] };
  const draft = readDraft(context, body);
  checkTogether(body, [draft], linode.interfaces);
  body.check();
  const iface = addInterface(cloud, linode, draft);
  claimRoutes(linode, iface, draft.route);
  settleRoutes(linode);
  cloud.notify('interface_create', linodeRef(linode), interfaceRef(linode, iface));
  await enforce(cloud);
  return interfaceView(cloud, linode, iface);
}

/** A key that is not sent keeps its part; the API has the whole part replaced otherwise. */
function updateInterface(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = newerLinode(call);
  const iface = interfaceOf(call, linode);
  refuseUnlessOff(linode);
  const kind = iface.public !== null ? 'public' : iface.vpc !== null ? 'vpc' : 'vlan';
  const route = body.object('default_route');
  if (body.raw(kind) != null) {
    const claims = new Claims(cloud, held(linode, iface));
    const context = { cloud, region: linode.region, claims, own: publicAddressesOf(iface) };
    const draft = readDraft(context, body, true);
    body.check();
    changeInterface(cloud, linode, iface, draft);
  }
  claimRoutes(linode, iface, { ipv4: route?.boolean('ipv4'), ipv6: route?.boolean('ipv6') });
  body.check();
  cloud.notify('interface_update', linodeRef(linode), interfaceRef(linode, iface));
  return interfaceView(cloud, linode, iface);
}

function deleteInterface(call: Call): JsonObject {
  const { cloud } = call;
  const linode = newerLinode(call);
  const iface = interfaceOf(call, linode);
  refuseUnlessOff(linode);
  detachAll(cloud, 'linode_interface', iface.id);
  removeInterface(cloud, linode, iface);
  settleRoutes(linode);
  cloud.notify('interface_delete', linodeRef(linode), interfaceRef(linode, iface));
  return {};
}

function listFirewalls(call: Call): JsonObject {
  const { cloud } = call;
  const iface = interfaceOf(call, newerLinode(call));
  const firewalls = firewallsOn(cloud, 'linode_interface', iface.id);
  return call.list(
    firewalls.map((firewall) => firewallView(cloud, firewall)),
    ['created', 'id', 'label', 'tags', 'updated'],
  );
}

function listHistory(call: Call): JsonObject {
  const { cloud } = call;
  const linode = newerLinode(call);
  const items = linode.interfaces.map((iface) => ({
    interface_history_id: iface.id,
    interface_id: iface.id,
    linode_id: linode.id,
    event_id: iface.id,
    version: iface.version,
    interface_data: JSON.stringify(interfaceView(cloud, linode, iface)),
    created: stamps(iface).updated,
  }));
  return call.list(items, ['interface_id', 'version', 'created']);
}

function settingsView(linode: Linode): JsonObject {
  const ids = (family: 'ipv4' | 'ipv6'): number[] => eligible(linode, family).map(({ id }) => id);
  const route = (family: 'ipv4' | 'ipv6'): number | null =>
    linode.interfaces.find((one) => one.defaultRoute[family])?.id ?? null;
  return {
    network_helper: linode.networkHelper,
    default_route: {
      ipv4_interface_id: route('ipv4'),
      ipv4_eligible_interface_ids: ids('ipv4'),
      ipv6_interface_id: route('ipv6'),
      ipv6_eligible_interface_ids: ids('ipv6'),
    },
  };
}

function updateSettings(call: Call): JsonObject {
  const { body } = call;
  const linode = newerLinode(call);
  const helper = body.boolean('network_helper');
  const route = body.object('default_route');
  for (const family of ['ipv4', 'ipv6'] as const) {
    const id = route?.integer(`${family}_interface_id`);
    if (id === undefined) continue;
    const heir = eligible(linode, family).find((one) => one.id === id);
    if (heir === undefined) route?.fail('Must be one of the eligible interfaces', `${family}_interface_id`);
    else claimRoutes(linode, heir, { ipv4: undefined, ipv6: undefined, [family]: true });
  }
  body.check();
  linode.networkHelper = helper ?? linode.networkHelper;
  return settingsView(linode);
}

function newerLinode(call: Call): Linode {
  const linode = linodeOf(call);
  if (linode.generation !== 'linode') throw badRequest('Linode is not using Linode Interfaces.');
  return linode;
}

function refuseUnlessOff(linode: Linode): void {
  if (linode.status === 'offline' || linode.status === 'provisioning') return;
  throw badRequest('Linode must be offline before its interfaces can be changed.');
}

function interfaceOf(call: Call, linode: Linode): LinodeInterface {
  const id = call.id('interface');
  return found(linode.interfaces.find((one) => one.id === id));
}

function held(linode: Linode, iface: LinodeInterface): string[] {
  const seats = seatsOf(linode).filter((seat) => seat.interfaceId === iface.id);
  return seats.flatMap((seat) => seat.addresses.map(({ address }) => `${seat.subnet}/${address}`));
}

function interfaceRef(linode: Linode, iface: LinodeInterface): EntityRef {
  const url = `/v4/linode/instances/${linode.id}/interfaces/${iface.id}`;
  return { id: iface.id, type: 'interface', label: '', url };
}
