import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  type ApiFault,
  FULL_TOKEN,
  type LinodeApi,
  MemoryDriver,
  startApi,
  type Token,
} from '@perlstack/local-cloud';
import { generateKeyPair } from '@perlstack/remote';
import type { Inventory } from '@perlstack/stack';
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

let api: LinodeApi;
let step: ActionStep | undefined;

beforeEach(async () => {
  const { wrong: _, ...accepted } = TOKENS;
  api = await startApi({ driver: new MemoryDriver(), tokens: Object.values(accepted) });
});
afterEach(async () => {
  step?.remove();
  step = undefined;
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

/**
 * Runs main and post of an action that has to refuse.
 *
 * @returns the one line that it says about it
 */
async function refusal(attempt: Attempt): Promise<string> {
  const { action, inputs, stack = STACK, files = {} } = attempt;
  step = new ActionStep(action, inputs, { env: { LINODE_API_URL: api.url } });
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
  return message;
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
  const secrets = ['linode-token', 'ssh-private-key', 'app-secrets', 'headers']
    .flatMap((name) => (inputs[name] ?? '').split('\n'))
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
  ];

  it.each(actions)('that is no YAML: %s', async (_, attempt) => {
    const stack = replaced('us-ord', '[us-ord');
    expect(await refusal({ ...attempt, stack })).toBe('?');
    expect(api.requests).toEqual([]);
  });

  it.each(actions)('that is not there: %s', async (_, attempt) => {
    expect(await refusal({ ...attempt, stack: null })).toBe('?');
  });

  it.each<[string, string, string]>([
    ['an unknown key', `${STACK}bugdet: { monthly: 1 }\n`, '?'],
    ['an unknown key of the application', replaced('name: shop', 'name: shop, helth: {}'), '?'],
    ['an unknown tier', `${STACK}  databse: { count: 2 }\n`, '?'],
    ['a count that is none', replaced('count: 2', 'count: two'), '?'],
    ['no region', replaced('region: us-ord\n', ''), '?'],
    ['the same key twice', `${STACK}region: us-iad\n`, '?'],
    ['nothing in it', '', '?'],
    ['a list in it', '- shop\n', '?'],
    ['a text in it', 'shop\n', '?'],
  ])('with %s', async (_, stack, message) => {
    expect(await refusal({ ...provision('apply'), stack })).toBe(message);
    expect(api.requests).toEqual([]);
  });

  it.each<[string, string, string]>([
    ['an unknown type', replaced('g6-standard-1', 'g6-standard-11'), '?'],
    ['an unknown region', replaced('us-ord', 'us-orb'), '?'],
    ['a region without VPCs', replaced('us-ord', 'us-east'), '?'],
    ['a budget that is too small', `${STACK}budget: { monthly: 20 }\n`, '?'],
  ])('with %s', async (_, stack, message) => {
    expect(await refusal({ ...provision('apply'), stack })).toBe(message);
  });

  it('with a type that is sold out', async () => {
    const soldOut: ApiFault = { effect: { kind: 'capacity', type: 'g6-standard-1' } };
    api.faults.add(soldOut);
    expect(await refusal(provision('apply'))).toBe('?');
  });

  it('with a secret that the step was not given', async () => {
    const stack = replaced('name: shop', 'name: shop, secrets: [SESSION_KEY]');
    expect(await refusal({ ...applyConfigs(), stack })).toBe('?');
  });
});

describe('a token', () => {
  it.each(['plan', 'apply', 'destroy'])('that is wrong, for %s', async (mode) => {
    expect(await refusal(provision(mode, { 'linode-token': TOKENS.wrong.token }))).toBe('?');
  });

  it.each<[string, keyof typeof TOKENS, string]>([
    ['plan', 'withoutVpc', '?'],
    ['plan', 'withoutEvents', '?'],
    ['apply', 'withoutEvents', '?'],
    ['apply', 'reader', '?'],
    ['destroy', 'reader', '?'],
  ])('without a scope that %s needs: %s', async (mode, name, message) => {
    expect(await refusal(provision(mode, { 'linode-token': TOKENS[name].token }))).toBe(message);
  });

  it('that is missing', async () => {
    expect(await refusal(provision('plan', { 'linode-token': '' }))).toBe('?');
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
    expect(await refusal(provision(mode))).toBe(`?${id}`);
  });

  it('firewall under a label of ours', async () => {
    const rules = { inbound: [], outbound: [], inbound_policy: 'DROP', outbound_policy: 'ACCEPT' };
    const id = await make('networking/firewalls', { label: 'shop-app', rules });
    expect(await refusal(provision('apply'))).toBe(`?${id}`);
  });

  it('VPC under the name of ours', async () => {
    const id = await make('vpcs', { label: 'shop', region: 'us-ord' });
    expect(await refusal(provision('apply'))).toBe(`?${id}`);
  });
});

