import { describe, expect, it } from '@jest/globals';
import { batchesOf, batchSizes, neededOf, spread } from './batch.js';

const row = (length: number): number[] => Array.from({ length }, (_, at) => at + 1);

describe('batches', () => {
  it.each<[string, number, number[][]]>([
    ['1', 3, [[1], [2], [3]]],
    ['2', 5, [[1, 2], [3, 4], [5]]],
    ['50%', 5, [[1, 2], [3, 4], [5]]],
    ['10%', 3, [[1], [2], [3]]],
    ['100%', 3, [[1, 2, 3]]],
    ['1, 50%', 8, [[1], [2, 3, 4, 5], [6, 7, 8]]],
    ['1,2,100%', 6, [[1], [2, 3], [4, 5, 6]]],
  ])('%s of %i hosts', (text, hosts, batches) => {
    expect(batchesOf(row(hosts), batchSizes(text), hosts)).toEqual(batches);
  });

  it('are never larger than the floor allows', () => {
    expect(batchesOf(row(4), batchSizes('100%'), 4, 2)).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('of nothing are none', () => {
    expect(batchesOf([], batchSizes('1'), 3)).toEqual([]);
  });

  it.each(['0', '0%', '101%', 'all', '1,', '-1', '1.5', ''])('refuses "%s"', (text) => {
    expect(() => batchSizes(text)).toThrow(/is neither a number of servers nor a share/);
  });
});

it.each([
  [0.28, 25, 7],
  [0.5, 3, 2],
  [0.34, 3, 2],
  [0, 3, 0],
  [1, 3, 3],
])('a floor of %d of %i hosts is %i of them', (share, total, hosts) => {
  expect(neededOf(share, total)).toBe(hosts);
});

describe('spread', () => {
  const place = (one: string): string | null => (one.includes('@') ? (one.split('@')[1] ?? null) : null);

  it('deals the hosts of each place out one by one', () => {
    expect(spread(['a@x', 'b@x', 'c@y', 'd@y', 'e@y'], place)).toEqual(['a@x', 'c@y', 'b@x', 'd@y', 'e@y']);
  });

  it('leaves the order where no place is known', () => {
    expect(spread(['a', 'b', 'c'], place)).toEqual(['a', 'b', 'c']);
  });
});
