import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type GitHubApi, pullRequestPayload, type Repository, startGitHub } from '../github/index.js';
import type { WorkflowRun } from './results.js';
import { jobOf, stepOf, TestRepository } from './testing/repository.js';

// Every test here starts processes, on a machine that may be busy.
jest.setTimeout(60_000);

let folder: TestRepository;
let api: GitHubApi;
let remote: Repository;
let base: string;
let head: string;

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=shop', '-c', 'user.email=shop@example.com', ...args], {
    cwd: folder.folder,
    encoding: 'utf8',
  }).trim();

function commit(files: Record<string, string>, message: string): string {
  folder.write(files);
  git('add', '.');
  git('commit', '--quiet', '--message', message);
  return git('rev-parse', 'HEAD');
}

beforeEach(async () => {
  folder = new TestRepository();
  git('init', '--quiet', '--initial-branch=main');
  base = commit({ 'perlstack.yml': 'stack: shop\n' }, 'Base');
  git('switch', '--quiet', '--create', 'change');
  head = commit({ 'perlstack.yml': 'stack: shop2\n' }, 'Head');
  api = await startGitHub();
  remote = api.addRepository('acme/shop', folder.folder);
});
afterEach(async () => {
  await api.close();
  folder.remove();
});

/** Comments on its own pull request with the token of the job, and prints the answer's status. */
const COMMENT = `curl --silent --output /dev/null --write-out 'answer %{http_code}' \
--header "Authorization: Bearer $TOKEN" --data '{"body":"Hello"}' \
"$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/\${{ github.event.number }}/comments"`;

const workflow = (permissions: string, on = 'pull_request:'): string => `on: { ${on} }
jobs:
  job:
    runs-on: ubuntu-latest
${permissions.replace(/^(?=.)/gm, '    ')}
    steps:
      - id: comment
        env: { TOKEN: '\${{ github.token }}' }
        run: |
          ${COMMENT}
          echo " $GITHUB_BASE_REF<$GITHUB_HEAD_REF $GITHUB_REF secret=\${{ secrets.KEY != '' }} same=\${{ github.token == secrets.GITHUB_TOKEN }}"
`;

function pull(options: {
  fork?: boolean;
  text: string;
  action?: 'opened' | 'synchronize';
}): Promise<WorkflowRun> {
  const tip = { ref: 'main', sha: base, repository: 'acme/shop' };
  const from = options.fork ? 'mallory/shop' : 'acme/shop';
  const opened = remote.open(tip, { ref: 'change', sha: head, repository: from });
  return folder.run(options.text, {
    event: 'pull_request',
    payload: pullRequestPayload(remote, opened, options.action),
    env: { GITHUB_API_URL: api.url },
    secrets: { KEY: 'hunter2hunter2' },
    jobToken: (permissions) => api.issueToken('acme/shop', permissions),
  });
}

describe('a pull request', () => {
  it.each<[string, string, boolean, string]>([
    ['may be commented with the right to', 'permissions: { pull-requests: write }', false, 'answer 201'],
    ['may not without it', 'permissions: { contents: read }', false, 'answer 403'],
    ['may not by default', '', false, 'answer 403'],
    ['from a fork is only read', 'permissions: { pull-requests: write }', true, 'answer 403'],
  ])('%s', async (_, permissions, fork, answer) => {
    const run = await pull({ text: workflow(permissions), fork });
    const { log } = stepOf(jobOf(run, 'job'), 'comment');
    expect(log).toContain(answer);
    expect(log).toContain(`main<change refs/pull/1/merge secret=${!fork} same=true`);
    expect(remote.comments).toHaveLength(answer === 'answer 201' ? 1 : 0);
  });

  it.each<[string, string]>([
    ['paths', 'pull_request: { paths: [perlstack.yml] }'],
    ['branches', 'pull_request: { branches: [main] }'],
    ['types', 'pull_request: { types: [synchronize] }'],
  ])('starts what listens to its %s', async (_, on) => {
    expect((await pull({ text: workflow('', on) })).conclusion).toBe('success');
  });

  it.each<[string, string]>([
    ['paths', 'pull_request: { paths: ["app/**"] }'],
    ['paths-ignore', 'pull_request: { paths-ignore: ["*.yml", ".github/**"] }'],
    ['branches', 'pull_request: { branches-ignore: [main] }'],
    ['types', 'pull_request: { types: [closed] }'],
  ])('does not start what listens to other %s', async (_, on) => {
    await expect(pull({ text: workflow('', on) })).rejects.toThrow(
      /the workflow is not started by .*: see its on\.pull_request/,
    );
  });

  it('shows its token to nobody who prints it', async () => {
    const text = workflow('permissions: { contents: read }').replace(COMMENT, 'echo "it is $TOKEN"');
    const run = await pull({ text });
    expect(stepOf(jobOf(run, 'job'), 'comment').log).toContain('it is ***');
  });
});
