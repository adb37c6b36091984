import type { TcpPortSettings } from '@perlstack/linode';
import { entrySubnet, type Stack } from '@perlstack/stack';
import { inventory } from './inventory.js';
import { balancerLabel } from './names.js';
import type { Resources } from './observed.js';

/** The NodeBalancer in front of the web hosts as the stack file wants it. */
export interface DesiredEntry {
  /** Of the NodeBalancer and of its firewall. */
  readonly label: string;
  /** CIDR of its subnet. */
  readonly subnet: string;
  /** The part of the subnet from which it speaks to the web hosts. */
  readonly range: string;
  readonly ports: readonly number[];
}

/** Label of the subnet of the NodeBalancer; those of tiers have the names of tiers. */
export const ENTRY_SUBNET = 'entry';

/**
 * Connections are handed through as they come, so that TLS ends at nginx, and each begins with the visitor's address. A
 * node is down after two checks of 2 s, 3 s apart: within 10 s; one lost packet (sent again after 1 s) fails no check.
 * The interval has to be longer than the timeout.
 */
export const PORT_SETTINGS: TcpPortSettings = {
  protocol: 'tcp',
  // A host that answers no more gathers connections and gets fewer new ones, even before it is found to be down.
  algorithm: 'leastconn',
  proxy_protocol: 'v2',
  check: 'connection',
  check_interval: 3,
  check_timeout: 2,
  check_attempts: 2,
};

/** Ports that are the stack's; whoever adds others to its NodeBalancer keeps them. */
export const ENTRY_PORTS: readonly number[] = [80, 443];

/** The NodeBalancer that a stack file wants, or `null`. */
export function desiredEntry(stack: Stack): DesiredEntry | null {
  const { entry, tls } = stack.tiers.web;
  if (entry !== 'nodebalancer') return null;
  const subnet = entrySubnet(stack);
  return {
    label: balancerLabel(stack.stack),
    subnet,
    // Linode keeps the first two addresses of a subnet for itself; a /30 is the least that a NodeBalancer takes.
    range: subnet.replace(/0\/24$/, '4/30'),
    ports: ENTRY_PORTS.filter((port) => port === 80 || tls?.files),
  };
}

/**
 * The addresses to which the domains of a stack have to point: that of the NodeBalancer, or those of the web hosts.
 *
 * @throws UserError as `inventory` does
 */
export function entryAddresses(stack: Stack, resources: Pick<Resources, 'linodes' | 'balancers'>): string[] {
  if (desiredEntry(stack)) return resources.balancers.map(({ ipv4 }) => ipv4);
  const web = inventory(stack, resources).hosts.filter(({ tier }) => tier === 'web');
  return web.flatMap(({ publicAddress }) => publicAddress ?? []);
}
