import { describe, expect, it } from '@jest/globals';
import type { HostSeen } from './host-seen.js';
import { planTier, type TierWish } from './plan-primary.js';
import { asPrimary, asReplica, MEMBERS, sentinel } from './testing.js';

const ID = '20261127T020000Z';
const WISH: TierWish = {
  ...{ members: MEMBERS, sentinels: true, host: 'cache-1', backup: ID },
  replace: ['cache-1', 'cache-2', 'cache-3'],
};

/** A host whose Redis is stopped, with data. */
const host = (more: Partial<HostSeen> = {}): HostSeen => ({
  ...{ redis: null, sentinel: null, configured: true, runs: false, hasData: true, mark: null },
  ...{ freeBytes: 1, memoryBytes: 1 },
  ...more,
});
const running = (redis: HostSeen['redis'], more: Partial<HostSeen> = {}): HostSeen =>
  host({ runs: true, redis, ...more });
const marked = { backup: ID, loaded: false };
const loaded = { backup: ID, loaded: true };
const seenOf = (...hosts: HostSeen[]) => Object.fromEntries(hosts.map((one, at) => [`cache-${at + 1}`, one]));

describe('planTier', () => {
  it('makes all of a tier that does not run', () =>
    expect(planTier(WISH, seenOf(host(), host(), host({ sentinel: sentinel('10.0.0.2', true) })))).toEqual({
      ...{ refusals: [], load: true, replicas: ['cache-2', 'cache-3'], sentinels: true },
    }));
  it('asks for no Sentinels where there are none', () =>
    expect(planTier({ ...WISH, sentinels: false }, seenOf(host(), host(), host())).sentinels).toBe(false));
  it.each<[string, HostSeen, RegExp]>([
    ['a primary that runs', running(asPrimary()), /^cache-2: Redis runs here: stop it first/],
    ['a replica that runs', running(asReplica()), /^cache-2: Redis runs here/],
    ['one that starts', running(null), /^cache-2: Redis runs here/],
    ['a host without settings', host({ configured: false }), /^cache-2: .*run apply-configs first/],
    ['the mark of another snapshot', running(null, { mark: { ...marked, backup: 'x' } }), /Redis runs here/],
    // A failover came after the run that was killed: users have written to it since.
    ['what has become primary since', running(asPrimary(), { mark: marked }), /Redis runs here/],
  ])('refuses %s, whatever is to be replaced', (_, second, refusal) => {
    const { refusals } = planTier(WISH, seenOf(host(), second, host()));
    expect(refusals).toEqual([expect.stringMatching(refusal)]);
  });
  it('refuses data that nobody gave up', () => {
    const wish = { ...WISH, replace: ['cache-1'] };
    expect(planTier(wish, seenOf(host(), host(), host({ hasData: false }))).refusals).toEqual([
      'cache-2: /var/lib/redis is not empty: name this host in the input replace, and its data are moved aside',
    ]);
  });
  it('refuses a host that does not answer', () =>
    expect(planTier(WISH, seenOf(host(), host())).refusals).toEqual([
      expect.stringMatching(/^cache-3 does not answer/),
    ]));

  describe('after a run of the same snapshot that was killed', () => {
    const wish = { ...WISH, replace: [] };

    it('does again what was not done, without being allowed anything once more', () => {
      const seen = seenOf(host({ mark: marked }), host({ mark: marked }), host({ mark: marked }));
      expect(planTier(wish, seen)).toMatchObject({ refusals: [], load: true });
    });
    it('loads again what had not been counted', () => {
      const seen = seenOf(
        running(asPrimary(), { mark: marked }),
        host({ mark: marked }),
        host({ mark: marked }),
      );
      expect(planTier(wish, seen)).toMatchObject({ refusals: [], load: true });
    });
    it('keeps a primary that has loaded it, and replicas that follow it', () => {
      const primary = running(asPrimary(), { mark: loaded });
      const seen = seenOf(primary, running(asReplica(), { mark: marked }), host({ mark: marked }));
      expect(planTier(wish, seen)).toEqual({
        ...{ refusals: [], load: false, replicas: ['cache-3'], sentinels: true },
      });
    });
    it('has only the Sentinels to do, or nothing at all', () => {
      const primary = running(asPrimary(), { mark: loaded });
      const seen = seenOf(primary, running(asReplica()), running(asReplica()));
      const rest = { refusals: [], load: false, replicas: [] };
      expect(planTier(wish, seen)).toEqual({ ...rest, sentinels: true });
      const watched = Object.entries(seen).map(([name, one]) => [name, { ...one, sentinel: sentinel() }]);
      expect(planTier(wish, Object.fromEntries(watched) as typeof seen)).toEqual({
        ...rest,
        sentinels: false,
      });
    });
    it('does not take away what was loaded and written to since', () => {
      const others = [host({ mark: marked }), host({ mark: marked })] as const;
      const stopped = planTier(wish, seenOf(host({ mark: loaded }), ...others));
      expect(stopped.refusals).toEqual([expect.stringMatching(/^cache-1: \/var\/lib\/redis is not empty/)]);
      const demoted = running(asReplica(1, { follows: '10.0.0.2' }), { mark: loaded });
      expect(planTier(WISH, seenOf(demoted, ...others)).refusals).toEqual([
        expect.stringMatching(/^cache-1: Redis runs here/),
      ]);
    });
  });
});
