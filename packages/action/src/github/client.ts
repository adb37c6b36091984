import { context, getOctokit } from '@actions/github';
import { UserError } from '@perlstack/stack';
import pRetry from 'p-retry';
import { explain, isTemporary, statusOf, type Wanted } from './errors.js';

/** A pull request, as far as the event that started the run tells of it. */
export interface PullRequest {
  readonly number: number;
  readonly base: { readonly sha: string; readonly ref: string };
  readonly head: { readonly sha: string };
  /** It comes from another repository, so the token of the run can't write. */
  readonly fork: boolean;
}

export interface Comment {
  readonly id: number;
  readonly body: string;
  readonly author: { readonly login: string; readonly isBot: boolean };
}

export interface Deployment {
  readonly id: number;
  /** By which who made it knows it again; `null`: it is none of ours. */
  readonly mark: string | null;
}

export type DeploymentState = 'in_progress' | 'success' | 'failure' | 'error' | 'inactive';

/** What actions ask of GitHub, on the repository in which they run. Errors name the permission that is missing. */
export interface GitHub {
  /** A file's text at a commit; `null` where the commit does not have it. */
  fileAt(path: string, commit: string): Promise<string | null>;
  /** The comments of a pull request, oldest first; no more pages are read than are asked for. */
  comments(pull: number): AsyncIterable<Comment>;
  createComment(pull: number, body: string): Promise<void>;
  updateComment(id: number, body: string): Promise<void>;
  /** The latest deployments to an environment, of one commit if it is named, newest first. */
  deployments(environment: string, sha?: string): Promise<Deployment[]>;
  /** The states of a deployment, newest first, each with the page to which it leads. */
  deploymentStatuses(id: number): Promise<{ readonly state: string; readonly page: string }[]>;
  /** @returns its id */
  createDeployment(made: {
    readonly sha: string;
    readonly environment: string;
    readonly description: string;
    readonly mark: string;
  }): Promise<number>;
  createDeploymentStatus(
    id: number,
    status: {
      readonly state: DeploymentState;
      readonly description: string;
      readonly logUrl: string;
      readonly environmentUrl?: string;
    },
  ): Promise<void>;
  /** The login of the person whose token it is; `null` for the token of a job. */
  viewer(): Promise<string | null>;
}

const TRIES = 3;
/** An answer takes milliseconds; what waits longer for one holds up a roll-out, or is never told anything. */
const ANSWER_MS = 20_000;

