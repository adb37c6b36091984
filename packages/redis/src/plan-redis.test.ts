import { describe, expect, it } from '@jest/globals';
import { NO_CONSENT } from '@perlstack/engine';
import { planRedis } from './plan-redis.js';
import { addressOf, BARE, intentsOf, primary, redisMembers, replicaOf, seenOf } from './testing.js';

const AT_REST = seenOf(replicaOf(2, 2), primary(2), replicaOf(2, 2));
const ids = (steps: readonly { id: string }[]): string[] => steps.map(({ id }) => id);

describe('planRedis', () => {
  it('makes a cluster, the primary first', () => {
    const plan = planRedis(
      redisMembers(),
      seenOf(BARE, BARE, BARE),
      intentsOf('start', 'start', 'start'),
      NO_CONSENT,
    );
    expect(plan.before).toEqual([
      expect.objectContaining({ id: 'cache-1/redis/seed', primary: null, fresh: true }),
      expect.objectContaining({ id: 'cache-2/redis/seed', primary: addressOf(1), fresh: true }),
      expect.objectContaining({ id: 'cache-3/redis/seed', primary: addressOf(1), fresh: true }),
    ]);
    expect(ids(plan.after)).toEqual(['cache-2/redis/follow', 'cache-3/redis/follow']);
    expect(plan.order).toEqual([
      { first: 'cache-1', then: 'cache-2' },
      { first: 'cache-1', then: 'cache-3' },
    ]);
    expect(plan.changes.map(({ host, what }) => `${host} ${what}`)).toEqual([
      'cache-1 to be made primary',
      'cache-2 to be made a replica of cache-1',
      'cache-3 to be made a replica of cache-1',
    ]);
  });

  it('has nothing to do when nothing is due, whoever leads', () => {
    expect(planRedis(redisMembers(), AT_REST, intentsOf(null, null, null), NO_CONSENT)).toEqual({
      changes: [],
      before: [],
      after: [],
      order: [],
      refusals: [],
    });
  });

  it('lets all reload at once', () => {
    const plan = planRedis(redisMembers(), AT_REST, intentsOf('reload', 'reload', 'reload'), NO_CONSENT);
    expect([...plan.before, ...plan.after]).toEqual([]);
  });

  it('makes the first host anew as a replica of the one that leads by now', () => {
    const seen = seenOf(BARE, primary(2), replicaOf(2, 2));
    const plan = planRedis(redisMembers(), seen, intentsOf('start', null, null), NO_CONSENT);
    expect(plan.before).toEqual([
      expect.objectContaining({ id: 'cache-1/redis/seed', primary: addressOf(2), fresh: false }),
    ]);
    expect(ids(plan.after)).toEqual(['cache-1/redis/follow']);
  });

  it('starts an old primary as what its file says, and waits until it follows', () => {
    const old = { ...primary(2), redis: null };
    const plan = planRedis(
      redisMembers(),
      seenOf(old, primary(2), replicaOf(2, 2)),
      intentsOf('start', null, null),
      NO_CONSENT,
    );
    expect(plan.before).toEqual([]);
    expect(ids(plan.after)).toEqual(['cache-1/redis/follow']);
  });

  it('restarts the replicas one by one, then hands over and restarts the primary', () => {
    const plan = planRedis(redisMembers(), AT_REST, intentsOf('restart', 'restart', 'restart'), NO_CONSENT);
    expect(plan.order).toEqual([
      { first: 'cache-1', then: 'cache-3' },
      { first: 'cache-3', then: 'cache-2' },
    ]);
    expect(plan.before).toEqual([
      expect.objectContaining({
        id: 'cache-2/redis/handover',
        after: ['cache-1/redis/follow', 'cache-3/redis/follow'],
      }),
    ]);
    expect(ids(plan.after)).toEqual(['cache-1/redis/follow', 'cache-2/redis/follow', 'cache-3/redis/follow']);
  });

  it('has nobody to hand over to without Sentinels', () => {
    const seen = seenOf(replicaOf(2, null), primary(null), replicaOf(2, null));
    const plan = planRedis(redisMembers(false), seen, intentsOf('restart', 'restart', 'restart'), NO_CONSENT);
    expect(plan.before).toEqual([]);
    expect(ids(plan.after)).toEqual(['cache-1/redis/follow', 'cache-3/redis/follow']);
    expect(plan.order.at(-1)).toEqual({ first: 'cache-3', then: 'cache-2' });
  });

  it('touches nothing while two are primary', () => {
    const plan = planRedis(
      redisMembers(),
      seenOf(primary(null), primary(null), BARE),
      intentsOf(null, null, 'start'),
      NO_CONSENT,
    );
    expect(plan).toEqual({
      ...{ changes: [], before: [], after: [], order: [] },
      refusals: [expect.stringMatching(/cache-1 and cache-2.*Nothing was changed/)],
    });
  });

  it("throws away a host's own data only when that is allowed", () => {
    const seen = seenOf(primary(1), { ...BARE, hasData: true }, replicaOf(1, 1));
    const due = intentsOf(null, 'start', null);
    const { refusals, before } = planRedis(redisMembers(), seen, due, NO_CONSENT);
    expect(refusals).toEqual([expect.stringMatching(/^cache-2: .*replica of cache-1.*allow-rebuild$/)]);
    expect(before).toEqual([]);
    const allowed = planRedis(redisMembers(), seen, due, { ...NO_CONSENT, rebuild: ['cache-2'] });
    expect(ids(allowed.before)).toEqual(['cache-2/redis/seed']);
  });

  it('takes up the data that the host of a new primary has', () => {
    const seen = seenOf({ ...BARE, hasData: true }, BARE, BARE);
    const { refusals } = planRedis(redisMembers(), seen, intentsOf('start', 'start', 'start'), NO_CONSENT);
    expect(refusals).toEqual([]);
  });
});
