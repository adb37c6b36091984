import {
  type Handler,
  type Handlers,
  type Journal,
  type StepContext,
  type StepEvent,
  undoSteps,
} from '@perlstack/procedure';
import { RemoteError } from '@perlstack/remote';
import { messageOf } from '@perlstack/stack';
import { isOutOfReach } from './observe.js';
import { setServer } from './out-of-service.js';
import { act, type Hands, hostsAtWork } from './hands.js';
import { leaveOut } from './plan-steps.js';
import type { ReleaseStep } from './steps.js';

export interface Tolerance {
  /**
   * How many app hosts may fail before the roll-out does, with as many as the floor needs left; those that were out of reach
   * from the start count.
   */
  readonly maxFailures: number;
  /** Hosts that may not fail before a step is done, by its id: a canary, and those on which the others depend. */
  readonly needed: ReadonlyMap<string, readonly string[]>;
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
  const needed = new Map(tolerance.needed);
  return each(handlers, (handler) => tolerant(handler, begun, handlers, hands, { ...tolerance, needed }));
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
  { maxFailures, needed, journal, onEvent }: Tolerance & { readonly needed: Map<string, readonly string[]> },
): Handler<ReleaseStep> {
  const isLeft = ({ host }: ReleaseStep): boolean => host !== undefined && hands.left.has(host);
  const leave = async (host: string, reason: string, context: StepContext): Promise<void> => {
    hands.left.set(host, { reason, restored: false });
    const own = begun.filter((one) => one.host === host).reverse();
    const lasting = await undoSteps(own, givingUp(handlers), { journal, onEvent });
    hands.left.set(host, { reason, restored: lasting.length === 0 });
    // One that was out before stays out, whatever becomes of the others.
    const leaving = own.find(({ kind }) => kind === 'leave-out') ?? leaveOut(host);
    journal.append({ step: leaving, state: 'started' });
    await setServer(hands, host, 'down', context);
  };
  const run: typeof handler.run = async (step, context) => {
    begun.push(step);
    const left = hands.left.size;
    try {
      const remark = await handler.run(step, context);
      needed.delete(step.id);
      return remark;
    } catch (error) {
      if (context.signal.aborted) throw error;
      const failed = await failedIn(step, error, hands, context);
      // The last look is beside the last drains, one of which may have failed for the same host meanwhile.
      const fewer = step.kind === 'hold' && hands.left.size > left;
      const beyond = new Set([...hands.left.keys(), ...failed.keys()]).size > maxFailures;
      const never = [...needed.values()].flat().some((host) => failed.has(host));
      if ((failed.size === 0 && !fewer) || beyond || never) throw error;
      for (const [host, reason] of failed) if (!hands.left.has(host)) await leave(host, reason, context);
      return step.kind === 'hold' ? run(step, context) : `left out: ${messageOf(error)}`;
    }
  };
  return {
    ...handler,
    check: async (step, context) =>
      (isLeft(step) && step.kind !== 'leave-out') || ((await handler.check?.(step, context)) ?? false),
    run,
  };
}

/**
 * The app hosts that a step failed for, and why. The look at all of them at the end fails for one that died when nothing was to
 * be done on it any more, too.
 */
async function failedIn(
  { host, kind }: ReleaseStep,
  error: unknown,
  hands: Hands,
  context: StepContext,
): Promise<ReadonlyMap<string, string>> {
  if (kind === 'hold') return outOfReach(hands, context);
  const known = hands.site.appHosts.some(({ name }) => name === host);
  return new Map(host !== undefined && known ? [[host, messageOf(error)]] : []);
}

/** Limit of the question whether a host is there, in milliseconds. */
const REACH_MS = 20_000;

async function outOfReach(hands: Hands, context: StepContext): Promise<ReadonlyMap<string, string>> {
  const asked = hostsAtWork(hands).map(async ({ name }): Promise<[string, string][]> => {
    try {
      await act(hands, name, ['looking at the host', ':'], [], context, { timeoutMs: REACH_MS });
      return [];
    } catch (error) {
      return isOutOfReach(error) ? [[name, messageOf(error)]] : [];
    }
  });
  return new Map((await Promise.all(asked)).flat());
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
