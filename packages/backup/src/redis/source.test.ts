import { describe, expect, it } from '@jest/globals';
import type { Seen } from '@perlstack/redis';
import { chooseRedisSource } from './source.js';
import { asPrimary, asReplica, MEMBERS, sentinel } from './testing.js';

type Redis = Seen[string]['redis'];

const seenOf = (...redis: Redis[]): Seen =>
  Object.fromEntries(
    redis.map((one, at) => [
      `cache-${at + 1}`,
      {
        ...{ liveFile: { follows: one?.follows ?? null }, hasData: true, redis: one },
        ...{ sentinelFile: true, sentinel: sentinel() },
      },
    ]),
  );

const MIB = 1024 * 1024;
const choose = (seen: Seen, wanted = 'auto') => chooseRedisSource(MEMBERS, seen, wanted);

describe('chooseRedisSource', () => {
  it('takes the replica that is least behind', () =>
    expect(choose(seenOf(asPrimary(50), asReplica(10), asReplica(40)))).toMatchObject({
      ...{ host: 'cache-3', role: 'replica', primary: 'cache-1', lagBytes: 10 },
    }));
  it('takes one that was asked later for one that is not behind', () =>
    expect(choose(seenOf(asPrimary(50), asReplica(60)))).toMatchObject({ host: 'cache-2', lagBytes: 0 }));
  it.each<[string, Redis]>([
    ['has no link', asReplica(50, { link: 'down' })],
    ['follows another one', asReplica(50, { follows: '10.0.0.3' })],
    ['is far behind', asReplica(0)],
    ['does not run', null],
  ])('leaves out a replica that %s', (_, redis) =>
    expect(choose(seenOf(asPrimary(17 * MIB), redis))).toMatchObject({
      ...{ host: 'cache-1', role: 'primary', why: 'no replica is near enough to the primary' },
    }),
  );
  it('goes by a host that does not answer as by one that is not there', () => {
    const { 'cache-2': _, ...seen } = seenOf(asPrimary(), asReplica(), asReplica());
    expect(choose(seen).host).toBe('cache-3');
  });
  it('takes the one that is asked for, or says why not', () => {
    const seen = seenOf(asPrimary(), asReplica(), asReplica(100, { link: 'down' }));
    expect(choose(seen, 'primary').host).toBe('cache-1');
    expect(choose(seen, 'cache-1').role).toBe('primary');
    expect(choose(seen, 'cache-2').host).toBe('cache-2');
    expect(() => choose(seen, 'cache-3')).toThrow(
      'Input "source": cache-3 is not a replica whose link is up and that is less than 16 MiB behind',
    );
  });
  it('refuses without a primary, or with two', () => {
    expect(() => choose(seenOf(null, asReplica(), asReplica()))).toThrow(
      'cache: cache-1 is the primary, and its Redis does not answer',
    );
    expect(() => choose(seenOf(asPrimary(), asPrimary(), asReplica()))).toThrow(
      /^cache: nobody can say which host is the primary: cache-1 and cache-2/,
    );
  });
});
