import { describe, expect, it } from '@jest/globals';
import { expiredSegments, type Kept, planRetention, type RetentionRules } from './retention.js';

const RULES: RetentionRules = { daily: 7, weekly: 4, monthly: 6, pitrMs: 7 * 86_400_000, minimum: 2 };
const NOW = new Date('2026-11-27T03:00:00Z');

const backup = (id: string, finishedAt: string, more: Partial<Kept> = {}): Kept => ({
  ...{ id, finishedAt: new Date(finishedAt), parent: null, timeline: 1, bytes: 100 },
  ...{ startLsn: '0/5000028', stopLsn: '0/5000120', segmentBytes: 16_777_216 },
  ...more,
});

/** One a night for a year. */
const YEAR = Array.from({ length: 365 }, (_, age) => {
  const finishedAt = new Date(+NOW - age * 86_400_000 - 3_600_000).toISOString();
  return backup(finishedAt.slice(0, 10), finishedAt);
});

describe('planRetention', () => {
  it('keeps seven days, four weeks, six months and the base of the window, of a year of nights', () => {
    const { verdicts, removed, freedBytes } = planRetention(YEAR, RULES, NOW);
    const kept = verdicts.filter(({ reasons }) => reasons.length > 0);
    expect(kept.map(({ id, reasons }) => `${id} ${reasons.join(' ')}`)).toEqual([
      '2026-06-30 monthly',
      '2026-07-31 monthly',
      '2026-08-31 monthly',
      '2026-09-30 monthly',
      '2026-10-31 monthly',
      '2026-11-08 weekly',
      '2026-11-15 weekly',
      '2026-11-20 point-in-time',
      '2026-11-21 daily',
      '2026-11-22 daily weekly',
      '2026-11-23 daily',
      '2026-11-24 daily',
      '2026-11-25 daily',
      '2026-11-26 newest daily',
      '2026-11-27 newest daily weekly monthly',
    ]);
    expect(removed).toHaveLength(365 - kept.length);
    expect(freedBytes).toBe(removed.length * 100);
  });
  it('never removes what a kept backup builds on', () => {
    const chain = [
      backup('full', '2026-09-01T02:00:00Z'),
      backup('one', '2026-09-02T02:00:00Z', { parent: 'full' }),
      backup('two', '2026-09-30T02:00:00Z', { parent: 'one' }),
      backup('new', '2026-11-27T02:00:00Z'),
    ];
    const { verdicts, window } = planRetention(chain, { ...RULES, weekly: 0, daily: 0, minimum: 1 }, NOW);
    expect(verdicts.map(({ reasons }) => reasons.join(' '))).toEqual([
      'parent',
      'parent',
      'monthly point-in-time',
      'newest monthly',
    ]);
    expect(window?.id).toBe('full');
  });
  it('keeps what is locked, with what it builds on, until it is not', () => {
    const lockedUntil = new Date('2026-11-27T03:00:01Z');
    const chain = [
      backup('full', '2026-09-01T02:00:00Z'),
      backup('held', '2026-09-02T02:00:00Z', { parent: 'full', lockedUntil }),
      backup('free', '2026-09-03T02:00:00Z', { lockedUntil: NOW }),
      backup('new', '2026-11-27T02:00:00Z', { lockedUntil }),
    ];
    const rules = { daily: 0, weekly: 0, monthly: 0, pitrMs: null, minimum: 1 };
    const { verdicts, removed } = planRetention(chain, rules, NOW);
    expect(removed).toEqual(['free']);
    expect(verdicts.map(({ id, reasons }) => `${id}: ${reasons.join(' ')}`)).toEqual([
      'full: parent',
      'held: locked',
      'free: ',
      'new: newest locked',
    ]);
  });
  it('knows no window where there is no log', () => {
    const { verdicts, window } = planRetention(YEAR, { ...RULES, pitrMs: null }, NOW);
    expect(window).toBeNull();
    const stay = verdicts.filter(({ reasons }) => reasons.length > 0).map(({ id }) => id);
    expect(stay).not.toContain('2026-11-20');
    expect(stay).toHaveLength(14);
  });
  it('keeps the last ones however old they are', () => {
    const old = [backup('a', '2020-01-01T00:00:00Z'), backup('b', '2020-01-02T00:00:00Z')];
    const none = { daily: 0, weekly: 0, monthly: 0, pitrMs: 0, minimum: 0 };
    expect(planRetention(old, none, NOW).removed).toEqual(['a']);
    expect(planRetention([], none, NOW)).toMatchObject({ removed: [], window: null });
  });
  it('has no window, and keeps the oldest, before there is a backup older than it', () => {
    const young = [backup('a', '2026-11-26T02:00:00Z'), backup('b', '2026-11-27T02:00:00Z')];
    const plan = planRetention(young, { ...RULES, daily: 0, weekly: 0, monthly: 0, minimum: 1 }, NOW);
    expect(plan).toMatchObject({ window: null, removed: [] });
  });
});

describe('expiredSegments', () => {
  const names = [
    '000000010000000000000004',
    '000000010000000000000005',
    '000000020000000000000004',
    '00000002.history',
  ];
  it('are those before the base of the window, on its timeline or an older one', () =>
    expect(expiredSegments(names, backup('a', '2026-11-01T00:00:00Z'))).toEqual([
      '000000010000000000000004',
    ]));
  it('are none without a window', () => expect(expiredSegments(names, null)).toEqual([]));
});
