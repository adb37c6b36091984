import { describe, expect, it } from '@jest/globals';
import { combinations, matrixName } from './matrix.js';

describe('combinations', () => {
  it.each([
    [
      { a: [1, 2], b: ['x'] },
      [
        { a: 1, b: 'x' },
        { a: 2, b: 'x' },
      ],
    ],
    [{ a: [1, 2], exclude: [{ a: 1 }] }, [{ a: 2 }]],
    [{ include: [{ a: 1 }, { b: 2 }] }, [{ a: 1 }, { b: 2 }]],
    // An include may add to combinations and overwrite what another include added, but no value of the matrix.
    [
      { a: [1, 2], include: [{ c: 3 }, { a: 1, c: 4 }, { a: 9 }] },
      [{ a: 1, c: 4 }, { a: 2, c: 3 }, { a: 9 }],
    ],
    [{ a: [{ n: 1 }], exclude: [{ a: { n: 2 } }] }, [{ a: { n: 1 } }]],
  ])('of %j are %j', (matrix, rows) => expect(combinations(matrix)).toEqual(rows));

  it.each([
    ['text', /a matrix is a mapping/],
    [{ a: 1 }, /matrix\.a is not a list/],
    [{ a: [1], exclude: [{ a: 1 }] }, /gives no job/],
  ])('of %j are refused', (matrix, message) => expect(() => combinations(matrix)).toThrow(message));
});

it('matrixName has the plain values', () => {
  expect(matrixName('test', { a: 1, b: { c: 1 }, d: 'x' })).toBe('test (1, x)');
  expect(matrixName('test', {})).toBe('test');
});
