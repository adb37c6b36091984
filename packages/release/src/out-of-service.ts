import { setTimeout as sleep } from 'node:timers/promises';
import type { Failure, Handler, StepContext } from '@perlstack/procedure';
import { messageOf } from '@perlstack/stack';
import { act, BOOT_LIMIT, type Hands } from './hands.js';
import { outUntilNextRun } from './next-run.js';
import { isOutOfReach } from './observe.js';
import { pointBack, revive } from './roll.js';
import * as scripts from './scripts.js';
import { portOf, upstreamAddress } from './site.js';
import type { LeaveOutStep, PutBackStep, RestartStep, TakeOutStep } from './steps.js';
import { drain, stopLimit } from './stop.js';

export function takingOut(hands: Hands): Handler<TakeOutStep> {
  return {
    run: ({ host }, context) => refuse(hands, host, context),
    undo: async ({ host }, context) => {
      // A kill between the stop of the old instance and the start of the new one leaves neither.
      const dead = await act(hands, host, ['looking at the host', scripts.SERVING_DEAD], [], context);
      if (dead !== '') await revive(hands, host, dead, context);
      return accept(hands, host, context);
    },
  };
}

export function puttingBack(hands: Hands): Handler<PutBackStep> {
  return {
    run: async ({ host, leftOut }, context) => {
      const accepted = await accept(hands, host, context);
      return leftOut ? setServer(hands, host, 'up', context) : accepted;
    },
    // The undo of the restart before it needs a host that is out of service and quiet.
    undo: async ({ host, leftOut }, context) => {
      await (leftOut ? setServer(hands, host, 'down', context) : refuse(hands, host, context));
      const left = await drain(hands, host, [], portOf(hands.site, host), context);
      return left > 0 ? `${left} requests still in flight` : 'drained';
    },
  };
}

/**
 * A web host that was refused a few times leaves a server alone for a while, also when it is back. Until then no other is taken
 * out: the two together could be all there is.
 */
async function refuse(hands: Hands, host: string, context: Pick<StepContext, 'signal'>): Promise<string> {
  const since = performance.now() - hands.back.at;
  await sleep(Math.max(0, hands.site.timings.shyMs - since), undefined, { signal: context.signal });
  await act(hands, host, ['refusing connections', scripts.REFUSE], [portOf(hands.site, host)], context);
  return 'refuses connections';
}

async function accept(hands: Hands, host: string, context: Pick<StepContext, 'signal'>): Promise<string> {
  await act(hands, host, ['taking connections', scripts.ACCEPT], [], context);
  hands.back.at = performance.now();
  return 'takes connections';
}

/** Tells every web host whether an app host gets requests. */
export async function setServer(
  hands: Hands,
  host: string,
  want: 'up' | 'down',
  context: Pick<StepContext, 'signal'>,
): Promise<string> {
  const address = upstreamAddress(hands.site, host);
  const script = ['nginx upstream', scripts.SET_SERVER] as const;
  await Promise.all(hands.site.webHosts.map((web) => act(hands, web.name, script, [want, address], context)));
  return `${want} on ${hands.site.webHosts.map((web) => web.name).join(', ')}`;
}

/** Its undo asks nothing of the host, which may be gone: where it is, the web tier notices. */
export function leavingOut(hands: Hands): Handler<LeaveOutStep> {
  return {
    run: ({ host }, context) => setServer(hands, host, 'down', context),
    undo: async ({ host, lasting }, context) =>
      lasting ? 'still out' : setServer(hands, host, 'up', context),
  };
}

export function restarting(hands: Hands): Handler<RestartStep> {
  const stopAll = async (host: string, context: StepContext): Promise<void> => {
    const limit = { timeoutMs: stopLimit(hands.site, 2) };
    const cut = Number(await act(hands, host, ['stop', scripts.STOP_ALL], [], context, limit));
    if (cut > 0) hands.onCut?.(host, cut);
  };
  return {
    run: async ({ host, release, from, previous }, context) => {
      await stopAll(host, context);
      await act(hands, host, ['boot', scripts.BOOT], [release], context, BOOT_LIMIT);
      // An ill one is started anew, and serves after the release that it served after.
      const before = from === release ? previous : from;
      await act(hands, host, ['switch', scripts.SWITCH], [release, before ?? ''], context);
    },
    undo: async ({ host, from, previous }, context) => {
      await stopAll(host, context);
      if (from !== null) await revive(hands, host, from, context);
      return pointBack(hands, host, from, previous, context);
    },
  };
}

/** App hosts that could not be reached to be put back, and what said so. */
export const goneIn = (failures: readonly Failure[]): ReadonlyMap<string, string> =>
  new Map(
    failures.flatMap(({ step: { host }, error }) =>
      host !== undefined && isOutOfReach(error) ? [[host, messageOf(error)]] : [],
    ),
  );

/**
 * A host that could not be put back comes up again with whatever it has: it gets no requests until a deploy or a repair was there.
 *
 * @returns a sentence for each, also where that failed
 */
export async function shutOut(hands: Hands, gone: ReadonlyMap<string, string>): Promise<string[]> {
  const names = hands.site.appHosts.map(({ name }) => name).filter((host) => gone.has(host));
  return Promise.all(
    names.map(async (host) => {
      try {
        await setServer(hands, host, 'down', { signal: new AbortController().signal });
        return outUntilNextRun(host);
      } catch (error) {
        return `${host} could not be taken out of service: ${messageOf(error)}`;
      }
    }),
  );
}

export const describeFailure = ({ step, error }: Failure): string =>
  `${step.host ?? ''} ${step.title}: ${messageOf(error)}`.trim();
