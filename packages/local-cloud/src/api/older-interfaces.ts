import type { Cloud } from './cloud.js';
import type { Fields } from './fields.js';
import type { JsonObject } from './json.js';
import type { ConfigInterface, VpcIpv6 } from './model.js';
import { type Claims, readSubnetRef, readVpcIpv6 } from './vpc-interfaces.js';

const PURPOSES = ['public', 'vlan', 'vpc'] as const;

/** What an interface of the older generation is read against. */
export interface OlderContext {
  readonly cloud: Cloud;
  readonly region: string;
  /** The Linode's public address, which `nat_1_1: any` means; `undefined` while it has none. */
  readonly publicAddress: string | undefined;
  readonly claims: Claims;
}

/** Reads one interface of a configuration profile. */
export function readOlderInterface(context: OlderContext, fields: Fields): ConfigInterface {
  const purpose = fields.choice('purpose', PURPOSES);
  if (purpose === undefined && !fields.has('purpose')) fields.fail('purpose is required', 'purpose');
  const base = { id: context.cloud.newId(), primary: fields.boolean('primary') ?? false };
  if (purpose === 'vpc') return { ...base, ...readVpcPart(context, fields) };
  const vlan = purpose === 'vlan';
  if (vlan && fields.string('label') === undefined) fields.fail('label is required', 'label');
  return {
    ...base,
    purpose: vlan ? 'vlan' : 'public',
    label: vlan ? (fields.string('label') ?? '') : null,
    ipamAddress: vlan ? (fields.string('ipam_address') ?? '') : null,
    subnet: null,
    ipv4: null,
    nat11: null,
    ranges: [],
    ipv6: null,
  };
}

function readVpcPart(context: OlderContext, fields: Fields): Omit<ConfigInterface, 'id' | 'primary'> {
  const { cloud, claims } = context;
  const common = { purpose: 'vpc', label: null, ipamAddress: null } as const;
  const subnet = readSubnetRef(cloud, fields, context.region);
  if (subnet === undefined) return { ...common, subnet: 0, ipv4: null, nat11: null, ranges: [], ipv6: null };
  const ipv4 = fields.object('ipv4');
  const address = claims.address(subnet, ipv4?.string('vpc'), fields, 'ipv4.vpc');
  const ranges = (fields.strings('ip_ranges') ?? []).map((range, index) =>
    claims.range(subnet, range, fields, `ip_ranges[${index}]`),
  );
  const nat11 = readNat(context, ipv4);
  return {
    ...common,
    subnet: subnet.id,
    ipv4: address,
    nat11,
    ranges,
    ipv6: readIpv6(context, fields, subnet),
  };
}

function readIpv6(
  context: OlderContext,
  fields: Fields,
  subnet: Parameters<typeof readVpcIpv6>[2],
): VpcIpv6 | null {
  const ipv6 = fields.object('ipv6');
  return ipv6 === undefined ? null : readVpcIpv6(context.cloud, ipv6, subnet);
}

function readNat({ publicAddress }: OlderContext, ipv4: Fields | undefined): string | null {
  const given = ipv4?.string('nat_1_1');
  if (given === undefined) return null;
  if (given !== 'any' && publicAddress !== undefined && given !== publicAddress) {
    ipv4?.fail('Must be a public IPv4 address of the Linode', 'nat_1_1');
  }
  return given === 'any' ? (publicAddress ?? null) : given;
}

export function olderInterfaceView(cloud: Cloud, one: ConfigInterface, active: boolean): JsonObject {
  const vpc = one.purpose === 'vpc';
  return {
    id: one.id,
    purpose: one.purpose,
    primary: one.primary,
    active,
    ipam_address: one.ipamAddress,
    label: one.label,
    vpc_id: one.subnet === null ? null : (cloud.subnet(one.subnet)?.vpc.id ?? null),
    subnet_id: one.subnet,
    ipv4: vpc ? { vpc: one.ipv4, nat_1_1: one.nat11 } : null,
    ip_ranges: vpc ? one.ranges : null,
    ipv6: one.ipv6 === null ? null : ipv6View(one.ipv6),
  };
}

/** The IPv6 part of an interface in a VPC, of either generation. */
export function ipv6View(ipv6: VpcIpv6): JsonObject {
  return {
    slaac: ipv6.slaac.map(({ range, address }) => ({ range, address })),
    ranges: ipv6.ranges.map(({ range }) => ({ range })),
    is_public: ipv6.isPublic,
  };
}
