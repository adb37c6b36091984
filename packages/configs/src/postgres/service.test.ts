import { describe, expect, it } from '@jest/globals';
import { UserError, type Host } from '@perlstack/stack';
import type { ConfigBundle, ServiceConfig } from '../bundle.js';
import { exampleHost, exampleStack } from '../examples.js';
import { render } from '../render.js';

const SECRETS = { DATABASE_PASSWORD: 'a:b\\c', REPLICATION_PASSWORD: 'd:e' };

function rendered(database: string, hosts: Host[] = databases({}, {}), more = ''): ConfigBundle {
  const stack = exampleStack(
    `stack: shop\nregion: us-ord\n${more}\napp: {}\ntiers: { database: { ${database} } }\n`,
  );
  const others = [
    exampleHost('web-1', '10.10.0.2'),
    exampleHost('app-1', '10.10.1.2'),
    exampleHost('app-2', 'fd00::2'),
  ];
  return render(stack, { stack: 'shop', hosts: [...others, ...hosts] }, { secrets: SECRETS });
}

const databases = (...sizes: Partial<Host>[]): Host[] =>
  sizes.map((size, at) => exampleHost(`database-${at + 1}`, `10.10.2.${at + 2}`, size));

function serviceOf(bundle: ConfigBundle, host = 'database-1'): ServiceConfig {
  const service = bundle.hosts
    .find((entry) => entry.host === host)
    ?.services.find(({ name }) => name === 'postgresql');
  if (!service) throw new Error(`${host} has no PostgreSQL`);
  return service;
}

const fileOf = (service: ServiceConfig, name: string): string =>
  service.files.find(({ path }) => path.endsWith(`/${name}`))?.content ?? '';

