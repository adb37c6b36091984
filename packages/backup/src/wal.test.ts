import { describe, expect, it } from '@jest/globals';
import { segmentOf } from '@perlstack/postgres';
import { coverage, type CoverageInput, parseHistory, segmentName } from './wal.js';

const MIB16 = 16_777_216;
const one = (segment: number): string => segmentName(1, BigInt(segment), MIB16);
const two = (segment: number): string => segmentName(2, BigInt(segment), MIB16);

describe('names of segments', () => {
  it.each([
    [1, 3n, MIB16, '000000010000000000000003'],
    [2, 256n, MIB16, '000000020000000100000000'],
    [17, 5n, 1_073_741_824, '000000110000000100000001'],
  ])('timeline %i, segment %s of %i bytes is %s', (timeline, segment, bytes, name) => {
    expect(segmentName(timeline, segment, bytes)).toBe(name);
    expect(segmentOf(name, bytes)).toBe(segment);
  });
});

describe('parseHistory', () => {
  it('reads what PostgreSQL writes', () =>
    expect(parseHistory('1\t0/5000158\tno recovery target specified\n\n2\t0/70000A0\tbefore x\n')).toEqual([
      { timeline: 1, lsn: '0/5000158' },
      { timeline: 2, lsn: '0/70000A0' },
    ]));
});

describe('coverage', () => {
  const at = (names: readonly string[], more: Partial<CoverageInput> = {}) =>
    coverage({
      ...{ start: { timeline: 1, lsn: '0/3000028' }, segmentBytes: MIB16 },
      ...{ names: new Set(names), histories: new Map() },
      ...more,
    });
  it('is whole from the start of the backup to the last segment', () =>
    expect(at([2, 3, 4, 5].map(one))).toEqual({ missing: [], last: one(5), segments: 3 }));
  it('names each segment that is missing', () =>
    expect(at([3, 5, 7].map(one))).toEqual({ missing: [4, 6].map(one), last: one(3), segments: 5 }));
  it('misses what PostgreSQL says it has archived', () =>
    expect(at([3, 4].map(one), { upTo: one(6) })).toMatchObject({ missing: [5, 6].map(one), last: one(4) }));
  it('reads the segment of a switch from the new timeline', () => {
    const histories = new Map([[2, [{ timeline: 1, lsn: '0/5000158' }]]]);
    const names = [one(3), one(4), two(5), two(6)];
    expect(at(names, { histories })).toEqual({ missing: [], last: two(6), segments: 4 });
    expect(at([one(3), one(4), one(5), two(6)], { histories }).missing).toEqual([two(5)]);
  });
  it('has nothing when even the first segment is missing', () =>
    expect(at([5].map(one))).toMatchObject({ last: null, missing: [3, 4].map(one) }));
});
