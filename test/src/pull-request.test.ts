import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  ACTIONS_BOT,
  type GitHubApi,
  type Permissions,
  pullRequestPayload,
  type Repository,
  startGitHub,
} from '@perlstack/local-cloud';
import type { Inventory } from '@perlstack/stack';
import { ActionStep, type Ended, errorsIn } from './action-step.js';

// Every test here starts processes, on a machine that may be busy.
jest.setTimeout(60_000);

const STACK = `stack: shop
region: us-ord
app: { name: shop, secrets: [SESSION_KEY] }
tiers:
  web: { type: g6-nanode-1, count: 2 }
  app: { type: g6-standard-1, count: 1 }
`;
const HARDENED = STACK.replace('secrets:', 'limits: { body: 1MiB }, secrets:');
const MARKER = '<!-- perlstack:render-configs:shop -->';

const INVENTORY: Inventory = {
  stack: 'shop',
  hosts: ['web-1', 'web-2', 'app-1'].map((name, index) => ({
    name,
    tier: name.slice(0, 3),
    publicAddress: `203.0.113.${index + 1}`,
    privateAddress: `10.10.0.${index + 2}`,
    ssh: { address: '127.0.0.1', port: 1, user: 'deploy', hostKeys: [`SHA256:${'A'.repeat(43)}`], via: null },
    ...{ memoryMiB: 2048, vcpus: 1, diskMiB: 51_200, placement: null, linodeId: null },
  })),
};

let api: GitHubApi;
let folder: string;
let repository: Repository;
const steps: ActionStep[] = [];

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=shop', '-c', 'user.email=shop@example.com', ...args], {
    cwd: folder,
    encoding: 'utf8',
  }).trim();

/** Commits files; `null` removes one. */
function commit(files: Readonly<Record<string, string | null>>): string {
  for (const [name, text] of Object.entries(files)) {
    if (text === null) rmSync(path.join(folder, name));
    else writeFileSync(path.join(folder, name), text);
  }
  git('add', '--all');
  git('commit', '--quiet', '--allow-empty', '--message', 'Change');
  return git('rev-parse', 'HEAD');
}

beforeEach(async () => {
  api = await startGitHub();
  folder = mkdtempSync(path.join(tmpdir(), 'perlstack-pull-'));
  git('init', '--quiet', '--initial-branch=main');
  repository = api.addRepository('acme/shop', folder);
});
afterEach(async () => {
  steps.splice(0).forEach((one) => one.remove());
  rmSync(folder, { recursive: true });
  await api.close();
});

const COMMENTER: Permissions = { contents: 'read', 'pull-requests': 'write' };

interface Push {
  readonly base: string;
  /** The stack file of the head. */
  readonly stack: string;
  readonly permissions?: Permissions;
  readonly fork?: boolean;
  readonly number?: number;
  readonly inputs?: Readonly<Record<string, string>>;
}

/** Renders the head of a pull request. */
async function render({ base, stack, permissions = COMMENTER, fork = false, number, inputs = {} }: Push) {
  const head = {
    ref: 'change',
    sha: 'c0ffee'.padEnd(40, '0'),
    repository: fork ? 'mallory/shop' : 'acme/shop',
  };
  const pull =
    number === undefined
      ? repository.open({ ref: 'main', sha: base, repository: 'acme/shop' }, head)
      : { number, base: { ref: 'main', sha: base, repository: 'acme/shop' }, head };
  const event = path.join(folder, '.git/event.json');
  writeFileSync(event, JSON.stringify(pullRequestPayload(repository, pull)));
  const token = api.issueToken('acme/shop', permissions);
  const step = new ActionStep(
    'render-configs',
    { inventory: JSON.stringify(INVENTORY), 'github-token': token, ...inputs },
    { env: { GITHUB_API_URL: api.url, GITHUB_EVENT_PATH: event, GITHUB_EVENT_NAME: 'pull_request' } },
  );
  steps.push(step);
  step.write('perlstack.yml', stack);
  step.write('inventory.json', JSON.stringify(INVENTORY));
  const ended = await step.run();
  const said = [
    ended.output,
    ...Object.values(step.written()),
    ...repository.comments.map(({ body }) => body),
  ];
  expect(said.join('\n')).not.toContain(token);
  return { ...ended, step, number: pull.number, outputs: step.entries('OUTPUT') };
}

const bodies = (): string[] => repository.comments.map(({ body }) => body);
const noError = ({ output }: Ended): void => expect(errorsIn(output)).toEqual([]);

