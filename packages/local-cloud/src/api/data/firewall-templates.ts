import type { JsonObject } from '../json.js';

const ANYWHERE = { ipv4: ['0.0.0.0/0'], ipv6: ['::/0'] };
const PRIVATE = { ipv4: ['10.0.0.0/8', '192.168.0.0/17', '172.16.0.0/12'] };

const SSH = rule('TCP', 'accept-inbound-ssh', 'Accept inbound SSH', ANYWHERE, '22');
const ICMP = rule('ICMP', 'accept-inbound-icmp', 'Accept inbound ICMP', ANYWHERE);

/** The templates that the API offers for new firewalls; the proxies' addresses are stand-ins. */
export const FIREWALL_TEMPLATES: readonly JsonObject[] = [
  template('akamai-non-prod', [
    ICMP,
    rule(
      'TCP',
      'accept-inbound-tcp-ssh-proxies',
      'Accept inbound TCP from SSH proxies',
      { ipv4: ['192.0.2.4/30'], ipv6: ['2001:db8::5678/128'] },
      '22,443',
    ),
    rule(
      'TCP',
      'accept-inbound-tcp-eaa-proxies',
      'Accept inbound TCP from EAA proxies',
      { ipv4: ['192.0.2.0/31'] },
      '22,443',
    ),
  ]),
  template('vpc', [
    SSH,
    ICMP,
    rule('TCP', 'accept-inbound-rfc1918', 'Accept inbound RFC-1918', PRIVATE, '1-65535'),
    rule('UDP', 'accept-inbound-rfc1918', 'Accept inbound RFC-1918', PRIVATE, '1-65535'),
  ]),
  template('public', [SSH, ICMP]),
];

function template(slug: string, inbound: readonly JsonObject[]): JsonObject {
  return { slug, rules: { inbound, inbound_policy: 'DROP', outbound: [], outbound_policy: 'ACCEPT' } };
}

function rule(
  protocol: string,
  label: string,
  description: string,
  addresses: JsonObject,
  ports?: string,
): JsonObject {
  return {
    protocol,
    addresses,
    action: 'ACCEPT',
    label,
    ...(ports === undefined ? {} : { ports }),
    description,
  };
}
