import { releaseAll } from './allot.js';
import type { Cloud } from './cloud.js';
import {
  createLinode,
  imageConfig,
  imageDisks,
  readMaintenancePolicy,
  readUserData,
} from './create-linode.js';
import { imageOf } from './data/images.js';
import { badRequest, busy } from './errors.js';
import { linodeRef } from './events.js';
import { detachAll, firewallsOn, firewallView, attach } from './firewalls.js';
import { enforce } from './enforce.js';
import type { Fields } from './fields.js';
import type { JsonObject } from './json.js';
import { LINODE_LABEL, otherLabels, readLabel, readTags } from './labels.js';
import {
  chooseConfig,
  refuseWhenBusy,
  scheduleBoot,
  scheduleCreate,
  scheduleReboot,
  scheduleRebuild,
  scheduleResize,
  scheduleShutdown,
} from './lifecycle.js';
import { linodeView } from './linode-view.js';
import { linodeOf } from './lookup.js';
import type { Firewall, Linode } from './model.js';
import { balancersBehind } from './nodebalancers.js';
import { checkAuthentication } from './passwords.js';
import type { Call, Route } from './router.js';
import { useTags } from './tagging.js';

const FILTERABLE = [
  'group',
  'id',
  'image',
  'ipv4',
  'label',
  'placement_group.label',
  'placement_group.placement_group_type',
  'region',
  'tags',
];

const READ = 'linodes:read_only';
const WRITE = 'linodes:read_write';
const BASE = '/linode/instances';
const ONE = `${BASE}/:linode`;

export const linodeRoutes: Route[] = [
  { method: 'GET', path: BASE, scopes: READ, handle: listLinodes },
  { method: 'POST', path: BASE, scopes: WRITE, limit: 'create-linode', handle: create },
  { method: 'GET', path: ONE, scopes: READ, handle: (call) => linodeView(call.cloud, linodeOf(call)) },
  { method: 'PUT', path: ONE, scopes: WRITE, handle: update },
  { method: 'DELETE', path: ONE, scopes: WRITE, handle: remove },
  { method: 'POST', path: `${ONE}/boot`, scopes: WRITE, handle: boot },
  { method: 'POST', path: `${ONE}/shutdown`, scopes: WRITE, handle: shutdown },
  { method: 'POST', path: `${ONE}/reboot`, scopes: WRITE, handle: reboot },
  { method: 'POST', path: `${ONE}/rebuild`, scopes: WRITE, handle: rebuild },
  { method: 'POST', path: `${ONE}/resize`, scopes: WRITE, handle: resize },
  { method: 'POST', path: `${ONE}/rescue`, scopes: WRITE, handle: rescue },
  { method: 'POST', path: `${ONE}/password`, scopes: WRITE, handle: resetPassword },
  { method: 'POST', path: `${ONE}/backups/enable`, scopes: WRITE, handle: (call) => setBackups(call, true) },
  { method: 'POST', path: `${ONE}/backups/cancel`, scopes: WRITE, handle: (call) => setBackups(call, false) },
  { method: 'GET', path: `${ONE}/stats`, scopes: READ, limit: 'stats', handle: stats },
  { method: 'GET', path: `${ONE}/transfer`, scopes: READ, handle: transfer },
  { method: 'GET', path: `${ONE}/firewalls`, scopes: READ, handle: listFirewalls },
  { method: 'PUT', path: `${ONE}/firewalls`, scopes: WRITE, handle: replaceFirewalls },
  { method: 'POST', path: `${ONE}/firewalls/apply`, scopes: WRITE, handle: applyFirewalls },
  { method: 'GET', path: `${ONE}/nodebalancers`, scopes: READ, handle: listBalancers },
];

function listLinodes(call: Call): JsonObject {
  const { cloud } = call;
  return call.list(
    [...cloud.linodes.values()].map((linode) => linodeView(cloud, linode)),
    FILTERABLE,
  );
}

async function create(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const wantsBoot = body.boolean('booted') ?? true;
  const linode = createLinode(cloud, body);
  const view = linodeView(cloud, linode);
  scheduleCreate(cloud, linode);
  const [config] = linode.configs;
  // One that is to run is shown as about to boot from the first moment on.
  const bootable = linode.generation === 'legacy_config' || linode.interfaces.length > 0;
  if (wantsBoot && config !== undefined && bootable) scheduleBoot(cloud, linode, config);
  return view;
}

function update(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const label = readLabel(body, LINODE_LABEL, otherLabels(cloud.linodes.values(), linode.id));
  const tags = readTags(body);
  const alerts = readAlerts(linode, body.object('alerts'));
  const policy = readMaintenancePolicy(body);
  const watchdog = body.boolean('watchdog_enabled');
  const group = body.string('group');
  body.check();
  linode.label = label ?? linode.label;
  if (tags !== undefined) linode.tags = useTags(cloud, tags);
  linode.alerts = alerts;
  linode.maintenancePolicy = policy ?? linode.maintenancePolicy;
  linode.watchdog = watchdog ?? linode.watchdog;
  linode.group = group ?? linode.group;
  linode.updated = cloud.now();
  cloud.notify('linode_update', linodeRef(linode));
  return linodeView(cloud, linode);
}

function readAlerts(linode: Linode, fields: Fields | undefined): Record<string, number> {
  const known = Object.entries(linode.alerts);
  return Object.fromEntries(known.map(([name, value]) => [name, fields?.integer(name) ?? value]));
}

