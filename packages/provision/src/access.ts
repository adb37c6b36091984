import type { FirewallRuleType, RuleSet } from '@perlstack/linode';
import { type Stack, type TierName, waysIn } from '@perlstack/stack';

/** The rules of a tier's Cloud Firewall: what the table of accesses lets in, all else dropped; everything may go out. */
export function rulesFor(stack: Stack, tier: TierName): RuleSet {
  const inbound = waysIn(stack, tier).map(({ label, ports, what, ipv4, ipv6 }): FirewallRuleType => ({
    action: 'ACCEPT',
    protocol: 'TCP',
    ports,
    addresses: {
      ...(ipv4.length > 0 ? { ipv4: [...ipv4] } : {}),
      ...(ipv6.length > 0 ? { ipv6: [...ipv6] } : {}),
    },
    label,
    description: what,
  }));
  return { inbound, inbound_policy: 'DROP', outbound: [], outbound_policy: 'ACCEPT' };
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
