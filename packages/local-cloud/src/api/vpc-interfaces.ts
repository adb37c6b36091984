import type { Cloud } from './cloud.js';
import type { Fields } from './fields.js';
import type { Subnet, VpcIpv6 } from './model.js';
import { networkOf, overlap, parseNetwork, within, type Network } from './networks.js';
import { nextFree, nextFreeRange, takenIn, whyNot } from './occupancy.js';

/**
 * What one request takes out of a subnet. Several interfaces of a request see each other's share; nothing is held
 * unless the request succeeds.
 */
export class Claims {
  readonly #cloud: Cloud;
  /** What the interfaces that the request replaces hold, and thereby gives back: `subnet/address`. */
  readonly #released: ReadonlySet<string>;
  readonly #claimed = new Map<number, Network[]>();

  constructor(cloud: Cloud, released: Iterable<string> = []) {
    this.#cloud = cloud;
    this.#released = new Set(released);
  }

  /** A given address, or the first free one for `undefined` and `auto`. Complains to `fields` under `name`. */
  address(subnet: Subnet, given: string | undefined, fields: Fields, name: string): string {
    const taken = this.#taken(subnet);
    const automatic = given === undefined || given === 'auto';
    const address = automatic ? nextFree(subnet, taken) : given;
    if (address === undefined) {
      fields.fail('The subnet has no free addresses', name);
      return '';
    }
    const problem = automatic ? undefined : whyNot(subnet, address, taken);
    if (problem === undefined) this.#claim(subnet, `${address}/32`);
    else fields.fail(problem, name);
    return address;
  }

  /** A given range, or the first free one of a length such as `/28`. */
  range(subnet: Subnet, given: string, fields: Fields, name: string): string {
    const taken = this.#taken(subnet);
    const prefix = /^(?:auto)?\/(\d+)$/.exec(given)?.[1];
    const range = prefix === undefined ? given : nextFreeRange(subnet, Number(prefix), taken);
    const network = range === undefined ? undefined : parseNetwork(range);
    if (range === undefined || network === undefined || !within(network, networkOf(subnet.ipv4))) {
      fields.fail('Must be a free range within the subnet', name);
    } else if (taken.some((other) => overlap(other, network))) fields.fail('Range is already in use', name);
    else this.#claim(subnet, range);
    return range ?? '';
  }

  #taken(subnet: Subnet): Network[] {
    const released = [...this.#released].filter((key) => key.startsWith(`${subnet.id}/`));
    const freed = released.flatMap((key) => parseNetwork(`${key.slice(key.indexOf('/') + 1)}/32`) ?? []);
    const held = takenIn(this.#cloud, subnet.id);
    const kept = held.filter(
      (network) => !freed.some((one) => one.first === network.first && network.prefix === 32),
    );
    return [...kept, ...(this.#claimed.get(subnet.id) ?? [])];
  }

  #claim(subnet: Subnet, text: string): void {
    const claimed = this.#claimed.get(subnet.id) ?? [];
    this.#claimed.set(subnet.id, [...claimed, networkOf(text)]);
  }
}

/** The subnet that an interface is to be in, which must be in the Linode's region. */
export function readSubnetRef(cloud: Cloud, fields: Fields, region: string): Subnet | undefined {
  const id = fields.requiredInteger('subnet_id');
  const place = cloud.subnet(id);
  if (place === undefined) {
    if (id !== 0) fields.fail('Invalid subnet ID', 'subnet_id');
    return undefined;
  }
  if (place.vpc.region !== region)
    fields.fail('The VPC must be in the same region as the Linode', 'subnet_id');
  return place.subnet;
}

/** The IPv6 part of an interface in a VPC. */
export function readVpcIpv6(cloud: Cloud, fields: Fields | undefined, subnet: Subnet): VpcIpv6 {
  const slaac = fields?.objects('slaac') ?? [];
  const ranges = fields?.objects('ranges') ?? [];
  const [network] = subnet.ipv6 ?? [];
  if (network === undefined && slaac.length + ranges.length > 0) fields?.fail('The subnet has no IPv6 range');
  const base = network?.split('::')[0] ?? '2001:db8:0:0';
  const next = (): string =>
    `${base.split(':').slice(0, 3).join(':')}:${(cloud.newId() % 0xffff).toString(16)}::`;
  return {
    slaac: slaac.map(() => {
      const prefix = next();
      return { range: `${prefix}/64`, address: `${prefix}1` };
    }),
    ranges: ranges.map((one) => ({ range: `${next()}${one.string('range')?.replace('auto', '') ?? '/64'}` })),
    isPublic: fields?.boolean('is_public') ?? false,
  };
}
