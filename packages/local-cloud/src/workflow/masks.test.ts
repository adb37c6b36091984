import { expect, it } from '@jest/globals';
import { Masker } from './masks.js';

const masker = new Masker(['line/one "a"\nline two+b', '  ', '']);

it.each([
  ['x line/one "a" y', 'x *** y'],
  ['line two+b', '***'],
  [JSON.stringify('line/one "a"'), '"***"'],
  [encodeURIComponent('line/one "a"'), '***'],
  [Buffer.from('line two+b,').toString('base64'), expect.stringMatching(/^\*\*\*.{0,4}$/)],
  [Buffer.from('u:line two+b').toString('base64'), expect.stringMatching(/^.{4}\*\*\*.{0,4}$/)],
  ['nothing of it', 'nothing of it'],
])('masks %j', (text, shown) => expect(masker.mask(text)).toEqual(shown));

it('knows what it would change', () => {
  expect(masker.covers('a line two+b')).toBe(true);
  expect(masker.covers('a line')).toBe(false);
});
