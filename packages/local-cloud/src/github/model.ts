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
