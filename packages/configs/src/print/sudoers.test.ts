import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { command, comment, printSudoers, sudoersLine, userName } from './sudoers.js';

const asRoot = process.getuid?.() === 0;
const withSudo = asRoot && spawnSync('runuser', ['-u', 'games', '--', 'sudo', '--version']).status === 0;

const NASTY = [
  'plain',
  'two words',
  "it's",
  '"',
  '$HOME',
  '*',
  '?',
  '[a-z]',
  '!not',
  '#1',
  'a,b',
  'a:b=c',
  '(root)',
  '^a.*$',
  'ALL',
  '@include /etc/shadow',
  'é漢',
];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sudoers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What `games` gets from sudo where these are all the rules. */
function asGames(rules: string, argv: readonly string[]): { status: number | null; stdout: string } {
  writeFileSync(path.join(folder, 'sudoers'), `Defaults !syslog, !mail_always, !mail_badpass\n${rules}`, {
    mode: 0o440,
  });
  const script = 'mount --bind "$1" /etc/sudoers && shift && exec runuser -u games -- sudo -n -- "$@"';
  return spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', path.join(folder, 'sudoers'), ...argv], {
    encoding: 'utf8',
  });
}

describe('the printer of sudoers', () => {
  it('writes comments, rules and commands', () => {
    const rule = sudoersLine`${userName('deploy')} ALL=(root) NOPASSWD: ${command(['/usr/bin/sh', '-c'], 'anything')}`;
    expect(printSudoers([comment('include x'), rule])).toBe(
      '# include x\ndeploy ALL=(root) NOPASSWD: /usr/bin/sh -c *\n',
    );
  });

  it('says when a command has no arguments', () => {
    expect(command(['/usr/bin/id']).sudoers).toBe('/usr/bin/id ""');
  });

  it.each<[string, () => unknown]>([
    ['everybody', () => userName('ALL')],
    ['a group', () => userName('%sudo')],
    ['a uid', () => userName('#0')],
    ['a list of users', () => userName('a,b')],
    ['an alias', () => userName('ADMINS')],
    ['nobody', () => userName('')],
    ['a relative program', () => command(['sh'])],
    ['an empty argument', () => command(['/bin/x', ''])],
    ['a backslash in an argument', () => command(['/bin/x', '\\'])],
    ['a line end in an argument', () => command(['/bin/x', 'a\nb'])],
    ['a comment with a line end', () => comment('a\nroot ALL=ALL')],
    ['a comment that goes on', () => comment('a\\')],
  ])('refuses %s', (_what, print) => expect(print).toThrow(UserError));
});

(withSudo ? describe : describe.skip)('sudo (needs sudo, runuser, unshare and root)', () => {
  it.each(NASTY)('lets %j through, and nothing else', (word) => {
    const rule = sudoersLine`${userName('games')} ALL=(root) NOPASSWD: ${command(['/usr/bin/printf', '%s', word])}`;
    const rules = printSudoers([comment(word), rule]);
    expect(asGames(rules, ['printf', '%s', word])).toMatchObject({ status: 0, stdout: word });
    for (const other of [`${word}x`, 'xx', '']) {
      expect(asGames(rules, ['printf', '%s', other])).toMatchObject({ status: 1, stdout: '' });
    }
  });
});
