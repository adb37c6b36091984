import { found, stamps, type Cloud } from './cloud.js';
import { badRequest } from './errors.js';
import type { Fields } from './fields.js';
import type { JsonObject } from './json.js';
import { otherLabels, readLabel, requireLabel, SUBNET_LABEL, VPC_LABEL } from './labels.js';
import type { EntityRef, Subnet, Vpc } from './model.js';
import { gatewayOf, networkOf, overlap, parseNetwork, subnetMask, within, type Network } from './networks.js';
import { seatsIn, seatsOf, sharesIn, type Seat } from './occupancy.js';
import type { Call, Route } from './router.js';

const PRIVATE_SPACE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map(networkOf);
/** Linode's own private addresses are in there. */
const FORBIDDEN = networkOf('192.168.128.0/17');
const USUAL_RANGES = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/17'];

const FILTERABLE = ['created', 'id', 'label', 'region', 'updated'];
const SUBNET_FILTERABLE = ['created', 'id', 'label', 'updated'];
const IP_FILTERABLE = [
  'active',
  'config_id',
  'linode_id',
  'nodebalancer_id',
  'region',
  'vpc_id',
  'subnet_id',
  'address',
];

const READ = '*';
const WRITE = 'vpc:read_write';
const READ_IPS = 'ips:read_only';

export const vpcRoutes: Route[] = [
  { method: 'GET', path: '/vpcs', scopes: READ, handle: listVpcs },
  { method: 'POST', path: '/vpcs', scopes: WRITE, limit: 'create-vpc', handle: createVpc },
  { method: 'GET', path: '/vpcs/ips', scopes: READ_IPS, handle: listAllIps },
  { method: 'GET', path: '/vpcs/ipv6s', scopes: READ_IPS, handle: listAllIpv6s },
  { method: 'GET', path: '/vpcs/:vpc', scopes: READ, handle: (call) => vpcView(call.cloud, vpcOf(call)) },
  { method: 'PUT', path: '/vpcs/:vpc', scopes: WRITE, limit: 'update-vpc', handle: updateVpc },
  { method: 'DELETE', path: '/vpcs/:vpc', scopes: WRITE, handle: deleteVpc },
  { method: 'GET', path: '/vpcs/:vpc/ips', scopes: READ_IPS, handle: listVpcIps },
  { method: 'GET', path: '/vpcs/:vpc/subnets', scopes: READ, handle: listSubnets },
  { method: 'POST', path: '/vpcs/:vpc/subnets', scopes: WRITE, handle: createSubnet },
  { method: 'GET', path: '/vpcs/:vpc/subnets/:subnet', scopes: READ, handle: getSubnet },
  { method: 'PUT', path: '/vpcs/:vpc/subnets/:subnet', scopes: WRITE, handle: updateSubnet },
  { method: 'DELETE', path: '/vpcs/:vpc/subnets/:subnet', scopes: WRITE, handle: deleteSubnet },
];

export function vpcView(cloud: Cloud, vpc: Vpc): JsonObject {
  return {
    id: vpc.id,
    label: vpc.label,
    description: vpc.description,
    region: vpc.region,
    ipv4: vpc.ipv4.map((range) => ({ range })),
    ipv6: vpc.ipv6?.map((range) => ({ range })) ?? null,
    subnets: vpc.subnets.map((subnet) => subnetView(cloud, vpc, subnet)),
    vpc_type: vpc.type,
    ...stamps(vpc),
  };
}

export function subnetView(cloud: Cloud, vpc: Vpc, subnet: Subnet): JsonObject {
  return {
    id: subnet.id,
    label: subnet.label,
    ipv4: subnet.ipv4,
    ipv6: subnet.ipv6?.map((range) => ({ range })) ?? null,
    linodes: linodesIn(cloud, subnet),
    databases: [],
    nodebalancers: sharesIn(cloud, subnet.id).map(({ id, ipv4Range }) => ({ id, ipv4_range: ipv4Range })),
    vpc_type: vpc.type,
    ...stamps(subnet),
  };
}

function linodesIn(cloud: Cloud, subnet: Subnet): JsonObject[] {
  const seats = seatsIn(cloud, subnet.id);
  const ids = new Set(seats.map((seat) => seat.linode.id));
  return [...ids].map((id) => ({
    id,
    interfaces: seats
      .filter((seat) => seat.linode.id === id)
      .map((seat) => ({ id: seat.interfaceId, config_id: seat.config, active: seat.active })),
  }));
}

