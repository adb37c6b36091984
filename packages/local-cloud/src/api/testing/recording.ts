import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json, JsonObject } from '../json.js';

/** One recorded request to the real API and its answer. */
export interface Exchange {
  /** The conversation that it is part of. */
  readonly test: string;
  readonly n: number;
  readonly method: string;
  readonly path: string;
  readonly filter?: JsonObject;
  readonly request?: Json;
  readonly status: number;
  readonly response?: Json;
  readonly scopes?: string | null;
  readonly ratelimit?: string | null;
}

/** Recorded traffic stands beside the project, not in it; `PERLSTACK_RECORDED` names another place. */
export function recordingPath(root: string): string {
  return process.env['PERLSTACK_RECORDED'] ?? join(root, '..', 'shared', 'linode-api', 'recorded.jsonl');
}

/** The conversations of a recording in order, or why there are none. */
export function readRecording(path: string): ReadonlyMap<string, readonly Exchange[]> | string {
  if (!existsSync(path)) return `no recorded traffic at ${path}; name it by PERLSTACK_RECORDED`;
  const conversations = new Map<string, Exchange[]>();
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line === '') continue;
    const exchange = JSON.parse(line) as Exchange;
    const conversation = conversations.get(exchange.test) ?? [];
    conversations.set(exchange.test, [...conversation, exchange]);
  }
  return conversations;
}

/** The path without version and query. */
export function barePath(path: string): string {
  return path.replace(/^\/v4(beta)?/, '').replace(/\?.*/, '');
}
