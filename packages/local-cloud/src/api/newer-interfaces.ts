import { allot, allotRange, release } from './allot.js';
import { stamps, type Cloud, type DefaultFor } from './cloud.js';
import type { Fields } from './fields.js';
import { attach, chooseFirewall } from './firewalls.js';
import { macOf } from './host-spec.js';
import type { JsonObject } from './json.js';
import type {
  Firewall,
  Linode,
  LinodeInterface,
  PublicInterface,
  Subnet,
  VpcInterface,
  VpcIpv6,
} from './model.js';
import { ipv6View } from './older-interfaces.js';
import { readSubnetRef, readVpcIpv6, type Claims } from './vpc-interfaces.js';

/** At most so many interfaces on a Linode. */
export const MOST_INTERFACES = 3;

/** An interface as it was asked for, checked, but without the public addresses that are yet to be given out. */
export interface Draft {
  readonly firewall: Firewall | undefined;
  readonly route: { readonly ipv4: boolean | undefined; readonly ipv6: boolean | undefined };
  readonly public: DraftPublic | null;
  readonly vpc: DraftVpc | null;
  readonly vlan: LinodeInterface['vlan'];
}

interface DraftPublic {
  readonly addresses: readonly { readonly wanted: string; readonly primary: boolean }[];
  /** Prefix lengths. */
  readonly ranges: readonly number[];
}

interface DraftVpc {
  readonly subnet: number;
  readonly addresses: readonly {
    readonly address: string;
    readonly primary: boolean;
    readonly nat: string | null;
  }[];
  readonly ranges: readonly string[];
  readonly ipv6: VpcIpv6;
}

export interface NewerContext {
  readonly cloud: Cloud;
  readonly region: string;
  readonly claims: Claims;
  /** Public addresses that the Linode has already and may name again. */
  readonly own: readonly string[];
}

/** Reads one interface of the newer generation; `changes` reads a change to one that has its firewall already. */
export function readDraft(context: NewerContext, fields: Fields, changes = false): Draft {
  const route = fields.object('default_route');
  const kinds = (['public', 'vpc', 'vlan'] as const).filter((kind) => fields.raw(kind) != null);
  const [kind] = kinds;
  if (kinds.length !== 1) fields.fail('Exactly one of public, vpc, or vlan must be given');
  return {
    firewall:
      kind === undefined || kind === 'vlan' || changes
        ? undefined
        : readFirewall(context.cloud, fields, kind),
    route: { ipv4: route?.boolean('ipv4'), ipv6: route?.boolean('ipv6') },
    public: kind === 'public' ? readPublic(context, fields.object('public')) : null,
    vpc: kind === 'vpc' ? readVpc(context, fields.object('vpc')) : null,
    vlan: kind === 'vlan' ? readVlan(fields.object('vlan')) : null,
  };
}

/** Complains about kinds of interfaces that one Linode can't have together. */
export function checkTogether(
  fields: Fields,
  drafts: readonly Draft[],
  present: readonly LinodeInterface[],
): void {
  const all = [...drafts, ...present];
  if (all.length > MOST_INTERFACES)
    fields.fail(`A Linode may have at most ${MOST_INTERFACES} interfaces`, 'interfaces');
  if (all.filter((one) => one.public !== null).length > 1) {
    fields.fail('A Linode may have only one public interface', 'interfaces');
  }
  if (all.filter((one) => one.vpc !== null).length > 1) {
    fields.fail('A Linode may have only one VPC interface', 'interfaces');
  }
}

/** A firewall is asked for explicitly, or `-1` or `null` for none, unless the account has a default. */
function readFirewall(cloud: Cloud, fields: Fields, kind: 'public' | 'vpc'): Firewall | undefined {
  const defaultFor: DefaultFor = `${kind}_interface`;
  if (fields.isNull('firewall_id')) return undefined;
  if (!fields.has('firewall_id') && cloud.defaultFirewalls[defaultFor] === null) {
    fields.fail('firewall_id is required', 'firewall_id');
  }
  return chooseFirewall(cloud, fields, defaultFor);
}

function readPublic(context: NewerContext, fields: Fields | undefined): DraftPublic {
  const given = fields?.object('ipv4')?.objects('addresses');
  const addresses = (given ?? []).map((one) => ({
    wanted: readPublicAddress(context, one, 'address'),
    primary: one.boolean('primary') ?? false,
  }));
  const ranges = (fields?.object('ipv6')?.objects('ranges') ?? []).map((one) => {
    return Number(one.string('range')?.split('/')[1] ?? 64);
  });
  // No list at all asks for one address; an empty list for none.
  if (given === undefined) addresses.push({ wanted: 'auto', primary: true });
  return { addresses: onePrimary(addresses), ranges };
}

