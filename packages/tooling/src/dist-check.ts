import { createHash, type Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from './bundle.js';
import { differences, readFolder } from './folders.js';
import { inParallel } from './program.js';
import { CACHE, inRoot } from './repository.js';

export interface DistCheck {
  readonly action: string;
  /** One line a file that is not what a build makes of the sources. */
  readonly faults: readonly string[];
  /** Found in the cache: neither sources nor dist have changed since the last check that passed. */
  readonly cached: boolean;
}

/** What a bundle can be made of or consist of; tests are compiled beside the code. */
const BUNDLED = /(?<!\.test)\.(?:js|json|txt)$/;

/** A file for every check that passed. */
const PASSED = join(CACHE, 'dist');

/**
 * Compares the committed `dist/` of actions byte by byte with a fresh bundle.
 * @param options.cache trusts a check of the same sources and the same dist that passed on this machine.
 * @param options.keep leaves the fresh bundles in this folder, one folder an action.
 */
export async function checkDist(
  actions: readonly string[],
  options: { cache: boolean; keep?: string },
): Promise<DistCheck[]> {
  const folder = options.keep ?? (await mkdtemp(join(tmpdir(), 'perlstack-dist-')));
  try {
    return await inParallel(actions, availableParallelism(), async (action) => {
      const key = options.cache ? join(PASSED, await cacheKey(action)) : undefined;
      if (key && existsSync(key)) return { action, faults: [], cached: true };
      const faults = await compare(action, join(folder, action, 'dist'));
      if (key && faults.length === 0) await remember(key);
      return { action, faults, cached: false };
    });
  } finally {
    if (!options.keep) await rm(folder, { recursive: true, force: true });
  }
}

async function compare(action: string, fresh: string): Promise<string[]> {
  await bundle(action, fresh);
  return differences(await readFolder(inRoot('actions', action, 'dist')), await readFolder(fresh));
}

async function remember(key: string): Promise<void> {
  await mkdir(PASSED, { recursive: true });
  await writeFile(key, '');
}

/** A hash of the committed bundle and of what it is made from: compiled sources, locked dependencies, the bundling. */
async function cacheKey(action: string): Promise<string> {
  const hash = createHash('sha256').update(await readFile(inRoot('pnpm-lock.yaml')));
  const packages = await workspacePackages(join('actions', action), new Set(['packages/tooling']));
  for (const part of [`actions/${action}/dist`, ...[...packages].sort().map((folder) => `${folder}/lib`)])
    await addFolder(hash, inRoot(part));
  return `${action}-${hash.digest('hex')}`;
}

/** The folders of a package of the workspace and of all those that it depends on. */
async function workspacePackages(folder: string, known: Set<string>): Promise<Set<string>> {
  if (known.has(folder)) return known;
  known.add(folder);
  const manifest = JSON.parse(await readFile(inRoot(folder, 'package.json'), 'utf8')) as Manifest;
  for (const name of Object.keys(manifest.dependencies ?? {}))
    if (name.startsWith(SCOPE)) await workspacePackages(name.replace(SCOPE, 'packages/'), known);
  return known;
}

const SCOPE = '@perlstack/';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

async function addFolder(hash: Hash, folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const names = (await readdir(folder, { recursive: true })).filter((name) => BUNDLED.test(name)).sort();
  for (const name of names) hash.update(`${name}\n`).update(await readFile(join(folder, name)));
}
