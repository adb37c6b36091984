import { describe, expect, it } from '@jest/globals';
import { succeeded, type Try } from './group.js';
import type { Evidence } from './judge.js';
import { streakOf, verdictOf, withPercentiles } from './verdict.js';

const good: Evidence = { probe: 'http://a/', from: 'runner', ok: true, ms: 12.4, seen: '200' };
const bad: Evidence = { probe: 'http://a/', from: 'runner', ok: false, ms: 4, seen: '503 in 4 ms, body "x"' };
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

describe('some of several', () => {
  const other = { ...bad, probe: 'b' };

  it.each([
    ['all', [good, other], false],
    ['any', [good, other], true],
    ['any', [bad, other], false],
    [2, [good, other, good], true],
    [2, [good, other, bad], false],
    [9, [good, good], true],
    ['any', [], false],
  ] as const)('%p of %j: %p', (need, one, passed) => {
    expect(succeeded(one, need)).toBe(passed);
  });

  it('are counted in the verdict', () => {
    const end = { elapsedMs: 5, successes: 1, need: 1 };
    expect(verdictOf([[good, other]], end).reason).toBe(
      '1 of 1 consecutive 200 from http://a/ in 12 ms (1 of 2 probes)',
    );
    expect(verdictOf([[bad, other]], end).reason).toBe(
      'no success in 5 ms (1 try); 0 of 2 probes, needed 1; last: http://a/: 503 in 4 ms, body "x"',
    );
  });
});

describe('what has to hold', () => {
  const end = { elapsedMs: 9_000, successes: 2 };

  it('did', () => {
    const verdict = verdictOf(tries('++'), { ...end, hold: { ms: 5_000, held: true } });
    expect(verdict).toMatchObject({
      passed: true,
      reason: '2 of 2 consecutive 200 from http://a/ in 12 ms, held for 5.0 s',
    });
  });

  it('did not', () => {
    const verdict = verdictOf(tries('+++-'), { ...end, hold: { ms: 5_000, held: false } });
    expect(verdict).toMatchObject({
      passed: false,
      reason: expect.stringMatching(/^healthy, but not for 5\.0 s, in 9\.0 s/),
    });
  });
});

describe('a percentile', () => {
  const percentile = { share: 0.9, ms: 100, samples: 10 };
  const took = (ms: number): Evidence => ({ ...good, ms, percentile });
  const before = (...times: number[]): Try[] => times.map((ms) => [took(ms)]);

  it('needs its samples', () => {
    const [evidence] = withPercentiles(before(1, 2, 3), [took(4)]);
    expect(evidence).toMatchObject({ ok: false, seen: '200, 4 of 10 samples' });
  });

  it('tolerates as many slow answers as it says', () => {
    const slow = before(500, 1, 2, 3, 4, 5, 6, 7, 8);
    expect(withPercentiles(slow, [took(9)])[0]).toMatchObject({ ok: true, seen: '200, p90 9 ms' });
    expect(withPercentiles(slow, [took(501)])[0]).toMatchObject({
      ok: false,
      seen: '200, p90 500 ms of the last 10, more than 100 ms',
    });
  });

  it('is of the latest answers, and of those that came', () => {
    const lost: Try = [{ ...bad, ms: 5_000, percentile, answered: false }];
    const early = before(900, 900, ...Array.from({ length: 9 }, () => 5));
    expect(withPercentiles([lost, ...early], [took(5)])[0]).toMatchObject({
      ok: true,
      seen: '200, p90 5 ms',
    });
  });
});