describe('an API', () => {
  it('that does not answer', async () => {
    const { action, inputs } = provision('apply');
    step = new ActionStep(action, inputs, { env: { LINODE_API_URL: 'http://127.0.0.1:1' } });
    step.write('perlstack.yml', STACK);
    const { code, output } = await step.run();
    expect(code).toBe(1);
    expect(errorsIn(output).map(({ message }) => message)).toEqual(['?']);
  });
});

describe('an inventory', () => {
  const users: [string, (inventory: string) => Attempt][] = [
    ['render-configs', (inventory) => renderConfigs({ inventory })],
    ['apply-configs', (inventory) => applyConfigs({ inventory })],
    ['rolling-deploy-starman', (inventory) => deploy({ inventory })],
  ];

  it.each(users)('that is no JSON: %s', async (_, attempt) => {
    expect(await refusal(attempt('shop\nweb-1'))).toBe('?');
  });
  it.each(users)('of another stack: %s', async (_, attempt) => {
    expect(await refusal(attempt(JSON.stringify({ ...INVENTORY, stack: 'blog' })))).toBe('?');
  });
  it.each(users)('that is missing: %s', async (_, attempt) => {
    expect(await refusal(attempt(''))).toBe('?');
  });

  const first = INVENTORY.hosts[0] as Inventory['hosts'][number];
  it.each<[string, unknown, string]>([
    ['a list', [], '?'],
    ['nothing', {}, '?'],
    [
      'a host without a host key',
      { ...INVENTORY, hosts: [{ ...first, ssh: { ...first.ssh, hostKeys: [] } }] },
      '?',
    ],
    [
      'a host that is reached through none',
      { ...INVENTORY, hosts: [{ ...first, ssh: { ...first.ssh, via: 'web-9' } }] },
      '?',
    ],
    ['no host', { ...INVENTORY, hosts: [] }, '?'],
    ['no web host', { ...INVENTORY, hosts: INVENTORY.hosts.slice(1) }, '?'],
  ])('with %s', async (_, inventory, message) => {
    expect(await refusal(deploy({ inventory: JSON.stringify(inventory) }))).toBe(message);
  });

  it('that is a folder', async () => {
    expect(await refusal(applyConfigs({ inventory: '.' }))).toBe('?');
  });
  it('without an application server, for the configuration', async () => {
    const inventory = JSON.stringify({ ...INVENTORY, hosts: INVENTORY.hosts.slice(0, 1) });
    expect(await refusal(applyConfigs({ inventory }))).toBe('?');
  });
});

describe('an input', () => {
  it.each<[string, Attempt, string]>([
    ['provision-linode-tier', provision('plan', { 'allow-deletes': 'true' }), '?'],
    ['render-configs', renderConfigs({ outputs: 'here' }), '?'],
    ['apply-configs', applyConfigs({ 'app-secret': 'SESSION_KEY=hunter2hunter2' }), '?'],
    ['rolling-deploy-starman', deploy({ strategie: 'drain' }), '?'],
    ['health-gate', healthGate({ url: 'http://127.0.0.1:1' }), '?'],
    ['rolling-deploy-starman', deploy({ 'dry-run': 'true' }), '?'],
  ])('that %s does not know', async (_, attempt, message) => {
    expect(await refusal(attempt)).toBe(message);
  });

  it.each<[string, Attempt, string]>([
    ['a mode', provision('aply'), '?'],
    ['a truth', provision('apply', { 'allow-delete': 'yes' }), '?'],
    ['a duration', provision('apply', { timeout: '15' }), '?'],
    ['a hash', deploy({ sha256: 'abc' }), '?'],
    ['a release', deploy({ release: 'Version 1' }), '?'],
    ['a release', deploy({ release: '../r1' }), '?'],
    ['an artifact', deploy({ artifact: 'none.tar.gz' }), '?'],
    ['a strategy', deploy({ strategy: 'blue-green' }), '?'],
    ['assignments', applyConfigs({ 'app-secrets': 'SESSION_KEY hunter2hunter2' }), '?'],
    ['URLs', healthGate({ urls: 'shop.example.com' }), '?'],
    ['probes', healthGate({ urls: '' }), '?'],
    ['an address and a port', healthGate({ tcp: '127.0.0.1' }), '?'],
    ['headers', healthGate({ headers: 'Bearer hunter2hunter2' }), '?'],
    ['status codes', healthGate({ status: 'ok' }), '?'],
    ['a whole number', healthGate({ successes: '0' }), '?'],
  ])('that is not %s', async (_, attempt, message) => {
    expect(await refusal(attempt)).toBe(message);
  });
});