/** `auto`, an address that the Linode has, or a reserved one of the region that nothing has. */
function readPublicAddress({ cloud, region, own }: NewerContext, fields: Fields, name: string): string {
  const wanted = fields.string(name) ?? 'auto';
  if (wanted === 'auto' || own.includes(wanted)) return wanted;
  const address = cloud.addresses.get(wanted);
  if (address?.reserved !== true || address.linode !== null || address.nodebalancer !== null) {
    fields.fail('Address must be reserved and must be currently unassigned.', name);
  } else if (address.region !== region) fields.fail('Address must belong to same region as linode.', name);
  return wanted;
}

function readVpc(context: NewerContext, fields: Fields | undefined): DraftVpc | null {
  const subnet = fields === undefined ? undefined : readSubnetRef(context.cloud, fields, context.region);
  if (fields === undefined || subnet === undefined) return null;
  const ipv4 = fields.object('ipv4');
  const given = ipv4?.objects('addresses') ?? [];
  const addresses = given.map((one) => readVpcAddress(context, one, subnet));
  if (given.length === 0) {
    addresses.push({
      address: context.claims.address(subnet, 'auto', fields, 'ipv4'),
      primary: true,
      nat: null,
    });
  }
  const ranges = (ipv4?.objects('ranges') ?? []).map((one) =>
    context.claims.range(subnet, one.requiredString('range'), one, 'range'),
  );
  const ipv6 = readVpcIpv6(context.cloud, fields.object('ipv6'), subnet);
  return { subnet: subnet.id, addresses: onePrimary(addresses), ranges, ipv6 };
}

function readVpcAddress(
  context: NewerContext,
  fields: Fields,
  subnet: Subnet,
): DraftVpc['addresses'][number] {
  const address = context.claims.address(subnet, fields.string('address'), fields, 'address');
  const nat =
    fields.raw('nat_1_1_address') == null ? null : readPublicAddress(context, fields, 'nat_1_1_address');
  return { address, primary: fields.boolean('primary') ?? false, nat };
}

function readVlan(fields: Fields | undefined): LinodeInterface['vlan'] {
  return {
    label: fields?.requiredString('vlan_label') ?? '',
    ipamAddress: fields?.string('ipam_address') ?? null,
  };
}

function onePrimary<One extends { readonly primary: boolean }>(list: One[]): One[] {
  if (list.some((one) => one.primary)) return list;
  return list.map((one, index) => ({ ...one, primary: index === 0 }));
}

/** Gives out the public addresses, adds the interface to the Linode and attaches its firewall. */
export function addInterface(cloud: Cloud, linode: Linode, draft: Draft): LinodeInterface {
  const now = cloud.now();
  const id = cloud.newId();
  const iface: LinodeInterface = {
    id,
    mac: macOf(id),
    created: now,
    updated: now,
    version: 1,
    defaultRoute: { ipv4: draft.route.ipv4 === true, ipv6: draft.route.ipv6 === true },
    public: buildPublic(cloud, linode, draft.public),
    vpc: buildVpc(cloud, linode, draft.vpc),
    vlan: draft.vlan,
  };
  linode.interfaces.push(iface);
  if (draft.firewall !== undefined) attach(cloud, draft.firewall, 'linode_interface', id);
  return iface;
}

/** Applies a change to an interface; public addresses that it no longer names go back. */
export function changeInterface(cloud: Cloud, linode: Linode, iface: LinodeInterface, draft: Draft): void {
  const before = publicAddressesOf(iface);
  iface.public = buildPublic(cloud, linode, draft.public);
  iface.vpc = buildVpc(cloud, linode, draft.vpc);
  iface.vlan = draft.vlan;
  const kept = publicAddressesOf(iface);
  for (const address of before) if (!kept.includes(address)) releaseAddress(cloud, address);
  iface.version += 1;
  iface.updated = cloud.now();
}

export function removeInterface(cloud: Cloud, linode: Linode, iface: LinodeInterface): void {
  for (const address of publicAddressesOf(iface)) releaseAddress(cloud, address);
  linode.interfaces.splice(linode.interfaces.indexOf(iface), 1);
}

