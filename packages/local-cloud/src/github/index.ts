import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GitHubFaults } from './faults.js';
import { type Account, ACTIONS_BOT, Repository, type Token } from './model.js';
import type { Permissions } from './permissions.js';
import { createGitHubServer, type GitHubRequest } from './server.js';

export { type GitHubFault, GitHubFaults } from './faults.js';
export { GitFolder } from './git-folder.js';
export { type Account, ACTIONS_BOT, type Comment, type PullRequest, Repository, type Tip } from './model.js';
export { type Access, type Permissions, permissionsOf, type Scope, SCOPES } from './permissions.js';
export { pullRequestPayload } from './pull.js';
export type { GitHubRequest } from './server.js';

export interface GitHubOptions {
  /** A Unix socket to listen on, instead of a port of 127.0.0.1. */
  readonly path?: string;
}

/** A running simulation of GitHub's API. */
export interface GitHubApi {
  /** `http://127.0.0.1:4242` (what `GITHUB_API_URL` is set to), or `unix:` and the socket. */
  readonly url: string;
  /** Every call so far, oldest first. */
  readonly requests: GitHubRequest[];
  readonly faults: GitHubFaults;
  /** Adds a repository: `acme/shop`, whose history is that of a folder. */
  addRepository(fullName: string, folder: string): Repository;
  /** A token as a job gets it; or, with an account, one of a person. */
  issueToken(repository: string, permissions: Permissions, account?: Account): string;
  close(): Promise<void>;
}

/** Starts an HTTP server that answers the calls of `operations.ts` as api.github.com does. */
export async function startGitHub(options: GitHubOptions = {}): Promise<GitHubApi> {
  const repositories = new Map<string, Repository>();
  const tokens = new Map<string, Token>();
  const faults = new GitHubFaults();
  const requests: GitHubRequest[] = [];
  const server = createGitHubServer({ repositories, tokens, faults, requests });
  const url = await listen(server, options);
  return {
    ...{ url, requests, faults },
    addRepository(fullName, folder) {
      const repository = new Repository(fullName, folder);
      repositories.set(fullName, repository);
      return repository;
    },
    issueToken(repository, permissions, account = ACTIONS_BOT) {
      const token = `${account.type === 'Bot' ? 'ghs' : 'ghp'}_${randomBytes(18).toString('hex')}`;
      tokens.set(token, { token, account, repository, permissions });
      return token;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listen(server: Server, { path }: GitHubOptions): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  return path === undefined ? `http://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${path}`;
}
