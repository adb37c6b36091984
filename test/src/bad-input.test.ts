import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type ApiFault,
  FULL_TOKEN,
  type LinodeApi,
  type LocalCloud,
  MemoryDriver,
  openLocalCloud,
  startApi,
  type Token,
  whyNoHosts,
} from '@perlstack/local-cloud';
import { fingerprint, generateKeyPair, publicKeyOf } from '@perlstack/remote';
import { type Inventory, InventorySchema } from '@perlstack/stack';
import { ActionStep, errorsIn } from './action-step.js';
import { type Member, rawTar } from './raw-tar.js';

// Every test here starts processes, on a machine that may be busy.
jest.setTimeout(60_000);

const STACK = `stack: shop
region: us-ord
app: { name: shop }
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-standard-1, count: 2 }
`;

const KEY = generateKeyPair('workflow').privateKey;

/** Nobody listens there. */
const INVENTORY: Inventory = {
  stack: 'shop',
  hosts: ['web-1', 'app-1'].map((name) => ({
    name,
    tier: name.slice(0, 3),
    publicAddress: '127.0.0.1',
    privateAddress: '127.0.0.1',
    ssh: { address: '127.0.0.1', port: 1, user: 'deploy', hostKeys: [`SHA256:${'A'.repeat(43)}`], via: null },
    memoryMiB: 1024,
    vcpus: 1,
    diskMiB: null,
    placement: null,
    linodeId: null,
  })),
};

const SCOPES = ['linodes', 'firewall', 'vpc'];
const tokenWith = (name: string, scopes: readonly string[]): Token => ({
  token: `${name}-token-0123456789`,
  scopes,
});
const TOKENS = {
  full: FULL_TOKEN,
  wrong: tokenWith('wrong', []),
  reader: tokenWith('reader', [...SCOPES.map((scope) => `${scope}:read_only`), 'events:read_only']),
  withoutVpc: tokenWith('without-vpc', ['linodes:read_only', 'firewall:read_only', 'events:read_only']),
  withoutEvents: tokenWith(
    'without-events',
    SCOPES.map((scope) => `${scope}:read_write`),
  ),
};

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

let folder: string;
let api: LinodeApi;
const steps: ActionStep[] = [];

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'perlstack-bad-input-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(async () => {
  const { wrong: _, ...accepted } = TOKENS;
  api = await startApi({ driver: new MemoryDriver(), tokens: Object.values(accepted) });
});
afterEach(async () => {
  steps.splice(0).forEach((one) => one.remove());
  await api.close();
});

interface Attempt {
  readonly action: string;
  readonly inputs: Readonly<Record<string, string>>;
  /** Text of perlstack.yml; `null` for none. */
  readonly stack?: string | null;
  /** More files of the workspace. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

const provision = (mode: string, inputs: Record<string, string> = {}): Attempt => ({
  action: 'provision-linode-tier',
  inputs: { mode, 'linode-token': TOKENS.full.token, 'ssh-private-key': KEY, ...inputs },
});
const renderConfigs = (inputs: Record<string, string> = {}): Attempt => ({
  action: 'render-configs',
  inputs: { inventory: JSON.stringify(INVENTORY), ...inputs },
});
const applyConfigs = (inputs: Record<string, string> = {}): Attempt => ({
  action: 'apply-configs',
  inputs: { mode: 'apply', inventory: JSON.stringify(INVENTORY), 'ssh-private-key': KEY, ...inputs },
});
const APP: Member = { path: 'app.psgi', content: 'sub {}' };
const deploy = (inputs: Record<string, string> = {}, artifact = rawTar([APP])): Attempt => ({
  action: 'rolling-deploy-starman',
  inputs: {
    ...{
      inventory: JSON.stringify(INVENTORY),
      'ssh-private-key': KEY,
      artifact: 'release.tar.gz',
      release: 'r1',
    },
    ...inputs,
  },
  files: { 'release.tar.gz': artifact },
});
const healthGate = (inputs: Record<string, string> = {}): Attempt => ({
  action: 'health-gate',
  inputs: { urls: 'http://127.0.0.1:1/healthz', ...inputs },
});

const BUCKET = {
  ...{ inventory: JSON.stringify(INVENTORY), 'ssh-private-key': KEY, endpoint: 'http://127.0.0.1:1' },
  ...{ 'access-key-id': 'key-of-the-bucket', 'secret-access-key': 'secret-of-the-bucket' },
};
const backUp = (inputs: Record<string, string> = {}): Attempt => ({
  action: 'pg-backup-to-object-storage',
  inputs: { ...BUCKET, ...inputs },
});
const restore = (inputs: Record<string, string> = {}): Attempt => ({
  action: 'pg-restore',
  inputs: { ...BUCKET, ...inputs },
});
const backUpRedis = (inputs: Record<string, string> = {}): Attempt => ({
  action: 'redis-backup-to-object-storage',
  inputs: { ...BUCKET, ...inputs },
});
const restoreRedis = (inputs: Record<string, string> = {}): Attempt => ({
  action: 'redis-restore',
  inputs: { ...BUCKET, ...inputs },
});

/**
 * Runs main and post of an action that has to refuse.
 *
 * @param prefix words before the argv of the processes
 * @returns the one line that it says about it
 */
async function refusal(attempt: Attempt, prefix: readonly string[] = []): Promise<string> {
  const { action, inputs, stack = STACK, files = {} } = attempt;
  const step = new ActionStep(action, inputs, {
    // Half of such a short run would be spent on compiling the bundle.
    env: { LINODE_API_URL: api.url, NODE_COMPILE_CACHE: path.join(folder, 'compiled') },
    prefix,
  });
  steps.push(step);
  if (stack !== null) step.write('perlstack.yml', stack);
  for (const [name, content] of Object.entries(files)) step.write(name, content);
  const before = filesIn(step.workspace);

  const main = await step.run();
  const post = step.hasPost ? await step.run('post') : { code: 0, output: '' };
  const output = main.output + post.output;
  expect(output).not.toMatch(/^\s+at /m);
  const errors = errorsIn(output);
  expect(errors).toHaveLength(1);
  const { message, properties } = errors[0] ?? { message: '', properties: '' };
  expect(message).not.toMatch(/[\r\n]/);
  expect([main.code, post.code]).toEqual([1, 0]);
  expect(properties).toBe(`title=${action}${placeIn(message)}`);

  expect(api.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(filesIn(step.workspace)).toEqual(before);
  expectNoSecret(attempt, { output, ...step.written() });
  return message.replaceAll(step.workspace, 'WORKSPACE');
}

/** Where the annotation belongs when the message names a place in the stack file. */
function placeIn(message: string): string {
  const [, line, column] = /^perlstack\.yml:(\d+):(\d+) /.exec(message) ?? [];
  return line === undefined ? '' : `,file=perlstack.yml,line=${line},col=${column}`;
}

function filesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder);
  const hash = (name: string): string =>
    createHash('sha256')
      .update(readFileSync(path.join(folder, name)))
      .digest('hex');
  return Object.fromEntries(names.map((name) => [name, hash(name)]));
}

/** Neither a secret nor any line of one. */
function expectNoSecret({ inputs }: Attempt, texts: Readonly<Record<string, string>>): void {
  const secrets = [
    ...['linode-token', 'ssh-private-key', 'tls-private-key', 'secrets', 'app-secrets', 'headers'],
    ...['access-key-id', 'secret-access-key', 'age-identity', 'server-password'],
  ]
    .flatMap((name) => (inputs[name] ?? '').split('\n'))
    .map((line) => line.replace(/^[A-Z_]+(=|<<)/, ''))
    .filter((line) => line.length >= 6 && !/^-----/.test(line));
  for (const [where, text] of Object.entries(texts)) {
    for (const secret of secrets)
      if (text.includes(secret)) throw new Error(`${where} holds the secret ${secret}`);
  }
}

const replaced = (from: string, to: string): string => STACK.replace(from, to);

