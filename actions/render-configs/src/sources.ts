import { existsSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { connectGitHub, type GitHub, pullRequest, type PullRequest } from '@perlstack/action';
import { UserError } from '@perlstack/stack';

/** Where the inputs name files: those of the checkout. */
export interface Named {
  readonly 'stack-file': string;
  readonly inventory: string;
  readonly base: string | undefined;
  readonly 'base-inventory': string | undefined;
  readonly 'github-token': string | undefined;
}

/** Text, and what errors in it call it. */
export interface Source {
  readonly text: string;
  readonly name: string;
}

/** What the rendered configuration is compared with. */
export interface Base {
  /** Where it has no stack file, which file that is. */
  readonly stack: Source | { readonly missing: string };
  /** `null`: the same as now. */
  readonly inventory: string | null;
  /** `main`, or a file's name. */
  readonly name: string;
}

/** A pull request with the right to ask about it. */
export interface Review {
  readonly github: GitHub;
  readonly pull: PullRequest;
}

/** The pull request that started this run, where a token for it was handed over. */
export function reviewOf({ 'github-token': token }: Named): Review | undefined {
  const pull = token === undefined ? undefined : pullRequest();
  return token === undefined || !pull ? undefined : { github: connectGitHub(token), pull };
}

/**
 * What to compare with: the files that the inputs name, or those of the commit that a pull request goes to;
 * `undefined` where there is neither.
 *
 * @param read gives the text of a file of the checkout
 */
export async function baseOf(
  inputs: Named,
  review: Review | undefined,
  read: (file: string) => string,
): Promise<Base | undefined> {
  const { base, 'base-inventory': inventory } = inputs;
  if (base !== undefined) {
    const stack = existsSync(base) ? { text: read(base), name: base } : { missing: base };
    return { stack, inventory: inventory ?? null, name: base };
  }
  if (inventory !== undefined)
    throw new UserError('Input "base-inventory": it goes with the input "base", which is not set');
  if (!review) return undefined;
  const { github, pull } = review;
  const path = pathInRepository(inputs['stack-file']);
  const text = await github.fileAt(path, pull.base.sha);
  const [name, found] = [pull.base.ref, `${path} of ${pull.base.ref}`];
  if (text === null) return { name, stack: { missing: found }, inventory: null };
  return {
    name,
    stack: { text, name: found },
    inventory: await committedInventory(inputs.inventory, review),
  };
}

/** An inventory that is kept in the repository has a past, too; one that another step made has none. */
async function committedInventory(input: string, { github, pull }: Review): Promise<string | null> {
  // JSON is no path, and too long to be asked for as one.
  if (input.trimStart().startsWith('{') || !existsSync(input)) return null;
  const path = relative(rootOf(input), resolve(input));
  return path.startsWith('..') ? null : github.fileAt(path, pull.base.sha);
}

/** A file's path as GitHub has it. @throws UserError for one outside of the checkout */
function pathInRepository(file: string): string {
  const path = relative(rootOf(file), resolve(file));
  if (!path.startsWith('..')) return path.split(sep).join('/');
  throw new UserError(
    `Input "stack-file": ${file} is no file of the checkout, so GitHub can't tell what it was: name the earlier one by the input "base"`,
  );
}

/** The folder into which the repository was checked out. */
function rootOf(file: string): string {
  const workspace = resolve(process.env['GITHUB_WORKSPACE'] || '.');
  for (let folder = dirname(resolve(file)); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(resolve(folder, '.git'))) return folder;
    if (folder === workspace) break;
  }
  return workspace;
}
