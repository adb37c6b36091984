import { addressView, isPrivate } from './addresses.js';
import { addressesOf, allot, allotRange, release } from './allot.js';
import { found, type Cloud } from './cloud.js';
import { badRequest } from './errors.js';
import type { Fields } from './fields.js';
import type { JsonObject } from './json.js';
import { readTags } from './labels.js';
import { hasPublicIpv6 } from './linode-view.js';
import { linodeOf } from './lookup.js';
import type { Address, Ipv6Range, Linode } from './model.js';
import { isAddress } from './networks.js';
import { publicAddressesOf } from './newer-interfaces.js';
import { seatsOf } from './occupancy.js';
import type { Call, Route } from './router.js';
import { useTags } from './tagging.js';
import { ipv6Views, seatIpViews } from './vpcs.js';

const FILTERABLE = [
  'address',
  'linode_id',
  'prefix',
  'public',
  'rdns',
  'region',
  'reserved',
  'subnet_mask',
  'type',
  'gateway',
  'interface_id',
  'assigned_entity.id',
  'assigned_entity.type',
];

/** Without a technical reason given to support an account may reserve only so many. */
const MOST_RESERVED = 14;

const READ = 'ips:read_only';
const WRITE = 'ips:read_write';
const OF_LINODE = '/linode/instances/:linode/ips';
const IPS = '/networking/ips';
const RESERVED = '/networking/reserved/ips';
const RANGES = '/networking/ipv6/ranges';

export const ipRoutes: Route[] = [
  {
    method: 'GET',
    path: OF_LINODE,
    scopes: 'linodes:read_only',
    handle: (call) => ipsOf(call.cloud, linodeOf(call)),
  },
  { method: 'POST', path: OF_LINODE, scopes: 'linodes:read_write', handle: addToLinode },
  { method: 'GET', path: `${OF_LINODE}/:address`, scopes: 'linodes:read_only', handle: getOfLinode },
  { method: 'PUT', path: `${OF_LINODE}/:address`, scopes: 'linodes:read_write', handle: updateOfLinode },
  { method: 'DELETE', path: `${OF_LINODE}/:address`, scopes: 'linodes:read_write', handle: deleteOfLinode },
  { method: 'GET', path: IPS, scopes: READ, handle: listIps },
  { method: 'POST', path: IPS, scopes: WRITE, handle: allocate },
  { method: 'POST', path: `${IPS}/assign`, scopes: WRITE, handle: assign },
  { method: 'POST', path: `${IPS}/share`, scopes: WRITE, handle: share },
  {
    method: 'GET',
    path: `${IPS}/:address`,
    scopes: READ,
    handle: (call) => viewOf(call.cloud, addressOf(call)),
  },
  { method: 'PUT', path: `${IPS}/:address`, scopes: WRITE, handle: (call) => change(call, addressOf(call)) },
  { method: 'GET', path: RESERVED, scopes: READ, limit: 'reserved-ips', handle: listReserved },
  { method: 'POST', path: RESERVED, scopes: WRITE, handle: reserve },
  { method: 'GET', path: `${RESERVED}/:address`, scopes: READ, limit: 'reserved-ips', handle: getReserved },
  {
    method: 'PUT',
    path: `${RESERVED}/:address`,
    scopes: WRITE,
    limit: 'reserved-ips',
    handle: updateReserved,
  },
  {
    method: 'DELETE',
    path: `${RESERVED}/:address`,
    scopes: WRITE,
    limit: 'reserved-ips',
    handle: deleteReserved,
  },
  { method: 'GET', path: RANGES, scopes: READ, handle: listRanges },
  { method: 'POST', path: RANGES, scopes: WRITE, handle: createRange },
  { method: 'GET', path: `${RANGES}/:range`, scopes: READ, handle: getRange },
  { method: 'DELETE', path: `${RANGES}/:range`, scopes: WRITE, handle: deleteRange },
];

