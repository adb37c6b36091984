import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { differences, readFolder } from './folders.js';

function files(contents: Record<string, string>): Map<string, Buffer> {
  return new Map(Object.entries(contents).map(([name, text]) => [name, Buffer.from(text)]));
}

describe('differences', () => {
  it.each([
    ['the same', { 'a.js': 'x' }, { 'a.js': 'x' }, []],
    ['a missing file', {}, { 'a.js': 'x' }, ['a.js: missing']],
    ['a stale file', { 'old.js': 'x' }, {}, ['old.js: stale']],
    ['a changed line', { 'a.js': '1\n2\n3' }, { 'a.js': '1\nzwei\n3' }, ['a.js: differs from line 2 on']],
    ['a longer file', { 'a.js': '1\n' }, { 'a.js': '1\n2\n' }, ['a.js: differs from line 2 on']],
    ['a byte that is no text', { 'a.js': '1\r' }, { 'a.js': '1' }, ['a.js: differs from line 1 on']],
  ])('of %s', (_what, actual, expected, found) => {
    expect(differences(files(actual), files(expected))).toEqual(found);
  });
});

describe('readFolder', () => {
  it('reads every file, and nothing of a folder that is not there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'perlstack-folder-'));
    try {
      await writeFile(join(folder, 'b'), '2');
      await writeFile(join(folder, 'a'), '1');
      expect([...(await readFolder(folder)).entries()].map(([name, data]) => name + data.toString())).toEqual(
        ['a1', 'b2'],
      );
      expect(await readFolder(join(folder, 'absent'))).toEqual(new Map());
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
