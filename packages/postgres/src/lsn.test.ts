import { describe, expect, it } from '@jest/globals';
import { parseLsn, segmentAt, segmentOf } from './lsn.js';

const SEGMENT = 16 * 1_024 * 1_024;

describe('positions in the WAL', () => {
  it.each([
    ['0/0', 0n],
    ['0/3000028', 0x3000028n],
    ['16/B374D848', 0x16b374d848n],
    ['FFFFFFFF/FFFFFFFF', 2n ** 64n - 1n],
  ])('%s', (text, expected) => {
    expect(parseLsn(text)).toBe(expected);
  });

  it.each(['', '0', '0/G', '1/2/3'])('refuses %j', (text) => {
    expect(() => parseLsn(text)).toThrow(RangeError);
  });

  it('finds the file that holds a position', () => {
    expect(segmentAt('0/3000028', SEGMENT)).toBe(3n);
    expect(segmentOf('000000010000000000000003', SEGMENT)).toBe(3n);
    expect(segmentOf('0000000A0000000100000000', SEGMENT)).toBe(segmentAt('1/0', SEGMENT));
    expect(segmentOf('0000000A0000000100000000', 1_024 * 1_024)).toBe(segmentAt('1/0', 1_024 * 1_024));
    expect(() => segmentOf('00000002.history', SEGMENT)).toThrow(RangeError);
  });
});
