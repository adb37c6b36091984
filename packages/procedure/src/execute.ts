import type { StepEvent, StepState } from './event.js';
import { type Journal, noJournal } from './journal.js';
import type { Handler, Handlers, Step, StepContext } from './step.js';

export interface ExecuteOptions {
  /** How many steps run side by side at the most; default 16. */
  readonly concurrency?: number;
  /** What to do with the steps that were started when one fails or the run is cancelled; default `keep`. */
  readonly onFailure?: 'undo' | 'keep';
  readonly journal?: Journal;
  /** Cancels the run. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: StepEvent) => void;
}

export interface Failure {
  readonly step: Step;
  readonly error: unknown;
}

export interface Outcome {
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  /** The failures of `run`, first in time first. */
  readonly failures: readonly Failure[];
  /** Failures of `undo`: what could not be put back and needs a person. */
  readonly undoFailures: readonly Failure[];
  /** Ids of steps that changed something (neither skipped nor failed). */
  readonly changed: readonly string[];
  readonly events: readonly StepEvent[];
}

/**
 * Runs a plan: each step as soon as all steps in its `after` are done, skipping those whose check says that nothing is
 * to do. After a failure or a cancel no further step starts; those under way are told by their signal and awaited; then,
 * with `onFailure: 'undo'`, everything that was started is undone, last first.
 *
 * @throws Error when the plan itself is wrong (an id twice, an unknown or circular `after`), before any step runs.
 */
export async function execute<S extends Step>(
  plan: readonly S[],
  handlers: Handlers<S>,
  options: ExecuteOptions = {},
): Promise<Outcome> {
  assertPlan(plan);
  const { concurrency = 16, onFailure = 'keep', journal = noJournal } = options;
  const abort = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal;
  const events: StepEvent[] = [];
  const emit = (step: Step, state: StepState, message?: string): void => {
    const event: StepEvent = { step, state, at: Date.now(), ...(message ? { message } : {}) };
    events.push(event);
    options.onEvent?.(event);
  };

  const finished = new Set<string>();
  const changed: string[] = [];
  const failures: Failure[] = [];
  const started: S[] = [];
  const waiting = new Set(plan);
  const running = new Map<S, Promise<void>>();

  const perform = async (step: S): Promise<void> => {
    const handler = handlerOf(handlers, step);
    const context = contextFor(step, signal, emit);
    try {
      if (await handler.check?.(step, context)) {
        emit(step, 'skipped');
      } else if (!signal.aborted) {
        if (handler.undo) journal.append({ step, state: 'started' });
        started.push(step);
        emit(step, 'started');
        const remark = await handler.run(step, context);
        if (handler.undo) journal.append({ step, state: 'done' });
        changed.push(step.id);
        emit(step, 'done', remark ?? undefined);
      }
      finished.add(step.id);
    } catch (error) {
      // A step that stops because it was told to is no failure of its own.
      if (!signal.aborted || failures.length === 0) {
        if (!options.signal?.aborted) failures.push({ step, error });
      }
      emit(step, 'failed', error instanceof Error ? error.message : String(error));
      abort.abort(error);
    }
  };

  while ((waiting.size > 0 && !signal.aborted) || running.size > 0) {
    if (!signal.aborted) {
      for (const step of waiting) {
        if (running.size >= concurrency) break;
        if (!(step.after ?? []).every((id) => finished.has(id))) continue;
        waiting.delete(step);
        running.set(
          step,
          perform(step).finally(() => running.delete(step)),
        );
      }
    }
    await Promise.race(running.values());
  }

  const cancelled = options.signal?.aborted === true;
  const state = failures.length > 0 ? 'failed' : cancelled ? 'cancelled' : 'succeeded';
  const undoFailures =
    state !== 'succeeded' && onFailure === 'undo'
      ? await undoAll(started.reverse(), handlers, journal, emit)
      : [];
  if (state === 'succeeded') journal.settle();
  return { state, failures, undoFailures, changed, events };
}

/**
 * Undoes steps in the order given; one that fails does not keep the others from being undone.
 *
 * @returns what could not be undone.
 */
export async function undoSteps<S extends Step>(
  steps: readonly S[],
  handlers: Handlers<S>,
  options: Pick<ExecuteOptions, 'journal' | 'onEvent'> = {},
): Promise<readonly Failure[]> {
  return undoAll(steps, handlers, options.journal ?? noJournal, (step, state, message) =>
    options.onEvent?.({ step, state, at: Date.now(), ...(message ? { message } : {}) }),
  );
}

type Emit = (step: Step, state: StepState, message?: string) => void;

async function undoAll<S extends Step>(
  steps: readonly S[],
  handlers: Handlers<S>,
  journal: Journal,
  emit: Emit,
): Promise<Failure[]> {
  const failures: Failure[] = [];
  // An undo is not cancelled by what made it necessary.
  const { signal } = new AbortController();
  for (const step of steps) {
    const handler = handlerOf(handlers, step);
    if (!handler.undo) continue;
    emit(step, 'undoing');
    try {
      const remark = await handler.undo(step, contextFor(step, signal, emit));
      journal.append({ step, state: 'undone' });
      emit(step, 'undone', remark ?? undefined);
    } catch (error) {
      failures.push({ step, error });
      emit(step, 'undo-failed', error instanceof Error ? error.message : String(error));
    }
  }
  return failures;
}

function contextFor(step: Step, signal: AbortSignal, emit: Emit): StepContext {
  return { signal, progress: (message) => emit(step, 'progress', message) };
}

function handlerOf<S extends Step>(handlers: Handlers<S>, step: S): Handler<S> {
  const handler = (handlers as Record<string, Handler<S> | undefined>)[step.kind];
  if (!handler) throw new Error(`No handler for steps of kind "${step.kind}" (${step.id})`);
  return handler;
}

function assertPlan(plan: readonly Step[]): void {
  const ids = new Set(plan.map((step) => step.id));
  if (ids.size < plan.length) {
    const twice = plan.find((step, index) => plan.findIndex((other) => other.id === step.id) !== index);
    throw new Error(`The plan holds "${twice?.id}" twice`);
  }
  const placed = new Set<string>();
  let rest = [...plan];
  while (rest.length > 0) {
    const next = rest.filter((step) => !(step.after ?? []).every((id) => placed.has(id)));
    if (next.length === rest.length) {
      const unknown = rest.flatMap((step) => step.after ?? []).find((id) => !ids.has(id));
      throw new Error(
        unknown
          ? `The plan has a step after "${unknown}", which it does not hold`
          : `The plan is circular: ${rest.map((step) => step.id).join(', ')}`,
      );
    }
    for (const step of rest) if (!next.includes(step)) placed.add(step.id);
    rest = next;
  }
}
