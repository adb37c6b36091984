import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { type HbaRule, printHba, printPassword } from './pghba.js';

const rule = (more: Partial<HbaRule>): HbaRule => ({
  database: 'shop',
  user: 'shop',
  method: 'peer',
  ...more,
});

describe('printHba', () => {
  it('takes away the meaning of words in names, and keeps that of keywords', () => {
    const text = printHba('x', [
      rule({ database: { keyword: 'all' } }),
      rule({ database: 'all', user: '+admins', network: '10.0.0.1/32', method: 'scram-sha-256' }),
      rule({ database: '@file', user: 'a "b" #' }),
    ]);
    const lines = text.split('\n').map((line) => line.split(/ {2,}| (?=peer|scram)/).join(' '));
    expect(lines).toEqual([
      '# x',
      '',
      'local all "shop" peer',
      'host "all" "+admins" 10.0.0.1/32 scram-sha-256',
      'local "@file" "a ""b"" #" peer',
      '',
    ]);
  });

  it.each<[string, Partial<HbaRule>]>([
    ['a pattern', { user: '/^a' }],
    ['an empty name', { database: '' }],
    ['a line end', { user: 'a\nhost all all 0.0.0.0/0 trust' }],
    ['what is no network', { network: '10.0.0.1/32 trust #' }],
  ])('refuses %s', (_what, more) => {
    expect(() => printHba('x', [rule(more)])).toThrow(UserError);
  });
});

describe('printPassword', () => {
  it('escapes what separates fields', () => {
    expect(printPassword('a:b\\c *', 'fd00::2', 5_432, 'replicator')).toBe(
      'fd00\\:\\:2:5432:*:replicator:a\\:b\\\\c *\n',
    );
  });

  it('refuses a line end without showing the password', () => {
    expect(() => printPassword('geheim\n', '10.0.0.1', 5_432, 'replicator')).toThrow(/^(?!.*geheim)pgpass:/s);
  });
});
