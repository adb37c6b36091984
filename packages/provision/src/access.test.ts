import { describe, expect, it } from '@jest/globals';
import { ACCESS } from '@perlstack/stack';
import { rulesFor, sameRules } from './access.js';
import { stackFile } from './cloud.testkit.js';

const FULL = `stack: shop
region: us-ord
app: {}
tiers:
  web: { count: 2 }
  app: { count: 2 }
  database: { count: 2 }
  cache: { count: 3 }
  monitor: { count: 1 }
`;
const rows = (text: string, tier: Parameters<typeof rulesFor>[1]): string[] =>
  rulesFor(stackFile(text).stack, tier).inbound.map(
    ({ ports, addresses }) =>
      `${[...(addresses?.ipv4 ?? []), ...(addresses?.ipv6 ?? [])].join(' ')} -> ${ports}`,
  );

describe('rulesFor', () => {
  it('lets the internet reach the web, and SSH the public hosts', () => {
    expect(rows(FULL, 'web')).toEqual([
      '0.0.0.0/0 ::/0 -> 80,443',
      '0.0.0.0/0 -> 22',
      '10.10.0.0/24 -> 22',
      '10.10.4.0/24 -> 9100',
      '10.10.4.0/24 -> 80,443,9113',
    ]);
  });

  it('lets a private tier hear only from the tiers that need it', () => {
    expect(rows(FULL, 'app')).toEqual([
      '10.10.0.0/24 -> 22',
      '10.10.0.0/24 -> 5000',
      '10.10.4.0/24 -> 9100',
      '10.10.4.0/24 -> 5000,9113',
    ]);
    expect(rows(FULL, 'database')).toEqual([
      '10.10.0.0/24 -> 22',
      '10.10.1.0/24 -> 5432',
      '10.10.2.0/24 -> 5432,8008',
      '10.10.4.0/24 -> 9100',
      '10.10.4.0/24 -> 9187',
    ]);
    expect(rows(FULL, 'cache')).toEqual([
      '10.10.0.0/24 -> 22',
      '10.10.1.0/24 -> 6379,26379',
      '10.10.3.0/24 -> 6379,26379',
      '10.10.4.0/24 -> 9100',
      '10.10.4.0/24 -> 9121',
    ]);
  });

  it('drops all else, and lets everything out', () => {
    expect(rulesFor(stackFile(FULL).stack, 'app')).toMatchObject({
      inbound_policy: 'DROP',
      outbound: [],
      outbound_policy: 'ACCEPT',
    });
  });

  it('lets SSH in from the networks of the stack file only', () => {
    const text = `${FULL}network: { ssh: [203.0.113.0/24, "2001:db8::/32"], public: [web, monitor] }\n`;
    expect(rows(text, 'monitor')).toEqual([
      '203.0.113.0/24 2001:db8::/32 -> 22',
      '10.10.0.0/24 -> 22',
      '10.10.4.0/24 -> 9100',
    ]);
  });

  it('opens the ports of a role on the tier that carries it', () => {
    const text = FULL.replace('cache: { count: 3 }', 'cache: { on: database }');
    expect(rows(text, 'database')).toEqual([
      '10.10.0.0/24 -> 22',
      '10.10.1.0/24 -> 5432',
      '10.10.2.0/24 -> 5432,8008',
      '10.10.1.0/24 -> 6379,26379',
      '10.10.2.0/24 -> 6379,26379',
      '10.10.4.0/24 -> 9100',
      '10.10.4.0/24 -> 9187',
      '10.10.4.0/24 -> 9121',
    ]);
  });

  it('names servers that exist already by their addresses', () => {
    const host = `{ address: 198.51.100.7, privateAddress: "2001:db8::7", hostKey: "SHA256:${'A'.repeat(43)}" }`;
    const text = FULL.replace('monitor: { count: 1 }', `monitor: { hosts: [${host}] }`);
    expect(rows(text, 'app').at(-1)).toBe('198.51.100.7/32 2001:db8::7/128 -> 5000,9113');
  });

  it('keeps to the limits of a firewall: 25 rules, labels of 3 to 32 characters', () => {
    const everything = FULL.replace(/(cache|monitor): \{.*\}/g, '$1: { on: database }');
    for (const tier of ['web', 'app', 'database'] as const) {
      const { inbound } = rulesFor(stackFile(everything).stack, tier);
      expect(inbound.length).toBeLessThanOrEqual(25);
      for (const { label } of inbound) expect(label).toMatch(/^[a-z][a-z0-9-]{2,31}$/);
    }
  });

  it('says for each access what it is for', () => {
    for (const { what } of ACCESS) expect(what).not.toBe('');
  });
});

describe('sameRules', () => {
  const rules = rulesFor(stackFile(FULL).stack, 'web');

  it('does not care for order, spaces and what is for display only', () => {
    const inbound = [...rules.inbound]
      .reverse()
      .map(({ ports, label: _, ...rest }) => ({ ...rest, ports: ports?.replaceAll(',', ', ') ?? null }));
    expect(sameRules(rules, { ...rules, inbound })).toBe(true);
  });

  it.each([
    ['another policy', { ...rules, inbound_policy: 'ACCEPT' as const }],
    ['a rule less', { ...rules, inbound: rules.inbound.slice(1) }],
    ['another port', { ...rules, inbound: rules.inbound.map((rule) => ({ ...rule, ports: '23' })) }],
    [
      'another network',
      { ...rules, inbound: rules.inbound.map((rule) => ({ ...rule, addresses: { ipv4: ['0.0.0.0/0'] } })) },
    ],
    ['a rule for what goes out', { ...rules, outbound: rules.inbound }],
  ])('sees %s', (_, other) => {
    expect(sameRules(rules, other)).toBe(false);
  });
});
