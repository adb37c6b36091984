import { describe, expect, it } from '@jest/globals';
import { planSentinel } from './plan-sentinel.js';
import { addressOf, BARE, intentsOf, primary, replicaOf, seenOf, sentinelMembers } from './testing.js';

describe('planSentinel', () => {
  it('makes all of them at once, watching the primary that is to be', () => {
    const plan = planSentinel(
      sentinelMembers(),
      seenOf(BARE, BARE, BARE),
      intentsOf('start', 'start', 'start'),
    );
    expect(plan.before.map((step) => step.kind === 'sentinel-seed' && step.primary)).toEqual(
      [1, 1, 1].map(addressOf),
    );
    expect(plan.after).toHaveLength(3);
    // Each waits for the others: in a row none would end.
    expect(plan.order).toEqual([]);
  });

  it('lets a Sentinel that is made anew watch the one that leads by now', () => {
    const plan = planSentinel(
      sentinelMembers(),
      seenOf(BARE, primary(2), replicaOf(2, 2)),
      intentsOf('start', null, null),
    );
    expect(plan.before).toEqual([
      expect.objectContaining({ host: 'cache-1', primary: addressOf(2), fresh: false }),
    ]);
    expect(plan.after.map(({ id }) => id)).toEqual(['cache-1/sentinel/quorum']);
  });

  it('restarts one after the other, so that the others go on watching', () => {
    const seen = seenOf(primary(1), replicaOf(1, 1), replicaOf(1, 1));
    const plan = planSentinel(sentinelMembers(), seen, intentsOf('restart', 'restart', 'restart'));
    expect(plan.order).toEqual([
      { first: 'cache-1', then: 'cache-2' },
      { first: 'cache-2', then: 'cache-3' },
    ]);
    expect(plan.after).toHaveLength(3);
  });

  it('makes none while nobody knows what it would watch', () => {
    const plan = planSentinel(
      sentinelMembers(),
      seenOf(primary(null), primary(null), BARE),
      intentsOf(null, null, 'start'),
    );
    expect(plan.before).toEqual([]);
    expect(plan.refusals).toEqual([expect.stringContaining('cache-1 and cache-2')]);
  });
});
