import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Access, GitFolder, type GitHubApi, type Repository, startGitHub } from '@perlstack/local-cloud';
import type * as Client from './client.js';
import { type DeploymentOptions, findDeployment, openDeployment, recordOf } from './deployment.js';

const source = new GitFolder();
const sha = source.commit({ 'app.psgi': '1;\n' });
const CREATOR = { login: 'github-actions[bot]', id: 1, type: 'Bot' } as const;
const RUN = 'https://github.com/acme/shop/actions/runs/42';

let api: GitHubApi;
let repository: Repository;
let connectGitHub: typeof Client.connectGitHub;
let warnings: string[];
const before = { ...process.env };

beforeAll(async () => {
  api = await startGitHub();
  // GitHub's library reads where its API is when it is loaded.
  Object.assign(process.env, { GITHUB_API_URL: api.url, GITHUB_REPOSITORY: 'acme/shop' });
  ({ connectGitHub } = await import('./client.js'));
});
beforeEach(() => {
  repository = api.addRepository('acme/shop', source.folder);
  warnings = [];
});
afterEach(() => api.faults.clear());
afterAll(async () => {
  process.env = before;
  await api.close();
  source.remove();
});

function options(access: Access = 'write'): DeploymentOptions {
  const token = api.issueToken('acme/shop', { contents: 'read', deployments: access });
  return {
    github: connectGitHub(token, { retryAfterMs: 1 }),
    ...{ environment: 'production', sha, runSha: sha, runUrl: RUN, description: 'release r1' },
    mark: 'mark-1',
    environmentUrl: 'https://shop.example.com',
    onWarning: (message) => warnings.push(message),
  };
}

const states = (): unknown[] =>
  repository.deployments.map(({ environment, statuses }) => [
    environment,
    ...statuses.map(({ state }) => state),
  ]);

describe('a deployment', () => {
  it.each([
    ['succeeded', 'success'],
    ['rolled-back', 'failure'],
    ['failed', 'failure'],
    ['cancelled', 'error'],
  ] as const)('that %s is shown as %s', async (outcome, state) => {
    const record = await openDeployment(options());
    await record.finish(outcome, 'x'.repeat(200));
    expect(states()).toEqual([['production', 'in_progress', state]]);
    const [made] = repository.deployments;
    expect(made).toMatchObject({ id: record.id, sha, description: 'release r1' });
    expect(made?.statuses.at(-1)).toMatchObject({
      ...{ logUrl: RUN, environmentUrl: 'https://shop.example.com' },
      description: `${'x'.repeat(139)}…`,
    });
    expect(warnings).toEqual([]);
  });

  it('is not made twice where GitHub made one for the job', async () => {
    const own = repository.deploy({
      ...{ sha, ref: 'main', task: 'deploy', environment: 'production', description: null, payload: {} },
      ...{ transient: false, production: true, creator: CREATOR },
    });
    const status = { state: 'in_progress', description: '', environmentUrl: '', creator: CREATOR } as const;
    repository.setStatus(own, { ...status, logUrl: `${RUN}/job/7` }, true);
    const record = await openDeployment(options());
    await record.finish('succeeded', 'release r1');
    expect(record.id).toBeNull();
    expect(states()).toEqual([['production', 'in_progress']]);
  });

  it('of the commit that is gone back to is not made either where GitHub made one for the job', async () => {
    const old = source.commit({ 'app.psgi': '2;\n' });
    const own = repository.deploy({
      ...{ sha, ref: 'main', task: 'deploy', environment: 'production', description: null, payload: {} },
      ...{ transient: false, production: true, creator: CREATOR },
    });
    const status = { state: 'in_progress', description: '', environmentUrl: '', creator: CREATOR } as const;
    repository.setStatus(own, { ...status, logUrl: `${RUN}/job/7` }, true);
    expect((await openDeployment({ ...options(), sha: old })).id).toBeNull();
    expect((await openDeployment({ ...options(), sha: old, runUrl: `${RUN}0` })).id).not.toBeNull();
    expect(repository.deployments.at(-1)).toMatchObject({ sha: old });
  });

  it('of another run is no reason not to make one', async () => {
    const record = await openDeployment({ ...options(), runUrl: `${RUN}0` });
    await record.finish('succeeded', 'r1');
    await (await openDeployment(options())).finish('succeeded', 'r2');
    expect(states()).toEqual([
      ['production', 'in_progress', 'success', 'inactive'],
      ['production', 'in_progress', 'success'],
    ]);
  });

  it('is made again by another attempt of the same run', async () => {
    await (await openDeployment(options())).finish('failed', 'app-2 is gone');
    await (await openDeployment(options())).finish('succeeded', 'release r1');
    expect(states()).toEqual([
      ['production', 'in_progress', 'failure'],
      ['production', 'in_progress', 'success'],
    ]);
  });

  it('that main left open can be found and closed by post, whatever main heard of it', async () => {
    expect(await findDeployment(options())).toBeNull();
    const { id } = await openDeployment(options());
    await openDeployment({ ...options(), mark: 'of another job' });
    expect(await findDeployment(options())).toBe(id);
    await recordOf(options(), id ?? 0).finish('cancelled', 'the run was killed');
    expect(states()).toEqual([
      ['production', 'in_progress', 'error'],
      ['production', 'in_progress'],
    ]);
    expect(await findDeployment(options('none'))).toBeNull();
    expect(warnings).toEqual([expect.stringMatching(/^Whether a deployment on GitHub was left open/)]);
  });

  it.each<[string, Access, RegExp]>([
    [
      'without the right',
      'none',
      /^No deployment is shown on GitHub: .* add "deployments: write" to the permissions of the job$/,
    ],
    ['with the right to read', 'read', /^No deployment is shown on GitHub: .*add "deployments: write"/],
  ])('%s is a warning, and the deploy goes on', async (_what, access, warning) => {
    const record = await openDeployment(options(access));
    await record.finish('succeeded', 'r1');
    expect(warnings).toEqual([expect.stringMatching(warning)]);
  });

  it('whose end cannot be told is a warning too', async () => {
    const record = await openDeployment(options());
    repository.deployments.length = 0;
    await record.finish('succeeded', 'r1');
    expect(warnings).toEqual([expect.stringMatching(/^The deployment on GitHub is not up to date: /)]);
  });
});
