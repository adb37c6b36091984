import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import type { Excerpt } from './excerpt.js';
import { excerptOf } from './excerpt.js';
import { GitFolder } from './git-folder.js';
import { type GitHubApi, type Repository, startGitHub } from './index.js';
import { OPERATIONS, type Operation } from './operations.js';
import { ROUTES } from './server.js';

const excerpt = JSON.parse(readFileSync(join(import.meta.dirname, 'openapi.json'), 'utf8')) as Excerpt;

/** GitHub's own description of its answers. */
const ajv = new Ajv({ strict: false, allErrors: true });
(createRequire(import.meta.url)('ajv-formats') as (to: Ajv) => void)(ajv);
const addresses = { definitions: excerpt.definitions };

/** What a body has that GitHub's description does not allow. */
function faultsIn(operation: Operation, status: number, body: unknown): unknown[] {
  const schema = excerpt.operations[operation]?.responses[status];
  if (schema === undefined) return [`${operation} has no answer ${status}`];
  const validate = ajv.compile({ ...addresses, allOf: [schema] });
  return validate(body) ? [] : (validate.errors ?? []);
}

let source: GitFolder;
let api: GitHubApi;
let repository: Repository;
let number: number;
let sha: string;

beforeEach(async () => {
  source = new GitFolder();
  sha = source.commit({ 'perlstack.yml': 'stack: shop\n# ünïcode\n' });
  api = await startGitHub();
  repository = api.addRepository('acme/shop', source.folder);
  const tip = { ref: 'main', sha, repository: 'acme/shop' };
  ({ number } = repository.open(tip, { ...tip, ref: 'change' }));
});
afterEach(async () => {
  await api.close();
  source.remove();
});

interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

