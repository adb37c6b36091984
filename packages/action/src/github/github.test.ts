import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type Access,
  ACTIONS_BOT,
  GitFolder,
  type GitHubApi,
  type Repository,
  startGitHub,
} from '@perlstack/local-cloud';
import { UserError } from '@perlstack/stack';
import type * as Client from './client.js';
import { keepComment } from './comment.js';

const MONA = { login: 'mona', id: 7, type: 'User' } as const;
const MARKER = '<!-- perlstack:test:shop -->';

const source = new GitFolder();
const sha = source.commit({ 'perlstack.yml': 'stack: shöp\n' });

let api: GitHubApi;
let repository: Repository;
let connectGitHub: typeof Client.connectGitHub;
let number: number;
const before = { ...process.env };

beforeAll(async () => {
  api = await startGitHub();
  // GitHub's library reads where its API is when it is loaded.
  Object.assign(process.env, { GITHUB_API_URL: api.url, GITHUB_REPOSITORY: 'acme/shop' });
  ({ connectGitHub } = await import('./client.js'));
});
beforeEach(() => {
  repository = api.addRepository('acme/shop', source.folder);
  const tip = { ref: 'main', sha, repository: 'acme/shop' };
  ({ number } = repository.open(tip, tip));
  api.requests.length = 0;
});
afterEach(() => api.faults.clear());
afterAll(async () => {
  process.env = before;
  await api.close();
  source.remove();
});

const connected = (pulls: Access = 'write', contents: Access = 'read'): Client.GitHub =>
  connectGitHub(api.issueToken('acme/shop', { contents, 'pull-requests': pulls }), { retryAfterMs: 1 });

