import { describe, expect, it } from '@jest/globals';
import type { PostgresSeen, ServerSeen } from './seen.js';
import { standingOf } from './standing.js';
import { bare, primarySeen, replicaSeen, stopped } from './testing.js';

const standing = (seen: PostgresSeen, primary: PostgresSeen = primarySeen()) =>
  standingOf(
    { host: 'database-2', slot: 'database_2', seen },
    { host: 'database-1', server: primary.server, data: primary.data },
  );

const cut: Partial<ServerSeen> = { receiver: null };
const lost = primarySeen({
  slots: [{ name: 'database_2', active: false, walStatus: 'lost', restartLsn: null }],
});
const unslotted = primarySeen({ slots: [] });
const forked = primarySeen({ timeline: 2, history: [{ timeline: 1, lsn: '0/4000000' }] });

describe('standingOf', () => {
  it.each<[string, PostgresSeen, PostgresSeen, object]>([
    ['no data', bare, primarySeen(), { kind: 'missing' }],
    ['streams', replicaSeen(), primarySeen(), { kind: 'streaming' }],
    [
      'streams far behind',
      replicaSeen({ lsn: '0/3000000' }),
      primarySeen({ lsn: '9/0' }),
      { kind: 'streaming' },
    ],
    ['is cut off for the moment', replicaSeen(cut), primarySeen(), { kind: 'waiting' }],
    ['is stopped', stopped(replicaSeen()), primarySeen(), { kind: 'waiting' }],
    ['has a stopped primary', replicaSeen(cut), stopped(primarySeen()), { kind: 'waiting' }],
    [
      'is replaying what it has',
      replicaSeen({ ...cut, atEnd: false, lsn: '0/1000000' }),
      primarySeen(),
      { kind: 'waiting' },
    ],
    [
      'is stopped, with a slot that was made after it',
      stopped(replicaSeen({}, { lsn: '0/3FFFFFF' })),
      primarySeen(),
      {
        kind: 'waiting',
        doubt: 'it has all up to 0/3FFFFFF at least, and its slot keeps what is after 0/4000000',
      },
    ],
    ['needs WAL that is there', replicaSeen({ ...cut, lsn: '0/3000000' }), unslotted, { kind: 'waiting' }],
    [
      'lost its slot',
      stopped(replicaSeen()),
      lost,
      { kind: 'behind', why: expect.stringMatching(/slot database_2 is lost/) },
    ],
    [
      'needs WAL that is gone',
      replicaSeen({ ...cut, lsn: '0/2FFFFFF' }),
      unslotted,
      {
        kind: 'behind',
        why: 'it needs WAL from 0/2FFFFFF on, and the oldest that is left is 000000010000000000000003',
      },
    ],
    ['stopped before the fork', replicaSeen({ ...cut, lsn: '0/4000000' }), forked, { kind: 'waiting' }],
    [
      'went on after the fork',
      replicaSeen({ ...cut, lsn: '0/4000001' }),
      forked,
      { kind: 'diverged', why: 'it went on to 0/4000001 on timeline 1, which database-1 left at 0/4000000' },
    ],
    [
      'is on a timeline of its own',
      replicaSeen({ ...cut, timeline: 3 }),
      forked,
      { kind: 'diverged', why: expect.stringMatching(/timeline 3 is none of which/) },
    ],
    [
      'was the primary',
      stopped(primarySeen()),
      forked,
      { kind: 'diverged', why: expect.stringMatching(/^it was the primary before database-1/) },
    ],
    [
      'belongs to another cluster',
      replicaSeen({}, { systemIdentifier: '8000' }),
      primarySeen(),
      { kind: 'diverged', why: expect.stringMatching(/of another cluster/) },
    ],
  ])('of one that %s', (_what, seen, primary, expected) => {
    expect(standing(seen, primary)).toEqual(expected);
  });
});
