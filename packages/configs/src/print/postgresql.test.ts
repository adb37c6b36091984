import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { printPostgresql } from './postgresql.js';

describe('printPostgresql', () => {
  it('prints settings, groups and includes', () => {
    const text = printPostgresql('Rendered.', [
      ['Memory', null],
      ['shared_buffers', '256MB'],
      ['max_connections', 100],
      ['random_page_cost', 1.1],
      ['jit', false],
      ['pg_stat_statements.track', 'top'],
      ['include_dir', 'conf.d'],
    ]);
    expect(text).toBe(
      "# Rendered.\n\n# Memory\nshared_buffers = '256MB'\nmax_connections = 100\nrandom_page_cost = 1.1\njit = off\n" +
        "pg_stat_statements.track = 'top'\n\ninclude_dir 'conf.d'\n",
    );
  });

  it.each([
    ["it's", "'it''s'"],
    ['C:\\dir\\', "'C:\\\\dir\\\\'"],
    ['two\nlines\t\u0001\u007f', "'two\\012lines\\011\\001\\177'"],
    ['', "''"],
  ])('quotes %j', (value, printed) => {
    expect(printPostgresql('x', [['a.b', value]])).toBe(`# x\na.b = ${printed}\n`);
  });

  it('refuses what can not be written', () => {
    expect(() => printPostgresql('x', [['a', 'NUL \0']])).toThrow(UserError);
    expect(() => printPostgresql('x', [['a = 1\nfsync = off\nb', 1]])).toThrow(UserError);
    expect(() => printPostgresql('two\nlines', [])).toThrow(UserError);
  });
});
