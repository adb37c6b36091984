import { describe, expect, it } from '@jest/globals';
import { judgeCanary } from './judge.js';
import type { Traffic } from './traffic.js';

/** Requests that all take as long as bucket 20 (32 ms), or as a given histogram. */
const traffic = (requests: number, errors: number, latency?: number[]): Traffic => ({
  ...{ requests, errors },
  latency: latency ?? [...Array.from({ length: 20 }, () => 0), requests],
});

/** mulberry32: random numbers that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function simulated(next: () => number, requests: number, errorRate: number, shift = 0): Traffic {
  const latency: number[] = Array.from({ length: 60 }, () => 0);
  let errors = 0;
  for (let one = 0; one < requests; one += 1) {
    if (next() < errorRate) errors += 1;
    const bucket = Math.floor(16 + shift + 4 * (next() + next() + next() + next() - 2));
    latency[bucket] = (latency[bucket] ?? 0) + 1;
  }
  return { requests, errors, latency };
}

describe('a canary', () => {
  it.each<[string, Traffic, Traffic, string, RegExp]>([
    [
      'as good as the rest',
      traffic(500, 1),
      traffic(2_000, 4),
      'promote',
      /^no worse: 1 errors in 500 requests \(0\.20 %\), p95 32 ms/,
    ],
    [
      'that fails in 5 of 100',
      traffic(500, 25),
      traffic(2_000, 4),
      'roll-back',
      /^more errors \(p = < 0\.0001\): 25 errors in 500/,
    ],
    ['that fails like the rest', traffic(500, 250), traffic(2_000, 1_000), 'promote', /^no worse/],
    ['that mends what the rest breaks', traffic(500, 0), traffic(2_000, 1_000), 'promote', /^no worse/],
    [
      'nobody visits',
      traffic(12, 0),
      traffic(2_000, 4),
      'too-little-traffic',
      /^too little traffic to judge \(0 errors in 12/,
    ],
    [
      'with nobody beside it',
      traffic(500, 0),
      traffic(0, 0),
      'too-little-traffic',
      /0 errors in 0 requests, p95 –/,
    ],
    [
      'twice as slow',
      traffic(500, 0, [...Array.from({ length: 24 }, () => 0), 500]),
      traffic(2_000, 0),
      'roll-back',
      /^slower \(p = < 0\.0001\): .* p95 64 ms beside .* p95 32 ms of the rest$/,
    ],
    [
      'slower for certain, and by nothing that matters',
      traffic(5_000, 0, [...Array.from({ length: 21 }, () => 0), 5_000]),
      traffic(20_000, 0),
      'promote',
      /^no worse/,
    ],
    [
      'with more errors for certain, and by nothing that matters',
      traffic(1_000_000, 600),
      traffic(1_000_000, 100),
      'promote',
      /^no worse/,
    ],
  ])('%s: %#', (_what, canary, rest, decision, reason) => {
    const verdict = judgeCanary(canary, rest, 5);
    expect(verdict.decision).toBe(decision);
    expect(verdict.reason).toMatch(reason);
  });

  it('that is like the rest is rolled back no more often than alpha says', () => {
    const next = random(7);
    let alarms = 0;
    const runs = 400;
    for (let run = 0; run < runs; run += 1) {
      const rate = next() * 0.05;
      const verdict = judgeCanary(simulated(next, 300, rate), simulated(next, 900, rate), 1);
      if (verdict.decision === 'roll-back') alarms += 1;
    }
    expect(alarms / runs).toBeLessThanOrEqual(0.01);
  });

  it('that fails in 5 % of 500 requests, or takes twice as long, is caught', () => {
    const next = random(11);
    for (let run = 0; run < 50; run += 1) {
      const rest = simulated(next, 1_000, 0.005);
      expect(judgeCanary(simulated(next, 500, 0.05), rest, 5).decision).toBe('roll-back');
      expect(judgeCanary(simulated(next, 500, 0.005, 4), rest, 5).decision).toBe('roll-back');
    }
  });
});
