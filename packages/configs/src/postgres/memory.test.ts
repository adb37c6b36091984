import { describe, expect, it } from '@jest/globals';
import { mebibytes, megabytes } from './memory.js';

describe('mebibytes', () => {
  it.each<[string | number | boolean, number, number | null]>([
    ['128MB', 8_192, 128],
    ['1.5GB', 8_192, 1_536],
    [' 2 GB ', 8_192, 2_048],
    ['64kB', 1_024, 0.0625],
    [16_384, 8_192, 128],
    ['4096', 1_024, 4],
    ['1TB', 1_024, 1_048_576],
    ['lots', 1_024, null],
    ['5mb', 1_024, null],
    [true, 1_024, null],
  ])('%j in units of %i bytes', (value, unit, expected) => {
    expect(mebibytes(value, unit)).toBe(expected);
  });
});

it('writes whole megabytes', () => {
  expect(megabytes(128.9)).toBe('128MB');
});
