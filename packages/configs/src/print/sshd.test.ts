import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { printSshdConfig } from './sshd.js';

const SSHD = '/usr/sbin/sshd';
const withSshd = existsSync(SSHD) && process.getuid?.() === 0;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sshd-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const withBanner = (word: string): string =>
  printSshdConfig('heading', [{ comment: 'why', entries: [['Banner', word]] }]);

describe('printSshdConfig', () => {
  it('writes groups of keywords with their words', () => {
    const groups = [
      { comment: 'one', entries: [['PermitRootLogin', false] as const, ['MaxSessions', 20] as const] },
      { comment: 'two', entries: [['PermitOpen', '*:22', '*:2222'] as const] },
    ];
    expect(printSshdConfig('heading', groups)).toBe(
      '# heading\n\n# one\nPermitRootLogin no\nMaxSessions 20\n\n# two\nPermitOpen *:22 *:2222\n',
    );
  });

  it.each(['', 'a b', 'a\nPermitRootLogin yes', '"', "'", '#', '\\', '$HOME', '`id`', 'a;b', '{', 'é', '\0'])(
    'refuses the word %j',
    (word) => expect(() => withBanner(word)).toThrow(UserError),
  );

  it('refuses a comment that would end its line', () => {
    expect(() => printSshdConfig('a\nb', [])).toThrow(UserError);
    expect(() => printSshdConfig('a', [{ comment: 'b\nc', entries: [] }])).toThrow(UserError);
  });
});

(withSshd ? describe : describe.skip)(`sshd (needs ${SSHD} and root)`, () => {
  it.each(['/etc/issue', '/a@b%.c:d,e*f+g/h~i^j=k_l-m', 'none'])('gives %j back as it was', (word) => {
    const key = path.join(folder, 'key');
    const file = path.join(folder, 'config');
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    writeFileSync(file, withBanner(word));
    // sshd asks for its folder below /run before anything else.
    const script = 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"';
    const argv = ['--mount', 'sh', '-c', script, 'sh', SSHD, '-T', '-h', key, '-f', file];
    const { status, stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n')).toContain(`banner ${word}`);
  });
});