describe('a stack file', () => {
  const actions: [string, Attempt][] = [
    ['provision-linode-tier', provision('plan')],
    ['provision-linode-tier in mode apply', provision('apply')],
    ['provision-linode-tier in mode destroy', provision('destroy')],
    ['render-configs', renderConfigs()],
    ['apply-configs', applyConfigs()],
    ['rolling-deploy-starman', deploy()],
    ['pg-backup-to-object-storage', backUp()],
    ['pg-restore', restore()],
    ['redis-backup-to-object-storage', backUpRedis()],
    ['redis-restore', restoreRedis()],
  ];

  it.each(actions)('that is no YAML: %s', async (_, attempt) => {
    const stack = replaced('us-ord', '[us-ord');
    expect(await refusal({ ...attempt, stack })).toBe(
      'perlstack.yml:3:1 this is no valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]. Nothing was changed.',
    );
    expect(api.requests).toEqual([]);
  });

  it.each(actions)('that is not there: %s', async (_, attempt) => {
    expect(await refusal({ ...attempt, stack: null })).toBe(
      "perlstack.yml: there is no such stack file, or it can't be read; check the repository out first, or name the file's path. Nothing was changed.",
    );
  });

  it.each<[string, string, string]>([
    [
      'an unknown key',
      `${STACK}bugdet: { monthly: 1 }\n`,
      'perlstack.yml:7:1 bugdet: unknown key; did you mean "budget"? Nothing was changed.',
    ],
    [
      'an unknown key of the application',
      replaced('name: shop', 'name: shop, helth: {}'),
      'perlstack.yml:3:20 app.helth: unknown key; did you mean "health"? Nothing was changed.',
    ],
    [
      'an unknown tier',
      `${STACK}  databse: { count: 2 }\n`,
      'perlstack.yml:7:3 tiers.databse: unknown tier; did you mean "database"? Nothing was changed.',
    ],
    [
      'a count that is none',
      replaced('count: 2', 'count: two'),
      'perlstack.yml:6:38 tiers.app.count: found "two"; must be a number. Nothing was changed.',
    ],
    [
      'no region',
      replaced('region: us-ord\n', ''),
      'perlstack.yml:1:1 region: is missing. Nothing was changed.',
    ],
    [
      'the same key twice',
      `${STACK}region: us-iad\n`,
      'perlstack.yml:7:1 this is no valid YAML: Map keys must be unique. Nothing was changed.',
    ],
    ['nothing in it', '', 'perlstack.yml:1:1 stack: is missing. Nothing was changed.'],
    [
      'a list in it',
      '- shop\n',
      'perlstack.yml:1:1 the file: must be keys with values. Nothing was changed.',
    ],
    [
      'a text in it',
      'shop\n',
      'perlstack.yml:1:1 the file: found "shop"; must be keys with values. Nothing was changed.',
    ],
  ])('with %s', async (_, stack, message) => {
    expect(await refusal({ ...provision('apply'), stack })).toBe(message);
    expect(api.requests).toEqual([]);
  });

  it.each<[string, string, string]>([
    [
      'an unknown type',
      replaced('g6-standard-1', 'g6-standard-11'),
      'perlstack.yml:6:16 tiers.app.type: "g6-standard-11" is no Linode type; nearest: g6-standard-1 (1 vCPU, 2 GB, $12 a month). Nothing was changed.',
    ],
    [
      'an unknown region',
      replaced('us-ord', 'us-orb'),
      'perlstack.yml:2:9 region: "us-orb" is no Linode region; nearest: us-ord (Chicago, IL). Nothing was changed.',
    ],
    [
      'a region without VPCs',
      replaced('us-ord', 'us-east'),
      'perlstack.yml:2:9 region: "us-east" (Newark, NJ) has no VPCs; regions that have all a stack needs, those of its country first: us-lax (Los Angeles, CA), us-iad-2 (Washington 2, DC), us-mia (Miami, FL), us-iad (Washington, DC). Nothing was changed.',
    ],
    [
      'a budget that is too small',
      `${STACK}budget: { monthly: 20 }\n`,
      'perlstack.yml:7:20 budget.monthly: the stack would cost $29 a month (1 x web g6-nanode-1 $5, 2 x app g6-standard-1 $24), $9 more than the budget of $20. Nothing was changed.',
    ],
  ])('with %s', async (_, stack, message) => {
    expect(await refusal({ ...provision('apply'), stack })).toBe(message);
  });

  it('with a type that is sold out', async () => {
    const soldOut: ApiFault = { effect: { kind: 'capacity', type: 'g6-standard-1' } };
    api.faults.add(soldOut);
    expect(await refusal(provision('apply'))).toBe(
      'perlstack.yml:6:16 tiers.app.type: g6-standard-1 is not on sale in us-ord at present; instead: g6-standard-2 (2 vCPU, 4 GB, $24 a month), g6-dedicated-2 (2 vCPU, 4 GB, $36 a month); or another region. Nothing was changed.',
    );
  });

  it.each<[string, string, string]>([
    [
      'overlap what Linode keeps for itself',
      `${STACK}network: { vpc: 192.168.0.0/16 }\n`,
      'perlstack.yml:7:17 network.vpc: 192.168.0.0/16 overlaps 192.168.128.0/17, which Linode keeps for itself. Nothing was changed.',
    ],
    [
      'overlap those from which SSH is allowed',
      `${STACK}network: { ssh: [203.0.113.0/24, 10.10.8.0/24] }\n`,
      "perlstack.yml:7:34 network.ssh.1: 10.10.8.0/24 overlaps network.vpc (10.10.0.0/16), from where nobody but the stack's own hosts speaks; name the public addresses from which you work, or choose another network.vpc. Nothing was changed.",
    ],
    [
      'overlap a server that is there already',
      STACK.replace(
        'type: g6-standard-1, count: 2',
        `hosts: [{ address: 203.0.113.9, privateAddress: 10.10.3.4, hostKey: 'SHA256:${'A'.repeat(43)}' }]`,
      ),
      'perlstack.yml:6:58 tiers.app.hosts.0.privateAddress: 10.10.3.4 lies in network.vpc (10.10.0.0/16), where the Linodes of the stack would look for it in vain; choose another network.vpc. Nothing was changed.',
    ],
    [
      'are no private ones',
      `${STACK}network: { vpc: 11.0.0.0/16 }\n`,
      'perlstack.yml:7:17 network.vpc: found "11.0.0.0/16"; must be a network inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16. Nothing was changed.',
    ],
  ])('with networks that %s', async (_, stack, message) => {
    expect(await refusal({ ...provision('apply'), stack })).toBe(message);
  });
});

/** A stack of every kind of server. */
const FULL = `stack: shop
region: us-ord
app:
  secrets: [SESSION_KEY]
tiers:
  web: { count: 1 }
  app: { count: 1 }
  database: { count: 2 }
  cache: { count: 3 }
`;
const FULL_HOSTS = ['web-1', 'app-1', 'database-1', 'database-2', 'cache-1', 'cache-2', 'cache-3'];
const FULL_INVENTORY: Inventory = {
  stack: 'shop',
  hosts: FULL_HOSTS.flatMap((name, index) =>
    INVENTORY.hosts.slice(0, 1).map((host) => ({
      ...host,
      ...{ name, tier: name.replace(/-\d$/, ''), privateAddress: `10.10.0.${index + 2}`, memoryMiB: 2048 },
      diskMiB: 51_200,
    })),
  ),
};
const SECRETS = {
  DATABASE_PASSWORD: 'database-hunter2',
  REPLICATION_PASSWORD: 'replication-hunter2',
  REDIS_PASSWORD: 'redis-hunter2',
  SESSION_KEY: 'session-hunter2',
};
const secretsBut = (...without: readonly string[]): string =>
  Object.entries(SECRETS)
    .map(([name, value]) => `${name}=${without.includes(name) ? '' : value}`)
    .join('\n');

const applyFull = (inputs: Record<string, string> = {}, stack = FULL): Attempt => ({
  ...applyConfigs({ inventory: JSON.stringify(FULL_INVENTORY), secrets: secretsBut(), ...inputs }),
  stack,
});
const renderFull = (stack: string): Attempt => ({
  ...renderConfigs({ inventory: JSON.stringify(FULL_INVENTORY) }),
  stack,
});
const full = (from: string, to: string): string => {
  if (!FULL.includes(from)) throw new Error(`The stack has no ${from}`);
  return FULL.replace(from, to);
};

