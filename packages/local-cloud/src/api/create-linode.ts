import { allot, addressesOf, slaacOf } from './allot.js';
import { digest, type Cloud } from './cloud.js';
import { newConfig, olderContext } from './configs.js';
import { imageOf } from './data/images.js';
import type { Plan } from './data/types.js';
import { newDisk } from './disks.js';
import { soldOut } from './errors.js';
import type { Fields } from './fields.js';
import { attach, chooseFirewall } from './firewalls.js';
import { LINODE_LABEL, otherLabels, readLabel, readTags } from './labels.js';
import type { Address, ConfigInterface, Disk, Firewall, Generation, Linode } from './model.js';
import {
  addInterface,
  checkTogether,
  claimRoutes,
  readDraft,
  settleRoutes,
  type Draft,
} from './newer-interfaces.js';
import { readOlderInterface } from './older-interfaces.js';
import { checkAuthentication } from './passwords.js';
import { readMembership } from './placement.js';
import { useTags } from './tagging.js';
import { Claims } from './vpc-interfaces.js';

const MOST_USER_DATA = 65_535;
/** MB; every machine from an image gets a swap disk of that size unless it asks for another. */
const SWAP = 512;
const POLICIES = ['linode/migrate', 'linode/power_off_on'];

/** A request for a new Linode, checked; nothing is changed yet. */
interface Order {
  readonly label: string | undefined;
  readonly region: string;
  readonly plan: Plan | undefined;
  readonly image: string | null;
  readonly keys: readonly string[];
  readonly tags: readonly string[];
  readonly group: string;
  readonly userData: string | null;
  readonly placementGroup: number | null;
  readonly maintenancePolicy: string;
  readonly generation: Generation;
  readonly firewall: Firewall | undefined;
  readonly drafts: readonly Draft[];
  readonly older: readonly Fields[];
  readonly reserved: Address | undefined;
  readonly privateIp: boolean;
  readonly backups: boolean;
  readonly encryption: 'enabled' | 'disabled';
  readonly kernel: string;
  readonly bootSize: number | undefined;
  readonly swapSize: number;
}

/** Checks the request, then makes the Linode with its addresses, disks, profile and interfaces. */
export function createLinode(cloud: Cloud, body: Fields): Linode {
  const order = readOrder(cloud, body);
  body.check();
  if (order.plan === undefined) throw new Error('an order passed its checks without a plan');
  if (cloud.faults.strikesCapacity(order.region, order.plan.id)) throw soldOut();
  const older = order.generation === 'legacy_config';
  const linode = newLinode(cloud, order, order.plan);
  // Interfaces of the older generation are read only now: `nat_1_1: any` means an address that was just given out.
  cloud.linodes.set(linode.id, linode);
  try {
    if (older) buildOlder(cloud, linode, order);
    else buildNewer(cloud, linode, order);
    body.check();
  } catch (error) {
    undo(cloud, linode);
    throw error;
  }
  if (order.firewall !== undefined && older) attach(cloud, order.firewall, 'linode', linode.id);
  return linode;
}

function readOrder(cloud: Cloud, body: Fields): Order {
  const region = readRegion(cloud, body);
  const plan = readPlan(cloud, body);
  const image = readImage(body);
  const generation = readGeneration(cloud, body);
  const newer = generation === 'linode';
  return {
    label: readLabel(body, LINODE_LABEL, otherLabels(cloud.linodes.values())),
    region,
    plan,
    image,
    keys: image === null ? [] : [...checkAuthentication(body), ...keysOfUsers(cloud, body)],
    tags: readTags(body) ?? [],
    group: body.string('group') ?? '',
    userData: readUserData(body, image, cloud.offers(region, 'Metadata')),
    placementGroup: readMembership(cloud, body, region),
    maintenancePolicy: readMaintenancePolicy(body) ?? cloud.settings.maintenancePolicy,
    generation,
    firewall: newer ? refuseFirewall(body) : chooseFirewall(cloud, body, 'linode'),
    drafts: newer ? readDrafts(cloud, body, region) : [],
    older: newer ? [] : (body.objects('interfaces') ?? []),
    reserved: readReserved(cloud, body, region, newer),
    privateIp: body.boolean('private_ip') ?? false,
    backups: body.boolean('backups_enabled') ?? cloud.settings.backupsEnabled,
    encryption: body.choice('disk_encryption', ['enabled', 'disabled']) ?? 'enabled',
    kernel: body.string('kernel') ?? 'linode/grub2',
    bootSize: body.integer('boot_size'),
    swapSize: body.integer('swap_size') ?? SWAP,
  };
}

