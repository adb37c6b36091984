import { Cancelled } from './failures.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Cancellation {
  readonly signal: AbortSignal;
  /** Gives the signals back to Node, which ends the process at the next one. */
  release(): void;
}

/**
 * Turns GitHub's way of cancelling (SIGINT, SIGTERM 7.5 s later, SIGKILL after another 2.5 s) and Ctrl-C into an
 * abort. A second Ctrl-C on a terminal ends the process at once.
 */
export function onCancel(impatient: boolean): Cancellation {
  const abort = new AbortController();
  const cancel = (by: NodeJS.Signals): void => {
    if (impatient && abort.signal.aborted) process.exit(exitCodeOf(by));
    abort.abort(new Cancelled(by));
  };
  for (const name of SIGNALS) process.on(name, cancel);
  const release = (): void => SIGNALS.forEach((name) => process.off(name, cancel));
  return { signal: abort.signal, release };
}

/** The exit code by which a shell knows that a signal ended a process. */
export function exitCodeOf(by: NodeJS.Signals): number {
  return by === 'SIGINT' ? 130 : 143;
}
