import type { StepContext } from '@perlstack/procedure';
import { act, type Hands, SHORT_MS } from './hands.js';
import * as scripts from './scripts.js';
import type { Site } from './site.js';

/** Waits until releases, and the port if one is given, have no connection or the time is up; returns how many are left. */
export async function drain(
  hands: Hands,
  host: string,
  releases: readonly string[],
  port: string,
  context: Pick<StepContext, 'signal'>,
): Promise<number> {
  const limit = hands.site.app.drainTimeout;
  const args = [String(limit), port, ...releases];
  return Number(
    await act(hands, host, ['drain', scripts.DRAIN], args, context, { timeoutMs: limit + SHORT_MS }),
  );
}

/** How long an instance may take to stop: its unit's own limit, and some. */
export const stopLimit = (site: Site, instances: number): number =>
  (site.app.drainTimeout + SHORT_MS) * Math.max(1, instances);

/** Stops instances that serve nobody, and tells what was cut off. */
export async function stop(
  hands: Hands,
  host: string,
  releases: readonly string[],
  context: Pick<StepContext, 'signal'>,
): Promise<void> {
  const limit = { timeoutMs: stopLimit(hands.site, releases.length) };
  const script = scripts.STOP + scripts.REPORT_CUT;
  const cut = Number(await act(hands, host, ['stop', script], releases, context, limit));
  if (cut > 0) hands.onCut?.(host, cut);
}
