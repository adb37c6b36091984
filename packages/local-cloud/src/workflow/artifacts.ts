import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { UserError } from '@perlstack/stack';

/** The artifacts of one run: a folder each. */
export class ArtifactStore {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  names(): string[] {
    return readdirSync(this.folder).sort();
  }

  /** Stores files under a name. @throws UserError when the name is taken, unless it is to be overwritten */
  upload(name: string, { root, files }: Selection, overwrite: boolean): void {
    const target = this.#folderOf(name);
    if (existsSync(target) && !overwrite) {
      throw new UserError(
        `an artifact "${name}" already exists in this run; choose another name, or set overwrite: true`,
      );
    }
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    for (const file of files) copy(file, join(target, relative(root, file)));
  }

  /** @throws UserError when there is none of that name */
  download(name: string, target: string): void {
    const source = this.#folderOf(name);
    if (!existsSync(source)) {
      throw new UserError(
        `there is no artifact "${name}" in this run; it has: ${this.names().join(', ') || 'none'}`,
      );
    }
    cpSync(source, target, { recursive: true });
  }

  #folderOf(name: string): string {
    if (/["/\\:<>|*?\r\n]|^\.{0,2}$/.test(name)) throw new UserError(`"${name}" is no name for an artifact`);
    return join(this.folder, name);
  }
}

/** Files, and the folder to which their names in the artifact are relative. */
export interface Selection {
  readonly root: string;
  readonly files: readonly string[];
}

/**
 * The files that the `path` of an upload means: one file, folder or pattern a line, `!` takes out. Hidden files only
 * when asked for.
 */
export function selectFiles(path: string, workspace: string, hidden: boolean): Selection {
  const lines = path
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const wanted = lines.filter((line) => !line.startsWith('!')).map((line) => resolve(workspace, line));
  const unwanted = new Set(
    lines.filter((line) => line.startsWith('!')).flatMap((line) => expand(resolve(workspace, line.slice(1)))),
  );
  const root = commonRoot(wanted.map(fixedPart));
  const files = [...new Set(wanted.flatMap(expand))].filter((file) => !unwanted.has(file));
  return { root, files: hidden ? files : files.filter((file) => !isHidden(relative(root, file))) };
}

/** The files of a path or pattern, with all below a folder. */
function expand(pattern: string): string[] {
  const found = isPattern(pattern) ? globSync(pattern) : existsSync(pattern) ? [pattern] : [];
  return found.flatMap((path) => (statSync(path).isDirectory() ? below(path) : [path]));
}

function below(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name));
}

function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/** The folder before the first wildcard; of a plain file, the one it is in. */
function fixedPart(pattern: string): string {
  const parts = pattern.split(sep);
  const first = parts.findIndex(isPattern);
  if (first >= 0) return parts.slice(0, first).join(sep) || sep;
  return existsSync(pattern) && statSync(pattern).isDirectory() ? pattern : dirname(pattern);
}

function commonRoot(folders: readonly string[]): string {
  const [first = sep, ...rest] = folders;
  const inside = (root: string): boolean =>
    rest.every((folder) => folder === root || folder.startsWith(join(root, sep)));
  let root = first;
  while (!inside(root)) root = dirname(root);
  return root;
}

function isHidden(path: string): boolean {
  return path.split(sep).some((part) => part.startsWith('.'));
}

function copy(file: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(file, target);
  // An artifact is a zip archive without permissions: a script that was executable comes back as a plain file.
  chmodSync(target, 0o644);
}

/** The names among `names` that a `pattern` of a download means (`build-*`). */
export function matching(names: readonly string[], pattern: string): string[] {
  const source = pattern
    .replace(/[.+^$(){}|\\[\]]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return names.filter((name) => new RegExp(`^${source}$`).test(basename(name)));
}
