import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { inAscii } from './ascii.js';

describe('inAscii', () => {
  it.each([
    "'a → b'",
    '`“${1 + 1}”`',
    '/[é😀]/u.exec("x😀").index',
    '"\\\\" + "…" // …',
    'String.raw`\\d` + "…"',
  ])('has %s mean what it meant', (program) => {
    const written = inAscii(program);
    expect(written).toMatch(/^[\0-\x7f]*$/);
    expect(runInNewContext(written)).toBe(runInNewContext(program));
  });

  it('refuses a raw template, in which it would be another text', () => {
    expect(() => inAscii('const a = String.raw`\\` … `;')).toThrow(/raw template.*…/);
    expect(() => inAscii('const a = String.raw`b`, c = `…`;')).not.toThrow();
  });
});
