import { describe, expect, it } from '@jest/globals';
import type { Evidence } from './judge.js';
import { streakOf, type Try, verdictOf } from './verdict.js';

const good: Evidence = { probe: 'http://a/', ok: true, ms: 12.4, seen: '200' };
const bad: Evidence = { probe: 'http://a/', ok: false, ms: 4, seen: '503 in 4 ms, body "x"' };
const tries = (pattern: string): Try[] => [...pattern].map((one) => [one === '+' ? good : bad]);

describe('verdictOf', () => {
  it.each([
    ['+++', 3, true, '3 of 3 consecutive 200 from http://a/ in 12 ms'],
    ['--+', 1, true, '1 of 1 consecutive 200 from http://a/ in 12 ms'],
    ['++-++', 3, false, 'only 2 of 3 consecutive successes in 60.0 s (5 tries); last: http://a/: 200'],
    ['---', 1, false, 'no success in 60.0 s (3 tries); last: http://a/: 503 in 4 ms, body "x"'],
    ['', 1, false, 'no success in 60.0 s (0 tries)'],
  ])('of %p with %i asked for', (pattern, successes, passed, reason) => {
    const verdict = verdictOf(tries(pattern), { elapsedMs: 59_949, successes });
    expect(verdict).toMatchObject({
      passed,
      reason: reason.replace('60.0 s', '59.9 s'),
      tries: pattern.length,
    });
  });

  it('names why it ended early', () => {
    const verdict = verdictOf(tries('-'), { elapsedMs: 900, successes: 1, stopped: 'the unit failed' });
    expect(verdict.reason).toBe(
      'no success in 900 ms (1 try); the unit failed; last: http://a/: 503 in 4 ms, body "x"',
    );
  });

  it('wants all probes to succeed in the same try', () => {
    const verdict = verdictOf([[good, { ...bad, probe: 'b' }]], { elapsedMs: 5, successes: 1 });
    expect(verdict.passed).toBe(false);
    expect(verdict.reason).toContain('last: b: 503');
  });
});

describe('streakOf', () => {
  it.each([
    ['', 0],
    ['++', 2],
    ['+-', 0],
    ['-+-++', 2],
  ])('%p has %i', (pattern, streak) => expect(streakOf(tries(pattern))).toBe(streak));
});
