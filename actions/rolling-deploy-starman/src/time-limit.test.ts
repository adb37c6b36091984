import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { TimeLimit } from './time-limit.js';

/** Timers that are due earlier have gone off by then. */
const later = (ms: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a limit', () => {
  it('ends what takes longer', async () => {
    const { signal } = new TimeLimit(1);
    expect(signal.aborted).toBe(false);
    const kept = setInterval(() => undefined, 1_000);
    await once(signal, 'abort');
    clearInterval(kept);
    expect(signal.aborted).toBe(true);
  });

  it('that begins anew counts from then on', async () => {
    const limit = new TimeLimit(5);
    limit.restart(600_000);
    await later(10);
    expect(limit.signal.aborted).toBe(false);
    limit.restart(1);
    await later(5);
    expect(limit.signal.aborted).toBe(true);
  });
});
