import { describe, expect, it } from '@jest/globals';
import { coveredMs, type Interval, intervalsOf, ourIntervals, overheadOf } from './overhead.js';

const interval = (host: string, phase: Interval['phase'], start: number, end: number): Interval => ({
  host,
  phase,
  start,
  end,
});

describe('intervalsOf', () => {
  it('reads what hosts noted, and nothing else', () => {
    expect(intervalsOf({ 'app-1': 'boot 10 20\nnonsense\ngate 20 x\n', 'app-2': 'drain 5 9' })).toEqual([
      interval('app-1', 'boot', 10, 20),
      interval('app-2', 'drain', 5, 9),
    ]);
  });
});

describe('coveredMs', () => {
  it.each([
    ['nothing', [], 0],
    [
      'apart',
      [
        [0, 10],
        [20, 25],
      ],
      15,
    ],
    [
      'overlapping',
      [
        [0, 10],
        [5, 12],
      ],
      12,
    ],
    [
      'one within another',
      [
        [0, 10],
        [2, 3],
        [9, 11],
      ],
      11,
    ],
    [
      'in any order',
      [
        [20, 25],
        [0, 10],
      ],
      15,
    ],
  ])('%s', (_, pairs, expected) => {
    expect(coveredMs(pairs.map(([start = 0, end = 0]) => ({ start, end })))).toBe(expected);
  });
});

describe('overheadOf', () => {
  it('is what is left of a roll-out', () => {
    const intervals = [interval('app-1', 'drain', 1_000, 3_000), interval('app-1', 'boot', 3_100, 4_100)];
    expect(overheadOf(5, intervals)).toBe(2);
  });
});

describe('ourIntervals', () => {
  const noted = [
    interval('app-1', 'boot', 0, 10),
    interval('app-1', 'boot', 60, 100),
    interval('app-2', 'boot', 5, 15),
    interval('web-1', 'gate', 200, 240),
    interval('web-1', 'gate', 300, 340),
    interval('app-1', 'drain', 240, 320),
    interval('app-2', 'drain', 330, 500),
    interval('app-1', 'stop', 520, 530),
  ];

  it('takes a boot from the start of an instance to the last look at it', () => {
    expect(ourIntervals(noted, [])).toContainEqual(interval('app-1', 'boot', 0, 100));
  });

  it('counts a drain only after the last gate', () => {
    const drains = ourIntervals(noted, []).filter(({ phase }) => phase === 'drain');
    expect(drains).toEqual([interval('app-2', 'drain', 340, 500)]);
  });

  it('leaves the stops and the pauses of the gates as they are', () => {
    const settled = interval('web-1', 'gate', 150, 200);
    expect(ourIntervals(noted, [settled])).toEqual(
      expect.arrayContaining([settled, interval('app-1', 'stop', 520, 530)]),
    );
  });
});
