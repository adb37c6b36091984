import { describe, expect, it } from '@jest/globals';
import { findLead } from './lead.js';
import type { PostgresSeen } from './seen.js';
import { bare, membersOf, primarySeen, replicaSeen, stopped } from './testing.js';

const seenOf = (...seen: PostgresSeen[]): Record<string, PostgresSeen> =>
  Object.fromEntries(seen.map((one, at) => [`database-${at + 1}`, one]));

const lead = (seen: PostgresSeen[], rebuild: string[] = []) =>
  findLead(membersOf(seen.length), seenOf(...seen), rebuild);

const old = primarySeen({}, { state: 'shut down' });

describe('findLead', () => {
  it.each<[string, PostgresSeen[], object]>([
    ['nothing is there', [bare, bare], { kind: 'new', host: 'database-1' }],
    ['the first takes writes', [primarySeen(), replicaSeen()], { kind: 'running', host: 'database-1' }],
    ['another took over', [replicaSeen(), primarySeen()], { kind: 'running', host: 'database-2' }],
    [
      'another took over and the old one is down',
      [stopped(old), primarySeen()],
      { kind: 'running', host: 'database-2' },
    ],
    ['it is new beside a primary', [bare, primarySeen()], { kind: 'running', host: 'database-2' }],
    ['all are down', [stopped(replicaSeen()), stopped(old)], { kind: 'stopped', host: 'database-2' }],
    ['the primary alone is down', [stopped(old), replicaSeen()], { kind: 'stopped', host: 'database-1' }],
  ])('where %s', (_what, seen, expected) => {
    expect(lead(seen)).toEqual(expected);
  });

  it.each<[string, PostgresSeen[], string[], RegExp]>([
    ['two take writes', [primarySeen(), primarySeen()], [], /^database-1 and database-2 both take writes/],
    [
      'two take writes, whatever is allowed',
      [primarySeen(), primarySeen()],
      ['database-1'],
      /both take writes/,
    ],
    [
      'only replicas are left',
      [stopped(replicaSeen()), replicaSeen()],
      [],
      /^database-1 and database-2: no member would take writes/,
    ],
    [
      'two stopped primaries',
      [stopped(old), stopped(old)],
      [],
      /^database-1 and database-2 were primaries once/,
    ],
    [
      'the old primary is the only one that would lead',
      [stopped(old), replicaSeen({ timeline: 2 })],
      [],
      /^database-1 was the primary before database-2 took over/,
    ],
    [
      'a primary that does not answer',
      [{ ...primarySeen(), server: null, silence: 'the database system is starting up' }, replicaSeen()],
      [],
      /^database-1: PostgreSQL runs and does not answer: the database system is starting up/,
    ],
    [
      'a cluster of another version',
      [bare, { ...bare, otherVersions: [15] }],
      [],
      /^database-2 holds a cluster of PostgreSQL 15/,
    ],
  ])('refuses where %s', (_what, seen, rebuild, message) => {
    expect(lead(seen, rebuild)).toEqual({ kind: 'unknown', refusals: [expect.stringMatching(message)] });
  });

  it('lets one of two stopped primaries lead when the other may be made anew', () => {
    expect(lead([stopped(old), stopped(old)], ['database-1'])).toEqual({
      kind: 'stopped',
      host: 'database-2',
    });
  });
});
