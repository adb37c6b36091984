import type { FirewallRuleType, RuleSet } from '@perlstack/linode';
import type { Stack, TierName } from '@perlstack/stack';
import { isProvisioned, jumpTier, placeOf, settingsOf, subnetOf } from './layout.js';

/** Who may begin a conversation. */
export type Caller =
  | TierName
  /** Anybody; reaches public tiers only. */
  | 'internet'
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

/** Who talks to whom: every firewall is made from this table, and nothing that is not in it gets through. */
export const ACCESS: readonly Access[] = [
  { from: 'internet', to: 'web', ports: '80,443', what: 'HTTP and HTTPS' },
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

/** The rules of a tier's firewall: what the table lets in, all else dropped; everything may go out. */
export function rulesFor(stack: Stack, tier: TierName): RuleSet {
  const inbound = ACCESS.filter((access) => reaches(stack, access, tier)).flatMap((access) =>
    ruleOf(stack, access, tier),
  );
  return { inbound, inbound_policy: 'DROP', outbound: [], outbound_policy: 'ACCEPT' };
}

/** Whether an access ends on the hosts of a tier, be it for the tier itself or for a role that is placed on it. */
function reaches(stack: Stack, { from, to }: Access, tier: TierName): boolean {
  const outside = from === 'internet' || from === 'operators';
  if (outside && !stack.network.public.includes(tier)) return false;
  return to === 'every tier' || placeOf(stack, to) === tier;
}

function ruleOf(stack: Stack, { from, to, ports, what }: Access, tier: TierName): FirewallRuleType[] {
  const { ipv4, ipv6 } = networksOf(stack, from);
  if (ipv4.length + ipv6.length === 0) return [];
  const target = to === 'every tier' ? tier : to;
  return [
    {
      action: 'ACCEPT',
      protocol: 'TCP',
      ports,
      addresses: {
        ...(ipv4.length > 0 ? { ipv4: [...ipv4] } : {}),
        ...(ipv6.length > 0 ? { ipv6: [...ipv6] } : {}),
      },
      label: `${from}-to-${target}-${ports.split(',')[0]}`,
      description: what,
    },
  ];
}

const ANYBODY: Networks = { ipv4: ['0.0.0.0/0'], ipv6: ['::/0'] };

function networksOf(stack: Stack, caller: Caller): Networks {
  if (caller === 'internet') return ANYBODY;
  if (caller === 'operators') return byFamily(stack.network.ssh);
  const tier = caller === 'jump' ? jumpTier(stack) : placeOf(stack, caller);
  return tier ? networksOfTier(stack, tier) : byFamily([]);
}

/** The subnet of a tier of Linodes; the addresses of servers that exist already. */
function networksOfTier(stack: Stack, tier: TierName): Networks {
  if (isProvisioned(stack, tier)) return byFamily([subnetOf(stack, tier)]);
  const hosts = settingsOf(stack, tier)?.hosts as
    readonly { address: string; privateAddress?: string }[] | undefined;
  return byFamily(
    (hosts ?? []).flatMap(({ address, privateAddress }) =>
      [address, privateAddress ?? []].flat().map(single),
    ),
  );
}

const single = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

function byFamily(networks: readonly string[]): Networks {
  return {
    ipv4: networks.filter((network) => !network.includes(':')),
    ipv6: networks.filter((network) => network.includes(':')),
  };
}

/** Whether two sets of rules let the same through, however the API words them. */
export function sameRules(one: RuleSet, other: RuleSet): boolean {
  return canonical(one) === canonical(other);
}

function canonical(rules: RuleSet): string {
  const list = (entries: readonly FirewallRuleType[]): string[] => entries.map(canonicalRule).sort();
  return JSON.stringify([
    rules.inbound_policy,
    rules.outbound_policy,
    list(rules.inbound),
    list(rules.outbound),
  ]);
}

function canonicalRule({ action, protocol, ports, addresses }: FirewallRuleType): string {
  const sorted = (all: readonly string[] | null | undefined): string[] => [...(all ?? [])].sort();
  const spaceless = (ports ?? '').replaceAll(' ', '');
  return JSON.stringify([action, protocol, spaceless, sorted(addresses?.ipv4), sorted(addresses?.ipv6)]);
}
