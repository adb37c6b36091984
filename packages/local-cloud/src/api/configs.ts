import { addressesOf } from './allot.js';
import { found, stamps, type Cloud } from './cloud.js';
import { badRequest } from './errors.js';
import { linodeRef } from './events.js';
import type { Fields } from './fields.js';
import type { Json, JsonObject } from './json.js';
import { isObject } from './json.js';
import { configRef } from './lifecycle.js';
import { configOf, linodeOf } from './lookup.js';
import type { Config, ConfigInterface, Linode } from './model.js';
import { olderInterfaceView, readOlderInterface, type OlderContext } from './older-interfaces.js';
import { seatsOf } from './occupancy.js';
import type { Call, Route } from './router.js';
import { Claims } from './vpc-interfaces.js';

const READ = 'linodes:read_only';
const WRITE = 'linodes:read_write';
const BASE = '/linode/instances/:linode/configs';
const ONE = `${BASE}/:config`;
const INTERFACES = `${ONE}/interfaces`;

const SLOTS = ['sda', 'sdb', 'sdc', 'sdd', 'sde', 'sdf', 'sdg', 'sdh'];
const NOT_WITH_NEWER = 'Option cannot be set on a Linode that is configured to use Linode Interfaces';

export const configRoutes: Route[] = [
  { method: 'GET', path: BASE, scopes: READ, handle: listConfigs },
  { method: 'POST', path: BASE, scopes: WRITE, handle: createConfig },
  { method: 'GET', path: ONE, scopes: READ, handle: getConfig },
  { method: 'PUT', path: ONE, scopes: WRITE, handle: updateConfig },
  { method: 'DELETE', path: ONE, scopes: WRITE, handle: deleteConfig },
  { method: 'GET', path: INTERFACES, scopes: READ, handle: listInterfaces },
  { method: 'POST', path: INTERFACES, scopes: WRITE, handle: appendInterface },
  { method: 'POST', path: `${INTERFACES}/order`, scopes: WRITE, handle: orderInterfaces },
  { method: 'GET', path: `${INTERFACES}/:interface`, scopes: READ, handle: getInterface },
  { method: 'PUT', path: `${INTERFACES}/:interface`, scopes: WRITE, handle: updateInterface },
  { method: 'DELETE', path: `${INTERFACES}/:interface`, scopes: WRITE, handle: deleteInterface },
];

export function configView(cloud: Cloud, linode: Linode, config: Config): JsonObject {
  return {
    id: config.id,
    label: config.label,
    helpers: config.helpers,
    kernel: config.kernel,
    comments: config.comments,
    memory_limit: config.memoryLimit,
    ...stamps(config),
    root_device: config.rootDevice,
    devices: config.devices,
    initrd: config.initrd,
    run_level: config.runLevel,
    virt_mode: config.virtMode,
    // With the newer generation they are no part of the profile.
    ...(linode.generation === 'linode' ? {} : { interfaces: interfaceViews(cloud, linode, config) }),
  };
}

/** A profile with the usual settings; `disks` are the ids of its devices in order. */
export function newConfig(cloud: Cloud, label: string, kernel: string, disks: readonly number[]): Config {
  const now = cloud.now();
  return {
    id: cloud.newId(),
    label,
    comments: '',
    kernel,
    memoryLimit: 0,
    created: now,
    updated: now,
    rootDevice: '/dev/sda',
    devices: slots(disks),
    helpers: {
      updatedb_disabled: true,
      distro: true,
      modules_dep: true,
      network: cloud.settings.networkHelper,
      devtmpfs_automount: true,
    },
    initrd: null,
    runLevel: 'default',
    virtMode: 'paravirt',
    interfaces: [],
  };
}

function slots(disks: readonly number[]): Config['devices'] {
  const devices = SLOTS.map((slot, index) => {
    const disk = disks[index];
    return [slot, disk === undefined ? null : { disk_id: disk, volume_id: null }];
  });
  return Object.fromEntries(devices) as Config['devices'];
}

function listConfigs(call: Call): JsonObject {
  const linode = linodeOf(call);
  return call.list(
    linode.configs.map((config) => configView(call.cloud, linode, config)),
    ['id', 'interfaces', 'label'],
  );
}

function getConfig(call: Call): JsonObject {
  const linode = linodeOf(call);
  return configView(call.cloud, linode, configOf(call, linode));
}

