/** A limit for what is being done, which can begin anew. */
export class TimeLimit {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout;

  /** @param ms milliseconds from now on */
  constructor(ms: number) {
    this.#timer = this.#start(ms);
  }

  /** Aborted when the time is up. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Counts from now on; a time that is up stays so. */
  restart(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start(ms);
  }

  #start(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(new Error('out of time')), ms).unref();
  }
}
