import type { Repository, Token } from './model.js';
import type { Operation } from './operations.js';
import { type Access, allows, type Scope } from './permissions.js';
import { inaccessible, notFound } from './errors.js';

/** One call as a handler sees it. */
export interface Call {
  /** Where the caller reaches the API: links in answers begin with it. */
  readonly base: string;
  readonly token: Token;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
  /** The repository that the path names. */
  readonly repository: Repository;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One row of the table of all calls: a further one needs no more than a row, and its name in `operations.ts`. */
export interface Route {
  readonly operation: Operation;
  /** Any of these will do; a call without one is for people's tokens only. */
  readonly permissions: readonly (readonly [Scope, Access])[];
  readonly handle: (call: Call) => Answer;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

export class Router {
  readonly #routes: readonly { readonly route: Route; readonly method: string; readonly pattern: RegExp }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => {
      const [method = '', path = ''] = route.operation.split(' ');
      return { route, method, pattern: patternOf(path) };
    });
  }

  /** @throws GitHubError 404 for a call that is not simulated, as GitHub does for one that it does not have */
  find(method: string, path: string): Match {
    for (const { route, method: own, pattern } of this.#routes) {
      const found = own === method ? pattern.exec(path) : null;
      if (found) return { route, params: decoded(found.groups ?? {}) };
    }
    throw notFound();
  }
}

/** A `path` may have slashes, all else may not. */
function patternOf(path: string): RegExp {
  return new RegExp(
    `^${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => `(?<${name}>${name === 'path' ? '.+' : '[^/]+'})`)}$`,
  );
}

function decoded(groups: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]));
}

/** @throws GitHubError 403 where a token of a job lacks what the call needs */
export function authorize({ permissions: needed }: Route, { permissions, account }: Token): void {
  if (account.type === 'User') return;
  if (needed.some(([scope, access]) => allows(permissions, scope, access))) return;
  throw inaccessible(needed.map(([scope, access]) => `${scope.replaceAll('-', '_')}=${access}`).join('; '));
}