function listVpcs(call: Call): JsonObject {
  const { cloud } = call;
  return call.list(
    [...cloud.vpcs.values()].map((vpc) => vpcView(cloud, vpc)),
    FILTERABLE,
  );
}

function createVpc(call: Call): JsonObject {
  const { cloud, body } = call;
  const region = readRegion(cloud, body);
  const type = body.choice('vpc_type', ['regular', 'rdma']) ?? 'regular';
  const ipv4 = readRanges(cloud, body, region) ?? USUAL_RANGES;
  const ipv6 = readIpv6(body, type === 'rdma', () => `2001:db8:${(cloud.newId() % 0xffff).toString(16)}::`);
  const label = requireLabel(body, VPC_LABEL, otherLabels(cloud.vpcs.values()));
  const subnets: Subnet[] = [];
  for (const fields of body.objects('subnets') ?? [])
    subnets.push(readSubnet(cloud, fields, subnets, ipv4, ipv6));
  body.check();
  const now = cloud.now();
  const description = body.string('description') ?? '';
  const vpc: Vpc = {
    id: cloud.newId(),
    label,
    description,
    region,
    type,
    ipv4,
    ipv6,
    subnets,
    created: now,
    updated: now,
  };
  cloud.vpcs.set(vpc.id, vpc);
  cloud.notify('vpc_create', vpcRef(vpc));
  return vpcView(cloud, vpc);
}

function updateVpc(call: Call): JsonObject {
  const { cloud, body } = call;
  const vpc = vpcOf(call);
  const ranges = readRanges(cloud, body, vpc.region);
  const label = readLabel(body, VPC_LABEL, otherLabels(cloud.vpcs.values(), vpc.id));
  const description = body.string('description');
  body.check();
  vpc.ipv4 = ranges ?? vpc.ipv4;
  vpc.label = label ?? vpc.label;
  vpc.description = description ?? vpc.description;
  vpc.updated = cloud.now();
  cloud.notify('vpc_update', vpcRef(vpc));
  return vpcView(cloud, vpc);
}

function deleteVpc(call: Call): JsonObject {
  const { cloud } = call;
  const vpc = vpcOf(call);
  if (vpc.subnets.some((subnet) => inUse(cloud, subnet))) {
    throw badRequest('VPC cannot be deleted while its subnets are in use.');
  }
  cloud.vpcs.delete(vpc.id);
  cloud.notify('vpc_delete', vpcRef(vpc));
  return {};
}

function listSubnets(call: Call): JsonObject {
  const vpc = vpcOf(call);
  return call.list(
    vpc.subnets.map((subnet) => subnetView(call.cloud, vpc, subnet)),
    SUBNET_FILTERABLE,
  );
}

function getSubnet(call: Call): JsonObject {
  const vpc = vpcOf(call);
  return subnetView(call.cloud, vpc, subnetOf(call, vpc));
}

function createSubnet(call: Call): JsonObject {
  const { cloud, body } = call;
  const vpc = vpcOf(call);
  const subnet = readSubnet(cloud, body, vpc.subnets, vpc.ipv4, vpc.ipv6);
  body.check();
  vpc.subnets.push(subnet);
  vpc.updated = cloud.now();
  cloud.notify('subnet_create', vpcRef(vpc), subnetRef(vpc, subnet));
  return subnetView(cloud, vpc, subnet);
}

function updateSubnet(call: Call): JsonObject {
  const { cloud, body } = call;
  const vpc = vpcOf(call);
  const subnet = subnetOf(call, vpc);
  const label = readLabel(body, SUBNET_LABEL, otherLabels(vpc.subnets, subnet.id));
  body.check();
  subnet.label = label ?? subnet.label;
  subnet.updated = cloud.now();
  cloud.notify('subnet_update', vpcRef(vpc), subnetRef(vpc, subnet));
  return subnetView(cloud, vpc, subnet);
}

function deleteSubnet(call: Call): JsonObject {
  const { cloud } = call;
  const vpc = vpcOf(call);
  const subnet = subnetOf(call, vpc);
  if (inUse(cloud, subnet)) throw badRequest('Subnet cannot be deleted while it is in use.');
  vpc.subnets.splice(vpc.subnets.indexOf(subnet), 1);
  cloud.notify('subnet_delete', vpcRef(vpc), subnetRef(vpc, subnet));
  return {};
}

