import { messageOf } from '@perlstack/stack';
import { holds, type Scope, type Status } from './expressions.js';
import type { Conclusion, StepRun } from './results.js';
import { type Frame, scopeOf } from './state.js';
import { StepLog } from './step-log.js';
import type { Tree } from './tree.js';

/** What a step's work gave, when it was not cancelled. */
export interface Done {
  readonly succeeded: boolean;
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
}

/** One step, or an action's pre or post, ready to be tried. */
export interface Attempt {
  readonly id: string;
  readonly name: string;
  readonly phase: StepRun['phase'];
  readonly condition: Tree | undefined;
  /** The step's own variables; evaluated before its `if`, which can see them. */
  readonly env: () => Readonly<Record<string, string>>;
  readonly continueOnError: (scope: Scope) => boolean;
  /** `undefined` for no limit of its own. */
  readonly timeoutMinutes: (scope: Scope) => number | undefined;
  readonly work: (tools: Tools) => Promise<Done>;
}

export interface Tools {
  readonly log: StepLog;
  readonly cancel: AbortSignal;
  readonly env: Readonly<Record<string, string>>;
  readonly scope: Scope;
}

const NOTHING: Done = { succeeded: true, outputs: {}, summary: '' };

/**
 * Tries a step: looks at its `if`, runs it within its time limit, and notes how it ended. Within a composite action
 * the steps share the log of the step that uses it.
 */
export async function attempt(frame: Frame, step: Attempt, shared?: StepLog): Promise<StepRun> {
  const began = performance.now();
  const { job } = frame;
  const { run, secrets } = job.file;
  const debug = secrets['ACTIONS_STEP_DEBUG'] === 'true' || run.vars['ACTIONS_STEP_DEBUG'] === 'true';
  const emit = (text: string): void => run.emit({ job: job.name, step: step.name, text });
  const log = shared ?? new StepLog(run.masker, emit, debug);
  const { outcome, conclusion, done } = await judged(frame, step, log);
  if (conclusion === 'failure') frame.failed = true;
  return {
    id: step.id,
    name: step.name,
    phase: step.phase,
    outcome,
    conclusion,
    outputs: done.outputs,
    summary: done.summary,
    annotations: log.annotations,
    log: log.text,
    seconds: (performance.now() - began) / 1_000,
  };
}

interface Judged {
  readonly outcome: Conclusion;
  readonly conclusion: Conclusion;
  readonly done: Done;
}

async function judged(frame: Frame, step: Attempt, log: StepLog): Promise<Judged> {
  let tolerant = false;
  try {
    const env = step.env();
    const scope = scopeOf(frame, env);
    if (frame.job.deadline.aborted || !holds(step.condition, scope)) {
      return { outcome: 'skipped', conclusion: 'skipped', done: NOTHING };
    }
    tolerant = step.continueOnError(scope);
    const [outcome, done] = await limited(frame, step, { log, env, scope });
    return { outcome, conclusion: outcome === 'failure' && tolerant ? 'success' : outcome, done };
  } catch (error) {
    log.annotate('error', messageOf(error));
    return { outcome: 'failure', conclusion: tolerant ? 'success' : 'failure', done: NOTHING };
  }
}

/** Runs the work until it ends, its time is up, or the job is cancelled. */
async function limited(
  frame: Frame,
  step: Attempt,
  tools: Omit<Tools, 'cancel'>,
): Promise<[Conclusion, Done]> {
  const { log, env, scope } = tools;
  const stop = new AbortController();
  const minutes = step.timeoutMinutes(scope);
  const timer = minutes === undefined ? undefined : setTimeout(() => stop.abort('timeout'), minutes * 60_000);
  // A step whose `if` holds even now, such as always(), runs on.
  const onCancel = (): void => {
    if (!holdsWhen('cancelled', frame, step, env)) stop.abort('cancelled');
  };
  const onDeadline = (): void => stop.abort('cancelled');
  frame.cancel.addEventListener('abort', onCancel);
  frame.job.deadline.addEventListener('abort', onDeadline);
  try {
    const done = await step.work({ ...tools, cancel: stop.signal });
    if (!stop.signal.aborted) return [done.succeeded ? 'success' : 'failure', done];
    if (stop.signal.reason === 'cancelled') {
      log.annotate('error', 'The operation was canceled.');
      return ['cancelled', done];
    }
    log.annotate('error', `The action '${step.name}' has timed out after ${minutes} minutes.`);
    return ['failure', done];
  } finally {
    clearTimeout(timer);
    frame.cancel.removeEventListener('abort', onCancel);
    frame.job.deadline.removeEventListener('abort', onDeadline);
  }
}

function holdsWhen(
  status: Status,
  frame: Frame,
  step: Attempt,
  env: Readonly<Record<string, string>>,
): boolean {
  try {
    return holds(step.condition, scopeOf(frame, env, status));
  } catch {
    return false;
  }
}
