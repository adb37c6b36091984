import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Does something again and again, until it is stopped.
 *
 * @param everyMs from one beginning to the next, unless it takes longer
 * @returns stops it, once what was begun is done
 * @throws what it threw, when it is stopped
 */
export function repeat(everyMs: number, work: () => Promise<void>): () => Promise<void> {
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const began = performance.now();
      await work();
      const left = Math.max(0, everyMs - (performance.now() - began));
      await sleep(left, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const looping = loop();
  looping.catch(() => undefined);
  return async () => {
    stop.abort();
    await looping;
  };
}
