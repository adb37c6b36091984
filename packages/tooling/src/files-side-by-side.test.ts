import { describe, expect, it } from '@jest/globals';
import { filesSideBySide } from './files-side-by-side.js';

const GIB = 1024 ** 3;

describe('filesSideBySide', () => {
  it.each([
    ['three for two CPUs', 2, 24, 3],
    ['as many as there is memory for', 8, 12, 4],
    ['one in any case', 2, 2, 1],
  ])('is %s', (_why, cpus, gibibytes, files) => {
    expect(filesSideBySide(cpus, gibibytes * GIB)).toBe(files);
  });
});