function inUse(cloud: Cloud, subnet: Subnet): boolean {
  return seatsIn(cloud, subnet.id).length > 0 || sharesIn(cloud, subnet.id).length > 0;
}

function listAllIps(call: Call): JsonObject {
  const { cloud } = call;
  return call.list(
    [...cloud.vpcs.values()].flatMap((vpc) => ipsOf(cloud, vpc)),
    IP_FILTERABLE,
  );
}

function listVpcIps(call: Call): JsonObject {
  return call.list(ipsOf(call.cloud, vpcOf(call)), IP_FILTERABLE);
}

function listAllIpv6s(call: Call): JsonObject {
  const seats = [...call.cloud.linodes.values()].flatMap(seatsOf);
  return call.list(
    seats.flatMap((seat) => ipv6Views(call.cloud, seat)),
    IP_FILTERABLE,
  );
}

function ipsOf(cloud: Cloud, vpc: Vpc): JsonObject[] {
  return vpc.subnets.flatMap((subnet) => [
    ...seatsIn(cloud, subnet.id).flatMap((seat) => seatIpViews(cloud, seat)),
    ...sharesIn(cloud, subnet.id).map((share) => shareView(vpc, subnet, share)),
  ]);
}

/** The addresses and ranges of one interface, as the lists of VPC addresses show them. */
export function seatIpViews(cloud: Cloud, seat: Seat): JsonObject[] {
  const place = found(cloud.subnet(seat.subnet));
  const common = { ...placeView(place.vpc, place.subnet), ...holderView(seat) };
  return [
    ...seat.addresses.map(({ address, nat11 }) => ({
      ...common,
      address,
      address_range: null,
      nat_1_1: nat11,
    })),
    ...seat.ranges.map((range) => ({ ...common, address: null, address_range: range, nat_1_1: null })),
  ];
}

function holderView(seat: Seat): JsonObject {
  return {
    linode_id: seat.linode.id,
    config_id: seat.config,
    interface_id: seat.interfaceId,
    nodebalancer_id: null,
    database_id: null,
    active: seat.active,
  };
}

function placeView(vpc: Vpc, subnet: Subnet): JsonObject {
  const network = networkOf(subnet.ipv4);
  return {
    vpc_id: vpc.id,
    subnet_id: subnet.id,
    region: vpc.region,
    gateway: gatewayOf(network),
    prefix: network.prefix,
    subnet_mask: subnetMask(network.prefix),
  };
}

function shareView(vpc: Vpc, subnet: Subnet, share: { id: number; ipv4Range: string }): JsonObject {
  return {
    ...placeView(vpc, subnet),
    address: null,
    address_range: share.ipv4Range,
    linode_id: null,
    config_id: null,
    interface_id: null,
    nodebalancer_id: share.id,
    database_id: null,
    active: true,
    nat_1_1: null,
  };
}

/** The IPv6 networks of one interface, as the list of VPC IPv6 addresses shows them. */
export function ipv6Views(cloud: Cloud, seat: Seat): JsonObject[] {
  const { vpc, subnet } = found(cloud.subnet(seat.subnet));
  const { ipv6 } = seat;
  if (ipv6 === null) return [];
  const networks = [
    ...ipv6.slaac.map(({ range, address }) => ({ range, addresses: [{ slaac_address: address }] })),
    ...ipv6.ranges.map(({ range }) => ({ range, addresses: [] })),
  ];
  return networks.map(({ range, addresses }) => ({
    ...placeView(vpc, subnet),
    ...holderView(seat),
    address: null,
    address_range: null,
    nat_1_1: '',
    gateway: null,
    prefix: Number(range.split('/')[1]),
    subnet_mask: '',
    ipv6_range: range,
    ipv6_is_public: ipv6.isPublic,
    ipv6_addresses: addresses,
  }));
}

function readRegion(cloud: Cloud, body: Fields): string {
  const id = body.requiredString('region');
  if (id === '') return id;
  if (cloud.region(id) === undefined) body.fail('region is not valid', 'region');
  else if (!cloud.offers(id, 'VPCs')) body.fail('VPCs are not supported in this region', 'region');
  return id;
}