function readRegion(cloud: Cloud, body: Fields): string {
  const id = body.requiredString('region');
  if (id !== '' && cloud.region(id) === undefined) body.fail('region is not valid', 'region');
  return id;
}

function readPlan(cloud: Cloud, body: Fields): Plan | undefined {
  const id = body.requiredString('type');
  const plan = cloud.plans.find((one) => one.id === id);
  if (plan === undefined && id !== '') body.fail('A valid plan type by that ID was not found', 'type');
  return plan;
}

function readImage(body: Fields): string | null {
  const id = body.string('image') ?? null;
  if (id !== null && imageOf(id) === undefined) body.fail('image is not valid', 'image');
  return id;
}

function readGeneration(cloud: Cloud, body: Fields): Generation {
  const asked = body.choice('interface_generation', ['legacy_config', 'linode']);
  const setting = cloud.settings.interfacesForNewLinodes;
  return asked ?? (setting.startsWith('linode_') ? 'linode' : 'legacy_config');
}

/** With the newer generation firewalls belong to the interfaces. */
function refuseFirewall(body: Fields): undefined {
  const id = body.integer('firewall_id');
  if (id !== undefined && id !== -1) {
    body.fail('Option cannot be set on a Linode that is configured to use Linode Interfaces', 'firewall_id');
  }
  return undefined;
}

function readDrafts(cloud: Cloud, body: Fields, region: string): Draft[] {
  const entries = body.objects('interfaces') ?? [];
  if (
    entries.length > 0 &&
    cloud.region(region) !== undefined &&
    !cloud.offers(region, 'Linode Interfaces')
  ) {
    body.fail('Linode Interfaces are not supported in this region', 'interface_generation');
  }
  const context = { cloud, region, claims: new Claims(cloud), own: [] };
  const drafts = entries.map((entry) => readDraft(context, entry));
  checkTogether(body, drafts, []);
  return drafts;
}

/** `ipv4` names one reserved address that the Linode is to have. */
function readReserved(cloud: Cloud, body: Fields, region: string, newer: boolean): Address | undefined {
  const given = body.strings('ipv4');
  if (given === undefined || given.length === 0) return undefined;
  const address = given.length === 1 ? cloud.addresses.get(given[0] ?? '') : undefined;
  if (newer)
    body.fail('Option cannot be set on a Linode that is configured to use Linode Interfaces', 'ipv4');
  else if (address?.reserved !== true) body.fail('Must provide a single valid reserved ipv4 address', 'ipv4');
  else if (address.linode !== null) body.fail('Address must be currently unassigned.', 'ipv4');
  else if (address.region !== region) body.fail('Address must belong to same region as linode.', 'ipv4');
  return address;
}

/** `metadata.user_data` in Base64; the image must run cloud-init and the region serve it. */
export function readUserData(body: Fields, image: string | null, served: boolean): string | null {
  const metadata = body.object('metadata');
  const data = metadata?.string('user_data');
  if (metadata === undefined || data === undefined) return null;
  const decoded = Buffer.from(data, 'base64');
  const canonical = (text: string): string => text.replaceAll(/\s|=+$/g, '');
  if (canonical(decoded.toString('base64')) !== canonical(data)) metadata.fail('Must be Base64', 'user_data');
  else if (decoded.length > MOST_USER_DATA) {
    metadata.fail(`Must be at most ${MOST_USER_DATA} bytes when decoded`, 'user_data');
  }
  if (image !== null && imageOf(image)?.capabilities.includes('cloud-init') === false) {
    metadata.fail('The image does not support cloud-init', 'user_data');
  }
  if (!served) metadata.fail('Metadata is not supported in this region', 'user_data');
  return data;
}

