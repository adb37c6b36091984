import { existsSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { UserError } from '@perlstack/stack';

/** The folder of the checkout. */
export const ROOT = resolve(import.meta.dirname, '..', '..', '..');

/** An absolute path inside the checkout. */
export function inRoot(...parts: string[]): string {
  return join(ROOT, ...parts);
}

/** What can be thrown away; on the same file system as the checkout, and ignored by git. */
export const CACHE = inRoot('node_modules', '.cache', 'perlstack');

/** A path as messages show it: relative to the checkout. */
export function shown(path: string): string {
  return relative(ROOT, path);
}

/** The names of all actions, sorted: the folders of `actions/` that have a manifest. */
export function actionNames(): string[] {
  return readdirSync(inRoot('actions'))
    .filter((name) => existsSync(inRoot('actions', name, 'package.json')))
    .sort();
}

/** The actions that the words of a command line name; all of them without words. */
export function chosenActions(
  words: readonly string[],
  all: readonly string[] = actionNames(),
): readonly string[] {
  const unknown = words.find((word) => !all.includes(word));
  if (unknown !== undefined) throw new UserError(`there is no action "${unknown}": one of ${all.join(', ')}`);
  return words.length > 0 ? words : all;
}
