import { expect, it } from '@jest/globals';
import { markdownTable, terminalTable } from './table.js';

it('markdownTable escapes cells and aligns columns', () => {
  expect(markdownTable(['What', 'USD'], [['a|b\nc', 5]], ['l', 'r'])).toBe(
    '| What   | USD |\n| :----- | --: |\n| a\\|b c |   5 |',
  );
});

it('terminalTable lines up its columns', () => {
  const rows = [
    ['web-1', 5],
    ['a', 12],
  ];
  expect(terminalTable(['Host', 'n'], rows, ['l', 'r'])).toBe('Host    n\n-----  --\nweb-1   5\na      12');
});