function remove(call: Call): JsonObject {
  const { cloud } = call;
  const linode = linodeOf(call);
  const held = releaseAll(cloud, linode);
  detachAll(cloud, 'linode', linode.id);
  for (const { id } of linode.interfaces) detachAll(cloud, 'linode_interface', id);
  cloud.linodes.delete(linode.id);
  for (const volume of cloud.volumes.values()) if (volume.linode === linode.id) volume.linode = null;
  cloud.notify('linode_delete', linodeRef(linode));
  cloud.depart(linode, held);
  return {};
}

function boot(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const id = body.integer('config_id');
  body.check();
  // A boot asked for while the machine is still being made waits for it.
  const { actions } = cloud.queue(linode.id);
  if (actions.some((action) => action !== 'linode_create')) throw busy();
  if (linode.status === 'running') throw badRequest(`Linode ${linode.id} already booted.`);
  scheduleBoot(cloud, linode, chooseConfig(linode, id));
  return {};
}

function shutdown(call: Call): JsonObject {
  const { cloud } = call;
  const linode = linodeOf(call);
  refuseWhenBusy(cloud, linode);
  scheduleShutdown(cloud, linode);
  return {};
}

function reboot(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const id = body.integer('config_id');
  body.check();
  refuseWhenBusy(cloud, linode);
  scheduleReboot(cloud, linode, chooseConfig(linode, id ?? linode.lastConfig ?? undefined));
  return {};
}

function rescue(call: Call): JsonObject {
  const { cloud } = call;
  const linode = linodeOf(call);
  refuseWhenBusy(cloud, linode);
  scheduleReboot(cloud, linode, undefined, true);
  return {};
}

function rebuild(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  refuseWhenBusy(cloud, linode);
  const image = body.requiredString('image');
  if (image !== '' && imageOf(image) === undefined) body.fail('image is not valid', 'image');
  const keys = checkAuthentication(body);
  const data = readUserData(body, image, cloud.offers(linode.region, 'Metadata'));
  const wantsBoot = body.boolean('booted') ?? true;
  body.check();
  linode.image = image;
  linode.authorizedKeys = keys;
  linode.userData = data ?? linode.userData;
  replaceDisks(cloud, linode, image);
  scheduleRebuild(cloud, linode);
  const [config] = linode.configs;
  if (wantsBoot && config !== undefined) scheduleBoot(cloud, linode, config);
  return linodeView(cloud, linode);
}

/** The new profile keeps the interfaces of the one that booted last. */
function replaceDisks(cloud: Cloud, linode: Linode, image: string): void {
  const interfaces =
    (linode.configs.find(({ id }) => id === linode.lastConfig) ?? linode.configs[0])?.interfaces ?? [];
  const disks = imageDisks(cloud, image, cloud.plan(linode.type).disk - 512, 512);
  linode.disks.splice(0, linode.disks.length, ...disks);
  const config = imageConfig(cloud, image, 'linode/grub2', disks);
  config.interfaces = interfaces;
  linode.configs.splice(0, linode.configs.length, config);
  linode.lastConfig = null;
}

function resize(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  refuseWhenBusy(cloud, linode);
  const type = body.requiredString('type');
  if (type !== '' && !cloud.plans.some((plan) => plan.id === type)) {
    body.fail('A valid plan type by that ID was not found', 'type');
  }
  if (type === linode.type) body.fail('Linode is already running this service plan.');
  body.check();
  scheduleResize(cloud, linode, type);
  return {};
}

function resetPassword(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  if (linode.status !== 'offline') throw badRequest('Linode must be powered off.');
  refuseWhenBusy(cloud, linode);
  body.requiredString('root_pass');
  body.check();
  return {};
}

function setBackups(call: Call, enabled: boolean): JsonObject {
  const linode = linodeOf(call);
  linode.backupsEnabled = enabled;
  call.cloud.notify(enabled ? 'backups_enable' : 'backups_cancel', linodeRef(linode));
  return {};
}

function stats(call: Call): never {
  linodeOf(call);
  throw badRequest('Stats are unavailable at this time.');
}

function transfer(call: Call): JsonObject {
  const { cloud } = call;
  return { used: 0, quota: cloud.plan(linodeOf(call).type).transfer, billable: 0, region_transfers: [] };
}

function listFirewalls(call: Call): JsonObject {
  const { cloud } = call;
  const firewalls = firewallsOfLinode(cloud, linodeOf(call));
  return call.list(
    firewalls.map((firewall) => firewallView(cloud, firewall)),
    ['created', 'id', 'label', 'tags', 'updated'],
  );
}

function firewallsOfLinode(cloud: Cloud, linode: Linode): Firewall[] {
  const onInterfaces = linode.interfaces.flatMap(({ id }) => firewallsOn(cloud, 'linode_interface', id));
  return [...new Set([...firewallsOn(cloud, 'linode', linode.id), ...onInterfaces])];
}

async function replaceFirewalls(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const ids = body.integers('firewall_ids') ?? [];
  if (ids.length > 1) body.fail('A Linode may have only one firewall', 'firewall_ids');
  const firewalls = ids.map((id) => cloud.firewalls.get(id));
  if (firewalls.includes(undefined)) body.fail('Invalid firewall ID', 'firewall_ids');
  body.check();
  detachAll(cloud, 'linode', linode.id);
  for (const firewall of firewalls) if (firewall !== undefined) attach(cloud, firewall, 'linode', linode.id);
  await enforce(cloud);
  return listFirewalls(call);
}

async function applyFirewalls(call: Call): Promise<JsonObject> {
  linodeOf(call);
  await enforce(call.cloud);
  return {};
}

function listBalancers(call: Call): JsonObject {
  return call.list(balancersBehind(call.cloud, linodeOf(call)), ['ipv4', 'label', 'region', 'tags']);
}
