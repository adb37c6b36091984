import { describe, expect, it } from '@jest/globals';
import { reachOf } from './backup.js';
import { exampleMember } from './testing.js';

const segment = (timeline: number, number: number): string =>
  `${String(timeline).padStart(8, '0')}${String(number).padStart(16, '0')}`;
const archived = (last: string | null) =>
  exampleMember('database-1', { archived: { last, at: null, failed: null } });

describe('reachOf', () => {
  it.each([
    ['the point of the backup, where the primary says nothing newer', segment(1, 9), 7, 8, segment(1, 9)],
    ['what came after it meanwhile', segment(1, 9), 7, 12, segment(1, 12)],
    ['what the primary had before, where it does not answer any more', null, 7, null, segment(1, 7)],
    ['the point, of a server that had handed over nothing yet', segment(1, 3), null, null, segment(1, 3)],
  ])('is %s', (_, point, before, now, reach) => {
    const nameOf = (number: number | null): string | null => (number === null ? null : segment(1, number));
    const members = now === null ? [{ host: 'database-1', fault: 'gone' }] : [archived(nameOf(now))];
    expect(reachOf(point, members, { primary: archived(nameOf(before)) })).toBe(reach);
  });
  it('is nothing where nobody handed anything over', () =>
    expect(reachOf(null, [archived(null)], { primary: archived('00000002.history') })).toBeUndefined());
});