async function call(token: string, method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(api.url + path, {
    method,
    headers: { authorization: `token ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json');
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
}

const writer = (): string =>
  api.issueToken('acme/shop', { contents: 'read', 'pull-requests': 'write', deployments: 'write' });
const person = (): string => api.issueToken('acme/shop', {}, { login: 'mona', id: 7, type: 'User' });

describe('answers are those that GitHub describes', () => {
  it('for every call that is simulated', async () => {
    const token = writer();
    const comments = `/repos/acme/shop/issues/${number}/comments`;
    const made = await call(token, 'POST', comments, { body: 'Me too' });
    const { id } = made.body as { id: number };
    const seen: [Operation, Reply][] = [
      ['POST /repos/{owner}/{repo}/issues/{issue_number}/comments', made],
      ['GET /repos/{owner}/{repo}/issues/{issue_number}/comments', await call(token, 'GET', comments)],
      [
        'PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}',
        await call(token, 'PATCH', `/repos/acme/shop/issues/comments/${id}`, { body: 'New' }),
      ],
      [
        'GET /repos/{owner}/{repo}/contents/{path}',
        await call(token, 'GET', `/repos/acme/shop/contents/perlstack.yml?ref=${sha}`),
      ],
      [
        'GET /repos/{owner}/{repo}/git/commits/{commit_sha}',
        await call(token, 'GET', `/repos/acme/shop/git/commits/${sha}`),
      ],
      ['GET /user', await call(person(), 'GET', '/user')],
      ...(await deploymentCalls(token)),
    ];
    for (const [operation, { status, body }] of seen) {
      expect([operation, Math.floor(status / 100), faultsIn(operation, status, body)]).toEqual([
        operation,
        2,
        [],
      ]);
    }
    expect(seen.map(([operation]) => operation).sort()).toEqual([...OPERATIONS].sort());
    expect(ROUTES.map(({ operation }) => operation).sort()).toEqual([...OPERATIONS].sort());
  });

  async function deploymentCalls(token: string): Promise<[Operation, Reply][]> {
    const deployments = '/repos/acme/shop/deployments';
    const made = await call(token, 'POST', deployments, { ref: sha, required_contexts: [] });
    const statuses = `${deployments}/${(made.body as { id: number }).id}/statuses`;
    const status = {
      state: 'success',
      log_url: 'https://ci.example/1',
      environment_url: 'https://shop.example',
    };
    return [
      ['POST /repos/{owner}/{repo}/deployments', made],
      [
        'POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses',
        await call(token, 'POST', statuses, status),
      ],
      ['GET /repos/{owner}/{repo}/deployments', await call(token, 'GET', `${deployments}?sha=${sha}`)],
      ['GET /repos/{owner}/{repo}/deployments/{deployment_id}/statuses', await call(token, 'GET', statuses)],
    ];
  }

  it.each<[string, Operation, string, string, unknown, number]>([
    [
      'a ref that is not there',
      'POST /repos/{owner}/{repo}/deployments',
      'POST',
      '/deployments',
      { ref: 'none', required_contexts: [] },
      422,
    ],
    [
      'no right',
      'POST /repos/{owner}/{repo}/issues/{issue_number}/comments',
      'POST',
      '/issues/1/comments',
      { body: 'x' },
      403,
    ],
    [
      'nothing there',
      'GET /repos/{owner}/{repo}/contents/{path}',
      'GET',
      '/contents/none.yml',
      undefined,
      404,
    ],
    [
      'an unknown commit',
      'GET /repos/{owner}/{repo}/git/commits/{commit_sha}',
      'GET',
      '/git/commits/abc',
      undefined,
      404,
    ],
  ])('for %s', async (_, operation, method, path, body, status) => {
    const token = api.issueToken('acme/shop', { contents: 'read', deployments: 'write' });
    const answer = await call(token, method, `/repos/acme/shop${path}`, body);
    expect([answer.status, faultsIn(operation, answer.status, answer.body)]).toEqual([status, []]);
  });

  it('and the description is able to refuse one', () => {
    expect(
      faultsIn('GET /repos/{owner}/{repo}/issues/{issue_number}/comments', 200, [{ id: '1' }]),
    ).not.toEqual([]);
  });
});

describe('contents', () => {
  it('of a folder are a list', async () => {
    source.commit({ 'conf/a.yml': 'a' });
    const { status, body } = await call(writer(), 'GET', '/repos/acme/shop/contents/conf');
    expect(faultsIn('GET /repos/{owner}/{repo}/contents/{path}', status, body)).toEqual([]);
    expect(body).toMatchObject([{ type: 'file', path: 'conf/a.yml' }]);
  });
  it('are those of the commit that is asked for', async () => {
    source.commit({ 'perlstack.yml': 'stack: other\n' });
    const text = async (ref: string): Promise<string> => {
      const { body } = await call(writer(), 'GET', `/repos/acme/shop/contents/perlstack.yml?ref=${ref}`);
      return Buffer.from((body as { content: string }).content, 'base64').toString();
    };
    expect([await text(sha), await text('main')]).toEqual(['stack: shop\n# ünïcode\n', 'stack: other\n']);
  });
});

describe('deployments', () => {
  const deploy = async (environment: string, state: string): Promise<number> => {
    const token = writer();
    const made = await call(token, 'POST', '/repos/acme/shop/deployments', {
      ref: 'main',
      environment,
      required_contexts: [],
    });
    const { id } = made.body as { id: number };
    await call(token, 'POST', `/repos/acme/shop/deployments/${id}/statuses`, { state });
    return id;
  };
  const states = (): (string | undefined)[] =>
    repository.deployments.map(({ statuses }) => statuses.at(-1)?.state);

  it('that succeed make the earlier ones of their environment inactive, where that is no production', async () => {
    await deploy('staging', 'success');
    await deploy('production', 'success');
    await deploy('staging', 'failure');
    expect(states()).toEqual(['success', 'success', 'failure']);
    await deploy('staging', 'success');
    await deploy('production', 'success');
    expect(states()).toEqual(['inactive', 'success', 'failure', 'success', 'success']);
  });

  it('are found by commit and environment, the latest first', async () => {
    const ids = [await deploy('production', 'success'), await deploy('production', 'success')];
    await deploy('staging', 'success');
    const { body } = await call(
      writer(),
      'GET',
      `/repos/acme/shop/deployments?sha=${sha}&environment=production`,
    );
    expect((body as { id: number }[]).map(({ id }) => id)).toEqual(ids.reverse());
  });

  it('wait for the checks of the commit, unless told not to: those of the very job are pending', async () => {
    const answer = await call(writer(), 'POST', '/repos/acme/shop/deployments', { ref: 'main' });
    expect(answer).toMatchObject({ status: 409, body: { message: expect.stringMatching(/^Conflict: /) } });
  });

  it('take no state that GitHub does not know', async () => {
    const id = await deploy('production', 'success');
    const answer = await call(writer(), 'POST', `/repos/acme/shop/deployments/${id}/statuses`, {
      state: 'cancelled',
    });
    expect(answer.status).toBe(422);
  });
});

describe('comments', () => {
  const path = (): string => `/repos/acme/shop/issues/${number}/comments`;

  it('come in pages that are linked', async () => {
    for (let index = 0; index < 7; index += 1)
      repository.comment(number, { login: 'mona', id: 7, type: 'User' }, `${index}`);
    const bodies: string[] = [];
    let next: string | undefined = `${path()}?per_page=3`;
    while (next !== undefined) {
      const { body, headers }: Reply = await call(writer(), 'GET', next);
      bodies.push(...(body as { body: string }[]).map((one) => one.body));
      next = /<([^>]+)>; rel="next"/.exec(headers.get('link') ?? '')?.[1]?.replace(api.url, '');
    }
    expect(bodies).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  });

  it.each([
    ['empty', ' ', "body can't be blank"],
    ['too long', '€'.repeat(65_537), 'body is too long (maximum is 65536 characters)'],
  ])('that are %s are refused', async (_, body, message) => {
    const answer = await call(writer(), 'POST', path(), { body });
    expect([answer.status, answer.body]).toMatchObject([422, { errors: [{ message }] }]);
    expect(repository.comments).toEqual([]);
  });

  it('of the longest kind are taken', async () => {
    expect((await call(writer(), 'POST', path(), { body: '€'.repeat(65_536) })).status).toBe(201);
  });
});

describe('access', () => {
  it.each<[string, string, number, string]>([
    ['no token of ours', 'ghs_other', 401, 'Bad credentials'],
    ['another repository', '', 404, 'Not Found'],
  ])('is refused to %s', async (_, token, status, message) => {
    const other = token || api.issueToken('acme/blog', { contents: 'read' });
    const answer = await call(other, 'GET', '/repos/acme/shop/contents/perlstack.yml');
    expect([answer.status, answer.body]).toMatchObject([status, { message }]);
  });

  it('names the permission that is missing', async () => {
    const token = api.issueToken('acme/shop', { contents: 'write' });
    const answer = await call(token, 'GET', `/repos/acme/shop/issues/${number}/comments`);
    expect([answer.status, answer.body]).toMatchObject([
      403,
      { message: 'Resource not accessible by integration' },
    ]);
    expect(answer.headers.get('x-accepted-github-permissions')).toBe('issues=read; pull_requests=read');
  });
});

describe('faults', () => {
  it('strike as often as they are told, and instead of the call', async () => {
    api.faults.add({ fault: 'bad gateway', method: 'POST', times: 1 });
    const post = (): Promise<Reply> =>
      call(writer(), 'POST', `/repos/acme/shop/issues/${number}/comments`, { body: 'x' });
    expect([(await post()).status, repository.comments.length]).toEqual([502, 0]);
    expect([(await post()).status, repository.comments.length]).toEqual([201, 1]);
  });

  it.each([
    ['rate limit', 403, 'x-ratelimit-remaining', '0'],
    ['secondary rate limit', 403, 'retry-after', '60'],
    ['server error', 500, 'x-ratelimit-remaining', '999'],
  ] as const)('%s', async (fault, status, header, value) => {
    api.faults.add({ fault });
    const answer = await call(writer(), 'GET', '/repos/acme/shop/contents/perlstack.yml');
    expect([answer.status, answer.headers.get(header)]).toEqual([status, value]);
  });
});

describe('excerptOf', () => {
  const description = {
    paths: {
      '/a/{b}': {
        get: {
          responses: {
            200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/tree' } } } },
            304: { description: 'Not modified' },
          },
        },
      },
    },
    components: {
      schemas: {
        tree: {
          description: 'Leads to itself',
          properties: {
            description: { type: 'string', nullable: true, example: 'x' },
            left: { $ref: '#/components/schemas/tree' },
            kind: { type: 'string', enum: ['a'], nullable: true },
          },
        },
        other: {},
      },
    },
  };

  it('takes what is needed, as plain JSON Schema', () => {
    const tree = {
      properties: {
        description: { type: ['string', 'null'] },
        left: { $ref: '#/definitions/tree' },
        kind: { type: ['string', 'null'], enum: ['a', null] },
      },
    };
    expect(excerptOf(description, ['GET /a/{b}'], 'here')).toEqual({
      source: 'here',
      operations: { 'GET /a/{b}': { responses: { 200: { $ref: '#/definitions/tree' } } } },
      definitions: { tree },
    });
  });
  it('refuses what GitHub does not have', () =>
    expect(() => excerptOf(description, ['PUT /a/{b}'], 'here')).toThrow('GitHub describes no PUT /a/{b}'));
});
