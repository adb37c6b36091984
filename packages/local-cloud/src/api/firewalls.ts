import { found, stamps, type Cloud, type DefaultFor } from './cloud.js';
import { stamp } from './clock.js';
import { FIREWALL_TEMPLATES } from './data/firewall-templates.js';
import { badRequest } from './errors.js';
import { linodeRef } from './events.js';
import type { Fields } from './fields.js';
import { enforce } from './enforce.js';
import { readRules, rulesView } from './firewall-rules.js';
import type { JsonObject } from './json.js';
import { FIREWALL_LABEL, otherLabels, readLabel, readTags, requireLabel } from './labels.js';
import type { Device, DeviceType, EntityRef, Firewall, Linode, LinodeInterface } from './model.js';
import type { Call, Route } from './router.js';
import { useTags } from './tagging.js';

const FILTERABLE = ['created', 'id', 'label', 'tags', 'updated'];
const READ = 'firewall:read_only';
const WRITE = 'firewall:read_write';
const BASE = '/networking/firewalls';
const ONE = `${BASE}/:firewall`;

export const firewallRoutes: Route[] = [
  { method: 'GET', path: BASE, scopes: READ, handle: listFirewalls },
  { method: 'POST', path: BASE, scopes: WRITE, handle: createFirewall },
  { method: 'GET', path: `${BASE}/settings`, scopes: READ, handle: (call) => settingsView(call.cloud) },
  { method: 'PUT', path: `${BASE}/settings`, scopes: WRITE, handle: updateSettings },
  {
    method: 'GET',
    path: `${BASE}/templates`,
    scopes: '*',
    handle: (call) => call.list(FIREWALL_TEMPLATES, []),
  },
  { method: 'GET', path: `${BASE}/templates/:slug`, scopes: '*', handle: getTemplate },
  { method: 'GET', path: ONE, scopes: READ, handle: (call) => firewallView(call.cloud, firewallOf(call)) },
  { method: 'PUT', path: ONE, scopes: WRITE, handle: updateFirewall },
  { method: 'DELETE', path: ONE, scopes: WRITE, handle: deleteFirewall },
  { method: 'GET', path: `${ONE}/rules`, scopes: READ, handle: (call) => currentRules(firewallOf(call)) },
  { method: 'PUT', path: `${ONE}/rules`, scopes: WRITE, handle: updateRules },
  { method: 'GET', path: `${ONE}/devices`, scopes: READ, handle: listDevices },
  { method: 'POST', path: `${ONE}/devices`, scopes: WRITE, handle: createDevice },
  { method: 'GET', path: `${ONE}/devices/:device`, scopes: READ, handle: getDevice },
  { method: 'DELETE', path: `${ONE}/devices/:device`, scopes: WRITE, handle: deleteDevice },
  { method: 'GET', path: `${ONE}/history`, scopes: READ, handle: listHistory },
  { method: 'GET', path: `${ONE}/history/rules/:version`, scopes: READ, handle: getHistory },
];

export function firewallView(cloud: Cloud, firewall: Firewall): JsonObject {
  return {
    id: firewall.id,
    label: firewall.label,
    ...stamps(firewall),
    status: firewall.status,
    rules: currentRules(firewall),
    tags: firewall.tags,
    entities: firewall.devices.flatMap((device) => entityView(cloud, device) ?? []),
  };
}

/** The firewalls that are attached to something; the API allows one for each. */
export function firewallsOn(cloud: Cloud, type: DeviceType, entity: number): Firewall[] {
  return [...cloud.firewalls.values()].filter((firewall) =>
    firewall.devices.some((device) => device.type === type && device.entity === entity),
  );
}

/** Attaches without asking whether it may be. */
export function attach(cloud: Cloud, firewall: Firewall, type: DeviceType, entity: number): Device {
  const device = { id: cloud.newId(), type, entity, created: cloud.now() };
  firewall.devices.push(device);
  cloud.notify('firewall_device_add', firewallRef(firewall), deviceRef(cloud, device));
  return device;
}

/** Detaches whatever is attached to something that goes away. */
export function detachAll(cloud: Cloud, type: DeviceType, entity: number): void {
  for (const firewall of firewallsOn(cloud, type, entity)) {
    const index = firewall.devices.findIndex((device) => device.type === type && device.entity === entity);
    firewall.devices.splice(index, 1);
  }
}

/**
 * Which firewall a new thing gets: the one asked for, none for `-1`, else the account's default. Complains about one
 * that does not exist.
 */
export function chooseFirewall(cloud: Cloud, fields: Fields, defaultFor: DefaultFor): Firewall | undefined {
  const id = fields.integer('firewall_id');
  if (id === -1) return undefined;
  if (id === undefined) return cloud.firewalls.get(cloud.defaultFirewalls[defaultFor] ?? 0);
  const firewall = cloud.firewalls.get(id);
  if (firewall === undefined) fields.fail('Invalid firewall ID', 'firewall_id');
  return firewall;
}

