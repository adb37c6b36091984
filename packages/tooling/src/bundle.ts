import { mkdir, mkdtemp, readFile, rename, rm, stat, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inAscii } from './ascii.js';
import { runNode } from './program.js';
import { CACHE, inRoot, ROOT, shown } from './repository.js';

const NCC = inRoot('node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js');

/** ssh2's helper for PuTTY's agent on Windows: no action talks to an agent. */
const UNUSED_ASSETS = ['pagent.exe'];

export interface Bundle {
  readonly action: string;
  /** The folder that the bundle was written to. */
  readonly folder: string;
  /** Bytes of each file by its name. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/**
 * Bundles an action's compiled `lib/main.js` into an empty folder: `index.js` (main and post in one) and `licenses.txt`.
 * Throws when the bundler fails or when the bundle would tell where it was made.
 */
export async function bundle(action: string, folder: string): Promise<Bundle> {
  const started = performance.now();
  await bundleProgram(inRoot('actions', action, 'lib', 'main.js'), folder);
  await refuseMachinePaths(folder);
  return { action, folder, sizes: await sizesOf(folder), seconds: (performance.now() - started) / 1000 };
}

/**
 * Bundles a compiled program with all that it imports into `index.js` or `index.cjs` of an empty folder. Not minified, so that a change of
 * dist can be reviewed, and without source maps, which would double it and slow the start.
 *
 * @throws Error when the bundler fails
 */
export async function bundleProgram(entry: string, folder: string): Promise<void> {
  const args = [NCC, 'build', entry, '--out', folder, '--license', 'licenses.txt', '--no-cache', '--quiet'];
  const { code, output } = await runNode(args);
  if (code !== 0) throw new Error(`${shown(entry)} could not be bundled:\n${output}`);
  for (const asset of UNUSED_ASSETS) await rm(join(folder, asset), { force: true });
  for (const name of await readdir(folder)) {
    // By the entry's kind of module it is `index.js` or `index.cjs`.
    if (!/^index\.c?js$/.test(name)) continue;
    const program = join(folder, name);
    await writeFile(program, inAscii(await readFile(program, 'utf8')));
  }
}

/** Puts a new bundle in the place of an action's `dist/`: the old one stays until the new one is whole. */
export async function rebuild(action: string): Promise<Bundle> {
  await mkdir(CACHE, { recursive: true });
  const workplace = await mkdtemp(join(CACHE, 'build-'));
  const dist = inRoot('actions', action, 'dist');
  try {
    const made = await bundle(action, join(workplace, 'dist'));
    await rm(dist, { recursive: true, force: true });
    await rename(made.folder, dist);
    return { ...made, folder: dist };
  } finally {
    await rm(workplace, { recursive: true, force: true });
  }
}

async function refuseMachinePaths(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name), 'utf8');
    if (text.includes(ROOT))
      throw new Error(
        `${name} of a bundle contains the path of this checkout (${ROOT}): it would differ on every machine`,
      );
  }
}

async function sizesOf(folder: string): Promise<Record<string, number>> {
  const names = (await readdir(folder)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, (await stat(join(folder, name))).size] as const)),
  );
}