/** GitHub's API at `GITHUB_API_URL`, with the rights of a token. */
export function connectGitHub(token: string, { retryAfterMs = 1_000, answerMs = ANSWER_MS } = {}): GitHub {
  const { rest, paginate, hook } = getOctokit(token);
  hook.before('request', (options) => {
    options.request = { ...options.request, signal: AbortSignal.timeout(answerMs) };
  });
  const repository = context.repo;

  /** What only reads is tried again when GitHub stumbles; a write may have taken effect without an answer. */
  const retries = { retries: TRIES - 1, minTimeout: retryAfterMs, shouldRetry: mayRetry };
  const reading = <T>(wanted: Wanted, call: () => Promise<T>): Promise<T> =>
    explained(wanted, () => pRetry(call, retries));

  /** A file that is not there looks like a repository that the token does not see: the commit itself tells. */
  async function assertCommit(commit: string): Promise<void> {
    const wanted = { what: `read commit ${commit.slice(0, 12)}`, permission: 'contents: read' };
    await reading(wanted, () => rest.git.getCommit({ ...repository, commit_sha: commit }));
  }

  return {
    async fileAt(path, commit) {
      const wanted = { what: `read ${path} at ${commit.slice(0, 12)}`, permission: 'contents: read' };
      try {
        const get = () => rest.repos.getContent({ ...repository, path, ref: commit });
        const { data } = await pRetry(get, retries);
        return textOf(data, path);
      } catch (error) {
        if (statusOf(error) !== 404) throw explain(error, wanted);
        await assertCommit(commit);
        return null;
      }
    },
    async *comments(pull) {
      const query = { ...repository, issue_number: pull, per_page: 100 };
      const pages = paginate.iterator(rest.issues.listComments, query)[Symbol.asyncIterator]();
      const wanted = { what: 'read the comments', permission: 'pull-requests: write' };
      for (;;) {
        const page = await reading(wanted, () => pages.next());
        if (page.done) return;
        yield* page.value.data.map(commentOf);
      }
    },
    async createComment(pull, body) {
      const wanted = { what: 'comment', permission: 'pull-requests: write' };
      await explained(wanted, () => rest.issues.createComment({ ...repository, issue_number: pull, body }));
    },
    async updateComment(id, body) {
      const wanted = { what: 'update its comment', permission: 'pull-requests: write' };
      await explained(wanted, () => rest.issues.updateComment({ ...repository, comment_id: id, body }));
    },
    async deployments(environment, sha) {
      const wanted = { what: 'read the deployments', permission: 'deployments: write' };
      const query = { ...repository, environment, per_page: 10, ...(sha === undefined ? {} : { sha }) };
      const { data } = await reading(wanted, () => rest.repos.listDeployments(query));
      return data.map(({ id, payload }) => ({ id, mark: markIn(payload) }));
    },
    async deploymentStatuses(id) {
      const wanted = { what: 'read a deployment', permission: 'deployments: write' };
      const query = { ...repository, deployment_id: id, per_page: 10 };
      const { data } = await reading(wanted, () => rest.repos.listDeploymentStatuses(query));
      return data.map(({ state, log_url: log, target_url: target }) => ({
        state,
        page: log || target || '',
      }));
    },
    async createDeployment({ sha, environment, description, mark }) {
      const wanted = { what: 'make a deployment', permission: 'deployments: write' };
      const made = {
        ...{ ref: sha, environment, description, auto_merge: false, payload: { mark } satisfies Payload },
        // The check of this very job is pending: GitHub would wait for it.
        required_contexts: [],
      };
      const { data } = await explained(wanted, () => rest.repos.createDeployment({ ...repository, ...made }));
      if (!('id' in data))
        throw new UserError(`GitHub made no deployment: ${data.message ?? 'no reason given'}`);
      return data.id;
    },
    async createDeploymentStatus(id, { state, description, logUrl, environmentUrl }) {
      const wanted = { what: "set a deployment's state", permission: 'deployments: write' };
      const status = {
        ...{ state, description, log_url: logUrl },
        ...(environmentUrl === undefined ? {} : { environment_url: environmentUrl }),
      };
      await explained(wanted, () =>
        rest.repos.createDeploymentStatus({ ...repository, deployment_id: id, ...status }),
      );
    },
    async viewer() {
      try {
        return (await rest.users.getAuthenticated()).data.login;
      } catch (error) {
        if (statusOf(error) === 403) return null;
        throw explain(error, { what: 'ask whose token it is', permission: 'contents: read' });
      }
    },
  };
}

/** What a deployment of ours carries. */
interface Payload {
  readonly mark: string;
}

const markIn = (payload: unknown): string | null => {
  const mark = typeof payload === 'object' ? (payload as Partial<Payload> | null)?.mark : undefined;
  return typeof mark === 'string' ? mark : null;
};

const mayRetry = ({ error }: { error: unknown }): boolean => isTemporary(error);

async function explained<T>(wanted: Wanted, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw explain(error, wanted);
  }
}

/** @throws UserError where the path is something else than a file, or a file too large for such an answer */
function textOf(data: unknown, path: string): string {
  const { type, encoding, content } = data as { type?: string; encoding?: string; content?: string };
  if (type === 'file' && encoding === 'base64' && content !== undefined)
    return Buffer.from(content, 'base64').toString('utf8');
  throw new UserError(
    `GitHub has no plain file of less than 1 MiB as ${path} at the base of the pull request`,
  );
}

interface Listed {
  readonly id: number;
  readonly body?: string | undefined;
  readonly user: { readonly login: string; readonly type: string } | null;
}

function commentOf({ id, body = '', user }: Listed): Comment {
  return { id, body, author: { login: user?.login ?? '', isBot: user?.type === 'Bot' } };
}