function readRanges(cloud: Cloud, body: Fields, region: string): string[] | undefined {
  const entries = body.objects('ipv4');
  if (entries === undefined) return undefined;
  if (!cloud.offers(region, 'Custom VPC IPv4 Ranges')) {
    body.fail('Customer defined IPv4 ranges are not supported in this region', 'ipv4');
    for (const one of entries) one.fail('You must not use any custom IPv4 range for VPCs.', 'range');
    return undefined;
  }
  return entries.map((one) => {
    const range = one.requiredString('range');
    const network = parseNetwork(range);
    if (network === undefined || !isPrivateSpace(network)) one.fail('Must be a private IPv4 range', 'range');
    return range;
  });
}

function readIpv6(body: Fields, forbidden: boolean, base: () => string): string[] | null {
  const entries = body.objects('ipv6');
  if (entries === undefined || entries.length === 0) return null;
  if (forbidden) {
    body.fail('RDMA VPCs cannot have IPv6 ranges', 'ipv6');
    return null;
  }
  return entries.map((one) => allotIpv6(one.string('range') ?? '/52', base()));
}

/** A range may be asked for by its length, by `auto`, or outright. */
export function allotIpv6(wanted: string, base: string, usual = 52): string {
  if (wanted.includes(':')) return wanted;
  return `${base}/${wanted === 'auto' ? usual : wanted.replace('/', '')}`;
}

function readSubnet(
  cloud: Cloud,
  fields: Fields,
  siblings: readonly Subnet[],
  ranges: readonly string[],
  vpcIpv6: readonly string[] | null,
): Subnet {
  const label = requireLabel(fields, SUBNET_LABEL, otherLabels(siblings));
  const ipv4 = fields.requiredString('ipv4');
  if (ipv4 !== '') checkSubnet(fields, ipv4, siblings, ranges);
  const id = cloud.newId();
  const now = cloud.now();
  return {
    id,
    label,
    ipv4,
    ipv6: readSubnetIpv6(fields, vpcIpv6, siblings.length),
    created: now,
    updated: now,
  };
}

function readSubnetIpv6(fields: Fields, vpcIpv6: readonly string[] | null, index: number): string[] | null {
  const entries = fields.objects('ipv6');
  if (entries === undefined || entries.length === 0) return null;
  const [first] = vpcIpv6 ?? [];
  if (first === undefined) {
    fields.fail('The VPC has no IPv6 range', 'ipv6');
    return null;
  }
  const base = `${first.split('::')[0]}:${(index * 0x10).toString(16)}::`;
  return entries.map((one) => allotIpv6(one.string('range') ?? '/56', base, 56));
}

function checkSubnet(
  fields: Fields,
  text: string,
  siblings: readonly Subnet[],
  ranges: readonly string[],
): void {
  const network = parseNetwork(text);
  if (network === undefined) return fields.fail('Must be an IPv4 network', 'ipv4');
  if (network.prefix < 1 || network.prefix > 29) return fields.fail('Prefix length must be 1-29', 'ipv4');
  if (!isPrivateSpace(network))
    return fields.fail('Must be a private IPv4 network that is allowed in VPCs', 'ipv4');
  if (!ranges.some((range) => within(network, networkOf(range)))) {
    return fields.fail('Must be within the IPv4 ranges of the VPC', 'ipv4');
  }
  const overlapping = siblings.some(({ ipv4 }) => {
    const sibling = parseNetwork(ipv4);
    return sibling !== undefined && overlap(sibling, network);
  });
  if (overlapping) fields.fail('Must not overlap with other subnets of the VPC', 'ipv4');
}

function isPrivateSpace(network: Network): boolean {
  return PRIVATE_SPACE.some((space) => within(network, space)) && !overlap(network, FORBIDDEN);
}

function vpcOf(call: Call): Vpc {
  return call.cloud.vpc(call.id('vpc'));
}

function subnetOf(call: Call, vpc: Vpc): Subnet {
  const id = call.id('subnet');
  return found(vpc.subnets.find((subnet) => subnet.id === id));
}

function vpcRef(vpc: Vpc): EntityRef {
  return { id: vpc.id, type: 'vpc', label: vpc.label, url: `/v4/vpcs/${vpc.id}` };
}

function subnetRef(vpc: Vpc, subnet: Subnet): EntityRef {
  return {
    id: subnet.id,
    type: 'subnet',
    label: subnet.label,
    url: `/v4/vpcs/${vpc.id}/subnets/${subnet.id}`,
  };
}
