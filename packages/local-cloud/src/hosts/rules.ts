import type { FirewallRule, FirewallSpec, InterfaceSpec } from '../driver.js';
import { portName } from './names.js';
import { type Cut, type RouterId, type Station, portsOf } from './record.js';

/** Address of the metadata service, the same for every host. */
export const METADATA_ADDRESS = '169.254.169.254';

/** The router's end of its link to the internet. */
export const UPLINK = 'uplink';

/**
 * The nftables rules of a router, in whole: Cloud Firewalls, cut links and one-to-one NAT of everything that hangs on
 * it. They stand outside the hosts, where nothing that a host does can reach them. Loading them again changes no
 * connection that is open.
 */
export function routerRules(router: RouterId, stations: readonly Station[]): string {
  const ports = portsOf(stations, router);
  const firewalled = ports.flatMap(({ link, host }) => {
    const firewall = host.firewalls[link.id];
    return firewall === undefined ? [] : [{ port: portName(link.id), firewall }];
  });
  const tables = [
    table('inet', 'cloud_firewall', firewallChains(firewalled)),
    table('inet', 'faults', faultChains(ports)),
    ...(router === 'internet' ? [] : [table('ip', 'nat11', natChains(ports.map(({ link }) => link)))]),
  ];
  return tables.join('');
}

function table(family: string, name: string, lines: readonly string[]): string {
  const body = lines.map((line) => `  ${line}\n`).join('');
  return `table ${family} ${name}\ndelete table ${family} ${name}\ntable ${family} ${name} {\n${body}}\n`;
}

function chain(name: string, lines: readonly string[]): string[] {
  return [`chain ${name} {`, ...lines.map((line) => `  ${line}`), '}'];
}

function baseChain(name: string, hook: string, priority: string, lines: readonly string[]): string[] {
  const type = priority.endsWith('nat') ? 'nat' : 'filter';
  return chain(name, [`type ${type} hook ${hook} priority ${priority}; policy accept;`, ...lines]);
}

const REPLIES = 'ct state established,related accept';

// A rule that accepts returns to the caller, for a packet from one host to another has to pass both their firewalls.
function firewallChains(ports: readonly { port: string; firewall: FirewallSpec }[]): string[] {
  const to = ports.map(({ port }) => `oifname "${port}" jump ${port}_inbound`);
  const from = ports.map(
    ({ port }) => `iifname "${port}" ip daddr != ${METADATA_ADDRESS} jump ${port}_outbound`,
  );
  return [
    ...ports.flatMap(({ port, firewall }) => [
      ...chain(`${port}_inbound`, [
        ...firewall.inbound.flatMap((rule) => ruleLines(rule, 'saddr')),
        verdict(firewall.inboundPolicy),
      ]),
      ...chain(`${port}_outbound`, [
        ...firewall.outbound.flatMap((rule) => ruleLines(rule, 'daddr')),
        verdict(firewall.outboundPolicy),
      ]),
    ]),
    ...baseChain('forward', 'forward', 'filter', [REPLIES, ...from, ...to]),
    ...baseChain('input', 'input', 'filter', [REPLIES, ...from]),
    ...baseChain('output', 'output', 'filter', [REPLIES, ...to]),
  ];
}

function verdict(action: 'ACCEPT' | 'DROP'): string {
  return action === 'ACCEPT' ? 'return' : 'drop';
}

function ruleLines(rule: FirewallRule, side: 'saddr' | 'daddr'): string[] {
  const what = `${protocolMatch(rule)} ${verdict(rule.action)}`;
  if (rule.ipv4.some((network) => network.endsWith('/0'))) return [`meta nfproto ipv4 ${what}`];
  return rule.ipv4.map((network) => `ip ${side} ${checked(network, /^[0-9.]+(\/\d{1,2})?$/)} ${what}`);
}

function protocolMatch(rule: FirewallRule): string {
  switch (rule.protocol) {
    case 'ICMP':
      return 'meta l4proto icmp';
    case 'IPENCAP':
      return 'meta l4proto 4';
    case 'TCP':
    case 'UDP': {
      const protocol = rule.protocol.toLowerCase();
      if (rule.ports === null) return `meta l4proto ${protocol}`;
      return `${protocol} dport { ${checked(rule.ports, /^\d+(-\d+)?(,\s*\d+(-\d+)?)*$/)} }`;
    }
  }
}

/** Rules are text for nftables: nothing gets into it that does not look like what it is said to be. */
function checked(text: string, form: RegExp): string {
  if (!form.test(text)) throw new Error(`firewall rule: "${text}" is neither ports nor a network`);
  return text;
}

function faultChains(ports: readonly { link: InterfaceSpec; host: Station }[]): string[] {
  const from = ports.flatMap(({ link, host }) =>
    faultLines(`iifname "${portName(link.id)}"`, 'daddr', 'out', host),
  );
  const to = ports.flatMap(({ link, host }) =>
    faultLines(`oifname "${portName(link.id)}"`, 'saddr', 'in', host),
  );
  return [
    ...baseChain('from_hosts', 'prerouting', 'raw', from),
    ...baseChain('to_hosts', 'postrouting', '310', to),
  ];
}

function faultLines(
  port: string,
  side: 'saddr' | 'daddr',
  direction: Cut['direction'],
  host: Station,
): string[] {
  if (host.frozen || host.lossPercent >= 100) return [`${port} drop`];
  const cuts = host.cuts
    .filter((cut) => cut.direction === direction || cut.direction === 'both')
    .map(({ peers }) =>
      peers === null ? `${port} drop` : `${port} ip ${side} { ${peers.join(', ')} } drop`,
    );
  const loss = host.lossPercent > 0 ? [`${port} numgen random mod 100 < ${host.lossPercent} drop`] : [];
  return [...cuts, ...loss];
}

/**
 * One-to-one NAT at the edge of a VPC. What comes from outside gets in only when it was translated, and only hosts
 * with a public address get out; a host that calls a neighbour's public address is seen under its own public one.
 */
function natChains(links: readonly InterfaceSpec[]): string[] {
  const pairs = links.flatMap((link) =>
    link.nat11 === null ? [] : [{ inside: link.ipv4, outside: link.nat11 }],
  );
  const inward = pairs.map(({ inside, outside }) => `ip daddr ${outside} dnat to ${inside}`);
  const outward = pairs.flatMap(({ inside, outside }) => [
    `oifname "${UPLINK}" ip saddr ${inside} snat to ${outside}`,
    `ct status dnat ip saddr ${inside} snat to ${outside}`,
  ]);
  const leaving = pairs.map(({ inside }) => `oifname "${UPLINK}" ip saddr ${inside} accept`);
  return [
    ...baseChain('inward', 'prerouting', 'dstnat', inward),
    ...baseChain('outward', 'postrouting', 'srcnat', outward),
    ...baseChain('edge', 'forward', '-10', [
      'ct state established,related accept',
      `iifname "${UPLINK}" ct status dnat accept`,
      `iifname "${UPLINK}" drop`,
      ...leaving,
      `oifname "${UPLINK}" drop`,
    ]),
  ];
}
