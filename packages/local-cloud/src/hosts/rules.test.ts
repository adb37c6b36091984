import { describe, expect, it } from '@jest/globals';
import type { FirewallRule, FirewallSpec } from '../driver.js';
import { hostRecord, publicLink, vpcLink } from './fixture.js';
import { routerRules } from './rules.js';

function firewall(inbound: Partial<FirewallRule>[], policy: 'ACCEPT' | 'DROP' = 'DROP'): FirewallSpec {
  const rule: FirewallRule = { action: 'ACCEPT', protocol: 'TCP', ports: null, ipv4: ['0.0.0.0/0'] };
  return {
    inboundPolicy: policy,
    outboundPolicy: 'ACCEPT',
    inbound: inbound.map((part) => ({ ...rule, ...part })),
    outbound: [],
  };
}

function withFirewall(spec: FirewallSpec): string {
  return routerRules('internet', [
    { ...hostRecord(1, [publicLink(11, '203.0.113.10')]), firewalls: { 11: spec } },
  ]);
}

/** The lines of one chain, without its name and braces. */
function chainOf(rules: string, name: string): string[] {
  const body =
    new RegExp(`chain ${name} \\{\\n([^}]*(?:\\{[^}]*\\}[^}]*)*?)\\n {2}\\}`).exec(rules)?.[1] ?? '';
  return body.split('\n').map((line) => line.trim());
}

describe('routerRules', () => {
  it('turns rules in their order into lines, and the policy into the last one', () => {
    const rules = withFirewall(
      firewall([
        { ports: '22', ipv4: ['192.0.2.1/32', '198.51.100.0/24'] },
        { ports: '80,443', action: 'DROP' },
        { protocol: 'UDP', ports: '8000-8100' },
        { protocol: 'ICMP' },
        { protocol: 'IPENCAP' },
      ]),
    );
    expect(chainOf(rules, 'portb_inbound')).toEqual([
      'ip saddr 192.0.2.1/32 tcp dport { 22 } return',
      'ip saddr 198.51.100.0/24 tcp dport { 22 } return',
      'meta nfproto ipv4 tcp dport { 80,443 } drop',
      'meta nfproto ipv4 udp dport { 8000-8100 } return',
      'meta nfproto ipv4 meta l4proto icmp return',
      'meta nfproto ipv4 meta l4proto 4 return',
      'drop',
    ]);
    expect(chainOf(rules, 'portb_outbound')).toEqual(['return']);
  });

  it('lets replies, and the metadata service, through any firewall', () => {
    const rules = withFirewall({ ...firewall([]), outboundPolicy: 'DROP' });
    expect(chainOf(rules, 'input')).toEqual([
      'type filter hook input priority filter; policy accept;',
      'ct state established,related accept',
      'iifname "portb" ip daddr != 169.254.169.254 jump portb_outbound',
    ]);
  });

  it('refuses text that is neither ports nor a network', () => {
    expect(() => withFirewall(firewall([{ ports: '22 } accept' }]))).toThrow(/"22 } accept"/);
    expect(() => withFirewall(firewall([{ ipv4: ['0.0.0.0 accept'] }]))).toThrow(
      /neither ports nor a network/,
    );
  });

  it('leaves hosts of other routers and hosts without a firewall out', () => {
    const records = [
      hostRecord(1, [publicLink(11, '203.0.113.10')]),
      hostRecord(2, [vpcLink(12, '10.0.1.2')]),
    ];
    expect(routerRules('internet', records)).not.toMatch(/portb|portc/);
  });

  it('drops what a cut link would carry, one way, both ways or for one peer', () => {
    const record = hostRecord(1, [publicLink(11, '203.0.113.10')]);
    const cut = (cuts: (typeof record)['cuts']): string => routerRules('internet', [{ ...record, cuts }]);
    const out = cut([{ direction: 'out', peers: null }]);
    expect(chainOf(out, 'from_hosts')).toContain('iifname "portb" drop');
    expect(chainOf(out, 'to_hosts')).not.toContain('oifname "portb" drop');
    const peer = cut([{ direction: 'both', peers: ['10.0.1.2', '203.0.113.9'] }]);
    expect(chainOf(peer, 'from_hosts')).toContain('iifname "portb" ip daddr { 10.0.1.2, 203.0.113.9 } drop');
    expect(chainOf(peer, 'to_hosts')).toContain('oifname "portb" ip saddr { 10.0.1.2, 203.0.113.9 } drop');
  });

  it('loses all packets of a frozen host and a share of those with loss', () => {
    const record = hostRecord(1, [publicLink(11, '203.0.113.10')]);
    expect(chainOf(routerRules('internet', [{ ...record, frozen: true }]), 'to_hosts')).toContain(
      'oifname "portb" drop',
    );
    const lossy = routerRules('internet', [{ ...record, lossPercent: 7 }]);
    expect(chainOf(lossy, 'from_hosts')).toContain('iifname "portb" numgen random mod 100 < 7 drop');
  });

  it('translates only addresses that have a public one, and closes the edge for all else', () => {
    const hosts = [
      hostRecord(1, [vpcLink(11, '10.0.1.2', '203.0.113.20')]),
      hostRecord(2, [vpcLink(12, '10.0.1.3')]),
    ];
    const rules = routerRules({ vpcId: 5 }, hosts);
    expect(chainOf(rules, 'inward')).toContain('ip daddr 203.0.113.20 dnat to 10.0.1.2');
    expect(chainOf(rules, 'edge').slice(-2)).toEqual([
      'oifname "uplink" ip saddr 10.0.1.2 accept',
      'oifname "uplink" drop',
    ]);
    expect(rules).not.toContain('10.0.1.3');
  });
});
