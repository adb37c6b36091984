import { freeAddress } from './addresses.js';
import { digest, type Cloud } from './cloud.js';
import type { Address, Linode } from './model.js';
import { seatsOf } from './occupancy.js';

/** Gives out a free address of a region to a Linode, or to nothing yet. */
export function allot(cloud: Cloud, region: string, isPublic: boolean, linode: number | null): Address {
  const taken = (address: string): boolean => cloud.addresses.has(address) || cloud.lingering.has(address);
  const address: Address = {
    address: freeAddress(isPublic, taken),
    region,
    public: isPublic,
    linode,
    nodebalancer: null,
    reserved: false,
    rdns: null,
    tags: [],
  };
  cloud.addresses.set(address.address, address);
  return address;
}

/** Takes an address from whatever had it; a reserved one stays the account's. */
export function release(cloud: Cloud, address: Address): void {
  address.linode = null;
  address.nodebalancer = null;
  address.rdns = null;
  if (!address.reserved) cloud.addresses.delete(address.address);
}

/** Takes all addresses from a Linode and says which its host had, as `Cloud.depart` wants them. */
export function releaseAll(cloud: Cloud, linode: Linode): string[] {
  const addresses = addressesOf(cloud, linode);
  const inVpcs = seatsOf(linode).flatMap((seat) =>
    seat.addresses.map(({ address }) => `${seat.subnet}/${address}`),
  );
  for (const address of addresses) release(cloud, address);
  for (const range of cloud.ipv6Ranges.filter((one) => one.linode === linode.id)) {
    cloud.ipv6Ranges.splice(cloud.ipv6Ranges.indexOf(range), 1);
  }
  return [...addresses.map(({ address }) => address), ...inVpcs];
}

/** The addresses outside VPCs that a Linode has, in the order they were given out. */
export function addressesOf(cloud: Cloud, linode: Linode): Address[] {
  return [...cloud.addresses.values()].filter((address) => address.linode === linode.id);
}

/** The address that a Linode makes itself from its MAC address. */
export function slaacOf(id: number): string {
  const digits = digest(`slaac ${id}`, 6);
  return `2001:db8::${digits.slice(0, 2)}ff:fe${digits.slice(2, 4)}:${digits.slice(4)}${(id % 256).toString(16).padStart(2, '0')}`;
}

/** A new range that is routed to a Linode. */
export function allotRange(cloud: Cloud, region: string, prefix: number, linode: Linode | null): string {
  const range = `2001:db8:${(cloud.newId() % 0xffff).toString(16)}::`;
  const routeTarget = linode?.slaac ?? '';
  cloud.ipv6Ranges.push({ range, prefix, region, linode: linode?.id ?? null, routeTarget });
  return `${range}/${prefix}`;
}
