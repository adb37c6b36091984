import { describe, expect, it } from '@jest/globals';
import { type Host, HostSchema, type Inventory } from '@perlstack/stack';
import { evidenceOf, holds, type Proofs, topologyOf } from './demo-topology.js';

const host = (name: string, privateAddress: string, publicAddress: string | null = null): Host =>
  HostSchema.parse({
    ...{ name, tier: name.replace(/-\d$/, ''), publicAddress, privateAddress },
    ssh: { address: privateAddress, hostKeys: [`SHA256:${'A'.repeat(43)}`] },
  });

const inventory: Inventory = {
  stack: 'shop',
  hosts: [
    host('web-1', '10.10.0.2', '203.0.113.2'),
    host('app-1', '10.10.1.2'),
    host('database-1', '10.10.2.2'),
    host('database-2', '10.10.2.3'),
    host('cache-1', '10.10.3.2'),
    host('cache-2', '10.10.3.3'),
  ],
};

const standby = {
  ...{ host: 'database-1', state: 'streaming', sync: 'async', lagBytes: 0, slot: 'database_1' },
  ...{ slotActive: true, receiver: 'streaming', sender: 'database-2' },
};
const proofs: Proofs = {
  postgres: { primary: 'database-2', version: '17.6', standbys: [standby] },
  redis: {
    ...{ primary: 'cache-1', version: '8.0.2' },
    replicas: [{ host: 'cache-2', link: 'up', lagBytes: 12 }],
    quorum: { 'cache-1': 'OK 2 usable Sentinels. Quorum can be reached', 'cache-2': 'OK 2 usable Sentinels' },
  },
  ...{ marker: 'row-1', answers: { 'web-1': 'r1' }, nginx: '1.26.3', starman: '0.4018' },
};

describe('topologyOf', () => {
  it('draws every host with what it is, whoever leads', () => {
    expect(`\n${topologyOf(inventory, proofs)}\n`).toBe(`
visitors
  │ 80
nginx 1.26.3      web-1 203.0.113.2
  │ 5000
Starman 0.4018    app-1 10.10.1.2
  │ 5432
PostgreSQL 17.6   database-2 10.10.2.3 primary ──▶ database-1 10.10.2.2 replica, streaming
  │ 6379, 26379
Redis 8.0.2       cache-1 10.10.3.2 primary ──▶ cache-2 10.10.3.3 replicas
Sentinel          cache-1, cache-2; 2 of 2 say that the quorum can be reached
`);
  });
});

describe('evidenceOf', () => {
  it('says what was asked of whom', () => {
    expect(evidenceOf(proofs)).toEqual([
      ['pg_stat_replication on database-2', 'database-1 streaming, async, 0 bytes behind'],
      ['pg_stat_wal_receiver on database-1', 'streaming from database-2'],
      ['pg_replication_slots on database-2', 'database_1 active'],
      ['written on database-2, read on database-1', 'row-1'],
      ['INFO replication on cache-2', 'link to cache-1 up, 12 bytes behind'],
      ['SENTINEL CKQUORUM on cache-1', 'OK 2 usable Sentinels'],
      ['SENTINEL CKQUORUM on cache-2', 'OK 2 usable Sentinels'],
      ['shop.example.com through web-1', 'answered by release r1'],
    ]);
  });
});

describe('holds', () => {
  it('is true when all follow and agree', () => {
    expect(holds(proofs)).toBe(true);
  });

  it.each<[string, Partial<Proofs>]>([
    ['nobody follows the primary', { postgres: { ...proofs.postgres, standbys: [] } }],
    [
      'a standby catches up',
      { postgres: { ...proofs.postgres, standbys: [{ ...standby, state: 'catchup' }] } },
    ],
    [
      'a slot is not used',
      { postgres: { ...proofs.postgres, standbys: [{ ...standby, slotActive: false }] } },
    ],
    ['a row did not arrive', { marker: '' }],
    [
      'a replica has no link',
      { redis: { ...proofs.redis, replicas: [{ host: 'cache-2', link: 'down', lagBytes: 0 }] } },
    ],
    ['a Sentinel sees no quorum', { redis: { ...proofs.redis, quorum: { 'cache-1': 'NOQUORUM 1 usable' } } }],
    ['the web hosts serve different releases', { answers: { 'web-1': 'r1', 'web-2': 'r2' } }],
  ])('is false when %s', (_what, more) => {
    expect(holds({ ...proofs, ...more })).toBe(false);
  });
});
