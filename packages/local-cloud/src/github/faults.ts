import { GitHubError } from './errors.js';

/** What goes wrong instead of the answer to a call. */
export type GitHubFault =
  /** The allowance of an hour is used up. */
  | 'rate limit'
  /** Too many calls in a short time. */
  | 'secondary rate limit'
  /** What stands in front of GitHub gives up: an answer that is no JSON. */
  | 'bad gateway'
  | 'server error'
  /** The call gets no answer at all. */
  | 'silence';

interface Entry {
  readonly fault: GitHubFault;
  readonly method?: string;
  /** Calls whose path matches; all if absent. */
  readonly path?: RegExp;
  /** Strikes so often; always if absent. */
  readonly times?: number;
}

/** The faults in force; may be changed while the server runs. */
export class GitHubFaults {
  #active: { readonly entry: Entry; left: number }[] = [];

  add(entry: Entry): void {
    this.#active.push({ entry, left: entry.times ?? Infinity });
  }

  clear(): void {
    this.#active = [];
  }

  /** @throws GitHubError, BadGateway or Silence where one strikes */
  strike(method: string, path: string): void {
    const found = this.#active.find(
      ({ entry, left }) =>
        left > 0 && (entry.method ?? method) === method && (entry.path?.test(path) ?? true),
    );
    if (!found) return;
    found.left -= 1;
    throw errorOf(found.entry.fault);
  }
}

/** Becomes no answer. */
export class Silence extends Error {}

/** Becomes an answer of 502 with a page of HTML. */
export class BadGateway extends Error {}

function errorOf(fault: GitHubFault): Error {
  switch (fault) {
    case 'rate limit':
      return new GitHubError(403, 'API rate limit exceeded for installation ID 12345678.', {
        headers: {
          'x-ratelimit-remaining': '0',
          'x-ratelimit-reset': String(Math.ceil(Date.now() / 1_000) + 600),
        },
      });
    case 'secondary rate limit':
      return new GitHubError(
        403,
        'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
        { headers: { 'retry-after': '60' } },
      );
    case 'bad gateway':
      return new BadGateway();
    case 'server error':
      return new GitHubError(500, 'Server Error');
    case 'silence':
      return new Silence();
  }
}
