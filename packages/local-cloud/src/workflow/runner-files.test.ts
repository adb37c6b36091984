import { expect, it } from '@jest/globals';
import { parseEntries } from './runner-files.js';

it.each([
  ['', {}],
  ['a=1\nb=x=y<<z\n\n', { a: '1', b: 'x=y<<z' }],
  ['a<<E\n1\n\n2=3\nE\nb=\n', { a: '1\n\n2=3', b: '' }],
  ['a<<E\r\nE\r\n', { a: '' }],
  ['a<b=1', { 'a<b': '1' }],
  ['a=1\na=2', { a: '2' }],
])('reads %j', (text, entries) => expect(parseEntries(text, 'F')).toEqual(entries));

it.each([
  ['no sense', "F: invalid format 'no sense'"],
  ['=x', "F: invalid format '=x'"],
  ['a<<E\nb', "F: matching delimiter not found 'E'"],
  ['a<<\nb\n', "F: matching delimiter not found ''"],
])('refuses %j', (text, message) => expect(() => parseEntries(text, 'F')).toThrow(message));