describe('render-configs in a pull request', () => {
  it('shows what changes, in one comment that it keeps up to date', async () => {
    const base = commit({ 'perlstack.yml': STACK });
    const first = await render({ base, stack: HARDENED });
    noError(first);
    expect(first.outputs['changed']).toBe('true');
    expect(bodies()).toHaveLength(1);
    const [body = ''] = bodies();
    expect(body.startsWith(`${MARKER}\n### Configuration of shop\n`)).toBe(true);
    expect(body).toMatch(/1 file differs from main, on 2 servers\./);
    expect(body).toMatch(/\(web-1, web-2\)<\/summary>\n\n```diff\n/);
    expect(body).toMatch(/^\+ *client_max_body_size 1m;$/m);
    expect(body).toContain('https://github.com/acme/shop/actions/runs/1');
    expect(readFileSync(first.outputs['diff'] ?? '', 'utf8')).toContain('# web-2\n');

    const second = await render({ base, stack: HARDENED.replace('1MiB', '2MiB'), number: first.number });
    noError(second);
    expect(bodies()).toHaveLength(1);
    expect(bodies()[0]).toMatch(/^\+ *client_max_body_size 2m;$/m);

    const third = await render({ base, stack: STACK, number: first.number });
    expect(third.outputs['changed']).toBe('false');
    expect(bodies()).toHaveLength(1);
    expect(bodies()[0]).toContain("No server's configuration differs from main.");
    expect(api.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  it('says nothing where nothing changes', async () => {
    const run = await render({ base: commit({ 'perlstack.yml': STACK }), stack: STACK });
    noError(run);
    expect([run.outputs['changed'], bodies()]).toEqual(['false', []]);
  });

  it('takes everything for new where the base has no stack file', async () => {
    const run = await render({ base: commit({ README: 'x' }), stack: STACK });
    noError(run);
    expect(run.output).toContain('::notice::There is no perlstack.yml of main: everything is new');
    expect(bodies()[0]).toMatch(/\| added +\|/);
    expect(bodies()[0]?.length).toBeLessThanOrEqual(65_536);
  });

  it('and where the base is broken, which the pull request may be there to mend', async () => {
    const run = await render({ base: commit({ 'perlstack.yml': 'stack: [' }), stack: STACK });
    noError(run);
    expect(run.output).toMatch(
      /::notice::The configuration of main can't be rendered, so everything counts as new/,
    );
  });

  it('compares with the inventory of the base, where it is kept in the repository', async () => {
    const [moved, ...others] = INVENTORY.hosts;
    if (!moved) throw new Error('There is no host');
    const old = { ...INVENTORY, hosts: [...others, { ...moved, privateAddress: '10.10.0.99' }] };
    const base = commit({ 'perlstack.yml': STACK, 'inventory.json': JSON.stringify(old) });
    const same = await render({ base, stack: STACK });
    expect(same.outputs['changed']).toBe('false');
    const run = await render({ base, stack: STACK, inputs: { inventory: 'inventory.json' } });
    noError(run);
    expect(run.outputs['changed']).toBe('true');
    expect(bodies()[0]).toContain('10.10.0.99');
  });

  it('compares with a file instead, where it is named', async () => {
    const run = await render({
      base: commit({ README: 'x' }),
      stack: HARDENED,
      inputs: { base: 'perlstack.yml' },
    });
    noError(run);
    expect(run.outputs['changed']).toBe('false');
  });

  it.each<[string, Permissions, string]>([
    ['pull-requests: write', { contents: 'read' }, 'read the comments'],
    ['pull-requests: write', { contents: 'read', 'pull-requests': 'read' }, 'comment'],
    ['contents: read', { 'pull-requests': 'write' }, 'read perlstack.yml at'],
  ])('names the permission "%s" that is missing', async (permission, permissions, what) => {
    const run = await render({ base: commit({ 'perlstack.yml': STACK }), stack: HARDENED, permissions });
    const [error] = errorsIn(run.output);
    expect([run.code, errorsIn(run.output).length]).toEqual([1, 1]);
    expect(error?.message).toContain(`GitHub did not let this run ${what}`);
    expect(error?.message).toContain(`add "${permission}" to the permissions of the job`);
    expect(bodies()).toEqual([]);
  });

  it('leaves it at the summary in a pull request from a fork', async () => {
    const base = commit({ 'perlstack.yml': STACK });
    const permissions = { contents: 'read', 'pull-requests': 'read' } as const;
    const run = await render({ base, stack: HARDENED, permissions, fork: true });
    noError(run);
    expect(run.code).toBe(0);
    expect(run.output).toContain('::notice::A pull request from a fork has a token that only reads');
    expect(run.step.runnerFile('STEP_SUMMARY')).toMatch(/^\+ *client_max_body_size 1m;$/m);
    expect(bodies()).toEqual([]);
  });

  it('asks nothing of GitHub without a token', async () => {
    const run = await render({ base: commit({}), stack: HARDENED, inputs: { 'github-token': '' } });
    noError(run);
    expect([run.outputs['changed'], api.requests]).toEqual([undefined, []]);
  });

  it('tells of its failure by its reason, and only reads are tried again', async () => {
    api.faults.add({ fault: 'secondary rate limit', method: 'POST' });
    const run = await render({ base: commit({ 'perlstack.yml': STACK }), stack: HARDENED });
    expect(errorsIn(run.output)[0]?.message).toMatch(/secondary rate limit.*run the job again after 60 s$/);
    expect(run.outputs['digest']).toMatch(/^[0-9a-f]{64}$/);
  });

  it('does not take for its own what others wrote', async () => {
    const base = commit({ 'perlstack.yml': STACK });
    const { number } = await render({ base, stack: STACK });
    repository.comment(number, { login: 'mallory', id: 9, type: 'User' }, `${MARKER}\nAll is fine`);
    noError(await render({ base, stack: HARDENED, number }));
    expect(repository.comments.map(({ author }) => author.login)).toEqual(['mallory', ACTIONS_BOT.login]);
    expect(bodies()[0]).toBe(`${MARKER}\nAll is fine`);
  });
});
