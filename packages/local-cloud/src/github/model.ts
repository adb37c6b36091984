import type { Permissions } from './permissions.js';

/** Who writes: a person, or an app such as the one behind a job's token. */
export interface Account {
  readonly login: string;
  readonly id: number;
  readonly type: 'User' | 'Bot';
}

/** The app in whose name the token of a job writes. */
export const ACTIONS_BOT: Account = { login: 'github-actions[bot]', id: 41_898_282, type: 'Bot' };

export interface Token {
  readonly token: string;
  readonly account: Account;
  /** `acme/shop`; a token of a job sees no other. */
  readonly repository: string;
  readonly permissions: Permissions;
}

export interface Comment {
  readonly id: number;
  /** Number of the issue or pull request. */
  readonly issue: number;
  readonly author: Account;
  readonly createdAt: string;
  body: string;
  updatedAt: string;
}

export const DEPLOYMENT_STATES = [
  'error',
  'failure',
  'inactive',
  'in_progress',
  'queued',
  'pending',
  'success',
] as const;
export type DeploymentState = (typeof DEPLOYMENT_STATES)[number];

export interface DeploymentStatus {
  readonly id: number;
  readonly state: DeploymentState;
  readonly description: string;
  readonly environmentUrl: string;
  readonly logUrl: string;
  readonly creator: Account;
  readonly createdAt: string;
}

export interface Deployment {
  readonly id: number;
  readonly sha: string;
  readonly ref: string;
  readonly task: string;
  readonly environment: string;
  readonly description: string | null;
  readonly payload: unknown;
  readonly transient: boolean;
  readonly production: boolean;
  readonly creator: Account;
  readonly createdAt: string;
  /** Oldest first. */
  readonly statuses: DeploymentStatus[];
}

/** A branch of a repository at a commit. */
export interface Tip {
  readonly ref: string;
  readonly sha: string;
  /** `acme/shop`; another one for a pull request from a fork. */
  readonly repository: string;
}

export interface PullRequest {
  readonly number: number;
  readonly base: Tip;
  readonly head: Tip;
}

/** A repository: its history is that of a folder on this machine. */
export class Repository {
  readonly fullName: string;
  readonly folder: string;
  readonly pulls = new Map<number, PullRequest>();
  /** Oldest first. */
  readonly comments: Comment[] = [];
  /** Oldest first. */
  readonly deployments: Deployment[] = [];
  #lastId = 0;

  constructor(fullName: string, folder: string) {
    this.fullName = fullName;
    this.folder = folder;
  }

  /** An id, and a number of an issue or pull request, that nothing else has. */
  nextId(): number {
    return (this.#lastId += 1);
  }

  open(base: Tip, head: Tip): PullRequest {
    const pull = { number: this.nextId(), base, head };
    this.pulls.set(pull.number, pull);
    return pull;
  }

  deploy(made: Omit<Deployment, 'id' | 'createdAt' | 'statuses'>): Deployment {
    const deployment = { ...made, id: this.nextId() + 2_000_000, createdAt: timestamp(), statuses: [] };
    this.deployments.push(deployment);
    return deployment;
  }

  /**
   * A further state of a deployment. Unless told otherwise, a success makes every earlier deployment of the same environment
   * inactive, but for transient ones and, as GitHub's description has it, those of a production environment.
   */
  setStatus(
    deployment: Deployment,
    made: Omit<DeploymentStatus, 'id' | 'createdAt'>,
    autoInactive: boolean,
  ): DeploymentStatus {
    const status = { ...made, id: this.nextId() + 3_000_000, createdAt: timestamp() };
    deployment.statuses.push(status);
    if (status.state !== 'success' || !autoInactive) return status;
    for (const other of this.deployments) {
      const same = other.environment === deployment.environment && other.id < deployment.id;
      if (!same || other.transient || other.production || other.statuses.at(-1)?.state !== 'success')
        continue;
      const { creator } = made;
      const blank = { description: '', environmentUrl: '', logUrl: '' };
      other.statuses.push({
        ...blank,
        id: this.nextId() + 3_000_000,
        state: 'inactive',
        creator,
        createdAt: timestamp(),
      });
    }
    return status;
  }

  comment(issue: number, author: Account, body: string): Comment {
    const now = timestamp();
    const comment = { id: this.nextId() + 1_000_000, issue, author, body, createdAt: now, updatedAt: now };
    this.comments.push(comment);
    return comment;
  }
}

/** A moment as GitHub writes it: to the second. */
export function timestamp(at = new Date()): string {
  return at.toISOString().replace(/\.\d+Z$/, 'Z');
}
