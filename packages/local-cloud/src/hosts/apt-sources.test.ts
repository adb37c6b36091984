import { describe, expect, it } from '@jest/globals';
import { debianSources, parseIndexes } from './apt-sources.js';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

describe('debianSources', () => {
  it('rewrites only the suite of the machine’s own Debian sources', () => {
    const indexes = parseIndexes(
      [
        'http://mirror.test/debian/|bookworm|Debian|main',
        'http://mirror.test/debian/|bookworm|Debian|contrib',
        'http://mirror.test/debian/|bookworm-updates|Debian|main',
        'http://mirror.test/security/|bookworm-security|Debian|main',
        'https://other.test/node/|nodistro|Node Source|main',
        '',
      ].join('\n'),
    );
    expect(debianSources(indexes, 'trixie', KEYRING)).toEqual([
      `deb [signed-by=${KEYRING}] http://mirror.test/debian/ trixie main`,
      `deb [signed-by=${KEYRING}] http://mirror.test/debian/ trixie-updates main`,
      `deb [signed-by=${KEYRING}] http://mirror.test/security/ trixie-security main`,
    ]);
  });

  it('leaves backports and the like out, and names a source once', () => {
    const line = 'http://mirror.test/debian/|bookworm|Debian|main';
    const indexes = parseIndexes(
      [line, line, 'http://mirror.test/debian/|bookworm-backports|Debian|main'].join('\n'),
    );
    expect(debianSources(indexes, 'bookworm', KEYRING)).toHaveLength(1);
  });

  it('gives nothing on a machine without Debian sources', () => {
    const indexes = parseIndexes('http://mirror.test/ubuntu/|noble|Ubuntu|main\n');
    expect(debianSources(indexes, 'trixie', KEYRING)).toEqual([]);
  });

  it('gives nothing when only updates are configured', () => {
    const indexes = parseIndexes('http://mirror.test/debian/|bookworm-updates|Debian|main\n');
    expect(debianSources(indexes, 'trixie', KEYRING)).toEqual([]);
  });
});