function listFirewalls(call: Call): JsonObject {
  const firewalls = [...call.cloud.firewalls.values()];
  return call.list(
    firewalls.map((firewall) => firewallView(call.cloud, firewall)),
    FILTERABLE,
  );
}

async function createFirewall(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const label = requireLabel(body, FIREWALL_LABEL, otherLabels(cloud.firewalls.values()));
  const ruleFields = body.object('rules');
  if (!body.has('rules')) body.fail('rules is required', 'rules');
  const rules = ruleFields === undefined ? undefined : readRules(ruleFields);
  const tags = readTags(body) ?? [];
  const targets = readTargets(cloud, body);
  body.check();
  const now = cloud.now();
  const firewall: Firewall = {
    id: cloud.newId(),
    label,
    status: 'enabled',
    tags: useTags(cloud, tags),
    rules: rules ?? { inbound: [], inboundPolicy: 'DROP', outbound: [], outboundPolicy: 'DROP' },
    version: 1,
    history: [],
    devices: [],
    created: now,
    updated: now,
  };
  cloud.firewalls.set(firewall.id, firewall);
  cloud.notify('firewall_create', firewallRef(firewall));
  for (const { type, id } of targets) attach(cloud, firewall, type, id);
  await enforce(cloud);
  return firewallView(cloud, firewall);
}

const TARGETS = [
  ['linodes', 'linode'],
  ['interfaces', 'linode_interface'],
  ['linode_interfaces', 'linode_interface'],
  ['nodebalancers', 'nodebalancer'],
] as const;

function readTargets(cloud: Cloud, body: Fields): { type: DeviceType; id: number }[] {
  const devices = body.object('devices');
  if (devices === undefined) return [];
  return TARGETS.flatMap(([name, type]) =>
    (devices.integers(name) ?? []).map((id, index) => {
      const problem = whyNotAttach(cloud, type, id);
      if (problem !== undefined) devices.fail(problem, `${name}[${index}]`);
      return { type, id };
    }),
  );
}

async function updateFirewall(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const firewall = firewallOf(call);
  const label = readLabel(body, FIREWALL_LABEL, otherLabels(cloud.firewalls.values(), firewall.id));
  const status = body.choice('status', ['enabled', 'disabled']);
  const tags = readTags(body);
  body.check();
  firewall.label = label ?? firewall.label;
  firewall.status = status ?? firewall.status;
  if (tags !== undefined) firewall.tags = useTags(cloud, tags);
  firewall.updated = cloud.now();
  cloud.notify('firewall_update', firewallRef(firewall));
  await enforce(cloud);
  return firewallView(cloud, firewall);
}

async function deleteFirewall(call: Call): Promise<JsonObject> {
  const { cloud } = call;
  const firewall = firewallOf(call);
  if (Object.values(cloud.defaultFirewalls).includes(firewall.id)) {
    throw badRequest('A default firewall cannot be deleted.');
  }
  cloud.firewalls.delete(firewall.id);
  cloud.notify('firewall_delete', firewallRef(firewall));
  await enforce(cloud);
  return {};
}

async function updateRules(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const firewall = firewallOf(call);
  const rules = readRules(body);
  body.check();
  firewall.history.push({ version: firewall.version, updated: firewall.updated, rules: firewall.rules });
  firewall.rules = rules;
  firewall.version += 1;
  firewall.updated = cloud.now();
  cloud.notify('firewall_rules_update', firewallRef(firewall));
  await enforce(cloud);
  return currentRules(firewall);
}

function currentRules(firewall: Firewall): JsonObject {
  return rulesView(firewall.rules, firewall.version);
}

function listDevices(call: Call): JsonObject {
  const firewall = firewallOf(call);
  return call.list(
    firewall.devices.map((device) => deviceView(call.cloud, device)),
    ['created', 'id', 'updated'],
  );
}

function getDevice(call: Call): JsonObject {
  return deviceView(call.cloud, deviceOf(call, firewallOf(call)));
}

async function createDevice(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const firewall = firewallOf(call);
  const given = body.choice('type', ['linode', 'linode_interface', 'interface', 'nodebalancer']);
  if (!body.has('type')) body.fail('type is required', 'type');
  const id = body.requiredInteger('id');
  const type = given === 'interface' ? 'linode_interface' : given;
  const problem = type === undefined ? undefined : whyNotAttach(cloud, type, id);
  if (problem !== undefined) body.fail(problem);
  body.check();
  const device = attach(cloud, firewall, type ?? 'linode', id);
  await enforce(cloud);
  return deviceView(cloud, device);
}

