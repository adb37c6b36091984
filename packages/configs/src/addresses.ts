import { UserError, type Host } from '@perlstack/stack';

/**
 * The address by which the other tiers reach a host.
 *
 * @throws UserError when the host has none.
 */
export function privateAddressOf(host: Host): string {
  if (host.privateAddress !== null) return host.privateAddress;
  throw new UserError(
    `${host.name} has no private address, by which the other tiers reach it; name it in tiers.${host.tier}.hosts[].privateAddress`,
  );
}

/** Address and port as one word; IPv6 addresses stand in brackets. */
export function socketAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
