import type { Cloud } from './cloud.js';
import { notFound } from './errors.js';
import { Fields } from './fields.js';
import { applyQuery, parseFilter } from './filter.js';
import type { Json, JsonObject } from './json.js';
import { paginate } from './paging.js';
import type { LimitClass } from './rate-limit.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Stands for an answer without a body. */
export const NO_CONTENT = Symbol('no content');

export type Answer = Json | typeof NO_CONTENT;

export interface Route {
  readonly method: Method;
  /** `/linode/instances/:linode`. */
  readonly path: string;
  /** The scopes that a token needs, as the API names them in `X-Accepted-OAuth-Scopes`. */
  readonly scopes: string;
  /** Answers without a token too. */
  readonly open?: boolean;
  readonly limit?: LimitClass;
  readonly handle: (call: Call) => Answer | Promise<Answer>;
}

/** One call as a handler sees it. */
export class Call {
  readonly cloud: Cloud;
  readonly body: Fields;
  readonly #params: Readonly<Record<string, string>>;
  readonly #query: URLSearchParams;
  readonly #filter: string | undefined;

  constructor(
    cloud: Cloud,
    params: Readonly<Record<string, string>>,
    query: URLSearchParams,
    filter: string | undefined,
    body: JsonObject,
  ) {
    this.cloud = cloud;
    this.body = new Fields(body);
    this.#params = params;
    this.#query = query;
    this.#filter = filter;
  }

  /** A part of the path. */
  param(name: string): string {
    return this.#params[name] ?? '';
  }

  /** A numeric part of the path; there is nothing behind any other. */
  id(name: string): number {
    const text = this.param(name);
    if (!/^\d+$/.test(text)) throw notFound();
    return Number(text);
  }

  /** A collection, filtered by the keys that may be filtered on, and paged. */
  list(items: readonly JsonObject[], filterable: readonly string[]): JsonObject {
    return paginate(applyQuery(items, parseFilter(this.#filter, filterable)), this.#query);
  }
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** Finds the route of a call. */
export class Router {
  readonly #routes: readonly { readonly route: Route; readonly pattern: RegExp }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, pattern: patternOf(route.path) }));
  }

  /** The route, or whether the path is unknown or only the method wrong. Fixed paths win over those with parameters. */
  find(method: string, path: string): Match | 'unknown-path' | 'wrong-method' {
    const candidates = this.#routes.flatMap(({ route, pattern }) => {
      const match = pattern.exec(path);
      return match === null ? [] : [{ route, params: decoded(match.groups ?? {}) }];
    });
    if (candidates.length === 0) return 'unknown-path';
    const [best] = candidates
      .filter(({ route }) => route.method === method)
      .toSorted((a, b) => Object.keys(a.params).length - Object.keys(b.params).length);
    return best ?? 'wrong-method';
  }
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`);
}

function decoded(groups: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decode(value)]));
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
