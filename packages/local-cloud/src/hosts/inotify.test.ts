import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { allowInotify } from './inotify.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'inotify-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('allowInotify', () => {
  it.each([
    ['128', '1024'],
    ['1024', '1024'],
    ['65536', '65536'],
  ])('of %s makes %s', async (before, after) => {
    const setting = path.join(folder, 'max_user_instances');
    await writeFile(setting, `${before}\n`);
    await allowInotify(setting);
    expect((await readFile(setting, 'utf8')).trim()).toBe(after);
  });
});
