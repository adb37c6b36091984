import { setTimeout as sleep } from 'node:timers/promises';

/** How long something is waited for. */
export interface Patience {
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** Told how far it is, whenever that is another answer than before. */
  readonly say?: (answer: string) => void;
}

/** Between two looks, in milliseconds: the first ones are close together, as most things come at once. */
const PAUSE_MS = { first: 100, most: 1_000 };

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
  const limit = Date.now() + limitMs;
  let said: string | undefined;
  for (let pause = PAUSE_MS.first; ; pause = Math.min(2 * pause, PAUSE_MS.most)) {
    const answer = await ask();
    if (answer === true) return null;
    if (answer !== said) say?.(answer);
    if (Date.now() > limit) return answer;
    said = answer;
    await sleep(pause, undefined, { signal });
  }
}
