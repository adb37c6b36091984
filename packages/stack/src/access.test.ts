import { describe, expect, it } from '@jest/globals';
import { waysIn, waysInto, type WayIn } from './access.js';
import { type Host, HostSchema, type Inventory } from './inventory.js';
import { parseStack } from './parse.js';
import type { Stack } from './schema.js';

const KEY = `SHA256:${'A'.repeat(43)}`;
const BASE = 'stack: shop\nregion: us-ord\napp: {}\n';
const stackOf = (tiers: string, more = ''): Stack =>
  parseStack(`${BASE}${more}tiers: { ${tiers} }\n`, 'perlstack.yml').stack;

const host = (name: string, privateAddress: string | null, more: Partial<Host> = {}): Host => ({
  ...HostSchema.parse({
    ...{ name, tier: name.replace(/-\d+$/, ''), publicAddress: null, privateAddress },
    ssh: { address: privateAddress ?? '127.0.0.1', hostKeys: [KEY], via: 'web-1' },
  }),
  ...more,
});
const door = (publicAddress: string, privateAddress: string | null): Host =>
  host('web-1', privateAddress, {
    publicAddress,
    ssh: { address: publicAddress, port: 22, user: 'deploy', hostKeys: [KEY], via: null },
  });
const inventoryOf = (...hosts: Host[]): Inventory => ({ stack: 'shop', hosts });

const rows = (ways: readonly WayIn[]): string[] =>
  ways.map(({ from, ports, ipv4, ipv6 }) => `${from}: ${[...ipv4, ...ipv6].join(' ')} -> ${ports}`);
const into = (stack: Stack, inventory: Inventory, name: string): string[] => {
  const found = inventory.hosts.find((one) => one.name === name);
  return found ? rows(waysInto(stack, inventory)(found)) : [];
};

const LINODES = inventoryOf(
  door('203.0.113.10', '10.10.0.2'),
  host('app-1', '10.10.1.2'),
  host('database-1', '10.10.2.2'),
  host('cache-1', '10.10.3.2'),
  host('monitor-1', '10.10.4.2'),
);

describe('waysIn and waysInto', () => {
  it.each(['web', 'app', 'database', 'cache', 'monitor'] as const)(
    'say the same of the %s hosts that were provisioned',
    (tier) => {
      const stack = stackOf('database: {}, cache: {}, monitor: {}');
      expect(into(stack, LINODES, `${tier}-1`)).toEqual(rows(waysIn(stack, tier)));
    },
  );

  it('let only the NodeBalancer open the site where there is one', () => {
    const stack = stackOf('web: { entry: nodebalancer }');
    expect(rows(waysIn(stack, 'web'))).toEqual([
      'visitors: 10.10.5.0/24 -> 80,443',
      'operators: 0.0.0.0/0 -> 22',
      'jump: 10.10.0.0/24 -> 22',
    ]);
  });

  it('give networks that do not overlap', () => {
    const stack = stackOf('', 'network: { ssh: [203.0.113.9/24, 203.0.113.7/32, "2001:db8::1/32"] }\n');
    expect(rows(waysIn(stack, 'web'))).toContain('operators: 203.0.113.0/24 2001:db8::/32 -> 22');
  });

  it('open the ports of a role on the tier that carries it', () => {
    const stack = stackOf('cache: { on: app }');
    expect(into(stack, LINODES, 'app-1')).toEqual([
      'jump: 10.10.0.0/24 -> 22',
      'web: 10.10.0.0/24 -> 5000',
      'app: 10.10.1.0/24 -> 6379,26379',
      'cache: 10.10.1.0/24 -> 6379,26379',
    ]);
  });
});

describe('waysInto', () => {
  it('lets in the hosts of a tier that are not in its subnet', () => {
    const stack = stackOf('');
    const inventory = inventoryOf(door('203.0.113.10', '10.99.0.2'), host('app-1', '10.99.1.2'));
    expect(into(stack, inventory, 'app-1')).toEqual([
      'jump: 10.10.0.0/24 10.99.0.2/32 -> 22',
      'web: 10.10.0.0/24 10.99.0.2/32 -> 5000',
    ]);
  });

  it('lets operators in wherever SSH goes directly, also to a private tier', () => {
    const stack = stackOf('');
    const direct = host('app-1', '10.10.1.2', { publicAddress: '203.0.113.11' });
    const ssh = { ...direct.ssh, address: '127.0.0.1', port: 34_567, via: null };
    expect(into(stack, inventoryOf({ ...direct, ssh }), 'app-1')).toContain('operators: 0.0.0.0/0 -> 22');
    expect(into(stack, inventoryOf(direct), 'app-1').join()).not.toContain('operators');
  });

  const existing = (name: string, more: string): string =>
    `${name}: { hosts: [{ address: 198.51.100.7, hostKey: "${KEY}"${more} }] }`;
  const elsewhere = (port: number, privateAddress: string | null): Host =>
    host('app-1', privateAddress, {
      publicAddress: '198.51.100.7',
      ssh: { address: '198.51.100.7', port, user: 'admin', hostKeys: [KEY], via: null },
    });

  it('keeps the port of SSH open on which a server listens that existed before', () => {
    const stack = stackOf(existing('app', ', port: 2222'));
    expect(
      into(stack, inventoryOf(door('203.0.113.10', '10.10.0.2'), elsewhere(2222, null)), 'app-1'),
    ).toEqual(['operators: 0.0.0.0/0 -> 2222', 'web: 10.10.0.0/24 203.0.113.10/32 -> 5000']);
    expect(rows(waysIn(stack, 'app'))[0]).toBe('operators: 0.0.0.0/0 -> 2222');
  });

  it('takes the port of a relay for no port of the host', () => {
    const stack = stackOf(existing('app', ', port: 2222'));
    const behind = elsewhere(2222, '10.10.1.2');
    const ssh = { ...behind.ssh, address: '127.0.0.1', port: 40_000 };
    expect(into(stack, inventoryOf({ ...behind, ssh }), 'app-1')).toContain('operators: 0.0.0.0/0 -> 2222');
  });

  it('knows servers that existed before as callers, by all their addresses', () => {
    const stack = stackOf(`${existing('app', ', privateAddress: 192.0.2.7')}, database: {}`);
    const inventory = inventoryOf(elsewhere(22, '192.0.2.7'), host('database-1', '10.10.2.2'));
    expect(into(stack, inventory, 'database-1')).toContain('app: 198.51.100.7/32 192.0.2.7/32 -> 5432');
  });

  it('lets nobody into a host of a tier that the stack does not have', () => {
    expect(into(stackOf(''), inventoryOf(host('other-1', '10.10.9.2')), 'other-1')).toEqual([]);
  });
});
