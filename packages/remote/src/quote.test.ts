import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { commandLine, quote } from './quote.js';

describe('quote', () => {
  it.each([
    ['plain', 'plain'],
    ['/etc/nginx/nginx.conf', '/etc/nginx/nginx.conf'],
    ['key=value', 'key=value'],
    ['', "''"],
    ['two words', "'two words'"],
    ["it's", "'it'\\''s'"],
    ['$HOME', "'$HOME'"],
    ['~root', "'~root'"],
    ['*', "'*'"],
    ['a;b', "'a;b'"],
  ])('writes %j as %s', (word, expected) => {
    expect(quote(word)).toBe(expected);
  });

  it.each([
    '',
    ' ',
    "'",
    "''",
    `"`,
    '\\',
    "\\'",
    '$(id)',
    '`id`',
    '${HOME}',
    '!!',
    'a\nb',
    '\n',
    'a\tb',
    '-n',
    '--',
    '*',
    '?',
    '[a-z]',
    '{a,b}',
    '~',
    '#comment',
    '&& id',
    '|id',
    '>file',
    'ä€😀',
    '\x01\x7f',
    'a\\nb',
    '%s',
  ])('gives %j to a shell unchanged', (word) => {
    const line = commandLine(['printf', '%s', word]);
    // printf takes no options after its format, so that each word reaches it as data.
    expect(execFileSync('sh', ['-c', line], { encoding: 'utf8' })).toBe(word);
  });

  it('refuses a NUL character', () => {
    expect(() => quote('a\0b')).toThrow('NUL');
  });
});
