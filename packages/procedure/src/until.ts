import { setTimeout as sleep } from 'node:timers/promises';

/** How long something is waited for. */
export interface Patience {
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** Told how far it is, whenever that is another answer than before. */
  readonly say?: (answer: string) => void;
}

/** Between two looks, in milliseconds. */
const PAUSE_MS = { least: 50, most: 1_000 };
/** Of the time that was waited so far: what comes at once is seen at once, and what takes long is not asked for all the time. */
const PAUSE_SHARE = 0.2;

/**
 * Asks until the answer is `true`.
 *
 * @param ask gives `true`, or how far it is
 * @returns `null`, or the last answer when the time was over
 * @throws as `ask` does; AbortError when the signal is aborted
 */
export async function until(
  ask: () => Promise<true | string>,
  { limitMs, signal, say }: Patience,
): Promise<string | null> {
  const began = Date.now();
  let said: string | undefined;
  for (;;) {
    const answer = await ask();
    if (answer === true) return null;
    if (answer !== said) say?.(answer);
    const waited = Date.now() - began;
    if (waited > limitMs) return answer;
    said = answer;
    const pause = Math.min(Math.max(waited * PAUSE_SHARE, PAUSE_MS.least), PAUSE_MS.most);
    await sleep(pause, undefined, { signal });
  }
}
