import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { printEnvironmentFile } from './environment.js';

describe('printEnvironmentFile', () => {
  it.each([
    ['', '""'],
    ['plain', '"plain"'],
    ['a b', '"a b"'],
    ['"', '"\\""'],
    ["it's", `"it's"`],
    ['\\', '"\\\\"'],
    ['$HOME', '"\\$HOME"'],
    ['`id`', '"\\`id\\`"'],
    ['%i # ;', '"%i # ;"'],
    ['-----BEGIN\nline\n-----END', '"-----BEGIN\nline\n-----END"'],
  ])('writes %j as %s', (value, text) => {
    expect(printEnvironmentFile({ KEY: value })).toBe(`KEY=${text}\n`);
  });

  it('refuses a NUL and names the variable, not the value', () => {
    const print = () => printEnvironmentFile({ KEY: 'hidden\0' });
    expect(print).toThrow(UserError);
    expect(print).toThrow(/^KEY: (?!.*hidden)/);
  });
});
