import type { Handler, StepContext } from '@perlstack/procedure';
import { act, BOOT_LIMIT, type Hands } from './hands.js';
import { pointBack, revive } from './roll.js';
import * as scripts from './scripts.js';
import { portOf, upstreamAddress } from './site.js';
import type { LeaveOutStep, PutBackStep, RestartStep, TakeOutStep } from './steps.js';
import { drain, stopLimit } from './stop.js';

export function takingOut(hands: Hands): Handler<TakeOutStep> {
  return {
    run: ({ host }, context) => setServer(hands, host, 'down', context),
    undo: async ({ host }, context) => {
      // A kill between the stop of the old instance and the start of the new one leaves neither.
      const dead = await act(hands, host, ['looking at the host', scripts.SERVING_DEAD], [], context);
      if (dead !== '') await revive(hands, host, dead, context);
      return setServer(hands, host, 'up', context);
    },
  };
}

export function puttingBack(hands: Hands): Handler<PutBackStep> {
  return {
    run: ({ host }, context) => setServer(hands, host, 'up', context),
    // The undo of the restart before it needs a host that is out of service and quiet.
    undo: async ({ host }, context) => {
      await setServer(hands, host, 'down', context);
      const left = await drain(hands, host, [], portOf(hands.site, host), context);
      return left > 0 ? `${left} requests still in flight` : 'drained';
    },
  };
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
    undo: ({ host }, context) => setServer(hands, host, 'up', context),
  };
}

export function restarting(hands: Hands): Handler<RestartStep> {
  const stopAll = async (host: string, context: StepContext): Promise<void> => {
    const limit = { timeoutMs: stopLimit(hands.site, 2) };
    const cut = Number(await act(hands, host, ['stop', scripts.STOP_ALL], [], context, limit));
    if (cut > 0) hands.onCut?.(host, cut);
  };
  return {
    run: async ({ host, release, from }, context) => {
      await stopAll(host, context);
      await act(hands, host, ['boot', scripts.BOOT], [release], context, BOOT_LIMIT);
      await act(hands, host, ['switch', scripts.SWITCH], [release, from ?? ''], context);
    },
    undo: async ({ host, from, previous }, context) => {
      await stopAll(host, context);
      if (from !== null) await revive(hands, host, from, context);
      return pointBack(hands, host, from, previous, context);
    },
  };
}
