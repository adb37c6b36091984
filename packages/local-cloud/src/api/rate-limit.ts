/** The classes of calls that are counted apart. */
export type LimitClass =
  | 'general'
  | 'create-linode'
  | 'list-images'
  | 'create-vpc'
  | 'update-vpc'
  | 'create-volume'
  | 'reserved-ips'
  | 'object-storage'
  | 'stats';

export interface Limit {
  /** Calls in one window. */
  readonly limit: number;
  /** Milliseconds. */
  readonly windowMs: number;
}

export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds since the epoch. */
  readonly resetAt: number;
  readonly exceeded: boolean;
}

/** What the API's headers said in 2026. */
export const LIMITS: Readonly<Record<LimitClass, Limit>> = {
  general: { limit: 1840, windowMs: 60_000 },
  'create-linode': { limit: 20, windowMs: 15_000 },
  'list-images': { limit: 20, windowMs: 60_000 },
  'create-vpc': { limit: 15, windowMs: 60_000 },
  'update-vpc': { limit: 20, windowMs: 60_000 },
  'create-volume': { limit: 100, windowMs: 60_000 },
  'reserved-ips': { limit: 10, windowMs: 60_000 },
  'object-storage': { limit: 60, windowMs: 60_000 },
  stats: { limit: 50, windowMs: 60_000 },
};

/** Counts calls by token and class in fixed windows; a window of no length never fills. */
export class RateLimiter {
  readonly #limits: Readonly<Record<LimitClass, Limit>>;
  readonly #windows = new Map<string, { used: number; resetAt: number }>();

  constructor(limits: Readonly<Record<LimitClass, Limit>>) {
    this.#limits = limits;
  }

  /** Counts one call made at `now` (milliseconds). */
  take(caller: string, kind: LimitClass, now: number): Allowance {
    const { limit, windowMs } = this.#limits[kind];
    if (windowMs <= 0) return { limit, remaining: limit - 1, resetAt: now, exceeded: false };
    const window = this.#window(`${kind} ${caller}`, windowMs, now);
    window.used += 1;
    const exceeded = window.used > limit;
    return { limit, remaining: Math.max(0, limit - window.used), resetAt: window.resetAt, exceeded };
  }

  #window(key: string, windowMs: number, now: number): { used: number; resetAt: number } {
    const current = this.#windows.get(key);
    if (current !== undefined && now < current.resetAt) return current;
    const fresh = { used: 0, resetAt: now + windowMs };
    this.#windows.set(key, fresh);
    return fresh;
  }
}

/** The windows of Linode at another speed of time, with some of them set outright. */
export function scaledLimits(
  scaled: (realMs: number) => number,
  overrides: Partial<Record<LimitClass, Limit>> = {},
): Record<LimitClass, Limit> {
  const entries = Object.entries(LIMITS).map(([kind, { limit, windowMs }]) => {
    return [kind, overrides[kind as LimitClass] ?? { limit, windowMs: scaled(windowMs) }];
  });
  return Object.fromEntries(entries) as Record<LimitClass, Limit>;
}