describe('a secret', () => {
  it.each<[string, string, string]>([
    [
      'of the application',
      secretsBut('SESSION_KEY'),
      'perlstack.yml:4:13 app.secrets: SESSION_KEY has no value; give the step a line "SESSION_KEY=…" in its input "secrets". Nothing was changed.',
    ],
    [
      'of the database',
      secretsBut('DATABASE_PASSWORD'),
      'perlstack.yml:8:13 tiers.database: DATABASE_PASSWORD has no value; give the step a line "DATABASE_PASSWORD=…" in its input "secrets". Nothing was changed.',
    ],
    [
      'of its replica',
      secretsBut('REPLICATION_PASSWORD'),
      'perlstack.yml:8:13 tiers.database: REPLICATION_PASSWORD has no value; give the step a line "REPLICATION_PASSWORD=…" in its input "secrets". Nothing was changed.',
    ],
    [
      'of the cache',
      secretsBut('REDIS_PASSWORD'),
      'perlstack.yml:9:10 tiers.cache: REDIS_PASSWORD has no value; give the step a line "REDIS_PASSWORD=…" in its input "secrets". Nothing was changed.',
    ],
    [
      'of any kind',
      '',
      'perlstack.yml:8:13 tiers.database: DATABASE_PASSWORD, REDIS_PASSWORD, REPLICATION_PASSWORD, SESSION_KEY have no value; give the step the lines "DATABASE_PASSWORD=…", "REDIS_PASSWORD=…", "REPLICATION_PASSWORD=…", "SESSION_KEY=…" in its input "secrets". Nothing was changed.',
    ],
  ])('%s that is not set', async (_, secrets, message) => {
    expect(await refusal(applyFull({ secrets }))).toBe(message);
  });

  it.each<[string, string, string]>([
    [
      'begins on a line of its own',
      `${secretsBut('REDIS_PASSWORD')}\nhunter2hunter2`,
      'Input "secrets": line 4 is not of the form NAME=value; a value of several lines goes between a line NAME<<EOF and a line EOF',
    ],
    [
      'has no end',
      `SESSION_KEY<<EOF\nhunter2hunter2\n`,
      'Input "secrets": line 1: the value of SESSION_KEY has no end; close it with the word after <<',
    ],
    [
      'is set twice',
      `${secretsBut()}\nSESSION_KEY=hunter2hunter2`,
      'Input "secrets": SESSION_KEY is set twice, the second time in line 5',
    ],
    [
      'has a line end where none can be',
      `${secretsBut('REDIS_PASSWORD')}\nREDIS_PASSWORD<<EOF\nhunter2hunter2\nhunter3hunter3\nEOF`,
      'REDIS_PASSWORD: Sentinel could not read it back from its own file: take printable ASCII characters other than blanks and quotes, at least one',
    ],
    [
      'has a blank where none can be',
      `${secretsBut('REDIS_PASSWORD')}\nREDIS_PASSWORD=hunter2 hunter2`,
      'REDIS_PASSWORD: Sentinel could not read it back from its own file: take printable ASCII characters other than blanks and quotes, at least one',
    ],
  ])('that %s', async (_, secrets, message) => {
    expect(await refusal(applyFull({ secrets: secrets.replace(/^REDIS_PASSWORD=\n/m, '') }))).toBe(message);
  });
});

describe('a setting that can not be', () => {
  const attempts: [string, (stack: string) => Attempt][] = [
    ['render-configs', renderFull],
    ['apply-configs', (stack) => applyFull({}, stack)],
  ];
  const cases: [string, string, string][] = [
    [
      'more workers than the database has connections',
      full('  secrets:', '  workers: 12\n  secrets:').replace(
        'database: { count: 2',
        'database: { count: 2, connections: 20',
      ),
      'perlstack.yml:4:12 app.workers: 12 workers × 1 app hosts × 2 releases during a deploy need 24 database connections, but 12 are to be had (max_connections 20 less 8 reserved); set app.workers to at most 6, or set tiers.database.connections to at least 32. Nothing was changed.',
    ],
    [
      'more workers than the memory holds',
      full('  secrets:', '  workers: 60\n  secrets:'),
      'app-1: the memory is too small: 60 workers × 64 MiB (app.workerMemory) × 2 releases during a deploy need 7680 MiB, and the host has 2048 MiB; set app.workers to at most 16, or set app.workerMemory to what a worker was measured at, or choose a larger tiers.app.type',
    ],
    [
      'more memory for the database than there is',
      full('database: { count: 2', 'database: { count: 2, settings: { shared_buffers: 3GB }'),
      'perlstack.yml:8:13 tiers.database: database-1 has 2,048 MiB of memory for PostgreSQL, but the settings declare 3,600 MiB: shared_buffers 3,072 MiB, maintenance_work_mem 128 MiB, work_mem 4 MiB in each of 100 connections; lower these in tiers.database.settings or tiers.database.connections, or choose a larger tiers.database.type. Nothing was changed.',
    ],
    [
      'more memory for each connection than there is',
      full('database: { count: 2', 'database: { count: 2, connections: 200, settings: { work_mem: 64MB }'),
      'perlstack.yml:8:13 tiers.database: database-1 has 2,048 MiB of memory for PostgreSQL, but the settings declare 13,440 MiB: shared_buffers 512 MiB, maintenance_work_mem 128 MiB, work_mem 64 MiB in each of 200 connections; lower these in tiers.database.settings or tiers.database.connections, or choose a larger tiers.database.type. Nothing was changed.',
    ],
    [
      'more memory for the cache than there is',
      full('cache: { count: 3', 'cache: { count: 3, memory: 2GiB'),
      'perlstack.yml:9:30 tiers.cache.memory: 2048 MiB are too much for cache-1: of the 2048 MiB that it has, 1344 MiB are left for data (the rest is for the system and for what Redis copies while it saves); lower it, or take a larger type. Nothing was changed.',
    ],
    [
      'a quorum of more Sentinels than there are',
      full('cache: { count: 3', 'cache: { count: 3, quorum: 5'),
      "perlstack.yml:9:10 tiers.cache: a Sentinel quorum that can't be reached: quorum: 5, but there are 3 Sentinels; set 2. Nothing was changed.",
    ],
    [
      'a setting of the database that is ours',
      full('database: { count: 2', 'database: { count: 2, settings: { listen_addresses: "*" }'),
      "perlstack.yml:8:35 tiers.database.settings: listen_addresses can't be set there: the server answers on its private address; remove it. Nothing was changed.",
    ],
    [
      'a version of the database that the image lacks',
      full('database: { count: 2', 'database: { count: 2, version: 15'),
      'perlstack.yml:8:34 tiers.database.version: linode/debian13 has PostgreSQL 17 and not 15; remove the version, or write image: linode/debian12, which has it. Nothing was changed.',
    ],
    [
      'a variable both open and secret',
      full('  secrets:', '  env: { SESSION_KEY: x }\n  secrets:'),
      'perlstack.yml:4:3 app: SESSION_KEY stands in both env and secrets; remove one of them. Nothing was changed.',
    ],
    [
      'HSTS without HTTPS',
      full('web: { count: 1', 'web: { count: 1, tls: { hsts: 30d }'),
      'perlstack.yml:6:33 tiers.web.tls.hsts: HSTS needs HTTPS; set "files: true" beside it, or remove it. Nothing was changed.',
    ],
    [
      'HTTPS without a name',
      full('web: { count: 1', 'web: { count: 1, tls: { files: true }'),
      'perlstack.yml:6:34 tiers.web.tls.files: HTTPS needs a name; set app.domains to those that the certificate covers. Nothing was changed.',
    ],
  ];
  const all = attempts.flatMap(([action, attempt]) =>
    cases.map(([what, stack, message]) => [what, action, attempt(stack), message] as const),
  );
  it.each(all)('%s: %s', async (_, _action, attempt, message) => {
    expect(await refusal(attempt)).toBe(message);
  });

  it.each(attempts)('a quorum of two Sentinels: %s', async (_, attempt) => {
    const hosts = FULL_INVENTORY.hosts.filter(({ name }) => name !== 'cache-3');
    const two = attempt(full('cache: { count: 3', 'cache: { count: 2'));
    const inventory = JSON.stringify({ ...FULL_INVENTORY, hosts });
    expect(await refusal({ ...two, inputs: { ...two.inputs, inventory } })).toBe(
      "perlstack.yml:9:10 tiers.cache: a Sentinel quorum that can't be reached: 2 hosts, and a failover needs the votes of more than half of at least 3; set count: 3, or failover: manual. Nothing was changed.",
    );
  });
  it.each(attempts)('a commit that waits for a replica that there is not: %s', async (_, attempt) => {
    const hosts = FULL_INVENTORY.hosts.filter(({ name }) => name !== 'database-2');
    const alone = attempt(full('database: { count: 2', 'database: { count: 1, durability: sync'));
    const inventory = JSON.stringify({ ...FULL_INVENTORY, hosts });
    expect(await refusal({ ...alone, inputs: { ...alone.inputs, inventory } })).toBe(
      'perlstack.yml:8:37 tiers.database.durability: sync waits for a replica at every commit, and there is none with 1 host; give tiers.database a count of 2 or more, or write durability: async. Nothing was changed.',
    );
  });
});

