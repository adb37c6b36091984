import type { PostgresSpec } from '@perlstack/configs';
import type { Member } from '@perlstack/engine';
import type { DataSeen, PostgresSeen, ServerSeen } from './seen.js';

const HOSTS = ['database-1', 'database-2', 'database-3'];

export const spec: PostgresSpec = {
  ...{ kind: 'postgresql', version: 17, port: 5_432, unit: 'postgresql@17-main.service' },
  dataDirectory: '/var/lib/postgresql/17/main',
  members: HOSTS.map((host, at) => ({ host, address: `10.10.2.${at + 2}` })),
  roles: [
    { name: 'shop', attributes: ['LOGIN'], memberOf: [], verifier: 'SCRAM-SHA-256$one' },
    { name: 'replicator', attributes: ['LOGIN', 'REPLICATION'], memberOf: [], verifier: 'SCRAM-SHA-256$two' },
  ],
  databases: [
    { name: 'postgres', owner: 'postgres', extensions: ['pg_stat_statements'] },
    { name: 'shop', owner: 'shop', extensions: [] },
  ],
  replication: { role: 'replicator', passfile: '/etc/postgresql/17/main/replication.pgpass' },
};

/** The first members of a cluster of three. */
export const membersOf = (count: number): Member<PostgresSpec>[] =>
  HOSTS.slice(0, count).map((host) => ({
    host,
    service: 'postgresql',
    spec: { ...spec, members: spec.members.slice(0, count) },
  }));

/** A machine straight from its image. */
export const bare: PostgresSeen = {
  ...{ installed: false, running: false, data: null, otherVersions: [], server: null, silence: null },
};

const LIMITS_NOW = {
  ...{ max_connections: 100, max_locks_per_transaction: 64, max_prepared_transactions: 0 },
  ...{ max_wal_senders: 10, max_worker_processes: 8 },
};

function dataSeen(more: Partial<DataSeen> = {}): DataSeen {
  return {
    ...{ version: 17, standby: false, systemIdentifier: '7000', state: 'in production', timeline: 1 },
    ...{ lsn: '0/5000000', checksums: true },
    ...more,
  };
}

function serverSeen(more: Partial<ServerSeen> = {}): ServerSeen {
  return {
    ...{ inRecovery: false, startedAt: '2026-01-01 00:00:00+00', systemIdentifier: '7000', timeline: 1 },
    ...{
      lsn: '0/5000000',
      atEnd: false,
      segmentBytes: 16_777_216,
      oldestWal: '000000010000000000000003',
      history: [],
    },
    ...{ receiver: null, follows: null, replicas: [], slots: [], checksums: true },
    roles: { shop: 'current', replicator: 'current' },
    databases: ['postgres', 'shop', 'template0', 'template1'],
    extensions: { postgres: ['plpgsql', 'pg_stat_statements'] },
    ...{ pendingRestart: [], limits: LIMITS_NOW, declaredLimits: LIMITS_NOW },
    ...more,
  };
}

const slot = (name: string) => ({ name, active: true, walStatus: 'reserved', restartLsn: '0/4000000' });

/** A primary that has all it is to have, with a slot for each other member. */
export function primarySeen(server: Partial<ServerSeen> = {}, data: Partial<DataSeen> = {}): PostgresSeen {
  const slots = HOSTS.map((host) => slot(host.replace('-', '_')));
  return {
    ...{ ...bare, installed: true, running: true },
    data: dataSeen(data),
    server: serverSeen({ slots, ...server }),
  };
}

/** A replica that streams from it. */
export function replicaSeen(server: Partial<ServerSeen> = {}, data: Partial<DataSeen> = {}): PostgresSeen {
  const receiver = { status: 'streaming', sender: '10.10.2.2', slot: 'database_2' };
  return {
    ...{ ...bare, installed: true, running: true },
    data: dataSeen({ standby: true, state: 'in archive recovery', ...data }),
    server: serverSeen({ inRecovery: true, atEnd: true, receiver, follows: '10.10.2.2', ...server }),
  };
}

/** The same member with its server stopped. */
export const stopped = (seen: PostgresSeen): PostgresSeen => ({ ...seen, running: false, server: null });
