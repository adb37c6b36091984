import { AsyncLocalStorage } from 'node:async_hooks';
import { baseRequest } from '@linode/api-v4';
import type { Budget } from './budget.js';
import { endpointClass } from './budget.js';
import { LinodeApiError, LinodeUnreachable, type Reason, UncertainOutcome } from './errors.js';
import { redact, secretsIn } from './redact.js';

/** What one attempt of a request needs, and what is learnt from it on its way. */
export interface Attempt {
  readonly token: string;
  /** Without a trailing slash and version: `https://api.linode.com`. */
  readonly baseUrl: string;
  readonly timeoutMs: number;
  readonly budget: Budget;
  readonly signal?: AbortSignal;
  method: string;
  path: string;
  secrets: string[];
  /** Scopes of the token, where the answer named them. */
  scopes?: string;
}

/*
 * @linode/api-v4 knows one token and one address per process: setToken stacks interceptors of which the first wins, and
 * every URL is absolute. So one interceptor is installed, once, and reads who is asking from the asynchronous context.
 */
const current = new AsyncLocalStorage<Attempt>();

baseRequest.interceptors.request.use(async (config) => {
  const attempt = current.getStore();
  if (!attempt) throw new Error('A request of @linode/api-v4 was made outside of a client');
  const asked = new URL(config.url ?? '/', 'https://api.linode.com/v4/');
  attempt.method = (config.method ?? 'get').toUpperCase();
  attempt.path = asked.pathname.replace(/^\/v4(beta)?(?=\/)/, '');
  attempt.secrets = [attempt.token, ...secretsIn(config.data)];
  await attempt.budget.take(endpointClass(attempt.method, attempt.path), attempt.signal);
  config.headers.set('Authorization', `Bearer ${attempt.token}`);
  config.url = `${attempt.baseUrl}${asked.pathname}${asked.search}`;
  config.timeout = attempt.timeoutMs;
  config.maxRedirects = 0;
  if (attempt.signal) config.signal = attempt.signal;
  if (isLoopback(attempt.baseUrl)) config.proxy = false;
  return config;
});

baseRequest.interceptors.response.use((response) => {
  const attempt = current.getStore();
  const scopes = header(response.headers, 'x-oauth-scopes');
  if (attempt && scopes) attempt.scopes = scopes;
  return response;
});

/**
 * Makes one request, by a function of @linode/api-v4 or by its `baseRequest`, in the name of one client.
 *
 * @throws LinodeApiError, LinodeUnreachable or UncertainOutcome, none of which holds the request; or the reason of the
 *   signal when it was aborted.
 */
export async function attemptOnce<T>(attempt: Attempt, request: () => Promise<T>): Promise<T> {
  try {
    return await current.run(attempt, request);
  } catch (error) {
    attempt.signal?.throwIfAborted();
    throw rebuild(error, attempt);
  }
}

interface Answer {
  status: number;
  data: unknown;
  headers: unknown;
}

/** The error that leaves the package: made anew, because the one of axios carries token, body and headers. */
function rebuild(error: unknown, attempt: Attempt): Error {
  if (Array.isArray(error)) return refusedHere(error as Reason[], attempt);
  const { response, code, isAxiosError } = error as {
    response?: Answer;
    code?: string;
    isAxiosError?: boolean;
  };
  if (response) return fromAnswer(response, attempt);
  if (isAxiosError) return fromConnection(code ?? 'no answer', attempt);
  // A fault of ours: its message, cleaned, is all that is kept.
  return new Error(redact(error instanceof Error ? error.message : String(error), attempt.secrets));
}

/** Client-side validation of @linode/api-v4 rejects with a bare array; nothing was sent. */
function refusedHere(errors: readonly Reason[], attempt: Attempt): Error {
  const reasons = cleaned(errors, attempt);
  return new LinodeApiError({
    status: 400,
    method: attempt.method || 'CHECK',
    path: attempt.path || 'request',
    reasons,
  });
}

function fromAnswer({ status, data, headers }: Answer, attempt: Attempt): Error {
  const { method, path } = attempt;
  if (method === 'POST' && (status >= 500 || status === 408))
    return new UncertainOutcome(method, path, `HTTP ${status}`);
  const needs = header(headers, 'x-accepted-oauth-scopes');
  const has = header(headers, 'x-oauth-scopes');
  const after = Number(header(headers, 'retry-after'));
  return new LinodeApiError({
    status,
    method,
    path,
    reasons: cleaned((data as { errors?: unknown } | null)?.errors, attempt),
    ...(needs ? { needs } : {}),
    ...(has ? { has } : {}),
    ...(after > 0 ? { retryAfterMs: after * 1_000 } : {}),
  });
}

/** Codes of connections that were never made: such a request can't have taken effect. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

function fromConnection(code: string, { method, path, baseUrl }: Attempt): Error {
  return method === 'POST' && !NOT_SENT.has(code)
    ? new UncertainOutcome(method, path, code)
    : new LinodeUnreachable(method, path, code, new URL(baseUrl).host);
}

function cleaned(errors: unknown, { secrets }: Attempt): Reason[] {
  if (!Array.isArray(errors) || errors.length === 0) return [{ reason: 'no reason given' }];
  return (errors as Partial<Reason>[]).map(({ field, reason }) => ({
    ...(field ? { field: redact(String(field), secrets) } : {}),
    reason: redact(String(reason), secrets),
  }));
}

function header(headers: unknown, name: string): string | undefined {
  const value = (headers as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isLoopback(baseUrl: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(baseUrl).hostname);
}