async function deleteDevice(call: Call): Promise<JsonObject> {
  const { cloud } = call;
  const firewall = firewallOf(call);
  const device = deviceOf(call, firewall);
  firewall.devices.splice(firewall.devices.indexOf(device), 1);
  cloud.notify('firewall_device_remove', firewallRef(firewall), deviceRef(cloud, device));
  await enforce(cloud);
  return {};
}

/** Why a firewall can't be attached to something, or `undefined` if it can. */
function whyNotAttach(cloud: Cloud, type: DeviceType, id: number): string | undefined {
  if (type === 'linode' && cloud.linodes.get(id)?.generation === 'linode') {
    return (
      'Linode is using Linode Interfaces. Please apply Cloud Firewall to the interfaces of the Linode instead of ' +
      'directly to the Linode.'
    );
  }
  if (!exists(cloud, type, id)) return 'Not found';
  const [other] = firewallsOn(cloud, type, id);
  return other === undefined ? undefined : `Already assigned to firewall ${other.label}`;
}

function exists(cloud: Cloud, type: DeviceType, id: number): boolean {
  if (type === 'linode') return cloud.linodes.has(id);
  if (type === 'nodebalancer') return cloud.nodeBalancers.has(id);
  const holder = interfaceHolder(cloud, id);
  return holder !== undefined && holder.iface.vlan === null;
}

function interfaceHolder(cloud: Cloud, id: number): { linode: Linode; iface: LinodeInterface } | undefined {
  for (const linode of cloud.linodes.values()) {
    const iface = linode.interfaces.find((one) => one.id === id);
    if (iface !== undefined) return { linode, iface };
  }
  return undefined;
}

function deviceView(cloud: Cloud, device: Device): JsonObject {
  const created = stamp(device.created);
  return { id: device.id, created, updated: created, entity: entityView(cloud, device) };
}

/** What a firewall is attached to; `null` for something that has gone. */
function entityView(cloud: Cloud, device: Device): JsonObject | null {
  const ref = deviceRef(cloud, device);
  if (ref === null) return null;
  const { id, type, label, url } = ref;
  if (type !== 'linode_interface') return { id, type, label, url, parent_entity: null };
  const holder = interfaceHolder(cloud, device.entity);
  const parent = holder === undefined ? null : { ...linodeRef(holder.linode) };
  // Interfaces have no labels.
  return { id, type, label: null, url, parent_entity: parent };
}

function deviceRef(cloud: Cloud, { entity: id, type }: Device): EntityRef | null {
  if (type === 'linode_interface') {
    const holder = interfaceHolder(cloud, id);
    if (holder === undefined) return null;
    return { id, type, label: '', url: `/v4/linode/instances/${holder.linode.id}/interfaces/${id}` };
  }
  if (type === 'linode') {
    const linode = cloud.linodes.get(id);
    return linode === undefined ? null : linodeRef(linode);
  }
  const balancer = cloud.nodeBalancers.get(id);
  return balancer === undefined ? null : { id, type, label: balancer.label, url: `/v4/nodebalancers/${id}` };
}

function settingsView(cloud: Cloud): JsonObject {
  return { default_firewall_ids: { ...cloud.defaultFirewalls } };
}

function updateSettings(call: Call): JsonObject {
  const { cloud, body } = call;
  const ids = body.object('default_firewall_ids');
  const names = Object.keys(cloud.defaultFirewalls) as DefaultFor[];
  const changes = names.flatMap((name) => {
    if (ids?.has(name) !== true) return [];
    const id = ids.integer(name) ?? null;
    if (id !== null && !cloud.firewalls.has(id)) ids.fail('Invalid firewall ID', name);
    return [{ name, id }];
  });
  body.check();
  for (const { name, id } of changes) cloud.defaultFirewalls[name] = id;
  return settingsView(cloud);
}

function getTemplate(call: Call): JsonObject {
  const slug = call.param('slug');
  return found(FIREWALL_TEMPLATES.find((template) => template['slug'] === slug));
}

function listHistory(call: Call): JsonObject {
  const firewall = firewallOf(call);
  const { version, updated, status } = firewall;
  const past = firewall.history.map((one) => ({
    updated: stamp(one.updated),
    status,
    rules: { version: one.version },
  }));
  return call.list([...past, { updated: stamp(updated), status, rules: { version } }], []);
}

function getHistory(call: Call): JsonObject {
  const firewall = firewallOf(call);
  const version = call.id('version');
  if (version === firewall.version) return currentRules(firewall);
  const past = found(firewall.history.find((one) => one.version === version));
  return rulesView(past.rules, past.version);
}

function firewallOf(call: Call): Firewall {
  return call.cloud.firewall(call.id('firewall'));
}

function deviceOf(call: Call, firewall: Firewall): Device {
  const id = call.id('device');
  return found(firewall.devices.find((device) => device.id === id));
}

function firewallRef(firewall: Firewall): EntityRef {
  const { id, label } = firewall;
  return { id, type: 'firewall', label, url: `/v4/networking/firewalls/${id}` };
}
