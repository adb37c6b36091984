import type { Cloud } from './cloud.js';
import type { Linode, Subnet, VpcIpv6 } from './model.js';
import {
  isAddress,
  networkOf,
  overlap,
  parseNetwork,
  toAddress,
  toNumber,
  usable,
  type Network,
} from './networks.js';

/** One interface in a VPC subnet, of either generation. */
export interface Seat {
  readonly linode: Linode;
  /** The configuration profile of an older interface. */
  readonly config: number | null;
  readonly interfaceId: number;
  readonly subnet: number;
  readonly active: boolean;
  readonly addresses: readonly { readonly address: string; readonly nat11: string | null }[];
  readonly ranges: readonly string[];
  readonly ipv6: VpcIpv6 | null;
}

/** All interfaces of a Linode that are in a VPC. */
export function seatsOf(linode: Linode): Seat[] {
  return [...olderSeats(linode), ...newerSeats(linode)];
}

/** All interfaces in a subnet. */
export function seatsIn(cloud: Cloud, subnet: number): Seat[] {
  return [...cloud.linodes.values()].flatMap(seatsOf).filter((seat) => seat.subnet === subnet);
}

/** The NodeBalancers' shares of a subnet. */
export function sharesIn(cloud: Cloud, subnet: number): { id: number; ipv4Range: string }[] {
  return [...cloud.nodeBalancers.values()].flatMap((balancer) =>
    balancer.vpcs
      .filter((share) => share.subnet === subnet)
      .map((share) => ({ id: balancer.id, ipv4Range: share.ipv4Range })),
  );
}

function olderSeats(linode: Linode): Seat[] {
  return linode.configs.flatMap((config) =>
    config.interfaces.flatMap((one) => {
      if (one.subnet === null || one.ipv4 === null) return [];
      const active = linode.status === 'running' && linode.lastConfig === config.id;
      const addresses = [{ address: one.ipv4, nat11: one.nat11 }];
      const { subnet, ranges, ipv6 } = one;
      return [{ linode, config: config.id, interfaceId: one.id, subnet, active, addresses, ranges, ipv6 }];
    }),
  );
}

function newerSeats(linode: Linode): Seat[] {
  const active = linode.status === 'running';
  return linode.interfaces.flatMap(({ id, vpc }) => {
    if (vpc === null) return [];
    const { subnet, addresses, ranges, ipv6 } = vpc;
    return [{ linode, config: null, interfaceId: id, subnet, active, addresses, ranges, ipv6 }];
  });
}

/** What is given out of a subnet, addresses as networks of one. */
export function takenIn(cloud: Cloud, subnet: number): Network[] {
  const seats = seatsIn(cloud, subnet);
  const addresses = seats.flatMap((seat) => seat.addresses.map(({ address }) => `${address}/32`));
  const ranges = seats.flatMap((seat) => seat.ranges);
  const shares = sharesIn(cloud, subnet).map((share) => share.ipv4Range);
  const lingering = [...cloud.lingering]
    .filter((key) => key.startsWith(`${subnet}/`))
    .map((key) => `${key.slice(key.indexOf('/') + 1)}/32`);
  return [...addresses, ...ranges, ...shares, ...lingering].flatMap((text) => parseNetwork(text) ?? []);
}

/** The first free address of a subnet; `undefined` if it is full. */
export function nextFree(subnet: Subnet, taken: readonly Network[]): string | undefined {
  const { first, last } = usable(networkOf(subnet.ipv4));
  for (let number = first; number <= last; number += 1) {
    const holder = taken.find((network) => number >= network.first && number <= network.last);
    if (holder === undefined) return toAddress(number);
    number = holder.last;
  }
  return undefined;
}

/** The first free range of so many addresses; `undefined` if there is none. */
export function nextFreeRange(subnet: Subnet, prefix: number, taken: readonly Network[]): string | undefined {
  const { first, last } = networkOf(subnet.ipv4);
  const size = 2 ** (32 - prefix);
  const reserved = [
    { first, last: first + 1, prefix },
    { first: last - 1, last, prefix },
  ];
  for (let start = first; start + size - 1 <= last; start += size) {
    const range = { first: start, last: start + size - 1, prefix };
    if (![...reserved, ...taken].some((network) => overlap(network, range)))
      return `${toAddress(start)}/${prefix}`;
  }
  return undefined;
}

/** Why an address of a subnet can't be given out, or `undefined` if it can. */
export function whyNot(subnet: Subnet, address: string, taken: readonly Network[]): string | undefined {
  if (!isAddress(address)) return 'Must be a valid IPv4 address';
  const number = toNumber(address);
  const { first, last } = networkOf(subnet.ipv4);
  if (number < first || number > last) return 'Address must be within the range of the subnet';
  const free = usable(networkOf(subnet.ipv4));
  if (number < free.first || number > free.last)
    return 'Address is reserved: the first two and the last two of a subnet are';
  if (taken.some((network) => number >= network.first && number <= network.last))
    return 'Address is already in use';
  return undefined;
}
