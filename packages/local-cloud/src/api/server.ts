import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { accountRoutes } from './account.js';
import { catalogRoutes } from './catalog.js';
import type { Cloud } from './cloud.js';
import { configRoutes } from './configs.js';
import { diskRoutes } from './disks.js';
import { ApiError, badRequest, entry, notFound } from './errors.js';
import type { ApiFaultEffect, ApiFaults } from './faults.js';
import { firewallRoutes } from './firewalls.js';
import { ipRoutes } from './ips.js';
import { isObject, type Json, type JsonObject } from './json.js';
import { linodeInterfaceRoutes } from './linode-interfaces.js';
import { linodeRoutes } from './linodes.js';
import { nodeBalancerRoutes } from './nodebalancers.js';
import { objectStorageRoutes } from './object-storage.js';
import { placementRoutes } from './placement.js';
import type { Allowance, RateLimiter } from './rate-limit.js';
import { Call, NO_CONTENT, Router, type Answer, type Match, type Route } from './router.js';
import { tagRoutes } from './tags.js';
import { authenticate, authorize, type Token } from './tokens.js';
import { upgradeRoutes } from './upgrade.js';
import { volumeRoutes } from './volumes.js';
import { vpcRoutes } from './vpcs.js';

export const ROUTES: readonly Route[] = [
  ...catalogRoutes,
  ...accountRoutes,
  ...linodeRoutes,
  ...linodeInterfaceRoutes,
  ...configRoutes,
  ...diskRoutes,
  ...ipRoutes,
  ...vpcRoutes,
  ...firewallRoutes,
  ...placementRoutes,
  ...nodeBalancerRoutes,
  ...tagRoutes,
  ...volumeRoutes,
  ...objectStorageRoutes,
  ...upgradeRoutes,
];

/** One call as it was logged. */
export interface LoggedRequest {
  readonly method: string;
  /** Without version and query. */
  readonly path: string;
  /** The answer's status; `0` while there is none and when the connection was broken on purpose. */
  status: number;
}

export interface ServerParts {
  readonly cloud: Cloud;
  readonly tokens: readonly Token[];
  readonly limiter: RateLimiter;
  readonly faults: ApiFaults;
  readonly log: LoggedRequest[];
}

/** What is known of a call while it is answered. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly logged: LoggedRequest;
}

/** The HTTP face of the cloud. */
export function createApiServer(parts: ServerParts): Server {
  const router = new Router(ROUTES);
  return createServer((request, response) => {
    void answer(parts, router, open(parts, request, response));
  });
}

function open(parts: ServerParts, request: IncomingMessage, response: ServerResponse): Exchange {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const path = url.pathname.replace(/^\/v4(beta)?(?=\/|$)/, '');
  const versioned = path !== url.pathname;
  const method = request.method ?? 'GET';
  const logged = { method, path, status: 0 };
  parts.log.push(logged);
  return { request, response, method, path: versioned ? path : '', query: url.searchParams, logged };
}

async function answer(parts: ServerParts, router: Router, exchange: Exchange): Promise<void> {
  const effects = parts.faults.strike(exchange.method, exchange.path);
  try {
    await strikeBefore(exchange, effects);
    const body = await readBody(exchange.request);
    const result = await handle(parts, router, exchange, body);
    if (effects.some(({ kind }) => kind === 'lost-answer')) breakOff(exchange);
    else send(exchange, 200, result);
  } catch (error) {
    if (error instanceof BrokenOff) breakOff(exchange);
    else if (error instanceof ApiError) send(exchange, error.status, errorBody(error));
    else
      send(exchange, 500, errorBody(new ApiError(500, [entry(`Internal server error: ${String(error)}`)])));
  }
}

class BrokenOff extends Error {}

async function strikeBefore(exchange: Exchange, effects: readonly ApiFaultEffect[]): Promise<void> {
  for (const effect of effects) {
    if (effect.kind === 'slow') await sleep(effect.ms);
    if (effect.kind === 'broken-connection') throw new BrokenOff();
    if (effect.kind === 'error') {
      throw new ApiError(effect.status, [entry(effect.reason ?? 'An unexpected error occurred.')]);
    }
    if (effect.kind === 'throttle') {
      exchange.response.setHeader('Retry-After', String(effect.retryAfterSeconds));
      throw tooMany();
    }
  }
}

async function handle(
  parts: ServerParts,
  router: Router,
  exchange: Exchange,
  body: JsonObject,
): Promise<Answer> {
  const { method, path, query, request, response } = exchange;
  const match = router.find(method, path);
  if (match === 'unknown-path') throw notFound();
  if (match === 'wrong-method') throw new ApiError(405, [entry('Method Not Allowed')]);
  const token = admit(parts, match, request, response);
  const allowance = parts.limiter.take(
    token?.token ?? 'anonymous',
    match.route.limit ?? 'general',
    Date.now(),
  );
  announce(response, allowance);
  if (allowance.exceeded) throw tooMany();
  const filter = request.headers['x-filter'];
  const call = new Call(parts.cloud, match.params, query, Array.isArray(filter) ? filter[0] : filter, body);
  return match.route.handle(call);
}

/** Public routes ask for no token, but one that is sent must be right. */
function admit(
  parts: ServerParts,
  { route }: Match,
  request: IncomingMessage,
  response: ServerResponse,
): Token | null {
  const { authorization } = request.headers;
  response.setHeader('X-Accepted-OAuth-Scopes', route.scopes);
  response.setHeader('X-OAuth-Scopes', 'unknown');
  if (route.open === true && authorization === undefined) return null;
  const token = authenticate(authorization, parts.tokens);
  response.setHeader('X-OAuth-Scopes', token.scopes.join(','));
  authorize(token, route.scopes);
  return token;
}

function announce(response: ServerResponse, { limit, remaining, resetAt }: Allowance): void {
  const seconds = Math.max(0, Math.ceil((resetAt - Date.now()) / 1000));
  response.setHeader('X-RateLimit-Limit', String(limit));
  response.setHeader('X-RateLimit-Remaining', String(remaining));
  response.setHeader('X-RateLimit-Reset', String(Math.ceil(resetAt / 1000)));
  // On every answer, also on those that were not throttled.
  response.setHeader('Retry-After', String(seconds));
}

function tooMany(): ApiError {
  return new ApiError(429, [entry('Too many requests')]);
}

async function readBody(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  if (text.trim() === '') return {};
  let parsed: Json;
  try {
    parsed = JSON.parse(text) as Json;
  } catch {
    throw badRequest('Request body is not valid JSON');
  }
  if (parsed === null) return {};
  if (!isObject(parsed)) throw badRequest('Request body must be a JSON object');
  return parsed;
}

function errorBody(error: ApiError): JsonObject {
  const errors = error.errors.map(({ reason, field }) =>
    field === undefined ? { reason } : { reason, field },
  );
  return { errors };
}

function send(exchange: Exchange, status: number, answer: Answer): void {
  const { response, logged } = exchange;
  logged.status = answer === NO_CONTENT ? 204 : status;
  response.statusCode = logged.status;
  if (answer === NO_CONTENT) {
    response.end();
    return;
  }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(answer));
}

function breakOff(exchange: Exchange): void {
  exchange.request.socket.destroy();
}
