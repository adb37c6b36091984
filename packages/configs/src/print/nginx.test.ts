import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { block, comment, directive, expression, nginxTime, printNginx, type Word } from './nginx.js';

const printed = (...words: Word[]): string => printNginx([directive('x', ...words)]);

describe('printNginx', () => {
  it.each<[Word, string]>([
    ['plain', 'plain'],
    [8_080, '8080'],
    ['10.0.0.2:5000', '10.0.0.2:5000'],
    ['[fd00::2]:5000', '[fd00::2]:5000'],
    ['unix:/srv/a.sock', 'unix:/srv/a.sock'],
    ['', '""'],
    ['a b', '"a b"'],
    ['a;b', '"a;b"'],
    ['}', '"}"'],
    ['#x', '"#x"'],
    ['\\', '"\\\\"'],
    ['say "x"', `'say "x"'`],
    [`it's "x"`, `"it's \\"x\\""`],
    ['é', '"é"'],
    [expression`$host`, '$host'],
    [expression`$host/${'a b'}`, '"$host/a b"'],
    [expression`"$status"`, `'"$status"'`],
  ])('writes the word %j as %s', (word, text) => {
    expect(printed(word)).toBe(`x ${text};\n`);
  });

  it.each<[string, () => Word]>([
    ['a line end', () => 'a\nb'],
    ['a control character', () => 'a\u0007b'],
    ['a NUL', () => '\0'],
    ['a variable', () => '$host'],
    ['a variable inside an expression', () => expression`/${'$request_uri'}`],
    ['a line end inside an expression', () => expression`$host${'\n'}`],
  ])('refuses a literal with %s', (_what, word) => {
    expect(() => printed(word())).toThrow(UserError);
  });

  it('refuses a comment that would end its line, and what is no directive', () => {
    expect(() => printNginx([comment('a\nuser root;')])).toThrow(UserError);
    expect(() => printNginx([directive('user root; x')])).toThrow('no nginx directive');
  });

  it('indents blocks and sets them apart', () => {
    const inner = block('b', ['c'], [directive('d', 'on'), comment('why'), directive('e')]);
    expect(printNginx([directive('a', 1), inner, directive('f')])).toBe(
      'a 1;\n\nb c {\n    d on;\n\n    # why\n    e;\n}\n\nf;\n',
    );
  });

  it('gives a long directive a line for each word', () => {
    const long = 'w'.repeat(100);
    expect(printed(long, long)).toBe(`x\n    ${long}\n    ${long};\n`);
  });
});

describe('nginxTime', () => {
  it.each([
    [0, '0s'],
    [1, '1s'],
    [1_500, '2s'],
    [30_000, '30s'],
    [90_000, '90s'],
    [120_000, '2m'],
    [43_200_000, '12h'],
    [2_592_000_000, '30d'],
  ])('%d ms is %s', (milliseconds, text) => expect(nginxTime(milliseconds)).toBe(text));
});
