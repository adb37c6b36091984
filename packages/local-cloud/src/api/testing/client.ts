import {
  ManualClock,
  MemoryDriver,
  FULL_TOKEN,
  startApi,
  type ApiOptions,
  type LinodeApi,
} from '../index.js';
import type { Json, JsonObject } from '../json.js';

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonObject;
}

/** An API for one test, and a client that speaks to it. */
export interface Lab {
  readonly api: LinodeApi;
  readonly driver: MemoryDriver;
  readonly clock: ManualClock;
  call(method: string, path: string, body?: Json, options?: CallOptions): Promise<Reply>;
  /** Makes something and lets all work end. */
  make(path: string, body: Json): Promise<Made>;
}

export type Made = JsonObject & { readonly id: number };

export interface CallOptions {
  readonly token?: string | null;
  readonly filter?: Json | string;
}

export async function openLab(options: Partial<ApiOptions> = {}): Promise<Lab> {
  const driver = new MemoryDriver();
  const clock = new ManualClock();
  const api = await startApi({ driver, clock, ...options });
  const call: Lab['call'] = (method, path, body, callOptions) =>
    send(api.url, method, path, body, callOptions);
  const make: Lab['make'] = async (path, body) => {
    const reply = await call('POST', path, body);
    if (reply.status !== 200) throw new Error(`POST ${path}: ${JSON.stringify(reply.body)}`);
    await clock.settle();
    return reply.body as Made;
  };
  return { api, driver, clock, call, make };
}

async function send(
  url: string,
  method: string,
  path: string,
  body: Json | undefined,
  { token = FULL_TOKEN.token, filter }: CallOptions = {},
): Promise<Reply> {
  const headers: Record<string, string> = {};
  if (token !== null) headers['Authorization'] = `Bearer ${token}`;
  if (filter !== undefined)
    headers['X-Filter'] = typeof filter === 'string' ? filter : JSON.stringify(filter);
  const answer = await fetch(`${url}/v4${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    body: (text === '' ? {} : JSON.parse(text)) as JsonObject,
  };
}

/** The reasons of an error answer. */
export function reasons(reply: Reply): readonly unknown[] {
  return ((reply.body['errors'] ?? []) as readonly JsonObject[]).map((error) => error['reason']);
}

/** One value of each item of a list. */
export function pluck(reply: Reply, key: string): readonly unknown[] {
  return ((reply.body['data'] ?? []) as readonly JsonObject[]).map((item) => item[key]);
}

export const OPEN_RULES = { inbound: [], inbound_policy: 'ACCEPT', outbound: [], outbound_policy: 'ACCEPT' };

/** A small machine that somebody can log in to. */
export function order(extra: JsonObject = {}): JsonObject {
  return {
    region: 'de-fra-2',
    type: 'g6-nanode-1',
    image: 'linode/debian13',
    authorized_keys: ['ssh-ed25519 AAAA somebody'],
    ...extra,
  };
}
