import { isProvisioned, jumpTier, placeOf, entrySubnet, settingsOf, subnetOf } from './place.js';
import type { Stack, TierName } from './schema.js';

/** Who may begin a conversation. */
export type Caller =
  | TierName
  /** Those who open the site: anybody, or the NodeBalancer where one stands in front. */
  | 'visitors'
  /** The networks of `network.ssh`; reach public tiers only. */
  | 'operators'
  /** The tier through which SSH reaches the others. */
  | 'jump';

export interface Access {
  readonly from: Caller;
  readonly to: TierName | 'every tier';
  /** TCP ports as a firewall takes them: `5432,8008`. */
  readonly ports: string;
  readonly what: string;
}

/**
 * Who talks to whom. Every firewall is made from this table, the Cloud Firewall in front of a host and the one on it,
 * and nothing that is not in it gets through.
 */
export const ACCESS: readonly Access[] = [
  { from: 'visitors', to: 'web', ports: '80,443', what: 'HTTP and HTTPS' },
  { from: 'operators', to: 'every tier', ports: '22', what: 'SSH' },
  { from: 'jump', to: 'every tier', ports: '22', what: 'SSH through a public host' },
  { from: 'web', to: 'app', ports: '5000', what: 'requests to the application' },
  { from: 'app', to: 'database', ports: '5432', what: 'PostgreSQL' },
  { from: 'database', to: 'database', ports: '5432,8008', what: 'replication, Patroni' },
  { from: 'app', to: 'cache', ports: '6379,26379', what: 'Redis, Sentinel' },
  { from: 'cache', to: 'cache', ports: '6379,26379', what: 'replication, Sentinel' },
  { from: 'monitor', to: 'every tier', ports: '9100', what: 'figures of the host' },
  { from: 'monitor', to: 'web', ports: '80,443,9113', what: 'probes, figures of nginx' },
  { from: 'monitor', to: 'app', ports: '5000,9113', what: 'probes, figures of nginx' },
  { from: 'monitor', to: 'database', ports: '9187', what: 'figures of PostgreSQL' },
  { from: 'monitor', to: 'cache', ports: '9121', what: 'figures of Redis' },
];

interface Networks {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** One line of a firewall: from these networks to these TCP ports. */
export interface WayIn extends Networks {
  /** `web-to-app-5000` */
  readonly label: string;
  readonly ports: string;
  readonly what: string;
}

/** What the hosts of a tier let in; all else is dropped. */
export function waysIn(stack: Stack, tier: TierName): WayIn[] {
  return ACCESS.filter((access) => reaches(stack, access, tier)).flatMap(({ from, to, ports, what }) => {
    const networks = networksOf(stack, from);
    if (networks.ipv4.length + networks.ipv6.length === 0) return [];
    const target = to === 'every tier' ? tier : to;
    return [{ ...networks, ports, what, label: `${from}-to-${target}-${ports.split(',')[0]}` }];
  });
}

/** Whether an access ends on the hosts of a tier, be it for the tier itself or for a role that is placed on it. */
function reaches(stack: Stack, { from, to }: Access, tier: TierName): boolean {
  const outside = from === 'operators' || (from === 'visitors' && stack.tiers.web.entry === 'dns');
  if (outside && !stack.network.public.includes(tier)) return false;
  return to === 'every tier' || placeOf(stack, to) === tier;
}

const ANYBODY: Networks = { ipv4: ['0.0.0.0/0'], ipv6: ['::/0'] };

function networksOf(stack: Stack, caller: Caller): Networks {
  if (caller === 'visitors') {
    return stack.tiers.web.entry === 'dns' ? ANYBODY : byFamily([entrySubnet(stack)]);
  }
  if (caller === 'operators') return byFamily(stack.network.ssh);
  const tier = caller === 'jump' ? jumpTier(stack) : placeOf(stack, caller);
  return tier ? networksOfTier(stack, tier) : byFamily([]);
}

/** The subnet of a tier of Linodes; the addresses of servers that exist already. */
function networksOfTier(stack: Stack, tier: TierName): Networks {
  if (isProvisioned(stack, tier)) return byFamily([subnetOf(stack, tier)]);
  const hosts = settingsOf(stack, tier)?.hosts ?? [];
  return byFamily(
    hosts.flatMap(({ address, privateAddress }) => [address, privateAddress ?? []].flat().map(single)),
  );
}

const single = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

function byFamily(networks: readonly string[]): Networks {
  return {
    ipv4: networks.filter((network) => !network.includes(':')),
    ipv6: networks.filter((network) => network.includes(':')),
  };
}
