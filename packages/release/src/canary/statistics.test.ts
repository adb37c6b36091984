import { describe, expect, it } from '@jest/globals';
import {
  fisherGreater,
  lnFactorial,
  mannWhitney,
  oddsDeviation,
  quantileBucket,
  tailHits,
  tailReach,
  upperTail,
} from './statistics.js';

describe("Fisher's exact test", () => {
  // What R's fisher.test answers: Fisher's tea tasting, and the twins of its example (alternative "less" from the other side).
  it.each([
    [3, 4, 1, 4, 0.2429],
    [10, 13, 2, 17, 0.0004652],
  ])('%i of %i beside %i of %i has p = %f', (hits, all, others, rest, p) => {
    expect(fisherGreater({ hits, all }, { hits: others, all: rest })).toBeCloseTo(p, 4);
  });

  it.each([
    ['nothing happened', { hits: 0, all: 10 }, { hits: 0, all: 10 }, 1],
    ['all of both', { hits: 7, all: 7 }, { hits: 9, all: 9 }, 1],
    ['one group is empty', { hits: 0, all: 0 }, { hits: 3, all: 9 }, 1],
    ['fewer than in the second', { hits: 0, all: 1_000 }, { hits: 50, all: 1_000 }, 1],
  ])('%s', (_what, first, second, p) => {
    expect(fisherGreater(first, second)).toBeCloseTo(p, 9);
  });

  it('is exact where the numbers are large', () => {
    const p = fisherGreater({ hits: 60, all: 100_000 }, { hits: 500, all: 1_000_000 });
    // The Poisson approximation of the same question: P(X >= 60) for a mean of 50.9, conditional on 560 in all.
    expect(p).toBeGreaterThan(0.09);
    expect(p).toBeLessThan(0.13);
  });
});

it('ln n! is that of summation wherever the series begins', () => {
  let sum = 0;
  for (let n = 2; n < 200; n += 1) {
    sum += Math.log(n);
    expect(lnFactorial(n)).toBeCloseTo(sum, 8);
  }
});

it.each([
  [0, 0.5],
  [1.959964, 0.025],
  [-1.959964, 0.975],
  [4, 3.167e-5],
])('the upper tail from %f is %f', (z, p) => {
  expect(upperTail(z)).toBeCloseTo(p, 6);
});

describe('the Mann-Whitney test', () => {
  const histogram = (values: readonly number[], all: readonly number[]): number[] =>
    [...new Set(all)].sort((a, b) => a - b).map((bound) => values.filter((value) => value === bound).length);

  it('has the normal approximation of U', () => {
    // Hollander & Wolfe, 69 f.: W = 35 of 10 and 5 values; (35 - 25 - 0.5) / sqrt(10 * 5 * 16 / 12) = 1.1635.
    const first = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
    const second = [1.15, 0.88, 0.9, 0.74, 1.21];
    const all = [...first, ...second];
    expect(mannWhitney(histogram(first, all), histogram(second, all))).toBeCloseTo(1.1635, 3);
  });

  it.each([
    ['nothing to compare', [], [1, 2]],
    ['one value for all', [0, 9], [0, 5]],
  ])('says nothing of %s', (_what, first, second) => {
    expect(mannWhitney(first, second)).toBe(0);
  });

  it('is sure of a shift', () => {
    expect(mannWhitney([0, 0, 0, 50, 50], [50, 50])).toBeGreaterThan(6);
    expect(mannWhitney([50, 50], [0, 0, 0, 50, 50])).toBeLessThan(-6);
  });
});

describe('a tail', () => {
  const rest = [900, 0, 100];

  it('has so many beyond a quantile of the second', () => {
    expect(tailHits([800, 50, 150], rest, 0.9)).toEqual([
      { hits: 200, all: 1_000 },
      { hits: 100, all: 1_000 },
    ]);
    expect(tailHits([], [], 0.9)).toEqual([
      { hits: 0, all: 0 },
      { hits: 0, all: 0 },
    ]);
  });

  it('reaches farther where what is in it lies farther out', () => {
    expect(tailReach([900, 0, 0, 0, 100], rest, 0.9)).toBeGreaterThan(10);
    expect(tailReach(rest, [900, 0, 0, 0, 100], 0.9)).toBeLessThan(-10);
    expect(Math.abs(tailReach([800, 0, 200], rest, 0.9))).toBeLessThan(0.1);
    expect(tailReach([990, 0, 0, 0, 10], rest, 0.9)).toBe(0);
  });

  it('is as much more likely in one as it is less in the other', () => {
    const [first, second] = [
      { hits: 60, all: 100 },
      { hits: 25, all: 100 },
    ];
    // ln((60 * 75) / (40 * 25)) = 1.504, with a standard error of sqrt(1/60 + 1/40 + 1/25 + 1/75) = 0.308, by halves more.
    expect(oddsDeviation(first, second)).toBeCloseTo(4.86, 1);
    expect(oddsDeviation(second, first)).toBeCloseTo(-oddsDeviation(first, second), 12);
    expect(oddsDeviation({ hits: 0, all: 100 }, { hits: 0, all: 100 })).toBe(0);
  });
});

it('a quantile is the bucket in which it ends', () => {
  expect(quantileBucket([5, 0, 4, 1], 0.5)).toBe(0);
  expect(quantileBucket([5, 0, 4, 1], 0.9)).toBe(2);
  expect(quantileBucket([5, 0, 4, 1], 0.95)).toBe(3);
  expect(quantileBucket([], 0.5)).toBe(-1);
});
