import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Folders that a checkout never brings, where there is no git to say so. */
const NEVER = new Set(['.git', 'node_modules']);

/**
 * Copies a repository's folder as it stands, changes that are not committed included, but without what git ignores.
 * The target is emptied first.
 */
export function copyRepository(repository: string, target: string): void {
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(target)) rmSync(join(target, name), { recursive: true });
  const files = trackedFiles(repository) ?? allFiles(repository);
  for (const file of files) {
    const source = join(repository, file);
    // A tracked file may be deleted in the folder.
    if (!lstatSync(source, { throwIfNoEntry: false })) continue;
    mkdirSync(dirname(join(target, file)), { recursive: true });
    cpSync(source, join(target, file), { verbatimSymlinks: true, recursive: true });
  }
  bringCommit(repository, target);
}

/** The commit that the folder stands at, as a checkout brings it: a step may ask git for its id or its date. */
function bringCommit(repository: string, target: string): void {
  const aside = mkdtempSync(join(dirname(target), '.checkout-'));
  const options = { cwd: aside, stdio: 'ignore' } as const;
  try {
    const from = pathToFileURL(repository).href;
    execFileSync('git', ['clone', '--quiet', '--depth=1', '--no-checkout', from, 'clone'], options);
    execFileSync('git', ['reset', '--quiet', 'HEAD'], { ...options, cwd: join(aside, 'clone') });
    renameSync(join(aside, 'clone', '.git'), join(target, '.git'));
  } catch {
    // No commit yet, no repository at all, or another user's: then there is only the copy.
  } finally {
    rmSync(aside, { recursive: true });
  }
}

function trackedFiles(repository: string): string[] | undefined {
  if (!existsSync(join(repository, '.git'))) return undefined;
  // The owner of the folder may be another user: git is only asked for names here.
  const argv = ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const names = execFileSync('git', argv, { cwd: repository, encoding: 'utf8', maxBuffer: 1 << 28 });
  return [...new Set(names.split('\0').filter(Boolean))];
}

function allFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)))
    .filter((file) => !file.split(sep).some((part) => NEVER.has(part)));
}
