import type { Clock } from './clock.js';

/** The endpoint classes that Linode counts apart. */
export type EndpointClass = 'create-linode' | 'images' | 'collection' | 'other';

interface Limit {
  readonly requests: number;
  readonly windowMs: number;
}

/** Requests that one token may make of each class; the published limits, minus a little for others who use the token. */
export const LIMITS: Readonly<Record<EndpointClass, Limit>> = {
  'create-linode': { requests: 18, windowMs: 15_000 },
  images: { requests: 18, windowMs: 60_000 },
  collection: { requests: 190, windowMs: 60_000 },
  other: { requests: 1_500, windowMs: 60_000 },
};

/** The class of a request; `path` is without version, query and host: `/linode/instances`. */
export function endpointClass(method: string, path: string): EndpointClass {
  if (method === 'POST' && path === '/linode/instances') return 'create-linode';
  if (method !== 'GET') return 'other';
  if (path === '/images') return 'images';
  // A last part that starts with a letter names a collection; ids are numbers.
  return /\/[a-z][a-z-]*$/.test(path) ? 'collection' : 'other';
}

/**
 * Holds requests back so that no window of time sees more of a class than the limit. It keeps the time of each request
 * instead of a refilled bucket, which lets twice the limit through around a refill.
 */
export class Budget {
  readonly #taken = new Map<EndpointClass, number[]>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when a request of the class may go out. */
  async take(kind: EndpointClass, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const wait = this.#reserve(kind);
      if (wait <= 0) return;
      await this.#clock.sleep(wait, signal);
    }
  }

  #reserve(kind: EndpointClass): number {
    const { requests, windowMs } = LIMITS[kind];
    const now = this.#clock.now();
    const recent = (this.#taken.get(kind) ?? []).filter((at) => at > now - windowMs);
    const oldest = recent.at(-requests);
    if (oldest === undefined) recent.push(now);
    this.#taken.set(kind, recent);
    return oldest === undefined ? 0 : oldest + windowMs - now;
  }
}