function viewOf(cloud: Cloud, address: Address): JsonObject {
  const linode = address.linode === null ? undefined : cloud.linodes.get(address.linode);
  return addressView(address, {
    entity: entityOf(cloud, address, linode),
    interfaceId:
      linode?.interfaces.find((one) => publicAddressesOf(one).includes(address.address))?.id ?? null,
    vpcNat11: linode === undefined ? null : natOf(cloud, linode, address.address),
  });
}

function entityOf(cloud: Cloud, address: Address, linode: Linode | undefined): JsonObject | null {
  if (linode !== undefined) {
    return { id: linode.id, type: 'linode', label: linode.label, url: `/v4/linode/instances/${linode.id}` };
  }
  const balancer = cloud.nodeBalancers.get(address.nodebalancer ?? 0);
  if (balancer === undefined) return null;
  return {
    id: balancer.id,
    type: 'nodebalancer',
    label: balancer.label,
    url: `/v4/nodebalancers/${balancer.id}`,
  };
}

/** The VPC address that a public one is translated to. */
function natOf(cloud: Cloud, linode: Linode, address: string): JsonObject | null {
  for (const seat of seatsOf(linode)) {
    const translated = seat.addresses.find(({ nat11 }) => nat11 === address);
    if (translated === undefined) continue;
    const vpc = cloud.subnet(seat.subnet)?.vpc;
    return { vpc_id: vpc?.id ?? null, subnet_id: seat.subnet, address: translated.address };
  }
  return null;
}

function ipsOf(cloud: Cloud, linode: Linode): JsonObject {
  const addresses = addressesOf(cloud, linode);
  const views = (test: (address: Address) => boolean): JsonObject[] =>
    addresses.filter(test).map((address) => viewOf(cloud, address));
  const seats = seatsOf(linode);
  return {
    ipv4: {
      public: views((address) => address.public && !address.reserved),
      private: views((address) => !address.public),
      shared: [],
      reserved: views((address) => address.reserved),
      vpc: seats.flatMap((seat) => seatIpViews(cloud, seat)),
    },
    ipv6: {
      slaac: hasPublicIpv6(linode) ? ipv6View(linode, linode.slaac, true) : null,
      link_local: hasPublicIpv6(linode) ? ipv6View(linode, linkLocal(linode), false) : null,
      global: cloud.ipv6Ranges.filter((range) => range.linode === linode.id).map(rangeView),
      vpc: seats.flatMap((seat) => ipv6Views(cloud, seat)),
    },
  };
}

function linkLocal(linode: Linode): string {
  return `fe80::${linode.slaac.split('::')[1] ?? ''}`;
}

function ipv6View(linode: Linode, address: string, isPublic: boolean): JsonObject {
  return {
    address,
    gateway: 'fe80::1',
    subnet_mask: 'ffff:ffff:ffff:ffff::',
    prefix: 64,
    type: 'ipv6',
    rdns: null,
    linode_id: linode.id,
    region: linode.region,
    public: isPublic,
  };
}

function addToLinode(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const type = body.requiredString('type');
  const isPublic = body.boolean('public') ?? true;
  if (type !== '' && type !== 'ipv4') body.fail('Only addresses of type ipv4 are currently supported.');
  const reserved = body.has('address') ? readReserved(cloud, body, linode, isPublic) : undefined;
  if (!isPublic && reserved === undefined && addressesOf(cloud, linode).some((address) => !address.public)) {
    body.fail('Linode already has a private IP address.');
  }
  body.check();
  const address = reserved ?? allot(cloud, linode.region, isPublic, linode.id);
  address.linode = linode.id;
  return viewOf(cloud, address);
}

function readReserved(cloud: Cloud, body: Fields, linode: Linode, isPublic: boolean): Address | undefined {
  const text = body.string('address') ?? '';
  const address = cloud.addresses.get(text);
  const held = address !== undefined && (address.linode !== null || address.nodebalancer !== null);
  if (!isPublic) body.fail('Cannot reserve a private address.', 'address');
  else if (!isAddress(text)) body.fail('Must provide a valid reserved address', 'address');
  else if (address?.reserved !== true || held) {
    body.fail('Address must be reserved and must be currently unassigned.', 'address');
  } else if (address.region !== linode.region)
    body.fail('Address must belong to same region as linode.', 'address');
  return address;
}