function createConfig(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const config = newConfig(cloud, body.requiredString('label'), 'linode/latest-64bit', []);
  if (!body.has('devices')) body.fail('devices is required', 'devices');
  change(cloud, linode, config, body);
  linode.configs.push(config);
  cloud.notify('linode_config_create', linodeRef(linode), configRef(linode, config));
  return configView(cloud, linode, config);
}

function updateConfig(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const config = configOf(call, linode);
  change(cloud, linode, config, body);
  cloud.notify('linode_config_update', linodeRef(linode), configRef(linode, config));
  return configView(cloud, linode, config);
}

function deleteConfig(call: Call): JsonObject {
  const { cloud } = call;
  const linode = linodeOf(call);
  const config = configOf(call, linode);
  linode.configs.splice(linode.configs.indexOf(config), 1);
  cloud.notify('linode_config_delete', linodeRef(linode), configRef(linode, config));
  return {};
}

/** Reads everything first, so that a refused change changes nothing. */
function change(cloud: Cloud, linode: Linode, config: Config, body: Fields): void {
  const plain = readPlain(config, body);
  const helpers = readHelpers(linode, config, body.object('helpers'));
  const devices = readDevices(linode, body.object('devices'));
  const interfaces = readInterfaces(cloud, linode, config, body);
  body.check();
  Object.assign(config, plain);
  config.helpers = helpers;
  config.devices = devices ?? config.devices;
  attachVolumes(cloud, linode, config);
  config.interfaces = interfaces ?? config.interfaces;
  config.updated = cloud.now();
}

function readPlain(config: Config, body: Fields): Partial<Config> {
  return {
    label: body.string('label') ?? config.label,
    comments: body.string('comments') ?? config.comments,
    kernel: body.string('kernel') ?? config.kernel,
    memoryLimit: body.integer('memory_limit') ?? config.memoryLimit,
    rootDevice: body.string('root_device') ?? config.rootDevice,
    initrd: body.integer('initrd') ?? config.initrd,
    runLevel: body.choice('run_level', ['default', 'single', 'binbash']) ?? config.runLevel,
    virtMode: body.choice('virt_mode', ['paravirt', 'fullvirt']) ?? config.virtMode,
  };
}

function readHelpers(linode: Linode, config: Config, fields: Fields | undefined): Record<string, boolean> {
  if (fields?.boolean('network') === true && linode.generation === 'linode')
    fields.fail(NOT_WITH_NEWER, 'network');
  const known = Object.entries(config.helpers);
  return Object.fromEntries(known.map(([name, value]) => [name, fields?.boolean(name) ?? value]));
}

function readDevices(linode: Linode, fields: Fields | undefined): Config['devices'] | undefined {
  if (fields === undefined) return undefined;
  const entries = SLOTS.map((slot) => [slot, readDevice(linode, fields, slot)]);
  return Object.fromEntries(entries) as Config['devices'];
}

function readDevice(linode: Linode, fields: Fields, slot: string): JsonObject | null {
  const device = fields.object(slot);
  if (device === undefined) return null;
  const disk = device.integer('disk_id') ?? null;
  if (disk !== null && !linode.disks.some(({ id }) => id === disk)) device.fail('Invalid disk ID', 'disk_id');
  return { disk_id: disk, volume_id: device.integer('volume_id') ?? null };
}

/** A volume that a profile names counts as attached. */
function attachVolumes(cloud: Cloud, linode: Linode, config: Config): void {
  for (const device of Object.values(config.devices)) {
    const volume = cloud.volumes.get(Number(device?.['volume_id'] ?? 0));
    if (volume !== undefined) volume.linode = linode.id;
  }
}

function readInterfaces(
  cloud: Cloud,
  linode: Linode,
  config: Config,
  body: Fields,
): ConfigInterface[] | undefined {
  const entries = body.objects('interfaces');
  if (entries === undefined) return undefined;
  if (linode.generation === 'linode') {
    if (entries.length > 0) body.fail(NOT_WITH_NEWER, 'interfaces');
    return undefined;
  }
  return readList(cloud, linode, held(linode, config), entries);
}

function readList(
  cloud: Cloud,
  linode: Linode,
  released: readonly string[],
  entries: readonly Fields[],
): ConfigInterface[] {
  const context = olderContext(cloud, linode, released);
  return entries.map((entry) => readOlderInterface(context, entry));
}

