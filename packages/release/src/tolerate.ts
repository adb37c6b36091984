import { type Handler, type Handlers, type Journal, type StepEvent, undoSteps } from '@perlstack/procedure';
import { RemoteError } from '@perlstack/remote';
import { messageOf } from '@perlstack/stack';
import { isOutOfReach } from './observe.js';
import { setServer } from './out-of-service.js';
import type { Hands } from './hands.js';
import { leaveOut } from './plan-steps.js';
import type { ReleaseStep } from './steps.js';

export interface Tolerance {
  /** How many app hosts may fail before the roll-out does; those that were out of reach from the start count. */
  readonly maxFailures: number;
  /** Hosts that may not: a canary, and those on which the others depend. */
  readonly never: readonly string[];
  readonly journal: Journal;
  readonly onEvent: (event: StepEvent) => void;
}

/**
 * Handlers that go on without a host that fails: what was begun on it is put back, it gets no requests any more (it would
 * answer with the old release), and all its further steps are skipped.
 */
export function tolerating(
  handlers: Handlers<ReleaseStep>,
  hands: Hands,
  tolerance: Tolerance,
): Handlers<ReleaseStep> {
  if (tolerance.maxFailures === 0) return handlers;
  const begun: ReleaseStep[] = [];
  return each(handlers, (handler) => tolerant(handler, begun, handlers, hands, tolerance));
}

/** The same handlers, each of them with something around it. */
function each(
  handlers: Handlers<ReleaseStep>,
  around: (handler: Handler<ReleaseStep>) => Handler<ReleaseStep>,
): Handlers<ReleaseStep> {
  const wrapped = Object.entries(handlers).map(([kind, handler]) => [
    kind,
    around(handler as Handler<ReleaseStep>),
  ]);
  return Object.fromEntries(wrapped) as Handlers<ReleaseStep>;
}

function tolerant(
  handler: Handler<ReleaseStep>,
  begun: ReleaseStep[],
  handlers: Handlers<ReleaseStep>,
  hands: Hands,
  { maxFailures, never, journal, onEvent }: Tolerance,
): Handler<ReleaseStep> {
  const isLeft = ({ host }: ReleaseStep): boolean => host !== undefined && hands.left.has(host);
  return {
    ...handler,
    check: async (step, context) =>
      (isLeft(step) && step.kind !== 'leave-out') || ((await handler.check?.(step, context)) ?? false),
    run: async (step, context) => {
      begun.push(step);
      try {
        return await handler.run(step, context);
      } catch (error) {
        const { host } = step;
        const known = hands.site.appHosts.some(({ name }) => name === host);
        if (!host || !known || context.signal.aborted || never.includes(host)) throw error;
        if (hands.left.size >= maxFailures) throw error;
        const reason = messageOf(error);
        hands.left.set(host, { reason, restored: false });
        const own = begun.filter((one) => one.host === host).reverse();
        const lasting = await undoSteps(own, givingUp(handlers), { journal, onEvent });
        hands.left.set(host, { reason, restored: lasting.length === 0 });
        const leaving = leaveOut(host);
        journal.append({ step: leaving, state: 'started' });
        await setServer(hands, host, 'down', context);
        return `left out: ${reason}`;
      }
    },
  };
}

/**
 * Handlers whose undo waits only once for a host that is gone, and not once for each of its steps. A connection that was lost
 * tells nothing of the host: the one in front of it may have died, and there is another way round it.
 */
export function givingUp(handlers: Handlers<ReleaseStep>): Handlers<ReleaseStep> {
  const gone = new Map<string, unknown>();
  return each(handlers, (handler) => {
    if (!handler.undo) return handler;
    return { ...handler, undo: waitingOnce(async (step, context) => handler.undo?.(step, context), gone) };
  });
}

type Undo = (...args: Parameters<NonNullable<Handler<ReleaseStep>['undo']>>) => Promise<string | void>;

/** @param gone hosts, and the error that said so */
function waitingOnce(undo: Undo, gone: Map<string, unknown>): Undo {
  return async (step, context) => {
    const host = step.kind === 'leave-out' ? undefined : step.host;
    if (host !== undefined && gone.has(host)) throw gone.get(host);
    try {
      return await undo(step, context).catch((error: unknown) => {
        if (!isLost(error)) throw error;
        return undo(step, context);
      });
    } catch (error) {
      if (host !== undefined && isOutOfReach(error)) gone.set(host, error);
      throw error;
    }
  };
}

const isLost = (error: unknown): boolean => error instanceof RemoteError && error.reason === 'lost';