function getOfLinode(call: Call): JsonObject {
  return viewOf(call.cloud, addressOfLinode(call));
}

function updateOfLinode(call: Call): JsonObject {
  return change(call, addressOfLinode(call));
}

function deleteOfLinode(call: Call): JsonObject {
  const { cloud } = call;
  const address = addressOfLinode(call);
  const others = addressesOf(cloud, linodeOf(call)).filter((one) => one.public && one !== address);
  if (address.public && others.length === 0)
    throw badRequest('Linode must have at least one public IP address.');
  release(cloud, address);
  return {};
}

function addressOfLinode(call: Call): Address {
  const linode = linodeOf(call);
  return found(addressesOf(call.cloud, linode).find(({ address }) => address === call.param('address')));
}

function listIps(call: Call): JsonObject {
  const { cloud } = call;
  const ipv4 = [...cloud.addresses.values()].map((address) => viewOf(cloud, address));
  const ipv6 = [...cloud.linodes.values()].filter(hasPublicIpv6).map((one) => ipv6View(one, one.slaac, true));
  return call.list([...ipv4, ...ipv6], FILTERABLE);
}

function allocate(call: Call): JsonObject {
  const { cloud, body } = call;
  const id = body.integer('linode_id');
  const linode = id === undefined ? undefined : cloud.linodes.get(id);
  if (id !== undefined && linode === undefined) body.fail('Invalid Linode ID', 'linode_id');
  const region = linode?.region ?? body.requiredString('region');
  const isPublic = body.boolean('public') ?? true;
  const reserved = body.boolean('reserved') ?? false;
  body.check();
  const address = allot(cloud, region, isPublic, linode?.id ?? null);
  address.reserved = reserved;
  return viewOf(cloud, address);
}

/** Changes the reverse name or whether the address is reserved; one that is neither held nor reserved is gone. */
function change(call: Call, address: Address): JsonObject {
  const { cloud, body } = call;
  const rdns = body.string('rdns');
  const reserved = body.boolean('reserved');
  if (rdns !== undefined && !/^([A-Za-z0-9_-]+\.)+[A-Za-z0-9-]+\.?$/.test(rdns)) {
    body.fail('Domain is not valid.', 'rdns');
  }
  body.check();
  if (body.has('rdns')) address.rdns = rdns ?? null;
  address.reserved = reserved ?? address.reserved;
  const view = viewOf(cloud, address);
  if (!address.reserved && address.linode === null && address.nodebalancer === null) release(cloud, address);
  return view;
}

/** Moves addresses and ranges to other Linodes of the region. */
function assign(call: Call): JsonObject {
  const { cloud, body } = call;
  const region = body.requiredString('region');
  const assignments = (body.objects('assignments') ?? []).map((fields) => ({
    what: readAssignable(cloud, fields),
    linode: readLinode(cloud, fields, region),
  }));
  body.check();
  for (const { what, linode } of assignments) if (what !== undefined) what.linode = linode?.id ?? null;
  return {};
}

function readAssignable(cloud: Cloud, fields: Fields): Address | Ipv6Range | undefined {
  const text = fields.requiredString('address');
  const range = cloud.ipv6Ranges.find((one) => `${one.range}/${one.prefix}` === text || one.range === text);
  const found = cloud.addresses.get(text) ?? range;
  if (found === undefined) fields.fail('Invalid address', 'address');
  return found;
}

function readLinode(cloud: Cloud, fields: Fields, region: string): Linode | undefined {
  const linode = cloud.linodes.get(fields.requiredInteger('linode_id'));
  if (linode === undefined) fields.fail('Invalid Linode ID', 'linode_id');
  else if (linode.region !== region) fields.fail('Linode must be in the region', 'linode_id');
  return linode;
}

