import { describe, expect, it } from '@jest/globals';
import { judgeCanary, NOTHING_USUAL } from './judge.js';
import { bucketOf, type Traffic } from './traffic.js';

/** Requests that all take so many milliseconds. */
function traffic(requests: number, errors: number, ms = 31): Traffic {
  const latency = Array.from({ length: bucketOf(ms) }, () => 0);
  return { requests, errors, latency: [...latency, requests] };
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
      'of whose few visitors nobody is served',
      traffic(12, 12),
      traffic(2_000, 4),
      'roll-back',
      /^more errors \(p = < 0\.0001\): 12 errors in 12/,
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
      traffic(500, 0, 63),
      traffic(2_000, 0),
      'roll-back',
      /^slower \(p = < 0\.0001\) and longer in the tail \(p = < 0\.0001\): .* p95 64 ms beside .* p95 32 ms of the rest$/,
    ],
    [
      'slower for certain, and by nothing that matters',
      traffic(5_000, 0, 34),
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
    const verdict = judgeCanary(canary, rest, 1 / 8, NOTHING_USUAL);
    expect(verdict.decision).toBe(decision);
    expect(verdict.reason).toMatch(reason);
  });
});
