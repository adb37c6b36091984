import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { compareParts, compositeEtag, md5Base64, md5Hex, type Part } from './integrity.js';

const part = (number: number, content = `part ${number}`): Part => ({
  ...{ part: number, size: content.length, md5: md5Hex(Buffer.from(content)) },
});
const sent = [part(1), part(2), part(3)];

describe('compositeEtag', () => {
  it('is the MD5 of the bytes of the MD5s, with their number', () => {
    // As another program sees it.
    const script = `{ printf 'part 1' | openssl md5 -binary; printf 'part 2' | openssl md5 -binary; } | openssl md5 -r`;
    const [hash = ''] = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split(' ');
    expect(compositeEtag([part(1), part(2)])).toBe(`${hash}-2`);
  });

  it('hangs on the order, and differs from the MD5 of a single part', () => {
    expect(compositeEtag([part(1), part(2)])).not.toBe(compositeEtag([part(2), part(1)]));
    expect(compositeEtag([part(1)])).toMatch(/^[\da-f]{32}-1$/);
    expect(compositeEtag([part(1)])).not.toContain(part(1).md5);
  });
});

describe('compareParts', () => {
  it('finds nothing when all is as it was sent, in whatever order it is listed', () => {
    expect(compareParts(sent, [...sent].reverse())).toEqual([]);
    expect(compareParts([], [])).toEqual([]);
  });

  it.each<[string, Part[], Part[], string[]]>([
    ['a part that is missing', sent, sent.slice(0, 2), ['part 3 is not there']],
    [
      'another size',
      sent,
      [part(1), part(2, 'longer than it was'), part(3)],
      ['part 2 has 18 bytes instead of 6'],
    ],
    [
      'another content of the same size',
      sent,
      [part(1), part(2, 'PART 2'), part(3)],
      ['part 2 has another content'],
    ],
    ['a part that nobody sent', sent, [...sent, part(4)], ['part 4 is not ours']],
    ['a gap', [part(1), part(3)], [part(1), part(3)], ['part 2 was never sent']],
    ['a part that is listed twice', [part(1), part(1)], [part(1)], ['part 2 was never sent']],
  ])('names %s', (_what, ours, theirs, faults) => {
    expect(compareParts(ours, theirs)).toEqual(faults);
  });
});

describe('MD5', () => {
  it('of nothing is the known one, as HTTP wants it and as ETags have it', () => {
    expect(md5Base64(Buffer.alloc(0))).toBe('1B2M2Y8AsgTpgAmY7PhCfg==');
    expect(md5Hex(Buffer.alloc(0))).toBe('d41d8cd98f00b204e9800998ecf8427e');
  });
});