/** Sharing needs routing inside the guests, which nothing here does: the request is checked and forgotten. */
function share(call: Call): JsonObject {
  const { cloud, body } = call;
  const id = body.requiredInteger('linode_id');
  if (id !== 0 && !cloud.linodes.has(id)) body.fail('Invalid Linode ID', 'linode_id');
  body.check();
  return {};
}

function listReserved(call: Call): JsonObject {
  const { cloud } = call;
  const reserved = [...cloud.addresses.values()].filter((address) => address.reserved);
  return call.list(
    reserved.map((address) => viewOf(cloud, address)),
    [...FILTERABLE, 'tags'],
  );
}

function reserve(call: Call): JsonObject {
  const { cloud, body } = call;
  const region = body.requiredString('region');
  if (region !== '' && cloud.region(region) === undefined) body.fail('region is not valid', 'region');
  const tags = readTags(body, 1) ?? [];
  body.check();
  if ([...cloud.addresses.values()].filter((address) => address.reserved).length >= MOST_RESERVED) {
    const reason =
      'Additional Reserved IPv4 addresses require technical justification.  ' +
      'Please contact support describing your requirement.';
    throw badRequest(reason);
  }
  const address = allot(cloud, region, true, null);
  address.reserved = true;
  address.tags = useTags(cloud, tags);
  return viewOf(cloud, address);
}

function getReserved(call: Call): JsonObject {
  return viewOf(call.cloud, reservedOf(call));
}

function updateReserved(call: Call): JsonObject {
  const { cloud, body } = call;
  const address = reservedOf(call);
  const tags = readTags(body, 1);
  body.check();
  if (tags !== undefined) address.tags = useTags(cloud, tags);
  return viewOf(cloud, address);
}

/** An address that something has stays with it, as an ordinary one. */
function deleteReserved(call: Call): JsonObject {
  const { cloud } = call;
  const address = reservedOf(call);
  address.reserved = false;
  if (address.linode === null && address.nodebalancer === null) release(cloud, address);
  return {};
}

function reservedOf(call: Call): Address {
  const address = addressOf(call);
  return found(address.reserved ? address : undefined);
}

function addressOf(call: Call): Address {
  const text = call.param('address');
  const address = found(call.cloud.addresses.get(text));
  if (isPrivate(text) && call.body.has('reserved'))
    throw badRequest('Cannot reserve a private address.', 'address');
  return address;
}

function listRanges(call: Call): JsonObject {
  return call.list(call.cloud.ipv6Ranges.map(rangeView), ['range', 'prefix', 'region', 'route_target']);
}

function rangeView(range: Ipv6Range): JsonObject {
  return { range: range.range, prefix: range.prefix, region: range.region, route_target: range.routeTarget };
}

function createRange(call: Call): JsonObject {
  const { cloud, body } = call;
  const prefix = body.requiredInteger('prefix_length');
  if (![56, 64].includes(prefix)) body.fail('Must be 56 or 64', 'prefix_length');
  const linode = cloud.linodes.get(body.integer('linode_id') ?? 0);
  if (linode === undefined) body.fail('Invalid Linode ID', 'linode_id');
  body.check();
  const range = allotRange(cloud, linode?.region ?? '', prefix, linode ?? null);
  return { range, route_target: linode?.slaac ?? null };
}

function getRange(call: Call): JsonObject {
  const { range, prefix, region, linode } = rangeOf(call);
  return { range, prefix, region, is_bgp: false, linodes: linode === null ? [] : [linode] };
}

function deleteRange(call: Call): JsonObject {
  const { ipv6Ranges } = call.cloud;
  ipv6Ranges.splice(ipv6Ranges.indexOf(rangeOf(call)), 1);
  return {};
}

function rangeOf(call: Call): Ipv6Range {
  const [text] = call.param('range').split('/');
  return found(call.cloud.ipv6Ranges.find((one) => one.range === text));
}