/** What is said of a call that fails: nothing but a user's error, in which the token is nowhere. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UserError)) throw new Error('It was not refused', { cause: error });
  expect(error.cause).toBeUndefined();
  expect(`${error.stack}${JSON.stringify(error)}`).not.toMatch(/gh[sp]_/);
  return error.message;
}

describe('fileAt', () => {
  it('reads a file of a commit', async () =>
    expect(await connected().fileAt('perlstack.yml', sha)).toBe('stack: shöp\n'));
  it('gives null for one that the commit does not have', async () =>
    expect(await connected().fileAt('conf/perlstack.yml', sha)).toBeNull());
  it('refuses a folder', async () => {
    const commit = source.commit({ 'conf/perlstack.yml': 'stack: shop\n' });
    expect(await refusal(connected().fileAt('conf', commit))).toBe(
      'GitHub has no plain file of less than 1 MiB as conf at the base of the pull request',
    );
  });
  it('tells a file that is not there from a commit that the token does not see', async () => {
    const message = await refusal(connected().fileAt('perlstack.yml', '0'.repeat(40)));
    expect(message).toBe(
      'GitHub did not let this run read commit 000000000000 (404: Not Found): the token does not see it; hand over one of this repository, with "contents: read" among the permissions of the job',
    );
  });
  it('names the permission that is missing', async () =>
    expect(await refusal(connected('write', 'none').fileAt('perlstack.yml', sha))).toBe(
      `GitHub did not let this run read perlstack.yml at ${sha.slice(0, 12)} (403: Resource not accessible by integration): add "contents: read" to the permissions of the job`,
    ));
  it('tries again when GitHub stumbles', async () => {
    api.faults.add({ fault: 'bad gateway', times: 2 });
    expect(await connected().fileAt('perlstack.yml', sha)).toBe('stack: shöp\n');
    expect(api.requests.map(({ status }) => status)).toEqual([502, 502, 200]);
  });
  it('asks again where no answer comes, and says so in the end', async () => {
    const impatient = (): Client.GitHub => {
      const token = api.issueToken('acme/shop', { contents: 'read' });
      return connectGitHub(token, { retryAfterMs: 1, answerMs: 300 });
    };
    api.faults.add({ fault: 'silence', times: 1 });
    expect(await impatient().fileAt('perlstack.yml', sha)).toBe('stack: shöp\n');
    api.faults.add({ fault: 'silence' });
    expect(await refusal(impatient().fileAt('perlstack.yml', sha))).toMatch(
      /^GitHub did not let this run read .* \(no answer: .*\): run the job again$/,
    );
  });
  it('gives up in the end', async () => {
    api.faults.add({ fault: 'server error' });
    expect(await refusal(connected().fileAt('perlstack.yml', sha))).toMatch(
      /\(500: Server Error\): run the job again$/,
    );
    expect(api.requests).toHaveLength(3);
  });
});

describe('keepComment', () => {
  const keep = (body: string, make = true, github = connected()) =>
    keepComment(github, number, { marker: MARKER, body, make });
  const bodies = (): string[] => repository.comments.map(({ body }) => body);

  it('makes one comment and updates it in its place', async () => {
    expect(await keep('one')).toBe('created');
    expect(await keep('two')).toBe('updated');
    expect(await keep('two')).toBe('unchanged');
    expect(bodies()).toEqual([`${MARKER}\ntwo`]);
    expect(api.requests.map(({ method }) => method)).toEqual(['GET', 'POST', 'GET', 'PATCH', 'GET']);
  });

  it('makes none where there is nothing to say', async () => {
    expect(await keep('nothing', false)).toBe('none');
    expect(await keep('something')).toBe('created');
    expect(await keep('nothing', false)).toBe('updated');
    expect(bodies()).toEqual([`${MARKER}\nnothing`]);
  });

  it('finds its comment behind many others, and leaves those of others alone', async () => {
    repository.comment(number, MONA, `${MARKER}\nwritten by a person`);
    repository.comment(number, ACTIONS_BOT, `Somebody quotes ${MARKER}`);
    for (let index = 0; index < 230; index += 1) repository.comment(number, MONA, `${index}`);
    repository.comment(number, ACTIONS_BOT, `${MARKER}\nold`);
    expect(await keep('new')).toBe('updated');
    expect(bodies().filter((body) => body.includes(MARKER))).toEqual([
      `${MARKER}\nwritten by a person`,
      `Somebody quotes ${MARKER}`,
      `${MARKER}\nnew`,
    ]);
  });

  it('knows the comment of the person whose token it is', async () => {
    const github = connectGitHub(api.issueToken('acme/shop', {}, MONA));
    expect(await keep('one', true, github)).toBe('created');
    expect(await keep('two', true, github)).toBe('updated');
    expect(bodies()).toEqual([`${MARKER}\ntwo`]);
  });

  it.each<[string, Access, string]>([
    ['to read', 'none', 'read the comments'],
    ['to write', 'read', 'comment'],
  ])('names the permission that is missing %s', async (_, access, what) => {
    expect(await refusal(keep('one', true, connected(access)))).toBe(
      `GitHub did not let this run ${what} (403: Resource not accessible by integration): add "pull-requests: write" to the permissions of the job`,
    );
    expect(bodies()).toEqual([]);
  });

  it('does not write twice where the answer is lost', async () => {
    api.faults.add({ fault: 'bad gateway', method: 'POST', times: 1 });
    expect(await refusal(keep('one'))).toBe(
      'GitHub did not let this run comment (502: no reason given): run the job again',
    );
    expect(api.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  it.each([
    ['rate limit', /\(403: API rate limit exceeded .*\): run the job again after \d{4}-\d\d-\d\dT/],
    ['secondary rate limit', /secondary rate limit.*\): run the job again after 60 s$/],
  ] as const)('takes a %s for no missing permission', async (fault, message) => {
    api.faults.add({ fault });
    expect(await refusal(keep('one'))).toMatch(message);
  });

  it('says that a token is none', async () =>
    expect(await refusal(keep('one', true, connectGitHub('ghs_none')))).toBe(
      'GitHub did not let this run read the comments (401: Bad credentials): hand over ${{ github.token }} as the input "github-token"',
    ));
});
