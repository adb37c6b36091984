import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { printRedis } from './redis.js';

const printed = (value: string): string =>
  printRedis('heading', [['masterauth', value]]).split('\n')[1] ?? '';

describe('printRedis', () => {
  it('writes a heading, words, numbers and flags', () => {
    const settings = [
      ['port', 6379],
      ['protected-mode', true],
      ['sentinel announce-ip', '10.0.0.1'],
    ] as const;
    expect(printRedis('heading', settings)).toBe(
      '# heading\nport "6379"\nprotected-mode "yes"\nsentinel announce-ip "10.0.0.1"\n',
    );
  });

  // What Redis 7 and 8 themselves write for the same value.
  it.each([
    ['', '""'],
    ['a b', '"a b"'],
    ['"', '"\\""'],
    ["'", `"'"`],
    ['\\', '"\\\\"'],
    ['a\nb\r\tc', '"a\\nb\\r\\tc"'],
    ['\u0007\b', '"\\a\\b"'],
    ['\u0001\u007f', '"\\x01\\x7f"'],
    ['$x # ; }', '"$x # ; }"'],
    ['é', '"\\xc3\\xa9"'],
  ])('writes %j as %s', (value, text) => {
    expect(printed(value)).toBe(`masterauth ${text}`);
  });

  it.each([
    ['a NUL', 'hidden\0'],
    ['half a surrogate pair', 'hidden\ud83d'],
  ])('refuses %s and names the setting, not the value', (_what, value) => {
    expect(() => printed(value)).toThrow(UserError);
    expect(() => printed(value)).toThrow(/^redis: masterauth: (?!.*hidden)/);
  });

  it('takes only names that Redis has', () => {
    expect(() => printRedis('heading', [['port 1\nport', 2]])).toThrow(/No name/);
  });
});
