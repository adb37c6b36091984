import type { Clock } from './clock.js';
import { EventFailed } from './errors.js';
import type { Event } from './types.js';

export interface WaitOptions {
  /** Actions that must have come to their end, such as `linode_create`; without it: the newest one, whatever it is. */
  readonly actions?: readonly string[];
  /** Default: 10 minutes. */
  readonly deadlineMs?: number;
  /** Called with each new state: `linode_create started, 53 %`. */
  readonly onProgress?: (message: string) => void;
  readonly signal?: AbortSignal;
}

export type Verdict =
  | { readonly state: 'waiting'; readonly message: string }
  | { readonly state: 'done' }
  | { readonly state: 'failed'; readonly event: Event };

/**
 * What the events of one entity say. An entity is at rest when none of its events is scheduled or started; its status
 * is no sign of that, because it runs ahead of the events and behind them.
 *
 * @param events of one entity, newest first
 * @param actions as in WaitOptions
 */
export function judge(events: readonly Event[], actions: readonly string[] | undefined): Verdict {
  const busy = events.filter(({ status }) => status === 'scheduled' || status === 'started');
  const newest = actions
    ? actions.map((action) => events.find((event) => event.action === action))
    : [events[0]];
  const failed = newest.find((event) => event?.status === 'failed' || event?.status === 'canceled');
  if (failed) return { state: 'failed', event: failed };
  const current = busy.at(-1);
  if (current) return { state: 'waiting', message: progressOf(current) };
  const missing = actions?.find((_, index) => newest[index] === undefined);
  return missing ? { state: 'waiting', message: `${missing} not yet announced` } : { state: 'done' };
}

function progressOf({ action, status, percent_complete: percent }: Event): string {
  return `${action} ${status}${percent ? `, ${percent} %` : ''}`;
}

interface Waiter {
  readonly id: number;
  readonly actions: readonly string[] | undefined;
  readonly onProgress: ((message: string) => void) | undefined;
  readonly until: number;
  said: string;
  settle(error?: unknown): void;
}

/** Asked for this many entities at once, the filter stays well below what a header may hold. */
const IDS_PER_REQUEST = 50;

/**
 * Waits for any number of entities of one type with one request per round: collections may be read 200 times a minute
 * only, which ten waiters of their own would use up.
 */
export class EventWatcher {
  readonly #waiters = new Set<Waiter>();
  readonly #fetch: (ids: readonly number[]) => Promise<readonly Event[]>;
  readonly #clock: Clock;
  readonly #pollMs: number;
  #polling = false;

  /** @param fetch the events of some entities, newest first */
  constructor(fetch: (ids: readonly number[]) => Promise<readonly Event[]>, clock: Clock, pollMs: number) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#pollMs = pollMs;
  }

  /** @throws EventFailed when an action failed or the deadline passed. */
  wait(id: number, options: WaitOptions): Promise<void> {
    const { actions, onProgress, signal, deadlineMs = 600_000 } = options;
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.settle(signal?.reason);
      const settle = (error?: unknown): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error instanceof Error ? error : new Error('cancelled'));
      };
      const waiter: Waiter = {
        id,
        actions,
        onProgress,
        until: this.#clock.now() + deadlineMs,
        said: '',
        settle,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      if (!this.#polling) void this.#poll();
    });
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    // Those who start to wait in the same moment share the first round.
    await Promise.resolve();
    while (this.#waiters.size > 0) {
      const round = [...this.#waiters];
      try {
        const events = await this.#read([...new Set(round.map(({ id }) => id))]);
        for (const waiter of round)
          this.#serve(
            waiter,
            events.filter(({ entity }) => entity?.id === waiter.id),
          );
      } catch (error) {
        for (const waiter of round) waiter.settle(error);
      }
      if (this.#waiters.size > 0) await this.#clock.sleep(this.#pollMs);
    }
    this.#polling = false;
  }

  async #read(ids: readonly number[]): Promise<Event[]> {
    const events: Event[] = [];
    for (let at = 0; at < ids.length; at += IDS_PER_REQUEST) {
      events.push(...(await this.#fetch(ids.slice(at, at + IDS_PER_REQUEST))));
    }
    return events;
  }

  #serve(waiter: Waiter, events: readonly Event[]): void {
    const verdict = judge(events, waiter.actions);
    if (verdict.state === 'done') return waiter.settle();
    if (verdict.state === 'failed') return waiter.settle(failure(verdict.event));
    if (this.#clock.now() >= waiter.until) {
      return waiter.settle(
        new EventFailed(
          `Linode ${waiter.id} is not ready in time: ${verdict.message}. Run again to go on waiting`,
        ),
      );
    }
    if (verdict.message !== waiter.said) waiter.onProgress?.(verdict.message);
    waiter.said = verdict.message;
  }
}

function failure({ action, status, entity, id, message }: Event): EventFailed {
  const name = entity?.label ?? String(entity?.id);
  return new EventFailed(
    `${name}: ${action} ${status} at Linode (event ${id}${message ? `: ${message.slice(0, 200)}` : ''}). Look at the Linode in the Cloud Manager, delete it if it is of no use, then run again`,
  );
}
