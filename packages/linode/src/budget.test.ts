import { describe, expect, it } from '@jest/globals';
import { Budget, endpointClass, LIMITS } from './budget.js';
import { quickClock } from './server.testkit.js';

describe('endpointClass', () => {
  it.each([
    ['POST', '/linode/instances', 'create-linode'],
    ['GET', '/linode/instances', 'collection'],
    ['GET', '/linode/instances/7', 'other'],
    ['GET', '/linode/instances/7/interfaces', 'collection'],
    ['GET', '/account/events', 'collection'],
    ['GET', '/images', 'images'],
    ['GET', '/images/linode%2Fdebian13', 'other'],
    ['PUT', '/linode/instances/7', 'other'],
    ['POST', '/linode/instances/7/boot', 'other'],
  ])('%s %s: %s', (method, path, kind) => {
    expect(endpointClass(method, path)).toBe(kind);
  });
});

describe('Budget', () => {
  it('lets no window see more than the limit', async () => {
    const clock = quickClock();
    const budget = new Budget(clock);
    const at: number[] = [];
    for (let request = 0; request < 100; request += 1) {
      await budget.take('create-linode');
      at.push(clock.now());
      await clock.sleep(100);
    }
    const { requests, windowMs } = LIMITS['create-linode'];
    const crowded = at.filter(
      (time) => at.filter((other) => other > time - windowMs && other <= time).length > requests,
    );
    expect(crowded).toEqual([]);
    expect(clock.now()).toBeLessThan((100 / requests) * windowMs + windowMs);
  });

  it('counts each class for itself', async () => {
    const clock = quickClock();
    const budget = new Budget(clock);
    for (let request = 0; request < LIMITS.images.requests; request += 1) await budget.take('images');
    await budget.take('other');
    expect(clock.slept).toEqual([]);
    await budget.take('images');
    expect(clock.slept).toEqual([60_000]);
  });

  it('stops waiting when cancelled', async () => {
    const budget = new Budget(quickClock());
    for (let request = 0; request < LIMITS.images.requests; request += 1) await budget.take('images');
    await expect(budget.take('images', AbortSignal.abort(new Error('cancelled')))).rejects.toThrow(
      'cancelled',
    );
  });
});
