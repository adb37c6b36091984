import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { decodeContent, decodeRecords, encodeContent, encodeMode, encodeRecords } from './records.js';

describe('records', () => {
  it('come back as they went', () => {
    const records = [['file', '/etc/a b', "it's $HOME"], ['mark']] as [string, ...string[]][];
    expect(decodeRecords(encodeRecords(records))).toEqual(records);
  });

  it('reach a shell as they are', () => {
    const script = `while IFS="$(printf '\\t')" read -r kind a b; do printf '<%s|%s|%s>' "$kind" "$a" "$b"; done`;
    const input = encodeRecords([['file', '/etc/a b', '\\n $HOME "']]);
    expect(execFileSync('sh', ['-c', script], { input, encoding: 'utf8' })).toBe(
      '<file|/etc/a b|\\n $HOME ">' + '<end||>',
    );
  });

  it.each(['', 'a\tb', 'a\nb', 'a\0b'])('refuse the field %j', (field) => {
    expect(() => encodeRecords([['file', field]])).toThrow('Not a field');
  });

  it.each(['', 'file\t/etc/x\n', 'file\t/etc/x\nend', 'end of the line\n'])(
    'that are cut off (%j) are refused',
    (output) => {
      expect(() => decodeRecords(output)).toThrow('not complete');
    },
  );

  it.each(['', 'a\n', 'ä\t"\n\n'])('carry the content %j', (content) => {
    expect(encodeContent(content)).not.toBe('');
    expect(decodeContent(encodeContent(content))).toBe(content);
  });

  it('write modes as chmod takes them', () => {
    expect([0o644, 0o4755, 0].map(encodeMode)).toEqual(['0644', '4755', '0000']);
  });
});