describe('an SSH key', () => {
  const users: [string, (key: string) => Attempt][] = [
    ['provision-linode-tier', (key) => provision('apply', { 'ssh-private-key': key })],
    ['apply-configs', (key) => applyConfigs({ 'ssh-private-key': key })],
    ['rolling-deploy-starman', (key) => deploy({ 'ssh-private-key': key })],
  ];

  it.each(users)('that is none: %s', async (_, attempt) => {
    expect(await refusal(attempt('hunter2hunter2'))).toBe('?');
    expect(api.requests).toEqual([]);
  });
  it.each(users)('that is cut off: %s', async (_, attempt) => {
    expect(await refusal(attempt(KEY.split('\n').slice(0, -3).join('\n')))).toBe('?');
  });
  it.each(users)('that is a public key: %s', async (_, attempt) => {
    expect(await refusal(attempt(generateKeyPair().publicKey))).toBe('?');
  });
  it('that has a passphrase', async () => {
    step = undefined;
    const file = path.join(process.env['RUNNER_TEMP'] ?? '/tmp', `perlstack-key-${process.pid}`);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'hunter2', '-f', file]);
    expect(await refusal(applyConfigs({ 'ssh-private-key': readFileSync(file, 'utf8') }))).toBe('?');
  });
  it('that mode apply was not given', async () => {
    expect(await refusal(provision('apply', { 'ssh-private-key': '' }))).toBe('?');
  });
});

describe('an artifact', () => {
  it.each<[string, Member[], string]>([
    ['leads out by ..', [APP, { path: 'lib/../../etc/cron.d/x' }], '?'],
    ['holds an absolute path', [APP, { path: '/etc/cron.d/x' }], '?'],
    ['holds a symbolic link that leads out', [APP, { path: 'x', type: 'symlink', target: '../../etc' }], '?'],
    [
      'writes through a symbolic link',
      [APP, { path: 'x', type: 'symlink', target: 'lib' }, { path: 'x/y' }],
      '?',
    ],
    ['holds a hard link that leads out', [APP, { path: 'x', type: 'hardlink', target: '/etc/shadow' }], '?'],
    ['holds a device', [APP, { path: 'null', type: 'device' }], '?'],
    ['holds a pipe', [APP, { path: 'queue', type: 'pipe' }], '?'],
    ['has a folder around everything', [{ path: 'shop-1/app.psgi' }], '?'],
    ['lacks the application', [{ path: 'README' }], '?'],
    ['has a line break in a name', [APP, { path: '../a\nb' }], '?'],
  ])('that %s', async (_, members, message) => {
    expect(await refusal(deploy({}, rawTar(members)))).toBe(message);
  });

  const whole = rawTar([APP, { path: 'lib/Shop.pm', content: 'x'.repeat(9_000) }]);
  it.each<[string, Buffer, string]>([
    ['is no archive', Buffer.from('#!/bin/sh\n'), '?'],
    ['is empty', Buffer.alloc(0), '?'],
    ['is a zip file', Buffer.from('PK\u0003\u0004....'), '?'],
    ['was cut off', whole.subarray(0, whole.length / 2), '?'],
  ])('that %s', async (_, content, message) => {
    expect(await refusal(deploy({}, content))).toBe(message);
  });

  it.each(['apply', 'plan'])('that is not the one that was built, for %s', async (mode) => {
    const artifact = rawTar([APP]);
    const found = createHash('sha256').update(artifact).digest('hex');
    expect(await refusal(deploy({ mode, sha256: 'a'.repeat(64) }, artifact))).toBe(`?${found}`);
  });
});