describe('a domain', () => {
  const stack = full('  secrets:', '  domains: [shop.example.com]\n  secrets:').replace(
    'web: { count: 1',
    'web: { count: 1, tls: { files: true }',
  );
  /** A certificate that signs itself, and its key. */
  function certificateFor(name: string): { certificate: string; key: string } {
    const [certificate, key] = ['crt', 'key'].map((kind) => path.join(folder, `${name}.${kind}`)) as [
      string,
      string,
    ];
    const options = [
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '30',
    ];
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
    execFileSync('openssl', ['req', ...options, ...subject, '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    });
    return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
  }

  it.each<[string, (shop: ReturnType<typeof certificateFor>) => Record<string, string>, string]>([
    [
      'without TLS files',
      () => ({}),
      'perlstack.yml:7:34 tiers.web.tls.files: HTTPS for shop.example.com needs a certificate and its key; give the step the inputs "tls-certificate" and "tls-private-key". Nothing was changed.',
    ],
    [
      'without the key',
      ({ certificate }) => ({ 'tls-certificate': certificate }),
      'perlstack.yml:7:34 tiers.web.tls.files: HTTPS for shop.example.com needs a certificate and its key; give the step the input "tls-private-key". Nothing was changed.',
    ],
    [
      'with a key that is none',
      ({ certificate }) => ({ 'tls-certificate': certificate, 'tls-private-key': 'hunter2hunter2' }),
      "tls-private-key: the key can't be read; hand over PEM without a passphrase",
    ],
    [
      "with another's key",
      ({ certificate }) => ({
        'tls-certificate': certificate,
        'tls-private-key': certificateFor('blog.example.com').key,
      }),
      'tls-private-key: the key does not belong to the certificate of shop.example.com',
    ],
    [
      "with another's certificate",
      () => {
        const { certificate, key } = certificateFor('blog.example.com');
        return { 'tls-certificate': certificate, 'tls-private-key': key };
      },
      'tls-certificate: it is for blog.example.com and does not cover shop.example.com; have it issued for all of app.domains, or remove those that it is not for',
    ],
  ])('%s', async (_, tls, message) => {
    expect(await refusal(applyFull(tls(certificateFor('shop.example.com')), stack))).toBe(message);
  });
});

describe('a token', () => {
  it.each(['plan', 'apply', 'destroy'])('that is wrong, for %s', async (mode) => {
    expect(await refusal(provision(mode, { 'linode-token': TOKENS.wrong.token }))).toBe(
      'Linode does not accept the token (401, GET /account/events: Invalid Token); it is wrong, expired or revoked: make a token under Profile > API Tokens in the Cloud Manager and put it into the secret that the workflow passes',
    );
  });

  it.each<[string, keyof typeof TOKENS, string]>([
    [
      'plan',
      'withoutVpc',
      'The Linode token lacks the scope vpc:read_only (it has: linodes:read_only,firewall:read_only,events:read_only): make one with it under Profile > API Tokens in the Cloud Manager. Nothing was changed.',
    ],
    [
      'plan',
      'withoutEvents',
      'The Linode token lacks the scope events:read_only, which GET /account/events needs (it has: linodes:read_write,firewall:read_write,vpc:read_write): make a token under Profile > API Tokens in the Cloud Manager and put it into the secret that the workflow passes',
    ],
    [
      'apply',
      'withoutEvents',
      'The Linode token lacks the scope events:read_only, which GET /account/events needs (it has: linodes:read_write,firewall:read_write,vpc:read_write): make a token under Profile > API Tokens in the Cloud Manager and put it into the secret that the workflow passes',
    ],
    [
      'apply',
      'reader',
      'The Linode token lacks the scopes linodes:read_write, firewall:read_write, vpc:read_write (it has: linodes:read_only,firewall:read_only,vpc:read_only,events:read_only): make one with them under Profile > API Tokens in the Cloud Manager. Nothing was changed.',
    ],
    [
      'destroy',
      'reader',
      'The Linode token lacks the scopes linodes:read_write, firewall:read_write, vpc:read_write (it has: linodes:read_only,firewall:read_only,vpc:read_only,events:read_only): make one with them under Profile > API Tokens in the Cloud Manager. Nothing was changed.',
    ],
  ])('without a scope that %s needs: %s', async (mode, name, message) => {
    expect(await refusal(provision(mode, { 'linode-token': TOKENS[name].token }))).toBe(message);
  });

  it('that is missing', async () => {
    expect(await refusal(provision('plan', { 'linode-token': '' }))).toBe(
      'Input "linode-token": is required; set it under "with:"',
    );
  });
});

describe('somebody else’s', () => {
  async function make(resource: string, body: object): Promise<number> {
    const answer = await fetch(`${api.url}/v4/${resource}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${TOKENS.full.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(200);
    api.requests.length = 0;
    return ((await answer.json()) as { id: number }).id;
  }

  it.each(['plan', 'apply'])('Linode under a label of ours, for %s', async (mode) => {
    const id = await make('linode/instances', {
      ...{ label: 'shop-app-2', region: 'us-ord', type: 'g6-nanode-1' },
      ...{ interface_generation: 'linode', interfaces: [], tags: ['mine'] },
    });
    expect(await refusal(provision(mode))).toBe(
      `perlstack.yml:1:8 stack: there is a Linode "shop-app-2" (id ${id}) without the tags of this stack, so it belongs to somebody else; rename it, or choose another name for the stack. Nothing was changed.`,
    );
  });

  it('firewall under a label of ours', async () => {
    const rules = { inbound: [], outbound: [], inbound_policy: 'DROP', outbound_policy: 'ACCEPT' };
    const id = await make('networking/firewalls', { label: 'shop-app', rules });
    expect(await refusal(provision('apply'))).toBe(
      `perlstack.yml:1:8 stack: there is a firewall "shop-app" (id ${id}) without the tags of this stack, so it belongs to somebody else; rename it, or choose another name for the stack. Nothing was changed.`,
    );
  });

  it('VPC under the name of ours', async () => {
    const id = await make('vpcs', { label: 'shop', region: 'us-ord' });
    expect(await refusal(provision('apply'))).toBe(
      `perlstack.yml:1:8 stack: there is a VPC "shop" (id ${id}) without the description "perlstack stack:shop" of this stack, so it belongs to somebody else; rename it, or choose another name for the stack. Nothing was changed.`,
    );
  });
});

describe('an inventory', () => {
  const users: [string, (inventory: string) => Attempt][] = [
    ['render-configs', (inventory) => renderConfigs({ inventory })],
    ['apply-configs', (inventory) => applyConfigs({ inventory })],
    ['rolling-deploy-starman', (inventory) => deploy({ inventory })],
    ['pg-backup-to-object-storage', (inventory) => backUp({ inventory })],
    ['pg-restore', (inventory) => restore({ inventory })],
    ['redis-backup-to-object-storage', (inventory) => backUpRedis({ inventory })],
    ['redis-restore', (inventory) => restoreRedis({ inventory })],
  ];

  it.each(users)('that is no JSON: %s', async (_, attempt) => {
    expect(await refusal(attempt('shop\nweb-1'))).toBe(
      'Input "inventory": neither JSON nor a file that holds it; pass the output "inventory" of provision-linode-tier',
    );
  });
  it.each(users)('of another stack: %s', async (_, attempt) => {
    expect(await refusal(attempt(JSON.stringify({ ...INVENTORY, stack: 'blog' })))).toBe(
      'Input "inventory": it is that of stack "blog", but the stack file says "shop"; take both from the same stack',
    );
  });
  it.each(users)('that is missing: %s', async (_, attempt) => {
    expect(await refusal(attempt(''))).toBe('Input "inventory": is required; set it under "with:"');
  });

  const first = INVENTORY.hosts[0] as Inventory['hosts'][number];
  it.each<[string, unknown, string]>([
    [
      'a list',
      [],
      'Input "inventory": the whole: must be keys with values; pass the output "inventory" of provision-linode-tier',
    ],
    [
      'nothing',
      {},
      'Input "inventory": stack: must be text; pass the output "inventory" of provision-linode-tier',
    ],
    [
      'a host without a host key',
      { ...INVENTORY, hosts: [{ ...first, ssh: { ...first.ssh, hostKeys: [] } }] },
      'Input "inventory": hosts.0.ssh.hostKeys: must have at least 1 entry; pass the output "inventory" of provision-linode-tier',
    ],
    [
      'a key of another version',
      { ...INVENTORY, hosts: [{ ...first, colour: 'red' }] },
      'Input "inventory": hosts.0: unknown key "colour"; use one version of all actions; pass the output "inventory" of provision-linode-tier',
    ],
    [
      'a host that is reached through none',
      { ...INVENTORY, hosts: [{ ...first, ssh: { ...first.ssh, via: 'web-9' } }] },
      'inventory: web-1.ssh.via names "web-9", which is no host of the inventory',
    ],
    [
      'no host',
      { ...INVENTORY, hosts: [] },
      'the inventory of shop has no app host: provision the app tier first',
    ],
    [
      'no web host',
      { ...INVENTORY, hosts: INVENTORY.hosts.slice(1) },
      'the inventory of shop has no web host: provision the web tier first',
    ],
  ])('with %s', async (_, inventory, message) => {
    expect(await refusal(deploy({ inventory: JSON.stringify(inventory) }))).toBe(message);
  });

  it('that is a folder', async () => {
    expect(await refusal(applyConfigs({ inventory: '.' }))).toBe(
      'Input "inventory": neither JSON nor a file that holds it; pass the output "inventory" of provision-linode-tier',
    );
  });
  it('without an application server, for the configuration', async () => {
    const inventory = JSON.stringify({ ...INVENTORY, hosts: INVENTORY.hosts.slice(0, 1) });
    expect(await refusal(applyConfigs({ inventory }))).toBe(
      'the inventory of shop has no app host; provision the app tier first',
    );
  });
});

describe('an input', () => {
  it.each<[string, Attempt, string]>([
    [
      'provision-linode-tier',
      provision('plan', { 'allow-deletes': 'true' }),
      'Input "allow-deletes": there is no such input; did you mean "allow-delete"?',
    ],
    [
      'render-configs',
      renderConfigs({ outputs: 'here' }),
      'Input "outputs": there is no such input; did you mean "output"?',
    ],
    [
      'apply-configs',
      applyConfigs({ secret: 'SESSION_KEY=hunter2hunter2' }),
      'Input "secret": there is no such input; did you mean "secrets"?',
    ],
    [
      'apply-configs',
      applyConfigs({ 'app-secrets': 'SESSION_KEY=hunter2hunter2' }),
      'Input "app-secrets": is now called "secrets"; rename it in the workflow',
    ],
    [
      'render-configs',
      renderConfigs({ 'base-inventory': 'old.json' }),
      'Input "base-inventory": it goes with the input "base", which is not set',
    ],
    [
      'rolling-deploy-starman',
      deploy({ strategie: 'drain' }),
      'Input "strategie": there is no such input; did you mean "strategy"?',
    ],
    [
      'health-gate',
      healthGate({ url: 'http://127.0.0.1:1' }),
      'Input "url": there is no such input; did you mean "urls"?',
    ],
    [
      'rolling-deploy-starman',
      deploy({ 'dry-run': 'true' }),
      'Input "dry-run": there is no such input; allowed: stack-file, inventory, ssh-private-key, mode, artifact, sha256, release, to, strategy, batch, canary, bake, canary-slowdown, capacity-floor, max-failures, lock-wait, allow-older, timeout, github-token, environment, environment-url, summary',
    ],
  ])('that %s does not know', async (_, attempt, message) => {
    expect(await refusal(attempt)).toBe(message);
  });

  it.each<[string, Attempt, string]>([
    [
      'a mode',
      provision('aply'),
      'Input "mode": "aply" is not one of plan, apply, destroy; did you mean "apply"?',
    ],
    [
      'a truth',
      provision('apply', { 'allow-delete': 'yes' }),
      'Input "allow-delete": "yes" is neither true nor false',
    ],
    [
      'a duration',
      provision('apply', { timeout: '15' }),
      'Input "timeout": "15" is no duration; write a whole number and ms, s, m, h or d, such as 30s',
    ],
    [
      'a hash',
      deploy({ sha256: 'abc' }),
      'Input "sha256": "abc" is not allowed here; it must be 64 hexadecimal digits',
    ],
    [
      'a release',
      deploy({ release: 'Version 1' }),
      'Input "release": "Version 1" is not allowed here; it must be up to 63 small letters, digits, dots, dashes and underscores, starting with a letter or digit',
    ],
    [
      'a release',
      deploy({ release: '../r1' }),
      'Input "release": "../r1" is not allowed here; it must be up to 63 small letters, digits, dots, dashes and underscores, starting with a letter or digit',
    ],
    [
      'an artifact',
      deploy({ artifact: 'none.tar.gz' }),
      'Input "artifact": there is no file WORKSPACE/none.tar.gz; is a checkout or download step missing before this one?',
    ],
    [
      'a strategy',
      deploy({ strategy: 'blue-green' }),
      'Input "strategy": "blue-green" is not one of socket, drain',
    ],
    [
      'assignments',
      applyConfigs({ secrets: 'SESSION_KEY hunter2hunter2' }),
      'Input "secrets": line 1 is not of the form NAME=value; a value of several lines goes between a line NAME<<EOF and a line EOF',
    ],
    [
      'a host',
      applyConfigs({ 'allow-rebuild': 'app-1\napp-7' }),
      'Input "allow-rebuild": there is no host "app-7"; did you mean "app-1"?',
    ],
    ['a kind of drift', applyConfigs({ drift: 'undo' }), 'Input "drift": "undo" is not one of keep, restore'],
    [
      'URLs',
      healthGate({ urls: 'shop.example.com' }),
      'Input "urls": "shop.example.com" is no URL that begins with http:// or https://',
    ],
    ['probes', healthGate({ urls: '' }), 'Nothing to probe: set the input "urls", "tcp" or "probes"'],
    [
      'a login',
      healthGate({ 'basic-auth': 'hunter2hunter2' }),
      'Input "basic-auth": the value is not allowed here; it must be of the form login:password',
    ],
    [
      'one login',
      healthGate({ 'basic-auth': 'me:hunter2hunter2', headers: 'Authorization: Bearer hunter2hunter2' }),
      'Input "basic-auth": "headers" has an Authorization already; leave one of them out',
    ],
    [
      'authorities',
      healthGate({ ca: 'none.pem' }),
      'Input "ca": there is no file WORKSPACE/none.pem; is a checkout or download step missing before this one?',
    ],
    [
      'a hold that fits',
      healthGate({ hold: '60s' }),
      'Input "timeout": 1 min 0 s is too short: 3 successes in a row, 1.0 s apart, and a hold of 1 min 0 s need more than 1 min 2 s',
    ],
    [
      'successes that fit',
      healthGate({ successes: '10', interval: '10s' }),
      'Input "timeout": 1 min 0 s is too short: 10 successes in a row, 10.0 s apart, need more than 1 min 30 s',
    ],
    [
      'enough tries',
      healthGate({ 'max-tries': '2' }),
      'Input "max-tries": 2 are too few: 3 successes in a row, 1.0 s apart, need 3',
    ],
    [
      'a group that can be healthy',
      healthGate({
        probes: '- { group: ports, need: 3, of: [{ tcp: "127.0.0.1:1" }, { tcp: "127.0.0.1:2" }] }',
      }),
      'Input "probes": 3 of the 2 members of "ports" can never be healthy',
    ],
    [
      'a group of groups that anybody reads',
      healthGate({
        probes:
          '- { group: a, of: [{ group: b, of: [{ group: c, of: [{ group: d, of: [{ tcp: "127.0.0.1:1" }] }] }] }] }',
      }),
      'Input "probes":1:63 0.of.0.of.0.of.0.group: found "d"; must be a probe: no more than 3 groups stand in one another. Nothing was changed.',
    ],
    [
      'an address and a port',
      healthGate({ tcp: '127.0.0.1' }),
      'Input "tcp": "127.0.0.1" is not of the form host:port',
    ],
    [
      'headers',
      healthGate({ headers: 'Bearer hunter2hunter2' }),
      'Input "headers": line 1 is not of the form "Name: value"',
    ],
    [
      'status codes',
      healthGate({ status: 'ok' }),
      'Input "status": "ok" is not allowed here; it must be status codes such as 200,204, or classes of them such as 2xx,3xx',
    ],
    [
      'a whole number',
      healthGate({ successes: '0' }),
      'Input "successes": "0" is no whole number from 1 to 1000',
    ],
  ])('that is not %s', async (_, attempt, message) => {
    expect(await refusal(attempt)).toBe(message);
  });
});

describe('a backup', () => {
  const DATABASE = replaced('tiers:', 'backups: { bucket: shop-backups }\ntiers:\n  database: {}');
  const inventory = JSON.stringify({
    ...INVENTORY,
    hosts: [...INVENTORY.hosts, { ...INVENTORY.hosts[0], name: 'database-1', tier: 'database' }],
  });
  const identity = `AGE-SECRET-KEY-1${'Q'.repeat(57)}`;

  it.each<[string, Attempt, string]>([
    [
      'of a stack without a database',
      backUp(),
      'tiers.database: the stack has none, so there is nothing to back up',
    ],
    [
      'restored without a database',
      restore(),
      'tiers.database: the stack has none, so there is nothing to back up',
    ],
    [
      'without a public key',
      { ...backUp({ inventory }), stack: DATABASE },
      'perlstack.yml:4:10 backups.encrypt: backups are encrypted, and the input "age-recipient" has no public key; make a pair with age-keygen, keep the private one safe, or write encrypt: false. Nothing was changed.',
    ],
    [
      'that is to be locked for no span of time',
      { ...backUp({ inventory }), stack: DATABASE.replace('shop-backups', 'shop-backups, lock: week') },
      'perlstack.yml:4:40 backups.lock: found "week"; must be a whole number and ms, s, m, h or d, such as 30s. Nothing was changed.',
    ],
    [
      'that is to be locked by a mode that there is not',
      {
        ...backUp({ inventory }),
        stack: DATABASE.replace('shop-backups', 'shop-backups, lock: 7d, lockMode: legal'),
      },
      'perlstack.yml:4:54 backups.lockMode: found "legal"; allowed: governance, compliance. Nothing was changed.',
    ],
    [
      'for a private key',
      { ...backUp({ inventory, 'age-recipient': identity }), stack: DATABASE },
      'Input "age-recipient": not a public key of age (age1…, 62 characters); make a pair with age-keygen',
    ],
    [
      'at an endpoint with a path',
      backUp({ endpoint: 'https://us-ord-1.linodeobjects.com/shop-backups' }),
      'Input "endpoint": "https://us-ord-1.linodeobjects.com/shop-backups" is not allowed here; it must be a URL without a path, such as https://us-ord-1.linodeobjects.com',
    ],
    [
      'with a key that is cut off',
      restore({ 'age-identity': identity }),
      'Input "age-identity": the value is not allowed here; it must be a private key of age (AGE-SECRET-KEY-1…, one line)',
    ],
    [
      'restored to a time without a zone',
      { ...restore({ inventory, target: '2026-11-27T08:30:00' }), stack: DATABASE },
      'Input "target": "2026-11-27T08:30:00" is neither proof, latest, backup, a time with its zone such as 2026-11-27T08:30:00Z, nor a position such as 0/5000060',
    ],
    [
      'tried out on a host that there is not',
      { ...restore({ inventory, host: 'database-2' }), stack: DATABASE },
      'Input "host": there is no server "database-2"; did you mean "database-1"?',
    ],
    [
      'restored on a host that keeps no data',
      { ...restore({ inventory, mode: 'primary', host: 'database-2' }), stack: DATABASE },
      'Input "host": there is no database server "database-2"; did you mean "database-1"?',
    ],
    [
      'whose bucket does not answer',
      { ...restore({ inventory }), stack: DATABASE },
      'Object storage 127.0.0.1:1, bucket shop-backups: list of shop/postgresql/ failed (ECONNREFUSED): check the endpoint and the network',
    ],
    [
      'without the key of the bucket',
      { ...restore({ inventory, 'secret-access-key': '' }), stack: DATABASE },
      'Input "secret-access-key": is required; set it under "with:"',
    ],
    [
      'that is to fit old data by an engine that cannot do that',
      { ...restore({ inventory, mode: 'primary', delta: 'true' }), stack: DATABASE },
      'Input "delta": only the engine pgbackrest can do that; see backups.engine',
    ],
    [
      'with a question that is none',
      { ...restore({ inventory, assertions: 'SELECT 1' }), stack: DATABASE },
      'Input "assertions": "SELECT 1" is not "database: SELECT …", such as "shop: SELECT count(*) > 0 FROM orders"',
    ],
  ])('%s', async (_, attempt, message) => expect(await refusal(attempt)).toBe(message));
});

describe('a backup by pgBackRest', () => {
  const withBackups = (backups: string): string =>
    replaced(
      'tiers:',
      `backups: { bucket: shop-backups, engine: pgbackrest${backups} }\ntiers:\n  database: {}`,
    );
  const stack = withBackups('');
  const inventory = JSON.stringify({
    ...INVENTORY,
    hosts: [...INVENTORY.hosts, { ...INVENTORY.hosts[0], name: 'database-1', tier: 'database' }],
  });
  const PASSWORDS = ['DATABASE_PASSWORD=of-the-database', 'REPLICATION_PASSWORD=of-the-replicas'];
  const KEYS = ['BACKUP_ACCESS_KEY_ID=key-of-the-bucket', 'BACKUP_SECRET_ACCESS_KEY=secret-of-the-bucket'];
  const apply = (secrets: readonly string[], more = ''): Attempt => ({
    ...applyConfigs({ inventory, secrets: secrets.join('\n') }),
    stack: withBackups(more),
  });
  const none = { endpoint: '', 'access-key-id': '', 'secret-access-key': '' };
  const back = (inputs: Record<string, string>): Attempt => ({
    ...backUp({ inventory, ...none, ...inputs }),
    stack,
  });
  const again = (inputs: Record<string, string>): Attempt => ({
    ...restore({ inventory, ...none, ...inputs }),
    stack,
  });

  it.each<[string, Attempt, string]>([
    [
      'whose servers get no key',
      apply(PASSWORDS),
      'perlstack.yml:4:10 backups: BACKUP_ACCESS_KEY_ID, BACKUP_CIPHER_PASSPHRASE, BACKUP_SECRET_ACCESS_KEY have no value; give the step the lines "BACKUP_ACCESS_KEY_ID=…", "BACKUP_CIPHER_PASSPHRASE=…", "BACKUP_SECRET_ACCESS_KEY=…" in its input "secrets". Nothing was changed.',
    ],
    [
      'whose servers get no passphrase',
      apply([...PASSWORDS, ...KEYS]),
      'perlstack.yml:4:10 backups: BACKUP_CIPHER_PASSPHRASE has no value; give the step a line "BACKUP_CIPHER_PASSPHRASE=…" in its input "secrets". Nothing was changed.',
    ],
    [
      'whose passphrase has several lines',
      apply([
        ...PASSWORDS,
        ...KEYS,
        'BACKUP_CIPHER_PASSPHRASE<<EOF',
        'first-line-of-it',
        'second-line-of-it',
        'EOF',
      ]),
      'perlstack.yml:4:10 backups: the secret BACKUP_CIPHER_PASSPHRASE begins or ends with a space, or has several lines, which pgBackRest cannot read back; choose another. Nothing was changed.',
    ],
    [
      'to an address, which no certificate would be for',
      apply([...PASSWORDS, ...KEYS], ", encrypt: false, endpoint: 'https://192.0.2.1'"),
      'perlstack.yml:4:80 backups.endpoint: pgBackRest finds no address in a certificate, so 192.0.2.1 would never be trusted; give its name. Nothing was changed.',
    ],
    [
      'without TLS',
      apply([...PASSWORDS, ...KEYS], ', endpoint: http://objects.example.com'),
      'perlstack.yml:4:64 backups.endpoint: found "http://objects.example.com"; must be a URL without a path, such as https://us-ord-1.linodeobjects.com. Nothing was changed.',
    ],
    [
      'by an engine that there is not',
      { ...backUp({ inventory }), stack: stack.replace('pgbackrest', 'barman') },
      'perlstack.yml:4:42 backups.engine: found "barman"; allowed: stream, pgbackrest, pg_dump. Nothing was changed.',
    ],
    [
      'that is to be locked',
      { ...back({}), stack: withBackups(', lock: 7d') },
      'perlstack.yml:4:60 backups.lock: found "7d"; must be left out with engine: pgbackrest, which rewrites and removes files that nobody could remove then. Nothing was changed.',
    ],
    [
      'that is to be slow',
      back({ 'max-rate': '5' }),
      'Input "max-rate": pgBackRest cannot be slowed down; leave it out',
    ],
    [
      'for a key of age',
      back({ 'age-recipient': `age1${'q'.repeat(58)}` }),
      'Input "age-recipient": pgBackRest encrypts with a passphrase, which apply-configs hands to the servers; leave it out',
    ],
    [
      'whose bucket is to be tried out without its key',
      back({ mode: 'probe' }),
      'Input "mode": probe tries out the bucket itself, and needs the inputs "access-key-id" and "secret-access-key"',
    ],
    [
      'with half of a key',
      back({ 'access-key-id': 'key-of-the-bucket' }),
      'Input "secret-access-key": is required; set it under "with:"',
    ],
    [
      'restored with a key of age',
      again({ 'age-identity': `AGE-SECRET-KEY-1${'Q'.repeat(58)}` }),
      'Input "age-identity": pgBackRest decrypts with the passphrase that the server has; leave it out',
    ],
    [
      'that is to fit old data in a drill',
      again({ delta: 'true' }),
      'Input "delta": only mode primary has old data to begin with',
    ],
    [
      'that is to fit old data which nobody named',
      again({ mode: 'primary', delta: 'true' }),
      'Input "delta": what the old data of database-1 hold beyond the backup is lost; name database-1 in the input "replace" to agree',
    ],
  ])('%s', async (_, attempt, message) => expect(await refusal(attempt)).toBe(message));
});

describe('a backup by pg_dump', () => {
  const withBackups = (backups: string): string =>
    replaced('tiers:', `backups: { bucket: shop-backups${backups} }\ntiers:\n  database: {}`);
  const stack = withBackups(', engine: pg_dump');
  const inventory = JSON.stringify({
    ...INVENTORY,
    hosts: [...INVENTORY.hosts, { ...INVENTORY.hosts[0], name: 'database-1', tier: 'database' }],
  });
  const back = (inputs: Record<string, string>): Attempt => ({ ...backUp({ inventory, ...inputs }), stack });
  const again = (inputs: Record<string, string>): Attempt => ({
    ...restore({ inventory, ...inputs }),
    stack,
  });
  const managed = {
    server: 'postgresql://admin@db.example.com/shop',
    'server-password': 'of-the-managed-one',
  };

  it.each<[string, Attempt, string]>([
    [
      'of a choice, by another engine',
      { ...backUp({ inventory, databases: 'shop' }), stack: withBackups('') },
      'Input "databases": only the engine pg_dump can do that; add engine: pg_dump to the step, or see backups.engine',
    ],
    [
      'of another stack, by another engine',
      { ...restore({ inventory, 'from-stack': 'old' }), stack: withBackups('') },
      'Input "from-stack": only the engine pg_dump can do that; add engine: pg_dump to the step, or see backups.engine',
    ],
    [
      'by an engine that a step cannot choose',
      back({ engine: 'pgbackrest' }),
      'Input "engine": "pgbackrest" is not one of auto, pg_dump',
    ],
    [
      'of a stack without a database',
      {
        ...backUp({ engine: 'pg_dump' }),
        stack: replaced('tiers:', 'backups: { bucket: shop-backups }\ntiers:'),
      },
      'tiers.database: the stack has none, so there is nothing to back up',
    ],
    [
      'without a public key',
      back({}),
      'perlstack.yml:4:10 backups.encrypt: backups are encrypted, and the input "age-recipient" has no public key; make a pair with age-keygen, keep the private one safe, or write encrypt: false. Nothing was changed.',
    ],
    [
      'that is to be incremental',
      back({ 'full-every': '7' }),
      'Input "full-every": a dump is always a full one; leave it out',
    ],
    [
      'of a server with its password',
      back({ ...managed, server: 'postgresql://admin:of-the-managed-one@db.example.com/shop' }),
      'Input "server": a password does not belong there; hand it over as "server-password"',
    ],
    [
      'of a server that is no URL',
      back({ ...managed, server: 'db.example.com' }),
      'Input "server": this is no URL; it must be postgresql://USER@HOST:PORT/DATABASE, such as postgresql://admin@db.example.com:5432/postgres',
    ],
    [
      'of a server that nobody dumps',
      back(managed),
      'Input "via": a host of the stack has to run pg_dump; name one, such as app-1',
    ],
    [
      'of a server by a host that there is not',
      back({ ...managed, via: 'database-7' }),
      'Input "via": there is no server "database-7"; did you mean "database-1"?',
    ],
    [
      'of a server without a password',
      back({ ...managed, 'server-password': '', via: 'database-1' }),
      'Input "server-password": admin needs one; set it under "with:"',
    ],
    [
      'of a server and of a host',
      back({ ...managed, via: 'database-1', source: 'primary' }),
      'Input "source": the input "server" says whose data are dumped; leave one of them out',
    ],
    [
      'by way of a host to nowhere',
      back({ via: 'database-1' }),
      'Input "via": it is for a server that the input "server" names',
    ],
    [
      'restored as a replica',
      again({ mode: 'replica' }),
      'Input "mode": a dump makes no replica; make one with apply-configs, or restore a backup of another engine',
    ],
    [
      'restored to some moment',
      again({ target: 'latest' }),
      'Input "target": a dump is of one moment, with no log behind it; leave it out, and choose with the input "backup"',
    ],
    [
      'that is to fit old data',
      again({ mode: 'primary', delta: 'true' }),
      'Input "delta": only the engine pgbackrest can do that; see backups.engine',
    ],
    [
      'proven on a host that there is not',
      again({ host: 'database-2' }),
      'Input "host": there is no server "database-2"; did you mean "database-1"?',
    ],
    [
      'restored from a bucket that does not answer',
      again({}),
      'Object storage 127.0.0.1:1, bucket shop-backups: list of shop/pg_dump/dump/ failed (ECONNREFUSED): check the endpoint and the network',
    ],
  ])('%s', async (_, attempt, message) => expect(await refusal(attempt)).toBe(message));
});

describe('a backup of Redis', () => {
  const CACHE = replaced('tiers:', 'backups: { bucket: shop-backups }\ntiers:\n  cache: {}');
  const inventory = JSON.stringify({
    ...INVENTORY,
    hosts: [...INVENTORY.hosts, { ...INVENTORY.hosts[0], name: 'cache-1', tier: 'cache' }],
  });
  const identity = `AGE-SECRET-KEY-1${'Q'.repeat(57)}`;
  const asked = (assertions: string): Attempt => ({
    ...restoreRedis({ inventory, assertions }),
    stack: CACHE,
  });

  it.each<[string, Attempt, string]>([
    [
      'of a stack without a cache',
      backUpRedis(),
      'tiers.cache: the stack has none, so there is nothing to back up',
    ],
    [
      'restored without a cache',
      restoreRedis(),
      'tiers.cache: the stack has none, so there is nothing to back up',
    ],
    [
      'without a bucket',
      { ...backUpRedis({ inventory }), stack: replaced('tiers:', 'tiers:\n  cache: {}') },
      'perlstack.yml:1:1 backups: the stack file names no bucket; add "backups: { bucket: NAME }" and run apply-configs. Nothing was changed.',
    ],
    [
      'restored without a bucket',
      { ...restoreRedis({ inventory }), stack: replaced('tiers:', 'tiers:\n  cache: {}') },
      'perlstack.yml:1:1 backups: the stack file names no bucket to restore from. Nothing was changed.',
    ],
    [
      'without a public key',
      { ...backUpRedis({ inventory }), stack: CACHE },
      'perlstack.yml:4:10 backups.encrypt: backups are encrypted, and the input "age-recipient" has no public key; make a pair with age-keygen, keep the private one safe, or write encrypt: false. Nothing was changed.',
    ],
    [
      'for a private key',
      { ...backUpRedis({ inventory, 'age-recipient': identity }), stack: CACHE },
      'Input "age-recipient": not a public key of age (age1…, 62 characters); make a pair with age-keygen',
    ],
    [
      'of a host that there is not',
      {
        ...backUpRedis({ inventory, 'age-recipient': `age1${'q'.repeat(58)}`, source: 'cashe-1' }),
        stack: CACHE,
      },
      'Input "source": there is no cache server "cashe-1"; did you mean "cache-1"?',
    ],
    [
      'with a key that is cut off',
      restoreRedis({ 'age-identity': identity }),
      'Input "age-identity": the value is not allowed here; it must be a private key of age (AGE-SECRET-KEY-1…, one line)',
    ],
    [
      'restored on a host that keeps no data',
      { ...restoreRedis({ inventory, host: 'cache-2' }), stack: CACHE },
      'Input "host": there is no cache server "cache-2"; did you mean "cache-1"?',
    ],
    [
      'restored in the place of a host that there is not',
      { ...restoreRedis({ inventory, mode: 'primary', replace: 'cache-1, cache-2' }), stack: CACHE },
      'Input "replace": there is no cache server "cache-2"; did you mean "cache-1"?',
    ],
    [
      'whose bucket does not answer',
      { ...restoreRedis({ inventory }), stack: CACHE },
      'Object storage 127.0.0.1:1, bucket shop-backups: list of shop/redis/snapshot/ failed (ECONNREFUSED): check the endpoint and the network',
    ],
    [
      'with a question that is none',
      asked('EXISTS a'),
      'Input "assertions": "EXISTS a" is not "DATABASE: COMMAND …", such as "0: GET config:version = 42" or "0: EXISTS session:1"',
    ],
    [
      'with a question that writes',
      asked('0: FLUSHALL'),
      'Input "assertions": "0: FLUSHALL" asks for FLUSHALL, and a drill takes DBSIZE, EXISTS, GET, HEXISTS, HGET, HLEN, LINDEX, LLEN, SCARD, SISMEMBER, STRLEN, TYPE, XLEN, ZCARD, ZSCORE alone, such as "0: GET config:version = 42" or "0: EXISTS session:1"',
    ],
    [
      'with a question that has no answer',
      asked('0: GET a'),
      'Input "assertions": "0: GET a" does not say what GET has to answer: add "= VALUE", such as "0: GET config:version = 42" or "0: EXISTS session:1"',
    ],
  ])('%s', async (_, attempt, message) => expect(await refusal(attempt)).toBe(message));
});

describe('an SSH key', () => {
  const users: [string, (key: string) => Attempt][] = [
    ['provision-linode-tier', (key) => provision('apply', { 'ssh-private-key': key })],
    ['apply-configs', (key) => applyConfigs({ 'ssh-private-key': key })],
    ['rolling-deploy-starman', (key) => deploy({ 'ssh-private-key': key })],
  ];

  it.each(users)('that is none: %s', async (_, attempt) => {
    expect(await refusal(attempt('hunter2hunter2'))).toBe(
      'The SSH private key cannot be read: give the whole text of the file that "ssh-keygen -t ed25519" makes, from its line BEGIN to its line END',
    );
    expect(api.requests).toEqual([]);
  });
  it.each(users)('that is cut off: %s', async (_, attempt) => {
    expect(await refusal(attempt(KEY.split('\n').slice(0, -3).join('\n')))).toBe(
      'The SSH private key cannot be read: give the whole text of the file that "ssh-keygen -t ed25519" makes, from its line BEGIN to its line END',
    );
  });
  it.each(users)('that is a public key: %s', async (_, attempt) => {
    expect(await refusal(attempt(generateKeyPair().publicKey))).toBe(
      'The SSH key is a public key: give the private key that belongs to it (the file without .pub)',
    );
  });
  it('that has a passphrase', async () => {
    const file = path.join(folder, 'locked-key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'hunter2', '-f', file]);
    expect(await refusal(applyConfigs({ 'ssh-private-key': readFileSync(file, 'utf8') }))).toBe(
      'The SSH private key is locked with a passphrase, and none came with it: give a key without one',
    );
  });
  it('that mode apply was not given', async () => {
    expect(await refusal(provision('apply', { 'ssh-private-key': '' }))).toBe(
      'Input "ssh-private-key": mode apply needs it, as new servers are reached with it. Nothing was changed.',
    );
  });
});

describe('an artifact', () => {
  it.each<[string, Member[], string]>([
    [
      'leads out by ..',
      [APP, { path: 'lib/../../etc/cron.d/x' }],
      'artifact release.tar.gz is refused: "lib/../../etc/cron.d/x" leads out of the release by "..". Nothing was changed',
    ],
    [
      'holds an absolute path',
      [APP, { path: '/etc/cron.d/x' }],
      'artifact release.tar.gz is refused: "/etc/cron.d/x" is an absolute path. Nothing was changed',
    ],
    [
      'holds a symbolic link that leads out',
      [APP, { path: 'x', type: 'symlink', target: '../../etc' }],
      'artifact release.tar.gz is refused: "x" is a link to "../../etc", out of the release. Nothing was changed',
    ],
    [
      'writes through a symbolic link',
      [APP, { path: 'x', type: 'symlink', target: 'lib' }, { path: 'x/y' }],
      'artifact release.tar.gz is refused: "x/y" would be written through the link "x". Nothing was changed',
    ],
    [
      'holds a hard link that leads out',
      [APP, { path: 'x', type: 'hardlink', target: '/etc/shadow' }],
      'artifact release.tar.gz is refused: "x" is a hard link to "/etc/shadow", which is no file of the archive. Nothing was changed',
    ],
    [
      'holds a device',
      [APP, { path: 'null', type: 'device' }],
      'artifact release.tar.gz is refused: "null" is neither file, folder nor link (CharacterDevice). Nothing was changed',
    ],
    [
      'holds a pipe',
      [APP, { path: 'queue', type: 'pipe' }],
      'artifact release.tar.gz is refused: "queue" is neither file, folder nor link (FIFO). Nothing was changed',
    ],
    [
      'has a folder around everything',
      [{ path: 'shop-1/app.psgi' }],
      'artifact release.tar.gz does not hold app.psgi at its top: it holds shop-1/app.psgi: pack the contents of shop-1/, not the folder itself',
    ],
    [
      'lacks the application',
      [{ path: 'README' }],
      'artifact release.tar.gz does not hold app.psgi at its top: see app.psgi in the stack file',
    ],
    [
      'has a line break in a name',
      [APP, { path: '../a\nb' }],
      'artifact release.tar.gz is refused: "../a\\nb" leads out of the release by "..". Nothing was changed',
    ],
  ])('that %s', async (_, members, message) => {
    expect(await refusal(deploy({}, rawTar(members)))).toBe(message);
  });

  const whole = rawTar([APP, { path: 'lib/Shop.pm', content: 'x'.repeat(9_000) }]);
  it.each<[string, Buffer, string]>([
    [
      'is no archive',
      Buffer.from('#!/bin/sh\n'),
      'artifact release.tar.gz is no archive: make a tar.gz or tar.zst of the release, such as "tar -czf app.tar.gz -C build ."',
    ],
    [
      'is empty',
      Buffer.alloc(0),
      'artifact release.tar.gz is empty: make a tar.gz or tar.zst of the release, such as "tar -czf app.tar.gz -C build ."',
    ],
    [
      'is a zip file',
      Buffer.from('PK\u0003\u0004....'),
      'artifact release.tar.gz is a zip file: make a tar.gz or tar.zst of the release, such as "tar -czf app.tar.gz -C build ."',
    ],
    [
      'was cut off',
      whole.subarray(0, whole.length / 2),
      'artifact release.tar.gz is no readable tar archive: unexpected end of file; build or download it anew',
    ],
  ])('that %s', async (_, content, message) => {
    expect(await refusal(deploy({}, content))).toBe(message);
  });

  it.each(['apply', 'plan'])('that is not the one that was built, for %s', async (mode) => {
    const artifact = rawTar([APP]);
    const found = createHash('sha256').update(artifact).digest('hex');
    expect(await refusal(deploy({ mode, sha256: 'a'.repeat(64) }, artifact))).toBe(
      `artifact release.tar.gz has SHA-256 ${found}, not ${'a'.repeat(64)}: it is not the file that was built; download it anew`,
    );
  });
});

describeHosts(`a real host${obstacle === null ? '' : ` (${obstacle})`}`, () => {
  let cloud: LocalCloud;
  let inventory: Inventory;
  let inside: string[];

  const small = replaced('count: 2', 'count: 1');
  const users: [string, (inputs: Record<string, string>) => Attempt][] = [
    // It waits for hosts that are still booting, and for their accounts.
    ['apply-configs', (inputs) => ({ ...applyConfigs({ timeout: '1s', ...inputs }), stack: small })],
    ['rolling-deploy-starman', (inputs) => ({ ...deploy(inputs), stack: small })],
  ];
  const hostOf = (name: string): Inventory['hosts'][number] => {
    const host = inventory.hosts.find((one) => one.name === name);
    if (!host) throw new Error(`${name} was not made`);
    return host;
  };

  beforeAll(async () => {
    cloud = await openLocalCloud();
    inside = cloud.hosts.inInternet([]);
    const { action, inputs } = provision('apply');
    const provisioning = new ActionStep(action, inputs, {
      env: { LINODE_API_URL: cloud.apiUrl },
      prefix: inside,
    });
    try {
      provisioning.write('perlstack.yml', small);
      const { code, output } = await provisioning.run();
      if (code !== 0) throw new Error(output);
      inventory = InventorySchema.parse(JSON.parse(provisioning.entries('OUTPUT')['inventory'] ?? ''));
    } finally {
      provisioning.remove();
    }
  }, 180_000);
  afterAll(() => cloud?.close());

  /** What both actions leave on a host that they change. */
  async function expectUntouched(name: string): Promise<void> {
    const look = 'ls -d /etc/nginx /srv/shop /var/lib/perlstack 2>/dev/null || true';
    expect((await cloud.hosts.exec(`shop-${name}`, ['sh', '-c', look])).stdout).toBe('');
  }

  it.each(users)('that another key fits: %s', async (_, attempt) => {
    const other = generateKeyPair().privateKey;
    const message = await refusal(
      attempt({ inventory: JSON.stringify(inventory), 'ssh-private-key': other }),
      inside,
    );
    expect(message).toBe(
      `the SSH key does not fit: web-1 (${hostOf('web-1').ssh.address} port 22) refused ssh-ed25519 ${fingerprint(publicKeyOf({ privateKey: other }))} for user "deploy". Give the private key of this stack, or add its public key to ~deploy/.ssh/authorized_keys there.`,
    );
    await expectUntouched('web-1');
  });

  it.each(users)('that shows another host key: %s', async (_, attempt) => {
    const expected = fingerprint(generateKeyPair().publicKey);
    const forged = inventory.hosts.map((host) =>
      host.name === 'app-1' ? { ...host, ssh: { ...host.ssh, hostKeys: [expected] } } : host,
    );
    const message = await refusal(
      attempt({ inventory: JSON.stringify({ ...inventory, hosts: forged }) }),
      inside,
    );
    expect(message).toBe(
      `app-1 (10.10.1.2 port 22 through web-1) shows the wrong host key: it offered ssh-ed25519 ${hostOf('app-1').ssh.hostKeys[0]}, but the inventory accepts only ${expected}. Nothing was sent to it. If the host was rebuilt, put its new fingerprint into ssh.hostKeys of the inventory; otherwise somebody may be answering in its place.`,
    );
    await expectUntouched('app-1');
  });

  it('that is off, be it behind another or not', async () => {
    await cloud.hosts.faults.kill('shop-app-1');
    const nobody = inventory.hosts.map((host) =>
      host.name === 'web-1' ? { ...host, ssh: { ...host.ssh, address: '203.0.113.99' } } : host,
    );
    const tries = [inventory, { ...inventory, hosts: nobody }].flatMap((hosts) =>
      users.map(([, attempt]) => attempt({ inventory: JSON.stringify(hosts) })),
    );
    // All at once, as each of them waits for a time.
    const messages = await Promise.all(tries.map((attempt) => refusal(attempt, inside)));
    // The time that has passed is said, which on a busy machine is a little more than the time that was given.
    const said = messages.map((message) => message.replace(/\b1\d s:/, '10 s:'));
    const behind =
      'app-1 (10.10.1.2 port 22 through web-1) cannot be reached for 10 s: no answer. Check that it runs, and that its firewall lets "web-1" in on port 22.';
    const direct =
      'web-1 (203.0.113.99 port 22) cannot be reached for 10 s: no answer. Check that it runs, and that its firewall lets this machine in on port 22.';
    expect(said).toEqual([behind, behind, direct, direct]);
    await expectUntouched('web-1');
  });
});
