import type { Failure, Outcome } from '@perlstack/procedure';
import { messageOf, UserError } from '@perlstack/stack';
import type { Log } from './log.js';

/** The reason of the signal that a cancelled run's main sees. */
export class Cancelled extends UserError {
  override readonly name = 'Cancelled';
  readonly by: NodeJS.Signals;

  constructor(by: NodeJS.Signals) {
    super(`Cancelled (${by})`);
    this.by = by;
  }
}

/**
 * Makes a run that did not succeed an error: of every failure and of everything that could not be put back, or of
 * the cancel.
 *
 * @throws AggregateError of the failures, first in time first; the signal's reason when the run was only cancelled
 */
export function assertSucceeded(outcome: Outcome, signal?: AbortSignal): void {
  if (outcome.state === 'succeeded') return;
  const errors = [...outcome.failures.map(({ error }) => error), ...outcome.undoFailures.map(notPutBack)];
  if (outcome.state === 'cancelled' && signal?.aborted) errors.push(signal.reason);
  throw new AggregateError(errors, `The run ${outcome.state}`);
}

/** What a person has to do by hand, as an error. */
export function notPutBack({ step, error }: Failure): UserError {
  const what = step.host ? `${step.host} · ${step.title}` : step.title;
  return new UserError(
    `Not put back: ${what} (${messageOf(error)}). Look at it by hand, or run this again.`,
    {
      cause: error,
    },
  );
}

/** The errors that a thrown thing stands for. */
export function causesOf(thrown: unknown): unknown[] {
  return thrown instanceof AggregateError ? (thrown.errors as unknown[]).flatMap(causesOf) : [thrown];
}

/** True for what only says that the run was cancelled. */
export function isCancel(thrown: unknown): boolean {
  return thrown instanceof Cancelled || (thrown instanceof Error && thrown.name === 'AbortError');
}

/**
 * Prints everything that was thrown: the user's faults as one annotation each, at their place in the file; ours with
 * the stack trace. What a cancel brought with it is not reported as a fault.
 */
export function reportFailure(log: Log, action: string, thrown: unknown, cancelled: boolean): void {
  for (const cause of causesOf(thrown).filter((error) => !isCancel(error))) {
    if (cause instanceof UserError) {
      log.error(cause.message, { title: action, ...(cause.location ? { location: cause.location } : {}) });
    } else if (cancelled) {
      log.debug(stackOf(cause));
    } else {
      reportFault(log, action, cause);
    }
  }
}

function reportFault(log: Log, action: string, thrown: unknown): void {
  log.error(
    `${messageOf(thrown)} (a fault of ${action} itself: please report it with the lines that follow)`,
    {
      title: action,
    },
  );
  log.info(stackOf(thrown));
}

/** The stack traces of an error and its causes; no other property, as those may hold a request's headers. */
function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? '' : `\nCaused by: ${stackOf(thrown.cause)}`;
  return `${thrown.stack ?? thrown.message}${cause}`;
}
