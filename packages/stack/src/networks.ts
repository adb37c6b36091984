import ipaddr from 'ipaddr.js';

/** An address as the network that it alone makes up. */
export function networkOfOne(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

/**
 * Networks in one spelling each, host bits cleared, without those that lie in another of the list: what is left does
 * not overlap, which firewalls ask for. The order is kept.
 *
 * @throws Error when one is no network
 */
export function mergeNetworks(networks: readonly string[]): string[] {
  const unique = new Map(networks.map(parse).map((network) => [network.text, network]));
  const lengths = new Map<number, Set<number>>();
  for (const { bytes, length } of unique.values()) {
    lengths.set(bytes.length, (lengths.get(bytes.length) ?? new Set()).add(length));
  }
  const inAnother = ({ bytes, length }: Network): boolean =>
    [...(lengths.get(bytes.length) ?? [])].some(
      (shorter) => shorter < length && unique.has(textOf(bytes, shorter)),
    );
  return [...unique.values()].filter((network) => !inAnother(network)).map(({ text }) => text);
}

interface Network {
  readonly bytes: readonly number[];
  readonly length: number;
  readonly text: string;
}

function parse(network: string): Network {
  const [address, length] = network.includes(':')
    ? ipaddr.IPv6.parseCIDR(network)
    : ipaddr.IPv4.parseCIDR(network);
  const bytes = address.toByteArray();
  return { bytes, length, text: textOf(bytes, length) };
}

/** The network of a length in which an address lies. */
function textOf(bytes: readonly number[], length: number): string {
  const network = bytes.map(
    (byte, index) => byte & (0xff << (8 - Math.min(Math.max(length - 8 * index, 0), 8))),
  );
  return `${ipaddr.fromByteArray(network).toString()}/${length}`;
}
