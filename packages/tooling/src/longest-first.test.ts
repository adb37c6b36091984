import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import LongestFirst, { LONGEST, longestFirst } from './longest-first.js';
import { inRoot } from './repository.js';

describe('the order of test files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'order-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('has the longest first, then the largest', async () => {
    const sizes = { 'small.test.ts': 1, 'converge.test.ts': 2, 'large.test.ts': 3, 'kill.test.ts': 0 };
    for (const [name, size] of Object.entries(sizes)) await writeFile(join(folder, name), 'x'.repeat(size));
    const tests = Object.keys(sizes).map((name) => ({ path: join(folder, name) }));
    const sorted = ['kill', 'converge', 'large', 'small'].map((name) => ({
      path: join(folder, `${name}.test.ts`),
    }));
    expect(longestFirst(tests)).toEqual(sorted);
    expect(new LongestFirst().sort(tests)).toEqual(sorted);
  });

  it('names files that there are', async () => {
    expect(await readdir(inRoot('test', 'src'))).toEqual(expect.arrayContaining([...LONGEST]));
  });
});
