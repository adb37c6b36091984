import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { copyRepository } from './checkout.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'perlstack-checkout-'));
  for (const name of ['source/bin', 'source/node_modules/x', 'target/old'])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'source/bin/run'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(folder, 'source/node_modules/x/y'), '');
  writeFileSync(join(folder, 'source/.gitignore'), 'node_modules\n*.log\n');
  writeFileSync(join(folder, 'source/a.log'), '');
  symlinkSync('bin/run', join(folder, 'source/link'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('copies what git does not ignore, committed or not, with modes and links, and removes what was there', () => {
  execFileSync('git', ['init', '-q'], { cwd: join(folder, 'source') });
  copyRepository(join(folder, 'source'), join(folder, 'target'));
  expect(readdirSync(join(folder, 'target')).sort()).toEqual(['.gitignore', 'bin', 'link']);
  expect(statSync(join(folder, 'target/bin/run')).mode & 0o777).toBe(0o755);
  expect(lstatSync(join(folder, 'target/link')).isSymbolicLink()).toBe(true);
});

it('brings the commit along, which a step may ask for its date', () => {
  const git = (where: string, ...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args], {
      cwd: join(folder, where),
      encoding: 'utf8',
    }).trim();
  git('source', 'init', '-q');
  git('source', 'add', 'bin', '.gitignore', 'link');
  git('source', '-c', 'commit.gpgsign=false', 'commit', '-q', '-m', 'first');
  copyRepository(join(folder, 'source'), join(folder, 'target'));
  copyRepository(join(folder, 'source'), join(folder, 'target'));
  expect(git('target', 'log', '--format=%H %ct')).toBe(git('source', 'log', '--format=%H %ct'));
  expect(git('target', 'status', '--porcelain')).toBe('');
});

it('copies everything but node_modules where there is no git', () => {
  copyRepository(join(folder, 'source'), join(folder, 'target'));
  expect(existsSync(join(folder, 'target/a.log'))).toBe(true);
  expect(existsSync(join(folder, 'target/node_modules'))).toBe(false);
});
