import { describe, expect, it } from '@jest/globals';
import { type AuditEntry, historyOf, mergeAudits, requireNewest } from './audit.js';

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

describe('an older run', () => {
  const owner = { id: 'o/r/1', workflow: 'deploy.yml', number: 5 };

  it.each<[string, AuditEntry]>([
    ['it is the newest', entry('r4', 4)],
    ['it runs again', entry('r5', 5)],
    ['the newer one did not succeed', entry('r6', 6, { event: 'rolled-back' })],
    ['the newer one is of another workflow', entry('r6', 6, { workflow: 'hotfix.yml' })],
    ['the newer one went back', entry('r3', 6, { kind: 'rollback' })],
  ])('deploys where %s', (_why, before) => {
    expect(() => requireNewest([before], owner, 'r5')).not.toThrow();
  });

  it('does not overtake a newer one', () => {
    expect(() => requireNewest([entry('r6', 6)], owner, 'r5')).toThrow(
      'release r5 of run #5 is older than r6, which run #6 (https://ci.example/6) deployed on 2026-01-01T00:00:06.000Z.',
    );
  });
});
