/** The kinds of requests of a mixed load. */
export const KINDS = ['get', 'post', 'slow-get', 'slow-post', 'visit'] as const;
export type Kind = (typeof KINDS)[number];

export interface Counts {
  ok: number;
  failed: number;
  /** Milliseconds of the slowest good answer. */
  slowestMs: number;
}

export interface FailedRequest {
  readonly kind: Kind;
  readonly url: string;
  /** ISO 8601. */
  readonly at: string;
  readonly ms: number;
  readonly fault: string;
  readonly id?: string;
}

/** What came to an end in some time. */
export interface Window {
  readonly seconds: number;
  readonly requests: number;
  readonly failed: number;
  readonly byKind: Readonly<Record<Kind, Readonly<Counts>>>;
  /** The first failures, with their details. */
  readonly failures: readonly FailedRequest[];
}

const MOST_DETAILS = 20;

const noCounts = (): Counts => ({ ok: 0, failed: 0, slowestMs: 0 });

const emptyCounts = (): Record<Kind, Counts> => ({
  get: noCounts(),
  post: noCounts(),
  'slow-get': noCounts(),
  'slow-post': noCounts(),
  visit: noCounts(),
});

interface OpenWindow {
  readonly start: number;
  readonly counts: Record<Kind, Counts>;
  readonly failures: FailedRequest[];
}

const openWindow = (): OpenWindow => ({ start: performance.now(), counts: emptyCounts(), failures: [] });

/** Counts requests since the start and since every mark, and keeps account of every POST. */
export class Ledger {
  readonly #all = openWindow();
  readonly #marks = new Map<string, OpenWindow>();
  readonly #unanswered = new Set<string>();
  readonly #acknowledged: string[] = [];

  mark(name: string): void {
    this.#marks.set(name, openWindow());
  }

  sent(id: string): void {
    this.#unanswered.add(id);
  }

  ended(kind: Kind, ms: number, failure: FailedRequest | undefined, id?: string): void {
    for (const window of [this.#all, ...this.#marks.values()]) {
      const counts = window.counts[kind];
      if (failure === undefined) {
        counts.ok += 1;
        counts.slowestMs = Math.max(counts.slowestMs, Math.round(ms));
      } else {
        counts.failed += 1;
        if (window.failures.length < MOST_DETAILS) window.failures.push(failure);
      }
    }
    if (id !== undefined && failure === undefined) {
      this.#unanswered.delete(id);
      this.#acknowledged.push(id);
    }
  }

  /** @throws Error for a mark that was never made. */
  since(name?: string): Window {
    const window = name === undefined ? this.#all : this.#marks.get(name);
    if (!window) throw new Error(`No mark "${name}" was made`);
    const counts = Object.values(window.counts);
    const failed = counts.reduce((sum, one) => sum + one.failed, 0);
    return {
      seconds: (performance.now() - window.start) / 1_000,
      requests: counts.reduce((sum, one) => sum + one.ok, failed),
      failed,
      byKind: window.counts,
      failures: window.failures,
    };
  }

  account(): { acknowledged: readonly string[]; unanswered: readonly string[] } {
    return { acknowledged: this.#acknowledged, unanswered: [...this.#unanswered] };
  }
}

/** What the application's own journal says about the POSTs of a load. */
export interface OrderBalance {
  readonly acknowledged: number;
  /** Orders of this load that were carried out, each counted once. */
  readonly executed: number;
  /** Acknowledged, but never carried out. */
  readonly lost: readonly string[];
  /** Carried out more than once. */
  readonly doubled: readonly string[];
  /** Not acknowledged, and yet carried out: the client would have to ask. */
  readonly unclear: readonly string[];
}

/**
 * Compares what the clients were told with what was carried out.
 *
 * @param journal the lines of all hosts' order journals; lines of other loads are ignored
 */
export function balance(
  account: { readonly acknowledged: readonly string[]; readonly unanswered: readonly string[] },
  journal: readonly string[],
): OrderBalance {
  const times = new Map<string, number>();
  for (const id of journal) times.set(id, (times.get(id) ?? 0) + 1);
  const all = [...account.acknowledged, ...account.unanswered];
  return {
    acknowledged: account.acknowledged.length,
    executed: all.filter((id) => times.has(id)).length,
    lost: account.acknowledged.filter((id) => !times.has(id)),
    doubled: all.filter((id) => (times.get(id) ?? 0) > 1),
    unclear: account.unanswered.filter((id) => times.has(id)),
  };
}
