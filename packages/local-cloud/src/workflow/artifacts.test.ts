import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { matching, selectFiles } from './artifacts.js';

let workspace: string;
beforeAll(() => {
  workspace = mkdtempSync(join(tmpdir(), 'perlstack-artifacts-'));
  for (const file of ['out/a.txt', 'out/sub/b.txt', 'out/sub/c.log', 'out/.hidden', 'top.txt']) {
    mkdirSync(dirname(join(workspace, file)), { recursive: true });
    writeFileSync(join(workspace, file), file);
  }
});
afterAll(() => rmSync(workspace, { recursive: true }));

describe('selectFiles', () => {
  it.each([
    ['top.txt', false, ['top.txt']],
    ['out', false, ['a.txt', 'sub/b.txt', 'sub/c.log']],
    ['out', true, ['.hidden', 'a.txt', 'sub/b.txt', 'sub/c.log']],
    ['out/sub/b.txt', false, ['b.txt']],
    ['out/**/*.txt', false, ['a.txt', 'sub/b.txt']],
    ['out\n!out/sub/*.log', false, ['a.txt', 'sub/b.txt']],
    ['out/sub\ntop.txt', false, ['out/sub/b.txt', 'out/sub/c.log', 'top.txt']],
    ['nothing', false, []],
  ])('of %j, hidden ones %s: %j', (path, hidden, names) => {
    const { root, files } = selectFiles(path, workspace, hidden);
    expect(files.map((file) => relative(root, file)).sort()).toEqual(names);
  });
});

it('matching finds artifacts by pattern', () => {
  expect(matching(['build-a', 'build-b', 'xbuild-a', 'b.c'], 'build-*')).toEqual(['build-a', 'build-b']);
  expect(matching(['b.c', 'bxc'], 'b.c')).toEqual(['b.c']);
});