export function readMaintenancePolicy(body: Fields): string | undefined {
  const policy = body.string('maintenance_policy');
  if (policy !== undefined && !POLICIES.includes(policy)) {
    body.fail('Unsupported maintenance policy slug format.', 'maintenance_policy');
  }
  return policy;
}

function keysOfUsers(cloud: Cloud, body: Fields): string[] {
  const users = body.strings('authorized_users') ?? [];
  return users.includes(cloud.username) ? [...cloud.sshKeys.values()].map(({ key }) => key) : [];
}

function newLinode(cloud: Cloud, order: Order, plan: Plan): Linode {
  const id = cloud.newId();
  const now = cloud.now();
  return {
    id,
    label: order.label ?? `linode${id}`,
    group: order.group,
    status: 'provisioning',
    created: now,
    updated: now,
    type: plan.id,
    region: order.region,
    image: order.image,
    tags: useTags(cloud, order.tags),
    alerts: {
      cpu: Math.round(90 * plan.vcpus),
      network_in: 10,
      network_out: 10,
      transfer_quota: 80,
      io: 10_000,
    },
    backupsEnabled: order.backups,
    watchdog: true,
    hostUuid: digest(`host ${id}`, 40),
    userData: order.userData,
    authorizedKeys: order.keys,
    placementGroup: order.placementGroup,
    diskEncryption: order.encryption,
    generation: order.generation,
    maintenancePolicy: order.maintenancePolicy,
    slaac: slaacOf(id),
    ...bootable(cloud, order, plan),
    interfaces: [],
    networkHelper: cloud.settings.networkHelper,
    lastConfig: null,
    hostMade: null,
    everBooted: false,
    firstInterface: cloud.newId(),
  };
}

/** The disks of a machine from an image, and the profile that boots them. */
function bootable(cloud: Cloud, order: Order, plan: Plan): Pick<Linode, 'disks' | 'configs'> {
  if (order.image === null) return { disks: [], configs: [] };
  const disks = imageDisks(cloud, order.image, order.bootSize ?? plan.disk - order.swapSize, order.swapSize);
  return { disks, configs: [imageConfig(cloud, order.image, order.kernel, disks)] };
}

/** The disk that an image is written to, and a swap disk. Sizes in MB. */
export function imageDisks(cloud: Cloud, image: string, size: number, swap: number): Disk[] {
  const root = newDisk(cloud, `${cloud.imageLabel(image)} Disk`, 'ext4', size);
  return swap === 0 ? [root] : [root, newDisk(cloud, `${swap} MB Swap Image`, 'swap', swap)];
}

export function imageConfig(
  cloud: Cloud,
  image: string,
  kernel: string,
  disks: readonly Disk[],
): ReturnType<typeof newConfig> {
  const label = `My ${cloud.imageLabel(image)} Disk Profile`;
  return newConfig(
    cloud,
    label,
    kernel,
    disks.map(({ id }) => id),
  );
}

function buildOlder(cloud: Cloud, linode: Linode, order: Order): void {
  if (order.reserved === undefined) allot(cloud, linode.region, true, linode.id);
  else order.reserved.linode = linode.id;
  if (order.privateIp) allot(cloud, linode.region, false, linode.id);
  const context = olderContext(cloud, linode);
  const interfaces: ConfigInterface[] = order.older.map((fields) => readOlderInterface(context, fields));
  const [config] = linode.configs;
  if (config !== undefined) config.interfaces = interfaces;
}

function buildNewer(cloud: Cloud, linode: Linode, order: Order): void {
  for (const draft of order.drafts) {
    const iface = addInterface(cloud, linode, draft);
    claimRoutes(linode, iface, draft.route);
  }
  settleRoutes(linode);
}

function undo(cloud: Cloud, linode: Linode): void {
  for (const address of addressesOf(cloud, linode)) {
    if (address.reserved) address.linode = null;
    else cloud.addresses.delete(address.address);
  }
  cloud.linodes.delete(linode.id);
}
