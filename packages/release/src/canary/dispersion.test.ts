import { describe, expect, it } from '@jest/globals';
import { compare, discount, dispersionOf, INDEPENDENT } from './dispersion.js';
import { mannWhitney } from './statistics.js';
import type { Traffic, Window } from './traffic.js';

/** So many requests that took less, and so many that took more. */
const traffic = (quick: number, slow: number): Traffic => ({
  requests: quick + slow,
  errors: 0,
  latency: [quick, slow],
});

const window = (...hosts: Traffic[]): Window =>
  new Map(hosts.map((host, number) => [`${String.fromCharCode(97 + number)}:5000`, host]));
const isCanary = (address: string): boolean => address === 'a:5000';
const learn = (windows: readonly Window[]) => dispersionOf(mannWhitney, compare(windows, isCanary));
const repeated = (count: number, ...windows: Window[]): Window[] =>
  Array.from({ length: count }, () => windows).flat();

describe('how servers differ by themselves', () => {
  it.each<[string, readonly Window[]]>([
    ['no time before', []],
    ['too little of it', repeated(3, window(traffic(50, 50), traffic(20, 80), traffic(80, 20)))],
    [
      'servers that each served once',
      'abcdefghijklmnop'.split('').map(
        (name) =>
          new Map([
            [name, traffic(50, 50)],
            ['a:5000', traffic(2, 3)],
          ]),
      ),
    ],
    ['too few requests in it', repeated(30, window(traffic(5, 5), traffic(2, 8), traffic(8, 2)))],
    ['one server alone', repeated(30, window(traffic(50, 50)))],
  ])('is unknown with %s', (_what, windows) => {
    expect(learn(windows)).toEqual(INDEPENDENT);
  });

  it('is no more than chance where they do not', () => {
    const { variance, bias } = learn(repeated(10, window(traffic(50, 50), traffic(50, 50), traffic(50, 50))));
    expect(variance).toBe(1);
    // The correction for continuity alone.
    expect(Math.abs(bias)).toBeLessThan(0.001);
  });

  it('is a bias where one always does, and nothing more', () => {
    const slow = repeated(10, window(traffic(30, 70), traffic(50, 50), traffic(50, 50)));
    const learned = learn(slow);
    expect(learned.variance).toBe(1);
    expect(learned.information).toBeCloseTo((10 * (100 * 200)) / 300, 6);
    const z = mannWhitney(traffic(300, 700).latency, traffic(1_000, 1_000).latency);
    // Ten times the requests: what was seen before is all that there is.
    expect(z).toBeGreaterThan(10);
    expect(Math.abs(discount(z, 1_000, 2_000, learned).z)).toBeLessThan(0.5);
  });

  it('is variance where now one does, now another', () => {
    const [quick, slow] = [traffic(70, 30), traffic(30, 70)];
    const learned = learn(repeated(10, window(quick, slow, slow), window(slow, quick, quick)));
    // 40 of 100 against 70: some four standard deviations either way.
    expect(learned.variance).toBeGreaterThan(10);
    // A tenth of the requests say as little as all, ten times as many less.
    for (const [requests, least] of [
      [10, 3],
      [100, 3],
      [1_000, 10],
    ] as const) {
      const { z, variation } = discount(6, requests, 2 * requests, learned);
      expect(variation).toBeGreaterThan(least);
      expect(z).toBeLessThan(6 / least);
    }
  });

  it('says nothing of the bias of a canary that had no traffic', () => {
    const idle = repeated(10, new Map([...window(traffic(0, 0), traffic(30, 70), traffic(70, 30))].slice(1)));
    expect(learn(idle)).toMatchObject({ bias: 0, information: Infinity });
  });
});

it('what is usual never makes a charge heavier', () => {
  const quicker = { ...INDEPENDENT, bias: -0.2 };
  expect(discount(1, 1_000, 2_000, quicker).z).toBe(1);
  expect(discount(4, 1_000, 2_000, INDEPENDENT)).toEqual({ z: 4, variation: 1 });
});
