import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { commentRoutes } from './comments.js';
import { contentsRoutes } from './contents.js';
import { deploymentRoutes } from './deployments.js';
import { badCredentials, GitHubError, notFound } from './errors.js';
import { BadGateway, type GitHubFaults, Silence } from './faults.js';
import type { Repository, Token } from './model.js';
import { type Answer, authorize, Router, type Route } from './router.js';
import { userRoutes } from './users.js';

/** Every call that is answered. */
export const ROUTES: readonly Route[] = [
  ...contentsRoutes,
  ...commentRoutes,
  ...deploymentRoutes,
  ...userRoutes,
];

/** One call as it was logged. */
export interface GitHubRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  status: number;
}

export interface ServerParts {
  readonly repositories: ReadonlyMap<string, Repository>;
  readonly tokens: ReadonlyMap<string, Token>;
  readonly faults: GitHubFaults;
  readonly requests: GitHubRequest[];
}

/** The HTTP face. */
export function createGitHubServer(parts: ServerParts): Server {
  const router = new Router(ROUTES);
  return createServer((request, response) => {
    void answer(parts, router, request, response);
  });
}

async function answer(
  parts: ServerParts,
  router: Router,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const base = `http://${request.headers.host ?? 'localhost'}`;
  const url = new URL(request.url ?? '/', base);
  const logged: GitHubRequest = { method: request.method ?? 'GET', path: url.pathname, status: 0 };
  parts.requests.push(logged);
  const result = await attempt(parts, router, { request, base, url });
  if (result === null) return;
  logged.status = result.status;
  const page = typeof result.body === 'string';
  response.writeHead(result.status, {
    'content-type': page ? 'text/html' : 'application/json; charset=utf-8',
    'x-github-request-id': randomUUID(),
    'x-ratelimit-limit': '1000',
    'x-ratelimit-remaining': '999',
    'x-ratelimit-reset': String(Math.ceil(Date.now() / 1_000) + 3_600),
    ...result.headers,
  });
  response.end(page ? result.body : JSON.stringify(result.body));
}

interface Asked {
  readonly request: IncomingMessage;
  readonly base: string;
  readonly url: URL;
}

/** @returns `null` where there is to be no answer */
async function attempt(parts: ServerParts, router: Router, asked: Asked): Promise<Answer | null> {
  try {
    const body = await readBody(asked.request);
    parts.faults.strike(asked.request.method ?? 'GET', asked.url.pathname);
    return handle(parts, router, asked, body);
  } catch (error) {
    if (error instanceof Silence) return null;
    if (error instanceof BadGateway)
      return { status: 502, body: '<html><head><title>502 Bad Gateway</title></head><body></body></html>' };
    const known = error instanceof GitHubError ? error : new GitHubError(500, 'Server Error');
    const { status, message, details, headers } = known;
    const documentation = { documentation_url: 'https://docs.github.com/rest', status: String(status) };
    return { status, headers, body: { message, ...details, ...documentation } };
  }
}

function handle(
  parts: ServerParts,
  router: Router,
  { request, base, url }: Asked,
  body: Readonly<Record<string, unknown>>,
): Answer {
  const token = parts.tokens.get(
    /^(?:bearer|token) (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '',
  );
  if (!token) throw badCredentials();
  const { route, params } = router.find(request.method ?? 'GET', url.pathname);
  const repository = repositoryOf(parts, token, params);
  authorize(route, token);
  return route.handle({ base, token, params, query: url.searchParams, body, repository });
}

/** What a token does not see is not there. */
function repositoryOf(
  { repositories }: ServerParts,
  token: Token,
  { owner, repo }: Readonly<Record<string, string>>,
): Repository {
  const named = owner === undefined || repo === undefined ? token.repository : `${owner}/${repo}`;
  const found =
    named.toLowerCase() === token.repository.toLowerCase() ? repositories.get(token.repository) : undefined;
  if (!found) throw notFound();
  return found;
}

async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new GitHubError(400, 'Problems parsing JSON');
  }
}
