import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '@perlstack/stack';
import { readActionFile } from './parser.js';
import { listAt, mapAt, type Tree, type TreeMap, unsupported, wordOf } from './tree.js';

/** What a `uses` means. */
export type Used =
  | { readonly kind: 'built-in'; readonly name: BuiltIn }
  | {
      readonly kind: 'folder';
      readonly folder: string;
      /** From the job's own workspace, so there only after a checkout. */
      readonly local: boolean;
      readonly repository: string;
      readonly ref: string;
    };

const BUILT_INS = ['checkout', 'upload-artifact', 'download-artifact'] as const;
export type BuiltIn = (typeof BUILT_INS)[number];

/**
 * Finds what a `uses` means: an action built in here, one in the workspace (`./`) or in the repository (`$/`), or one
 * of a prefix that stands for a folder (`acme/perlstack/actions/` for the folder of the actions).
 *
 * @throws UserError for any other action
 */
export function resolveUses(
  uses: string,
  places: { workspace: string; repository: string; actions: Readonly<Record<string, string>> },
): Used {
  const [path = '', ref = ''] = uses.split('@');
  const builtIn = BUILT_INS.find((name) => path === `actions/${name}`);
  if (builtIn) return { kind: 'built-in', name: builtIn };
  const folder = (root: string, rest: string, local: boolean): Used => ({
    kind: 'folder',
    folder: join(root, rest),
    local,
    repository: local ? '' : path.split('/').slice(0, 2).join('/'),
    ref,
  });
  for (const [prefix, root] of Object.entries(places.actions)) {
    if (path.startsWith(prefix)) return folder(root, path.slice(prefix.length), false);
  }
  if (path.startsWith('./')) return folder(places.workspace, path, true);
  if (path.startsWith('$/')) return folder(places.repository, path.slice(2), false);
  throw unsupported(`uses: ${uses}`);
}

export interface NodeAction {
  readonly kind: 'node';
  readonly main: string;
  readonly pre?: string;
  readonly post?: string;
  readonly preIf: Tree;
  readonly postIf: Tree;
}

export interface CompositeAction {
  readonly kind: 'composite';
  readonly steps: readonly TreeMap[];
}

export interface Action {
  readonly name: string;
  readonly folder: string;
  readonly inputs: TreeMap;
  readonly outputs: TreeMap;
  readonly runs: NodeAction | CompositeAction;
}

/**
 * Reads the action in a folder.
 *
 * @throws UserError when there is none, it is not valid, or it is of a kind that can't be run here
 */
export async function loadAction(folder: string, uses: string): Promise<Action> {
  const file = ['action.yml', 'action.yaml']
    .map((name) => join(folder, name))
    .find((path) => existsSync(path));
  if (!file) {
    throw new UserError(
      `uses: ${uses}: there is no action.yml in ${folder}; did the job run actions/checkout before?`,
    );
  }
  const tree = await readActionFile(file);
  return {
    name: wordOf(tree['name']),
    folder,
    inputs: mapAt(tree, 'inputs'),
    outputs: mapAt(tree, 'outputs'),
    runs: runsOf(mapAt(tree, 'runs'), uses),
  };
}

function runsOf(runs: TreeMap, uses: string): Action['runs'] {
  const using = wordOf(runs['using']);
  if (using === 'composite') {
    const steps = listAt(runs, 'steps') as readonly TreeMap[];
    return { kind: 'composite', steps };
  }
  // The runner removed all older versions: what it runs is Node 24.
  if (using !== 'node20' && using !== 'node24')
    throw unsupported(`uses: ${uses}: an action that runs using ${using}`);
  const script = (key: 'pre' | 'post'): object => (typeof runs[key] === 'string' ? { [key]: runs[key] } : {});
  return {
    kind: 'node',
    main: wordOf(runs['main']),
    ...script('pre'),
    ...script('post'),
    preIf: runs['pre-if'] ?? 'always()',
    postIf: runs['post-if'] ?? 'always()',
  };
}

/** The name of the variable in which an action finds an input. */
export function inputVariable(name: string): string {
  return `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`;
}
