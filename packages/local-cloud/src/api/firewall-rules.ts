import type { FirewallRule, FirewallSpec } from '../driver.js';
import { digest } from './cloud.js';
import type { Fields } from './fields.js';
import { isList, isObject, type JsonObject } from './json.js';
import type { Firewall, RuleSet } from './model.js';

const MOST_RULES = 25;
const MOST_ADDRESSES = 255;
const MOST_PORT_PIECES = 15;
const POLICIES = ['ACCEPT', 'DROP'] as const;
const WITH_PORTS = ['TCP', 'UDP', '6', '17'];

export function rulesView(rules: RuleSet, version: number): JsonObject {
  const plain = {
    inbound: rules.inbound,
    inbound_policy: rules.inboundPolicy,
    outbound: rules.outbound,
    outbound_policy: rules.outboundPolicy,
  };
  return { ...plain, version, fingerprint: digest(JSON.stringify(plain), 8) };
}

/** Reads a whole rule set; a direction that is sent as `null` is kept as `null`, as the API does. */
export function readRules(fields: Fields): RuleSet {
  const inboundPolicy = fields.choice('inbound_policy', POLICIES);
  const outboundPolicy = fields.choice('outbound_policy', POLICIES);
  if (!fields.has('inbound_policy')) fields.fail('inbound_policy is required', 'inbound_policy');
  if (!fields.has('outbound_policy')) fields.fail('outbound_policy is required', 'outbound_policy');
  const inbound = readDirection(fields, 'inbound');
  const outbound = readDirection(fields, 'outbound');
  if ((inbound?.length ?? 0) + (outbound?.length ?? 0) > MOST_RULES) {
    fields.fail(`A firewall may have at most ${MOST_RULES} rules`);
  }
  return {
    inbound,
    inboundPolicy: inboundPolicy ?? 'DROP',
    outbound,
    outboundPolicy: outboundPolicy ?? 'DROP',
  };
}

function readDirection(fields: Fields, name: 'inbound' | 'outbound'): JsonObject[] | null {
  if (fields.isNull(name)) return null;
  return (fields.objects(name) ?? []).map(readRule);
}

function readRule(fields: Fields): JsonObject {
  const protocol = fields.requiredString('protocol');
  const action = fields.choice('action', POLICIES);
  if (!fields.has('action')) fields.fail('action is required', 'action');
  const ports = readPorts(fields, protocol);
  const label = fields.string('label');
  const description = fields.string('description');
  if (label !== undefined && (label.length < 3 || label.length > 32)) {
    fields.fail('Length must be 3-32 characters', 'label');
  }
  if (!isProtocol(protocol))
    fields.fail('Must be one of TCP, UDP, ICMP, IPENCAP, ALL or a number', 'protocol');
  return {
    protocol,
    addresses: readAddresses(fields),
    action: action ?? 'DROP',
    ...(label === undefined ? {} : { label }),
    ...(ports === undefined ? {} : { ports }),
    ...(description === undefined ? {} : { description }),
  };
}

function isProtocol(text: string): boolean {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= 255;
  return ['TCP', 'UDP', 'ICMP', 'IPENCAP', 'ALL'].includes(text);
}

function readPorts(fields: Fields, protocol: string): string | undefined {
  const ports = fields.string('ports');
  if (ports === undefined || ports === '') return undefined;
  const pieces = ports.split(',').map((piece) => piece.trim());
  if (!WITH_PORTS.includes(protocol)) fields.fail(`Ports are not allowed for protocol ${protocol}`, 'ports');
  else if (pieces.length > MOST_PORT_PIECES)
    fields.fail(`At most ${MOST_PORT_PIECES} ports or ranges`, 'ports');
  else if (!pieces.every(isPortPiece)) fields.fail('Must be ports 1-65535 or ranges of them', 'ports');
  return ports;
}

function isPortPiece(piece: string): boolean {
  const [from, to] = /^(\d+)(?:-(\d+))?$/.exec(piece)?.slice(1) ?? [];
  if (from === undefined) return false;
  const [first, last] = [Number(from), Number(to ?? from)];
  return first >= 1 && first <= last && last <= 65_535;
}

function readAddresses(fields: Fields): JsonObject {
  const addresses = fields.object('addresses');
  const ipv4 = addresses?.strings('ipv4');
  const ipv6 = addresses?.strings('ipv6');
  if ((ipv4?.length ?? 0) + (ipv6?.length ?? 0) > MOST_ADDRESSES) {
    fields.fail(`At most ${MOST_ADDRESSES} addresses in a rule`, 'addresses');
  }
  const cidr = /^\d{1,3}(\.\d{1,3}){3}\/([0-9]|[12][0-9]|3[0-2])$/;
  ipv4?.forEach((address, index) => {
    if (!cidr.test(address))
      addresses?.fail('Must be an IPv4 address with a prefix length', `ipv4[${index}]`);
  });
  return { ...(ipv6 === undefined ? {} : { ipv6 }), ...(ipv4 === undefined ? {} : { ipv4 }) };
}

/** What a driver enforces; `null` where nothing is. */
export function firewallSpec(firewall: Firewall | undefined): FirewallSpec | null {
  if (firewall === undefined || firewall.status !== 'enabled') return null;
  const { rules } = firewall;
  return {
    inboundPolicy: rules.inboundPolicy,
    outboundPolicy: rules.outboundPolicy,
    inbound: (rules.inbound ?? []).flatMap(driverRules),
    outbound: (rules.outbound ?? []).flatMap(driverRules),
  };
}

const DRIVER_PROTOCOLS: Readonly<Record<string, readonly FirewallRule['protocol'][]>> = {
  TCP: ['TCP'],
  6: ['TCP'],
  UDP: ['UDP'],
  17: ['UDP'],
  ICMP: ['ICMP'],
  1: ['ICMP'],
  IPENCAP: ['IPENCAP'],
  4: ['IPENCAP'],
  ALL: ['TCP', 'UDP', 'ICMP', 'IPENCAP'],
};

/** One rule may stand for several of the driver's, or for none where the driver knows no such protocol. */
function driverRules(rule: JsonObject): FirewallRule[] {
  const { protocol, ports, action, addresses } = rule;
  const protocols = typeof protocol === 'string' ? (DRIVER_PROTOCOLS[protocol] ?? []) : [];
  const listed = isObject(addresses) ? addresses['ipv4'] : undefined;
  const ipv4 = isList(listed) ? listed.map(String) : [];
  if (ipv4.length === 0) return [];
  return protocols.map((one) => ({
    action: action === 'ACCEPT' ? 'ACCEPT' : 'DROP',
    protocol: one,
    ports: typeof ports === 'string' ? ports : null,
    ipv4,
  }));
}
