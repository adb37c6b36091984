import { ApiError, entry } from './errors.js';
import { gatewayOf, isAddress, networkOf, subnetMask, toAddress, toNumber } from './networks.js';
import type { JsonObject } from './json.js';
import type { Address } from './model.js';

/** The documentation networks of RFC 5737; the later ones only when the first is full. */
const PUBLIC_NETWORKS = ['203.0.113.0/24', '198.51.100.0/24', '192.0.2.0/24'].map(networkOf);

/** `.1` is the gateway; `.2` to `.9` stay free for whatever stands beside the hosts. */
const FIRST_HOST = 10;

const PRIVATE_NETWORK = networkOf('192.168.128.0/17');

/** Whether an address is out of the range of private addresses that every data centre shares. */
export function isPrivate(address: string): boolean {
  if (!isAddress(address)) return false;
  const number = toNumber(address);
  return number >= PRIVATE_NETWORK.first && number <= PRIVATE_NETWORK.last;
}

/** The first free address; `taken` says which are not. */
export function freeAddress(isPublic: boolean, taken: (address: string) => boolean): string {
  const networks = isPublic ? PUBLIC_NETWORKS : [PRIVATE_NETWORK];
  for (const network of networks) {
    for (let number = network.first + FIRST_HOST; number < network.last; number += 1) {
      const address = toAddress(number);
      if (!taken(address)) return address;
    }
  }
  throw new ApiError(400, [entry('There are no free addresses in this region.')]);
}

/** The network that an address outside VPCs is in. */
export function networkOfAddress(address: Address): {
  readonly gateway: string | null;
  readonly prefix: number;
} {
  if (!address.public) return { gateway: null, prefix: PRIVATE_NETWORK.prefix };
  return { gateway: gatewayOf(networkOf(`${address.address}/24`)), prefix: 24 };
}

/** The reverse name: the user's, or the provider's while something has the address. */
export function rdnsOf(address: Address): string | null {
  if (address.rdns !== null || !address.public) return address.rdns;
  return address.linode === null ? null : `${address.address.replaceAll('.', '-')}.ip.linodeusercontent.com`;
}

export interface AddressContext {
  readonly entity: JsonObject | null;
  readonly interfaceId: number | null;
  readonly vpcNat11: JsonObject | null;
}

export function addressView(address: Address, context: AddressContext): JsonObject {
  const { gateway, prefix } = networkOfAddress(address);
  return {
    address: address.address,
    gateway,
    subnet_mask: subnetMask(prefix),
    prefix,
    type: 'ipv4',
    public: address.public,
    rdns: rdnsOf(address),
    linode_id: address.linode,
    interface_id: context.interfaceId,
    region: address.region,
    vpc_nat_1_1: context.vpcNat11,
    reserved: address.reserved,
    assigned_entity: context.entity,
    tags: address.tags,
  };
}