/** Where nobody asked, the public interface takes the default route, else the one in a VPC. */
export function settleRoutes(linode: Linode): void {
  for (const family of ['ipv4', 'ipv6'] as const) {
    if (linode.interfaces.some((one) => one.defaultRoute[family])) continue;
    const heir = eligible(linode, family)[0];
    if (heir !== undefined) heir.defaultRoute[family] = true;
  }
}

/** The interfaces that may have the default route, the public one first. */
export function eligible(linode: Linode, family: 'ipv4' | 'ipv6'): LinodeInterface[] {
  const inVpc = linode.interfaces.filter(
    (one) => one.vpc !== null && (family === 'ipv4' || one.vpc.ipv6.slaac.length > 0),
  );
  return [...linode.interfaces.filter((one) => one.public !== null), ...inVpc];
}

/** Gives the default route to the interfaces that ask for it and takes it from the others. */
export function claimRoutes(linode: Linode, iface: LinodeInterface, route: Draft['route']): void {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const wish = route[family];
    if (wish === true) for (const other of linode.interfaces) other.defaultRoute[family] = other === iface;
    if (wish === false) iface.defaultRoute[family] = false;
  }
}

function buildPublic(cloud: Cloud, linode: Linode, draft: DraftPublic | null): PublicInterface | null {
  if (draft === null) return null;
  const addresses = draft.addresses.map(({ wanted, primary }) => ({
    address: take(cloud, linode, wanted),
    primary,
  }));
  return {
    addresses,
    ranges: draft.ranges.map((prefix) => allotRange(cloud, linode.region, prefix, linode)),
  };
}

function buildVpc(cloud: Cloud, linode: Linode, draft: DraftVpc | null): VpcInterface | null {
  if (draft === null) return null;
  const addresses = draft.addresses.map(({ address, primary, nat }) => ({
    address,
    primary,
    nat11: nat === null ? null : take(cloud, linode, nat),
  }));
  return { subnet: draft.subnet, addresses, ranges: [...draft.ranges], ipv6: draft.ipv6 };
}

function take(cloud: Cloud, linode: Linode, wanted: string): string {
  const address = cloud.addresses.get(wanted) ?? allot(cloud, linode.region, true, linode.id);
  address.linode = linode.id;
  return address.address;
}

function releaseAddress(cloud: Cloud, text: string): void {
  const address = cloud.addresses.get(text);
  if (address !== undefined) release(cloud, address);
}

/** The public addresses of an interface, those translated one to one included. */
export function publicAddressesOf(iface: LinodeInterface): string[] {
  const translated = iface.vpc?.addresses.flatMap(({ nat11 }) => nat11 ?? []) ?? [];
  return [...(iface.public?.addresses.map(({ address }) => address) ?? []), ...translated];
}

export function interfaceView(cloud: Cloud, linode: Linode, iface: LinodeInterface): JsonObject {
  return {
    id: iface.id,
    mac_address: iface.mac,
    ...stamps(iface),
    version: iface.version,
    default_route: {
      ...(iface.defaultRoute.ipv4 ? { ipv4: true } : {}),
      ...(iface.defaultRoute.ipv6 ? { ipv6: true } : {}),
    },
    public: iface.public === null ? null : publicView(linode, iface.public),
    vpc: iface.vpc === null ? null : vpcPartView(cloud, iface.vpc),
    vlan: iface.vlan === null ? null : { vlan_label: iface.vlan.label, ipam_address: iface.vlan.ipamAddress },
  };
}

function publicView(linode: Linode, part: PublicInterface): JsonObject {
  return {
    ipv4: { addresses: part.addresses.map(({ address, primary }) => ({ address, primary })), shared: [] },
    ipv6: {
      ranges: part.ranges.map((range) => ({ range, route_target: linode.slaac })),
      shared: [],
      slaac: [{ address: linode.slaac, prefix: 64 }],
    },
  };
}

function vpcPartView(cloud: Cloud, part: VpcInterface): JsonObject {
  const addresses = part.addresses.map(({ address, primary, nat11 }) => ({
    address,
    primary,
    nat_1_1_address: nat11,
  }));
  return {
    vpc_id: cloud.subnet(part.subnet)?.vpc.id ?? null,
    subnet_id: part.subnet,
    ipv4: { addresses, ranges: part.ranges.map((range) => ({ range })) },
    ipv6: ipv6View(part.ipv6),
  };
}
