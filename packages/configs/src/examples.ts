import { parseStack, type Host, type Inventory, type Stack } from '@perlstack/stack';
import type { TlsFiles } from './world.js';

/** Stacks and inventories that the tests render. */
export interface Example {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly secrets: Readonly<Record<string, string>>;
  readonly tls?: TlsFiles;
}

/** Stands for a certificate where nobody looks into it. */
const EXAMPLE_TLS: TlsFiles = { certificate: '(certificate)\n', privateKey: '(secret key)\n' };

export function exampleHost(name: string, privateAddress: string | null, more: Partial<Host> = {}): Host {
  const hostKeys = [`SHA256:${'A'.repeat(43)}`];
  return {
    name,
    tier: name.replace(/-\d+$/, ''),
    publicAddress: null,
    privateAddress,
    ssh: { address: privateAddress ?? '203.0.113.9', port: 22, user: 'deploy', hostKeys, via: null },
    memoryMiB: 2_048,
    vcpus: 1,
    diskMiB: 51_200,
    placement: null,
    linodeId: null,
    ...more,
  };
}

export function exampleStack(text: string): Stack {
  return parseStack(text, 'perlstack.yml').stack;
}

const SMALL = 'stack: shop\nregion: us-ord\napp: {}\n';

const FULL = `
stack: shop
region: us-ord
image: linode/debian12
app:
  name: web-shop
  psgi: script/shop.psgi
  lib: [lib, vendor/lib]
  domains: [shop.example.com, www.shop.example.com]
  workers: auto
  maxRequests: 500
  preload: false
  limits: { body: 512KiB, rate: 50, burst: 100, connections: 40 }
  static: { root: htdocs, paths: [/images/, /favicon.ico], expires: 12h }
  env: { PLACK_ENV: deployment, GREETING: 'Say "50% off", \\ or $HOME' }
  secrets: [SESSION_KEY, DATABASE_PASSWORD]
  build: { with: carton }
  packages: [libdbd-pg-perl]
  drainTimeout: 90s
tiers:
  web: { entry: nodebalancer, tls: { files: true, hsts: 365d } }
  app: {}
  database: { durability: sync }
  cache: { persistence: both }
  monitor: {}
`;

const DEBIAN_13 = `
stack: shop
region: us-ord
app:
  domains: [shop.example.com]
  limits: { rate: 20 }
tiers:
  web: { tls: { files: true } }
  app: { autoscale: { min: 2, max: 4 } }
  database: { count: 3, durability: quorum, connections: 60, settings: { work_mem: 8MB } }
  cache: { memory: 256MiB, eviction: allkeys-lfu, quorum: 3 }
backups: { bucket: shop-backups }
`;

const UBUNTU = `
stack: shop
region: us-ord
image: linode/ubuntu24.04
app: { workers: 6, domains: [shop.example.com] }
tiers:
  database: { count: 1 }
  cache: { on: app, count: 2, failover: manual, persistence: none }
backups: { bucket: shop-backups, engine: pgbackrest, endpoint: 'https://objects.example.com:7443' }
`;

const SECRETS = {
  DATABASE_PASSWORD: 'geheim',
  REPLICATION_PASSWORD: 'heimlich',
  REDIS_PASSWORD: 'verborgen',
};

/** The least that a user writes. */
export const SMALL_EXAMPLE: Example = {
  stack: exampleStack(SMALL),
  inventory: { stack: 'shop', hosts: [exampleHost('web-1', '10.10.0.2'), exampleHost('app-1', '10.10.1.2')] },
  secrets: {},
};

/** All that changes what is rendered; Debian 12. */
export const FULL_EXAMPLE: Example = {
  stack: exampleStack(FULL),
  inventory: {
    stack: 'shop',
    hosts: [
      exampleHost('web-1', '10.10.0.2'),
      exampleHost('web-2', '10.10.0.3'),
      exampleHost('app-1', '10.10.1.2', { memoryMiB: 8_192, vcpus: 4 }),
      exampleHost('app-2', 'fd00::12', { memoryMiB: null, vcpus: null }),
      exampleHost('database-1', '10.10.2.2', { memoryMiB: 4_096, vcpus: 2 }),
      exampleHost('database-2', '10.10.2.3', { memoryMiB: 4_096, vcpus: 2 }),
      exampleHost('cache-1', '10.10.3.2'),
      exampleHost('cache-2', '10.10.3.3'),
      exampleHost('cache-3', '10.10.3.4'),
      exampleHost('monitor-1', '10.10.4.2'),
    ],
  },
  secrets: { ...SECRETS, SESSION_KEY: 'two\nlines "quoted" $x', UNUSED: 'not asked for' },
  tls: EXAMPLE_TLS,
};

/** Debian 13 with TLS at the web hosts, three database hosts and a database that can't serve many workers. */
export const DEBIAN_13_EXAMPLE: Example = {
  stack: exampleStack(DEBIAN_13),
  inventory: {
    stack: 'shop',
    hosts: [
      ...['10.10.0.2', '10.10.0.3'].map((address, at) => exampleHost(`web-${at + 1}`, address)),
      ...['10.10.1.2', '10.10.1.3'].map((address, at) => exampleHost(`app-${at + 1}`, address)),
      ...['10.10.2.2', '10.10.2.3', '10.10.2.4'].map((address, at) =>
        exampleHost(`database-${at + 1}`, address, { memoryMiB: 16_384, vcpus: 8 }),
      ),
      ...['10.10.3.2', '10.10.3.3', '10.10.3.4'].map((address, at) =>
        exampleHost(`cache-${at + 1}`, address),
      ),
    ],
  },
  secrets: SECRETS,
  tls: EXAMPLE_TLS,
};

/** Ubuntu 24.04, with Redis on the app hosts and no failover of it, and backups by pgBackRest. */
export const UBUNTU_EXAMPLE: Example = {
  stack: exampleStack(UBUNTU),
  inventory: {
    stack: 'shop',
    hosts: [
      exampleHost('web-1', '10.10.0.2'),
      exampleHost('app-1', '10.10.1.2', { memoryMiB: 4_096, vcpus: 2 }),
      exampleHost('app-2', '10.10.1.3', { memoryMiB: 4_096, vcpus: 2 }),
      exampleHost('database-1', '10.10.2.2'),
    ],
  },
  secrets: {
    ...SECRETS,
    ...{ BACKUP_ACCESS_KEY_ID: 'schluessel', BACKUP_SECRET_ACCESS_KEY: 'zum-eimer' },
    BACKUP_CIPHER_PASSPHRASE: 'nur fuer uns',
  },
};

/** Every example by the name of its folder in `golden/`. */
export const EXAMPLES: Readonly<Record<string, Example>> = {
  small: SMALL_EXAMPLE,
  full: FULL_EXAMPLE,
  debian13: DEBIAN_13_EXAMPLE,
  ubuntu: UBUNTU_EXAMPLE,
};
