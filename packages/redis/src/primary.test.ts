import { describe, expect, it } from '@jest/globals';
import { findPrimary, isSettling, type Seen } from './primary.js';
import type { HostSeen } from './seen.js';
import { addressOf, BARE, MEMBERS, primary, replicaOf, seenOf, stopped } from './testing.js';

const naming = (host: HostSeen, address: string | null): HostSeen => ({
  ...host,
  sentinelFile: true,
  sentinel: { names: address, failingOver: false },
});

describe('findPrimary', () => {
  it.each<[string, Seen, 'known' | 'fresh', number]>([
    ['takes the first host where there is nothing', seenOf(BARE, BARE, BARE), 'fresh', 1],
    ['believes the Sentinels', seenOf(replicaOf(2, 2), primary(2), replicaOf(2, 2)), 'known', 2],
    [
      'believes the Sentinels that run',
      seenOf(replicaOf(2, null), primary(2), stopped(replicaOf(2, 2))),
      'known',
      2,
    ],
    [
      'believes the Sentinels when the primary does not run',
      seenOf(stopped(primary(1)), replicaOf(1, 1), replicaOf(1, 1)),
      'known',
      1,
    ],
    [
      'finds the running primary without Sentinels',
      seenOf(replicaOf(3, null), BARE, primary(null)),
      'known',
      3,
    ],
    [
      'never takes the first host where another is known',
      seenOf(BARE, replicaOf(3, null), primary(null)),
      'known',
      3,
    ],
    [
      'finds who was primary when all are stopped',
      seenOf(stopped(replicaOf(2, null)), stopped(primary(null)), BARE),
      'known',
      2,
    ],
    [
      'finds a primary that was made, and not started',
      seenOf({ ...BARE, liveFile: { follows: null } }, BARE, BARE),
      'known',
      1,
    ],
    [
      'goes on with a first run that only made the replicas',
      seenOf(
        BARE,
        { ...BARE, liveFile: { follows: addressOf(1) } },
        { ...BARE, liveFile: { follows: addressOf(1) } },
      ),
      'fresh',
      1,
    ],
    [
      'makes the primary anew where no copy is left',
      seenOf(naming(BARE, addressOf(2)), naming(BARE, addressOf(2)), BARE),
      'fresh',
      2,
    ],
  ])('%s', (_what, seen, kind, number) => {
    expect(findPrimary(MEMBERS, seen)).toEqual({ kind, primary: addressOf(number) });
  });

  it.each<[string, Seen, RegExp]>([
    [
      'Sentinels that name different ones',
      seenOf(primary(1), naming(replicaOf(1, 1), addressOf(2)), replicaOf(1, 1)),
      /cache-1, cache-3 name cache-1; cache-2 names cache-2/,
    ],
    [
      'two that run as primary',
      seenOf(primary(null), primary(null), replicaOf(1, null)),
      /cache-1 and cache-2 all take themselves/,
    ],
    [
      'one more primary than the Sentinels know',
      seenOf(primary(1), replicaOf(1, 1), primary(1)),
      /cache-1 and cache-3/,
    ],
    [
      'a named primary that is a replica',
      seenOf(replicaOf(2, 1), replicaOf(1, 1), replicaOf(1, 1)),
      /cache-1 is named .* replica of cache-2/,
    ],
    [
      'a primary of another stack',
      seenOf(naming(primary(1), '10.9.9.9'), naming(replicaOf(1, 1), '10.9.9.9'), BARE),
      /10\.9\.9\.9/,
    ],
    [
      'a primary that lost its files, without Sentinels',
      seenOf(BARE, replicaOf(1, null), replicaOf(1, null)),
      /cache-1 is the primary but has lost its files.*\(cache-2 and cache-3\).*REPLICAOF NO ONE/,
    ],
    [
      'a primary that lost its files before the Sentinels saw it',
      seenOf(BARE, replicaOf(1, 1), replicaOf(1, 1)),
      /lost its files/,
    ],
    [
      'two that were primary when they stopped',
      seenOf(stopped(primary(null)), stopped(primary(null)), BARE),
      /cache-1 and cache-2 were each/,
    ],
    [
      'replicas of different primaries',
      seenOf(BARE, stopped(replicaOf(1, null)), stopped(replicaOf(2, null))),
      /different primaries: cache-1, cache-2/,
    ],
  ])('refuses to say with %s', (_what, seen, why) => {
    const finding = findPrimary(MEMBERS, seen);
    expect(finding).toEqual({ kind: 'unclear', why: expect.stringMatching(why) });
  });
});

describe('isSettling', () => {
  const failingOver = (host: HostSeen): HostSeen => ({
    ...host,
    sentinel: host.sentinel && { ...host.sentinel, failingOver: true },
  });

  it.each<[string, Seen, boolean]>([
    ['a cluster at rest', seenOf(primary(1), replicaOf(1, 1), replicaOf(1, 1)), false],
    ['a failover', seenOf(stopped(primary(1)), failingOver(replicaOf(1, 1)), replicaOf(1, 1)), true],
    ['an old primary that is back', seenOf(primary(2), primary(2), replicaOf(2, 2)), true],
    ['two primaries, and nobody to end it', seenOf(primary(null), primary(null), BARE), false],
    [
      'two primaries, and too few Sentinels',
      seenOf(primary(1), primary(null), stopped(replicaOf(1, 1))),
      false,
    ],
    ['bare hosts', seenOf(BARE, BARE, BARE), false],
  ])('%s', (_what, seen, settling) => {
    expect(isSettling(MEMBERS, seen)).toBe(settling);
  });
});
