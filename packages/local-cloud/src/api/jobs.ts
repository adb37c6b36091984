import { messageOf } from '@perlstack/stack';
import type { Clock } from './clock.js';
import type { EventRecord } from './model.js';

/** One piece of work on a Linode, shown as an event. */
export interface Job {
  readonly event: EventRecord;
  /** How long it takes at Linode, milliseconds; it ends no sooner, in scaled time. */
  readonly realMs: number;
  /** What happens when its turn comes. */
  start?(): void;
  /** The driver's part. */
  work(): Promise<void>;
  finish?(): void;
  fail?(): void;
}

/** The work on one Linode, one piece after the other. While there is any, the Linode is busy. */
export class JobQueue {
  readonly #clock: Clock;
  readonly #jobs: Job[] = [];
  readonly #closing: Promise<void>;
  #endWaiting: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#closing = new Promise((resolve) => {
      this.#endWaiting = resolve;
    });
  }

  get busy(): boolean {
    return this.#jobs.length > 0;
  }

  /** The actions of the work that waits or runs. */
  get actions(): string[] {
    return this.#jobs.map((job) => job.event.action);
  }

  add(job: Job): void {
    this.#jobs.push(job);
    if (this.#jobs.length === 1) this.#running = this.#runAll();
  }

  /** Drops what waits and resolves as soon as the driver has ended its part of what runs. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#jobs.splice(1)) this.#end(job.event, 'failed');
    this.#endWaiting();
    await this.#running;
  }

  async #runAll(): Promise<void> {
    for (let job = this.#jobs[0]; job !== undefined; job = this.#jobs[0]) {
      const status = await this.#run(job);
      this.#jobs.shift();
      this.#end(job.event, status);
    }
  }

  async #run(job: Job): Promise<'finished' | 'failed'> {
    try {
      job.start?.();
      // Whoever asked for the work sees its event as scheduled first, even if its turn comes at once.
      await Promise.resolve();
      job.event.status = 'started';
      job.event.startedAt = this.#clock.now();
      await Promise.all([job.work(), Promise.race([this.#clock.wait(job.realMs), this.#closing])]);
      if (this.#closed) return 'failed';
      job.finish?.();
      return 'finished';
    } catch (error) {
      job.event.message = messageOf(error);
      job.fail?.();
      return 'failed';
    }
  }

  #end(event: EventRecord, status: 'finished' | 'failed'): void {
    event.status = status;
    event.startedAt ??= this.#clock.now();
    event.finishedAt = this.#clock.now();
  }
}
