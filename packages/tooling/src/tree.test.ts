import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { inRoot, ROOT } from './repository.js';

/** What no file of the tree may hold, and why. Written in parts, so that this file doesn't hold it either. */
const FORBIDDEN: readonly [what: string, pattern: RegExp][] = [
  ['the folder of this checkout', new RegExp(`${escaped(ROOT)}(?![\\w-])`)],
  ['the temporary folder of this machine', new RegExp(`(?<![\\w.-])${escaped(tmpdir())}/perlstack`)],
  [
    'a package registry, which npm settings name',
    new RegExp(['registry', 'npmjs|yarnpkg'].join('\\.(?:') + ')'),
  ],
  ['a private key', new RegExp(['-----BEGIN [A-Z ]*PRIVATE', 'KEY-----\\s+[A-Za-z0-9+/]{40}'].join(' '))],
];

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

function trackedFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 26 });
  return listed.split('\0').filter((file) => file !== '' && existsSync(inRoot(file)));
}

describe('the tracked tree', () => {
  it.each(FORBIDDEN)('does not hold %s', (_what, pattern) => {
    const files = trackedFiles();
    expect(files).toContain('package.json');
    expect(files.filter((file) => pattern.test(readFileSync(inRoot(file), 'utf8')))).toEqual([]);
  });
});