/** What a profile of a Linode is read against; `released` is held by what the request replaces. */
export function olderContext(cloud: Cloud, linode: Linode, released: readonly string[] = []): OlderContext {
  const publicAddress = addressesOf(cloud, linode).find((address) => address.public)?.address;
  return { cloud, region: linode.region, publicAddress, claims: new Claims(cloud, released) };
}

function held(linode: Linode, config: Config, only?: number): string[] {
  const seats = seatsOf(linode).filter((seat) => seat.config === config.id);
  const replaced = seats.filter((seat) => only === undefined || seat.interfaceId === only);
  return replaced.flatMap((seat) => seat.addresses.map(({ address }) => `${seat.subnet}/${address}`));
}

/** Not paged, unlike other lists. */
function listInterfaces(call: Call): readonly Json[] {
  const linode = olderLinode(call);
  return interfaceViews(call.cloud, linode, configOf(call, linode));
}

function getInterface(call: Call): JsonObject {
  const linode = olderLinode(call);
  const config = configOf(call, linode);
  return interfaceView(call.cloud, linode, config, interfaceOf(call, config));
}

function appendInterface(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = olderLinode(call);
  const config = configOf(call, linode);
  const one = readOlderInterface(olderContext(cloud, linode), body);
  body.check();
  config.interfaces.push(one);
  cloud.notify('linode_config_update', linodeRef(linode), configRef(linode, config));
  return interfaceView(cloud, linode, config, one);
}

function updateInterface(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = olderLinode(call);
  const config = configOf(call, linode);
  const one = interfaceOf(call, config);
  const ipv4 = body.object('ipv4');
  const place = one.subnet === null ? undefined : cloud.subnet(one.subnet);
  const context = olderContext(cloud, linode, held(linode, config, one.id));
  const wanted = ipv4?.string('vpc');
  const address =
    place === undefined || wanted === undefined
      ? one.ipv4
      : context.claims.address(place.subnet, wanted, body, 'ipv4.vpc');
  const nat = ipv4?.string('nat_1_1');
  const ranges = body.strings('ip_ranges');
  const primary = body.boolean('primary');
  body.check();
  one.primary = primary ?? one.primary;
  one.ipv4 = address;
  one.ranges = ranges ?? one.ranges;
  if (ipv4 !== undefined) one.nat11 = nat === 'any' ? (context.publicAddress ?? null) : (nat ?? null);
  cloud.notify('linode_config_update', linodeRef(linode), configRef(linode, config));
  return interfaceView(cloud, linode, config, one);
}

function deleteInterface(call: Call): JsonObject {
  const { cloud } = call;
  const linode = olderLinode(call);
  const config = configOf(call, linode);
  const one = interfaceOf(call, config);
  if (linode.status === 'running' && linode.lastConfig === config.id) {
    throw badRequest('Active interfaces cannot be deleted. Shut the Linode down first.');
  }
  config.interfaces = config.interfaces.filter((other) => other !== one);
  cloud.notify('linode_config_update', linodeRef(linode), configRef(linode, config));
  return {};
}

function orderInterfaces(call: Call): JsonObject {
  const { body } = call;
  const config = configOf(call, olderLinode(call));
  const ids = body.integers('ids') ?? [];
  const present = config.interfaces.map(({ id }) => id);
  if (ids.length !== present.length || !present.every((id) => ids.includes(id))) {
    body.fail('Must name every interface once', 'ids');
  }
  body.check();
  config.interfaces = config.interfaces.toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id));
  return {};
}

function interfaceViews(cloud: Cloud, linode: Linode, config: Config): JsonObject[] {
  return config.interfaces.map((one) => interfaceView(cloud, linode, config, one));
}

function interfaceView(cloud: Cloud, linode: Linode, config: Config, one: ConfigInterface): JsonObject {
  return olderInterfaceView(cloud, one, linode.status === 'running' && linode.lastConfig === config.id);
}

function olderLinode(call: Call): Linode {
  const linode = linodeOf(call);
  if (linode.generation === 'linode') throw badRequest(NOT_WITH_NEWER, 'interfaces');
  return linode;
}

function interfaceOf(call: Call, config: Config): ConfigInterface {
  const id = call.id('interface');
  return found(config.interfaces.find((one) => one.id === id));
}

/** Takes a disk that goes away out of the profiles that name it. */
export function forgetDisk(linode: Linode, disk: number): void {
  for (const config of linode.configs) {
    for (const [slot, device] of Object.entries(config.devices)) {
      if (isObject(device) && device['disk_id'] === disk) config.devices[slot] = null;
    }
  }
}
