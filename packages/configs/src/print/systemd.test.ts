import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { assignment, command, printUnit, specified, words, type UnitValue } from './systemd.js';

const printed = (value: UnitValue): string => {
  const unit = printUnit(['heading'], [{ name: 'Service', entries: [['Key', value]] }]);
  return unit.replace('# heading\n\n[Service]\nKey=', '').replace(/\n$/, '');
};

describe('printUnit', () => {
  it('writes sections, repeated keys and plain values', () => {
    const sections = [
      { name: 'Unit', entries: [['Description', 'a']] as const },
      { name: 'Service', entries: [['Key', 1] as const, ['Key', true] as const, ['Key', ''] as const] },
    ];
    expect(printUnit(['one', 'two'], sections)).toBe(
      '# one\n# two\n\n[Unit]\nDescription=a\n\n[Service]\nKey=1\nKey=yes\nKey=\n',
    );
  });

  // Each of these came out of systemd 252 and 257 as it went in.
  it.each<[string, string, string]>([
    ['plain', 'plain', 'plain'],
    ['', '""', '""'],
    ['a b', '"a b"', '"a b"'],
    ['100 %i', '"100 %%i"', '"100 %%i"'],
    ['$HOME', '"$HOME"', '"$$HOME"'],
    ['"', '"\\""', '"\\""'],
    ["'", `"'"`, `"'"`],
    ['\\n', '"\\\\n"', '"\\\\n"'],
    ['tail\\', '"tail\\\\"', '"tail\\\\"'],
    [';', '";"', '";"'],
    ['#', '"#"', '"#"'],
    ['a\nb\tc\r', '"a\\nb\\tc\\r"', '"a\\nb\\tc\\r"'],
    ['\u0001\u007f', '"\\x01\\x7f"', '"\\x01\\x7f"'],
    ['漢', '"漢"', '"漢"'],
  ])('writes the word %j as %s, and in a command as %s', (word, asWord, asArgument) => {
    expect(printed(words(word))).toBe(asWord);
    expect(printed(command([word]))).toBe(asArgument);
  });

  it('keeps specifiers that stand in the source and no others', () => {
    expect(printed(specified`/srv/${'100%i'}/%i`)).toBe('/srv/100%%i/%i');
    expect(printed(command(['/bin/x', specified`%i.sock`]))).toBe('/bin/x %i.sock');
    expect(printed(assignment('RELEASE', specified`%i`))).toBe('RELEASE=%i');
  });

  it('quotes an assignment as one word', () => {
    expect(printed(assignment('A', 'b "c" $d 5%'))).toBe('"A=b \\"c\\" $d 5%%"');
  });

  it.each<[string, () => UnitValue]>([
    ['a line end in plain text', () => 'a\nExecStart=/bin/sh'],
    ['a line end in a plain value with specifiers', () => specified`${'a\nb'}`],
    ['a backslash at the end of plain text', () => 'a\\'],
    ['a NUL in a word', () => words('a\0')],
  ])('refuses %s', (_what, value) => {
    expect(() => printed(value())).toThrow(UserError);
  });
});
