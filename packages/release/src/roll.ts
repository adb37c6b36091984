import { succeeded } from '@perlstack/health';
import type { Handler, StepContext } from '@perlstack/procedure';
import { act, BOOT_LIMIT, type Hands, hostsAtWork, pass } from './hands.js';
import * as scripts from './scripts.js';
import { portOf, socketProbes, upstreamProbe } from './site.js';
import type { DrainStep, GateStep, HoldStep, SwitchStep } from './steps.js';
import { drain } from './stop.js';

export function switching(hands: Hands): Handler<SwitchStep> {
  return {
    run: async ({ host, release, from }, context) => {
      await act(hands, host, ['switch', scripts.SWITCH], [release, from ?? ''], context);
    },
    undo: async ({ host, from, previous }, context) => {
      if (from !== null) {
        await act(hands, host, ['switch back', scripts.SWITCH_BACK], [from, previous ?? ''], context);
        await revive(hands, host, from, context);
      }
      return pointBack(hands, host, from, previous, context);
    },
  };
}

/** Points the links to the release that served before, or removes them where there was none. */
export async function pointBack(
  hands: Hands,
  host: string,
  from: string | null,
  previous: string | null,
  context: StepContext,
): Promise<string> {
  const script = from === null ? scripts.UNSWITCH : scripts.SWITCH;
  await act(hands, host, ['switch back', script], from === null ? [] : [from, previous ?? ''], context);
  return from === null ? 'no release serves' : `back to ${from}`;
}

/** The release that a host goes back to runs and answers: usually it does, as it was parked. */
export async function revive(
  hands: Hands,
  host: string,
  release: string,
  context: StepContext,
): Promise<void> {
  const { site } = hands;
  await act(hands, host, ['boot', scripts.BOOT], [release], context, BOOT_LIMIT);
  const timeoutMs = site.app.health.timeout;
  const probes = socketProbes(site, host, release);
  await pass(hands, host, release, { probes, successes: 1, timeoutMs, signal: context.signal });
}

/** So many failures in a row are no hiccup: the release had proven itself a moment ago, and now users see it fail. */
const MOST_FAILURES = 5;

export function gating(hands: Hands): Handler<GateStep> {
  const { site } = hands;
  return {
    run: async ({ host, release }, { signal }) => {
      const [web] = site.webHosts;
      let failures = 0;
      return pass(hands, host, release, {
        probes: web ? [upstreamProbe(site, host, release, web.name)] : [],
        successes: site.app.health.successes,
        delayMs: site.timings.settleMs,
        timeoutMs: site.timings.gateMs,
        signal,
        onTry: (one) => void (failures = succeeded(one) ? 0 : failures + 1),
        giveUp: async () => (failures >= MOST_FAILURES ? `${failures} failures in a row` : undefined),
      });
    },
  };
}

export function holding(hands: Hands): Handler<HoldStep> {
  const { site } = hands;
  return {
    run: async ({ release }, { signal }) => {
      const probes = site.webHosts.flatMap((web) =>
        hostsAtWork(hands).map((app) => ({
          ...upstreamProbe(site, app.name, release, web.name),
          name: `${app.name} (asked by ${web.name})`,
        })),
      );
      await pass(hands, site.lockHost, release, {
        probes,
        successes: 1,
        timeoutMs: site.timings.gateMs,
        signal,
      });
      return `${hostsAtWork(hands).length} app hosts seen from ${site.webHosts.length} web hosts`;
    },
  };
}

export function draining(hands: Hands): Handler<DrainStep> {
  return {
    run: async ({ host, releases, port }, context) => {
      const left = await drain(hands, host, releases, port ? portOf(hands.site, host) : '', context);
      return left === 0 ? '0 left' : `${left} left after ${hands.site.app.drainTimeout / 1_000} s`;
    },
  };
}
