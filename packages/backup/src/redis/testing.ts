import type { Member } from '@perlstack/configs';
import type { Seen } from '@perlstack/redis';

/** Three cache hosts, for the tests of decisions. */
export const MEMBERS: readonly Member[] = [1, 2, 3].map((number) => ({
  host: `cache-${number}`,
  address: `10.0.0.${number}`,
}));

type Running = NonNullable<Seen[string]['redis']>;

export const asPrimary = (offset = 100): Running => ({
  ...{ role: 'primary', follows: null, link: null, offset },
});

export const asReplica = (offset = 100, more: Partial<Running> = {}): Running => ({
  ...{ role: 'replica', follows: '10.0.0.1', link: 'up', offset },
  ...more,
});

export const sentinel = (names = '10.0.0.1', failingOver = false): Seen[string]['sentinel'] => ({
  names,
  failingOver,
});
