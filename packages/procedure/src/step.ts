/**
 * One step of a plan, as data: it can be printed, written to a journal, and read back by another process that
 * has to finish or undo it. It never holds a secret.
 */
export interface Step {
  /** Unique in its plan and the same in every run of the same plan, such as `web-2/nginx/swap`. */
  readonly id: string;
  /** Selects the handler. */
  readonly kind: string;
  /** What a person reads: `nginx: validate and reload`. */
  readonly title: string;
  /** Name of the host it works on, where there is one: its lane in the timeline. */
  readonly host?: string;
  /** Ids of the steps that must be done before this one starts. Steps without an order between them run side by side. */
  readonly after?: readonly string[];
}

export interface StepContext {
  /** Aborted when the run is cancelled or another step failed: stop soon, leave nothing half done. */
  readonly signal: AbortSignal;
  /** Says how far the step is; printed under its host's name. */
  progress(message: string): void;
}

/** What one kind of step does to the world. */
export interface Handler<S extends Step> {
  /** True when the world already is as the step would make it: the step is skipped. */
  check?(step: S, context: StepContext): Promise<boolean>;
  /** Does the step; what it returns is a short remark for the table (`reloaded`, `3.1 MB`). */
  run(step: S, context: StepContext): Promise<string | void>;
  /**
   * Puts back what `run` changed. It is called for a step that was started, whether or not it came to its end,
   * possibly by another process and more than once, so it looks before it acts.
   */
  undo?(step: S, context: StepContext): Promise<string | void>;
}

/** A handler for every kind of step that a plan can hold. */
export type Handlers<S extends Step> = { readonly [K in S['kind']]: Handler<Extract<S, { kind: K }>> };
