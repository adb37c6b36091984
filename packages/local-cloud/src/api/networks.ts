import ipaddr from 'ipaddr.js';

/** An IPv4 network as numbers. */
export interface Network {
  readonly first: number;
  readonly last: number;
  readonly prefix: number;
}

/** Reads `10.0.0.0/24`; `undefined` for anything else. Host bits, if set, are ignored. */
export function parseNetwork(text: string): Network | undefined {
  if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(text)) return undefined;
  const [address, prefix] = ipaddr.IPv4.parseCIDR(text);
  const size = 2 ** (32 - prefix);
  const number = toNumber(address.toString());
  const first = number - (number % size);
  return { first, last: first + size - 1, prefix };
}

/** A network that is known to be well-formed. */
export function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) throw new Error(`${text} is no IPv4 network`);
  return network;
}

export function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text);
}

export function toNumber(address: string): number {
  return ipaddr.IPv4.parse(address)
    .toByteArray()
    .reduce((sum, byte) => sum * 256 + byte, 0);
}

export function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

export function overlap(a: Network, b: Network): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function within(inner: Network, outer: Network): boolean {
  return inner.first >= outer.first && inner.last <= outer.last;
}

export function subnetMask(prefix: number): string {
  return toAddress(2 ** 32 - 2 ** (32 - prefix));
}

/** The gateway of a network: its second address. */
export function gatewayOf(network: Network): string {
  return toAddress(network.first + 1);
}

/** The addresses that a host in a VPC subnet may have: neither the first two nor the last two. */
export function usable(network: Network): { readonly first: number; readonly last: number } {
  return { first: network.first + 2, last: network.last - 2 };
}