/** Both files of settings as one. */
const settingsOf = (bundle: ConfigBundle, host?: string): Record<string, string> => {
  const service = serviceOf(bundle, host);
  const text = ['10-restart.conf', '20-reload.conf'].map((name) => fileOf(service, name)).join('');
  return Object.fromEntries(
    [...text.matchAll(/^(\S+) = (.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
};

describe('postgresql.conf', () => {
  it.each<[string, Partial<Host>, Record<string, string>]>([
    [
      '1 GiB',
      { memoryMiB: 1_024, vcpus: 1, diskMiB: 25_600 },
      {
        ...{
          shared_buffers: "'256MB'",
          effective_cache_size: "'768MB'",
          work_mem: "'4MB'",
          max_connections: '100',
        },
        ...{ maintenance_work_mem: "'64MB'", max_slot_wal_keep_size: "'6400MB'", max_wal_size: "'2560MB'" },
      },
    ],
    [
      '8 GiB',
      { memoryMiB: 8_192, vcpus: 4, diskMiB: 163_840 },
      {
        ...{
          shared_buffers: "'2048MB'",
          work_mem: "'9MB'",
          maintenance_work_mem: "'512MB'",
          max_connections: '200',
        },
        ...{ max_parallel_workers: '4', max_wal_size: "'4096MB'", wal_keep_size: "'1024MB'" },
      },
    ],
    [
      '64 GiB',
      { memoryMiB: 65_536, vcpus: 16, diskMiB: 1_310_720 },
      {
        shared_buffers: "'16384MB'",
        maintenance_work_mem: "'2048MB'",
        max_connections: '300',
        max_worker_processes: '16',
      },
    ],
    [
      'unknown size',
      { memoryMiB: null, vcpus: null, diskMiB: null },
      { max_connections: '100', shared_buffers: "'256MB'" },
    ],
  ])('is computed from a host of %s', (_what, size, expected) => {
    expect(settingsOf(rendered('count: 1', databases(size)))).toMatchObject(expected);
  });

  it('has the same limits on all members, those of the smallest', () => {
    const bundle = rendered(
      'count: 2',
      databases({ memoryMiB: 65_536, vcpus: 16 }, { memoryMiB: 8_192, vcpus: 4 }),
    );
    const [one, two] = ['database-1', 'database-2'].map((host) => settingsOf(bundle, host));
    for (const name of [
      'max_connections',
      'max_worker_processes',
      'max_wal_senders',
      'max_locks_per_transaction',
    ]) {
      expect(one?.[name]).toBe(two?.[name]);
    }
    expect(one?.['max_connections']).toBe('200');
    expect(one?.['shared_buffers']).not.toBe(two?.['shared_buffers']);
  });

  it('takes the settings of the stack file in place of the computed ones, in the file that their change takes', () => {
    const service = serviceOf(
      rendered(
        'settings: { work_mem: 8MB, wal_level: logical, autovacuum_naptime: 10s, max_pred_locks_per_transaction: 128, x.y: 1 }',
      ),
    );
    expect(fileOf(service, '20-reload.conf')).toMatch(/^work_mem = '8MB'$/m);
    expect(fileOf(service, '20-reload.conf')).toMatch(/^# From the stack file\nautovacuum_naptime = '10s'$/m);
    expect(fileOf(service, '10-restart.conf')).toMatch(/^wal_level = 'logical'$/m);
    expect(fileOf(service, '10-restart.conf')).toMatch(/^max_pred_locks_per_transaction = 128\nx\.y = 1$/m);
  });

  it('leaves half of the memory to what is on the same host', () => {
    const bundle = render(
      exampleStack(
        'stack: shop\nregion: us-ord\napp: {}\ntiers: { database: { count: 1 }, cache: { on: database, count: 1, failover: manual } }\n',
      ),
      {
        stack: 'shop',
        hosts: [
          exampleHost('web-1', '10.10.0.2'),
          exampleHost('app-1', '10.10.1.2'),
          ...databases({ memoryMiB: 4_096 }),
        ],
      },
      { secrets: { ...SECRETS, REDIS_PASSWORD: 'x' } },
    );
    expect(settingsOf(bundle)['shared_buffers']).toBe("'512MB'");
  });

  it.each<[string, string, Partial<Host>, RegExp]>([
    [
      'a cache above the memory',
      'settings: { shared_buffers: 3GB }',
      {},
      /database-1 has 2,048 MiB of memory.*shared_buffers 3,072 MiB/,
    ],
    ['pages above the memory', 'settings: { shared_buffers: 400000 }', {}, /shared_buffers 3,125 MiB/],
    [
      'too many connections',
      'connections: 1000',
      { memoryMiB: 1_024 },
      /declare 4,320 MiB.*work_mem 4 MiB in each of 1000 connections/,
    ],
    [
      'a setting with a key of its own',
      'settings: { max_connections: 50 }',
      {},
      /max_connections.*use tiers\.database\.connections/,
    ],
    ['where data may be lost', 'settings: { fsync: false }', {}, /fsync.*destroys the data/],
    ['what a failover decides', 'settings: { primary_conninfo: x }', {}, /belongs to the server/],
    ['another version', 'version: 15', {}, /linode\/debian13 has PostgreSQL 17 and not 15.*linode\/debian12/],
    ['durability without replicas', 'durability: sync', {}, /none with 1 host/],
  ])('refuses %s', (_what, database, size, message) => {
    const attempt = () => rendered(database, databases(size));
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(message);
  });

  it('refuses an application whose database would be PostgreSQL’s own', () => {
    const stack = exampleStack(
      'stack: shop\nregion: us-ord\napp: { name: postgres }\ntiers: { database: {} }\n',
    );
    const hosts = [exampleHost('web-1', '10.10.0.2'), exampleHost('app-1', '10.10.1.2'), ...databases({})];
    expect(() => render(stack, { stack: 'shop', hosts }, { secrets: SECRETS })).toThrow(
      /app\.name: "postgres"/,
    );
  });
});

describe('access', () => {
  it('lets in this stack’s own addresses and nobody else', () => {
    const rules = fileOf(serviceOf(rendered('count: 2')), 'pg_hba.conf')
      .split('\n')
      .filter((line) => line && !line.startsWith('#'))
      .map((line) => line.split(/ +/).join(' '));
    expect(rules).toEqual([
      'local all "postgres" peer',
      'host "shop" "shop" 10.10.1.2/32 scram-sha-256',
      'host "shop" "shop" fd00::2/128 scram-sha-256',
      'host replication "replicator" 10.10.2.2/32 scram-sha-256',
      'host replication "replicator" 10.10.2.3/32 scram-sha-256',
    ]);
  });

  it('keeps passwords in one secret file, and verifiers out of all', () => {
    const service = serviceOf(rendered('count: 2'));
    const holding = service.files.filter(({ content }) => content.includes('d\\:e'));
    expect(holding).toMatchObject([
      { path: '/etc/postgresql/17/main/replication.pgpass', owner: 'postgres', mode: 0o600, secret: true },
    ]);
    expect(service.files.filter(({ content }) => /SCRAM-SHA-256\$|a:b/.test(content))).toEqual([]);
    expect(service.engine).toMatchObject({ roles: [{ name: 'shop' }, { name: 'replicator' }] });
  });
});
