import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { appendEntry, commandOf } from './runner-commands.js';

describe('commandOf', () => {
  it.each([
    ['endgroup', '', {}, '::endgroup::'],
    ['notice', '50 %\r\nof it', {}, '::notice::50 %25%0D%0Aof it'],
    [
      'error',
      'a: b, c',
      { title: 'x', file: 'a,b:c%', line: 3 },
      '::error title=x,file=a%2Cb%3Ac%25,line=3::a: b, c',
    ],
    ['warning', 'no', { title: undefined, file: '' }, '::warning::no'],
  ] as const)('writes %s with %j and %j as %s', (command, message, properties, line) => {
    expect(commandOf(command, message, properties)).toBe(line);
  });
});

describe('appendEntry', () => {
  it('ends each value by a word of its own, so that none can end early', () => {
    const folder = mkdtempSync(join(tmpdir(), 'perlstack-entries-'));
    try {
      const file = join(folder, 'output');
      appendEntry(file, 'one', 'a\nghadelimiter_1\nfake<<x');
      appendEntry(file, 'two', '');
      const [, first, second] =
        /^one<<(ghadelimiter_.+)\na\nghadelimiter_1\nfake<<x\n\1\ntwo<<(ghadelimiter_.+)\n\n\2\n$/.exec(
          readFileSync(file, 'utf8'),
        ) ?? [];
      expect(first).toMatch(/^ghadelimiter_[0-9a-f-]{36}$/);
      expect(second).not.toBe(first);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
