/** The time of the cloud, so that its life cycles can run at any speed and tests can hold it still. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** How long something that takes so many milliseconds at Linode takes here. */
  scaled(realMs: number): number;
  /** Resolves after the scaled time; never resolves once the clock is stopped. */
  wait(realMs: number): Promise<void>;
  stop(): void;
}

/** The machine's own time. `scale` 1 is as slow as Linode, 0 waits for nothing but the next turn of the event loop. */
export class RealClock implements Clock {
  readonly #scale: number;
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(scale: number) {
    this.#scale = scale;
  }

  now(): number {
    return Date.now();
  }

  scaled(realMs: number): number {
    return realMs * this.#scale;
  }

  wait(realMs: number): Promise<void> {
    const duration = this.scaled(realMs);
    return new Promise((resolve) => {
      if (duration === 0) setImmediate(() => !this.#stopped && resolve());
      else this.#later(duration, resolve);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #later(duration: number, resolve: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      resolve();
    }, duration);
    this.#timers.add(timer);
  }
}

interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
}

/** A clock that stands still until told to go on. */
export class ManualClock implements Clock {
  #now: number;
  #sleepers: Sleeper[] = [];

  constructor(startMs = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  scaled(realMs: number): number {
    return realMs;
  }

  wait(realMs: number): Promise<void> {
    return new Promise((wake) => this.#sleepers.push({ due: this.#now + realMs, wake }));
  }

  stop(): void {
    this.#sleepers = [];
  }

  /** Lets so much time pass, waking in turn whoever is due, and whoever these make wait. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let next = this.#take(end); next !== undefined; next = this.#take(end)) {
      this.#now = next.due;
      next.wake();
      await turn();
    }
    this.#now = end;
  }

  /** Lets time pass until nobody waits any more. */
  async settle(): Promise<void> {
    await turn();
    while (this.#sleepers.length > 0) {
      const due = Math.min(...this.#sleepers.map((sleeper) => sleeper.due));
      await this.advance(Math.max(0, due - this.#now));
    }
  }

  #take(end: number): Sleeper | undefined {
    const [next] = this.#sleepers.toSorted((a, b) => a.due - b.due);
    if (next === undefined || next.due > end) return undefined;
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== next);
    return next;
  }
}

/** Everything that was made ready runs before this resolves. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The API's time stamps: UTC, whole seconds, no zone. */
export function stamp(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19);
}
