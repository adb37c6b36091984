import { parseStack, type Host, type Inventory, type Stack } from '@perlstack/stack';

/** Stacks and inventories that the tests render. */
export interface Example {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly secrets: Readonly<Record<string, string>>;
}

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
  static: { root: htdocs, paths: [/images/, /favicon.ico], expires: 12h }
  env: { PLACK_ENV: deployment, GREETING: 'Say "50% off", \\ or $HOME' }
  secrets: [SESSION_KEY, DATABASE_PASSWORD]
  build: { with: carton }
  packages: [libdbd-pg-perl]
  drainTimeout: 90s
tiers:
  web: { entry: nodebalancer, tls: { files: true } }
  app: {}
  database: { version: 17 }
  monitor: {}
`;

/** The least that a user writes. */
export const SMALL_EXAMPLE: Example = {
  stack: exampleStack(SMALL),
  inventory: { stack: 'shop', hosts: [exampleHost('web-1', '10.10.0.2'), exampleHost('app-1', '10.10.1.2')] },
  secrets: {},
};

/** All that changes what is rendered. */
export const FULL_EXAMPLE: Example = {
  stack: exampleStack(FULL),
  inventory: {
    stack: 'shop',
    hosts: [
      exampleHost('web-1', '10.10.0.2'),
      exampleHost('web-2', '10.10.0.3'),
      exampleHost('app-1', '10.10.1.2', { memoryMiB: 8_192, vcpus: 4 }),
      exampleHost('app-2', 'fd00::12', { memoryMiB: null, vcpus: null }),
      exampleHost('database-1', '10.10.2.2'),
      exampleHost('monitor-1', null),
    ],
  },
  secrets: { SESSION_KEY: 'two\nlines "quoted" $x', DATABASE_PASSWORD: 'geheim', UNUSED: 'not asked for' },
};
