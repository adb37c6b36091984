import { describe, expect, it } from '@jest/globals';
import { type Check, leavesOf, ruleOf, succeeded, type Try, weigh } from './group.js';
import type { TcpProbe } from './probe.js';
import { verdictOf } from './verdict.js';

const leaf = (port: number): TcpProbe => ({ kind: 'tcp', address: 'a', port });
const CHECKS: Check[] = [
  leaf(1),
  {
    kind: 'group',
    name: 'cache',
    need: 2,
    of: [leaf(2), leaf(3), { kind: 'group', name: 'watchers', need: 'any', of: [leaf(4), leaf(5)] }],
  },
];
/** `+` for each probe that succeeds. */
const one = (pattern: string): Try =>
  [...pattern].map((sign, index) => ({
    ...{ probe: `a:${index + 1}`, from: 'runner', ok: sign === '+', ms: 1 },
    seen: sign === '+' ? 'open' : 'refused',
  }));

describe('groups', () => {
  it('are asked as one list', () => {
    expect(leavesOf(CHECKS)).toEqual([1, 2, 3, 4, 5].map(leaf));
    expect(ruleOf(CHECKS, 'all')).toEqual({
      need: 'all',
      of: [0, { name: 'cache', need: 2, of: [1, 2, { name: 'watchers', need: 'any', of: [3, 4] }] }],
    });
  });

  it.each([
    ['+++++', 'all', true],
    ['++-+-', 'all', true],
    ['++---', 'all', false],
    ['+--++', 'all', false],
    ['-++--', 'all', false],
    ['-++--', 'any', true],
    ['-----', 'any', false],
  ] as const)('%s with %s needed: %p', (pattern, need, passed) => {
    expect(succeeded(one(pattern), ruleOf(CHECKS, need))).toBe(passed);
  });

  it('show what they were worth', () => {
    expect(weigh(one('+-+--'), ruleOf(CHECKS, 'all'))).toMatchObject({
      ...{ ok: false, healthy: 1, needed: 2 },
      members: [
        { probe: 'a:1', ok: true },
        {
          ...{ group: 'cache', ok: false, healthy: 1, needed: 2 },
          members: [
            { probe: 'a:2', ok: false },
            { probe: 'a:3' },
            { group: 'watchers', ok: false, healthy: 0, needed: 1, members: { length: 2 } },
          ],
        },
      ],
    });
  });

  const end = { elapsedMs: 5, successes: 1, need: ruleOf(CHECKS, 'all') };

  it('are named in the verdict', () => {
    const open = verdictOf([one('++-+-')], end);
    expect(open.reason).toBe('1 of 1 consecutive open from a:1 in 1 ms and cache (2 of 3 probes and groups)');
    expect(open.tree).toMatchObject([{ probe: 'a:1' }, { group: 'cache', ok: true }]);
    expect(open.evidence).toHaveLength(5);
    expect(verdictOf([one('+-+--')], end).reason).toBe(
      'no success in 5 ms (1 try); last: cache (1 of 3 probes and groups, needed 2): a:2: refused',
    );
    expect(verdictOf([one('++')], { ...end, need: 'all' })).not.toHaveProperty('tree');
  });

  it('count as a whole: a streak goes on though each time another member is well', () => {
    const tries = ['++-+-', '+-++-', '+++--'].map(one);
    expect(verdictOf(tries, { ...end, successes: 3 }).passed).toBe(true);
    expect(verdictOf([...tries.slice(0, 2), one('++---')], { ...end, successes: 2 }).passed).toBe(false);
  });
});
