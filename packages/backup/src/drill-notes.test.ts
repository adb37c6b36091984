import { describe, expect, it } from '@jest/globals';
import { drillWorry, readDrills } from './drill-notes.js';

const day = (date: number): Date => new Date(Date.UTC(2026, 10, date, 3));

/** A folder with a note a day; `null`: one that nobody can read. */
const notes = (found: readonly (readonly string[] | null)[]) => ({
  list: async () =>
    found.map((_, at) => ({
      ...{ key: String(at), size: 1, etag: '', version: null },
      modified: day(at + 1),
    })),
  get: async (key: string) => {
    const faults = found[Number(key)];
    const note = { backup: 'a', startedAt: '', faults };
    return { content: Buffer.from(faults ? JSON.stringify(note) : '{'), etag: '' };
  },
});

describe('readDrills', () => {
  it.each([
    ['none', [], null, null],
    ['a good one', [[]], day(1), null],
    ['a good one after one that failed', [['x'], []], day(2), null],
    ['two that failed after a good one', [[], ['x'], ['y']], day(1), day(3)],
    ['only one that failed', [['x']], null, day(1)],
    ['one that nobody can read', [[], null], day(1), day(2)],
  ] as const)('%s', async (_, found, good, failed) =>
    expect(await readDrills(notes(found), '')).toEqual({ good, failed }),
  );
});

describe('drillWorry', () => {
  it('is a failure that is newer than the last proof', () => {
    expect(drillWorry({ good: day(1), failed: null })).toBeNull();
    expect(drillWorry({ good: day(1), failed: day(2) })).toBe(
      'The last drill, 2026-11-02T03:00:00.000Z, failed; the last one that proved a backup was 2026-11-01T03:00:00.000Z: see its run',
    );
    expect(drillWorry({ good: null, failed: day(2) })).toContain('none proved a backup yet');
  });
});
