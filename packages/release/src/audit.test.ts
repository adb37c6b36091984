import { describe, expect, it } from '@jest/globals';
import { type AuditEntry, historyOf, mergeAudits, requireNewest, troubledTimes } from './audit.js';

const entry = (release: string, number: number, more: Partial<AuditEntry> = {}): AuditEntry => ({
  ...{ at: `2026-01-01T00:00:0${number}.000Z`, event: 'succeeded', kind: 'deploy', release, previous: null },
  ...{
    owner: `o/r/${number}`,
    url: `https://ci.example/${number}`,
    actor: 'ada',
    workflow: 'deploy.yml',
    number,
  },
  reason: null,
  ...more,
});
const line = (one: AuditEntry): string => JSON.stringify(one);

describe('the audit log', () => {
  it('is that of all hosts together, each entry once, oldest first', () => {
    const logs = [[line(entry('r2', 2))], [line(entry('r1', 1)), line(entry('r2', 2)), 'no JSON', '{}']];
    expect(mergeAudits(logs)).toEqual([entry('r1', 1), entry('r2', 2)]);
  });

  it('tells who did what, and where it can be gone back to', () => {
    const audit = [
      entry('r1', 1),
      entry('r2', 2, { event: 'began' }),
      entry('r2', 3, { event: 'rolled-back', reason: '500' }),
    ];
    const hosts = [
      { serving: 'r1', releases: [{ id: 'r1' }, { id: 'r2' }, { id: 'r0' }] },
      { serving: 'r1', releases: [{ id: 'r1' }] },
    ];
    expect(historyOf(audit, hosts)).toMatchObject([
      { release: 'r2', state: 'rolled-back', reason: '500', servesOn: 0, keptOn: 1 },
      { release: 'r1', state: 'succeeded', actor: 'ada', servesOn: 2, keptOn: 2 },
      { release: 'r0', state: 'unknown', at: null, keptOn: 1 },
    ]);
  });
});

it('servers were in trouble while a deploy was under way that did not hold, or broke off', () => {
  const one = (number: number, event: AuditEntry['event'], run: number): AuditEntry =>
    entry(`r${run}`, number, { event, owner: `o/r/${run}` });
  const audit = [
    ...[one(0, 'began', 1), one(1, 'succeeded', 1)],
    ...[one(2, 'began', 2), one(3, 'rolled-back', 2)],
    ...[one(4, 'began', 3), one(5, 'began', 4), one(6, 'succeeded', 4)],
    one(7, 'began', 5),
  ];
  const at = (second: number): number => Date.parse(`2026-01-01T00:00:0${second}.000Z`);
  expect(troubledTimes(audit, at(9))).toEqual([
    { fromMs: at(2), untilMs: at(3) },
    { fromMs: at(4), untilMs: at(5) },
    { fromMs: at(7), untilMs: at(9) },
  ]);
  expect(troubledTimes([], at(9))).toEqual([]);
});

describe('an older run', () => {
  const owner = { id: 'o/r/1', workflow: 'deploy.yml', number: 5 };

  it.each<[string, AuditEntry]>([
    ['it is the newest', entry('r4', 4)],
    ['it runs again', entry('r5', 5)],
    ['the newer one did not succeed', entry('r6', 6, { event: 'rolled-back' })],
    ['the newer one is of another workflow', entry('r6', 6, { workflow: 'hotfix.yml' })],
    ['the newer one went back', entry('r3', 6, { kind: 'rollback' })],
  ])('deploys where %s', (_why, before) => {
    expect(() => requireNewest([before], owner, 'r5', new Set(['r6']))).not.toThrow();
  });

  it('does not overtake a newer one', () => {
    expect(() => requireNewest([entry('r6', 6)], owner, 'r5', new Set())).toThrow(
      'release r5 of run #5 is older than r6, which run #6 of ada (https://ci.example/6) deployed on 2026-01-01T00:00:06.000Z.',
    );
  });

  describe('beside a newer one that began', () => {
    const began = entry('r6', 6, { event: 'began', at: '2026-01-01T00:00:05.000Z' });
    const check = (audit: AuditEntry[], serving: string[]) => () =>
      requireNewest(audit, owner, 'r5', new Set(serving));

    it('does not overtake it where that was killed when all servers had its release', () => {
      expect(check([began], ['r6'])).toThrow(/older than r6, which run #6/);
    });

    it('deploys where its release is not in service, or it went back to one that was deployed before', () => {
      expect(check([began], ['r4'])).not.toThrow();
      expect(check([began, entry('r6', 6, { event: 'rolled-back' })], ['r6'])).not.toThrow();
    });
  });
});
