import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '@perlstack/stack';
import { INDEX_FORMAT, debianSources, parseIndexes } from './apt-sources.js';
import { command } from './command.js';
import { withLock } from './lock.js';
import {
  type ImageFile,
  type ImageName,
  REPOSITORY,
  type Recipe,
  SUITES,
  recipeFor,
  recipeKey,
} from './recipe.js';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Told what a long build is doing, a line at a time. */
export type Log = (line: string) => void;

/** Folder for what can be made again: `PERLSTACK_CACHE`, else under `XDG_CACHE_HOME`, else `/var/cache/perlstack`. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env['PERLSTACK_CACHE']) return env['PERLSTACK_CACHE'];
  return env['XDG_CACHE_HOME'] ? join(env['XDG_CACHE_HOME'], 'perlstack') : '/var/cache/perlstack';
}

export function isImageName(name: string): name is ImageName {
  return name in SUITES;
}

/**
 * The root folder of an image, built first if the cache does not have it (about a minute). Two processes that want
 * the same image build it once. The folder must not be written to: hosts are overlays above it.
 *
 * @param more further Debian packages that hosts can install; an image of its own has them
 */
export async function ensureImage(
  name: string,
  cacheDir: string,
  log: Log,
  more: readonly string[] = [],
): Promise<string> {
  if (!isImageName(name)) {
    throw new UserError(`image "${name}": the local cloud has only ${Object.keys(SUITES).join(' and ')}`);
  }
  return ensureRoot(recipeFor(name, more), cacheDir, log);
}

/** The same of any recipe. */
export async function ensureRoot(recipe: Recipe, cacheDir: string, log: Log): Promise<string> {
  const root = join(cacheDir, 'images', recipeKey(recipe));
  if (await exists(root)) return root;
  log(`image ${recipe.suite}: not in ${cacheDir} yet`);
  return withLock(`${root}.lock`, async () => {
    if (!(await exists(root))) await build(recipe, root, log);
    return root;
  });
}

async function build(recipe: Recipe, root: string, log: Log): Promise<void> {
  const started = Date.now();
  log(`image ${recipe.suite}: building, once (about a minute)`);
  // What a build that was killed has left; the lock says that none is running.
  await command(['sh', '-c', 'rm -rf "$1".building-*', 'sh', root]);
  const work = await mkdtemp(`${root}.building-`);
  try {
    const building = join(work, 'root');
    await bootstrap(recipe, work, building, log);
    await finish(recipe, building);
    await rename(building, root);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  log(`image ${recipe.suite}: built in ${Math.round((Date.now() - started) / 1000)} s`);
}

async function bootstrap(recipe: Recipe, work: string, building: string, log: Log): Promise<void> {
  const hook = join(work, 'download.sh');
  await writeFile(hook, downloadScript(recipe), { mode: 0o755 });
  const argv = ['mmdebstrap', '--variant=minbase', `--include=${recipe.installed.join(',')}`];
  const download = recipe.available.length > 0 ? [`--customize-hook=${hook}`] : [];
  const options = [...download, '--format=directory', ...(await proxyOptions())];
  const sources = await sourcesFor(recipe.suite);
  await command([...argv, ...options, recipe.suite, building, ...sources], {
    onLine: (line) => {
      const step = /^I: (.*)/.exec(line)?.[1];
      if (step !== undefined) log(`image ${recipe.suite}: ${step}`);
    },
  });
}

/**
 * Fetches the packages that hosts may install later and makes a flat repository of them, from inside the new root.
 * Recommended packages are fetched too, so that both ways of installing work.
 */
function downloadScript(recipe: Recipe): string {
  return `#!/bin/sh
set -eu
echo "I: downloading what hosts may install" >&2
mkdir -p "$1${REPOSITORY}/partial"
chroot "$1" apt-get --yes --download-only --install-recommends -o Dir::Cache::archives=${REPOSITORY} \\
  install ${recipe.available.join(' ')}
rm -rf "$1${REPOSITORY}/partial" "$1${REPOSITORY}/lock"
chroot "$1" sh -c 'cd ${REPOSITORY} && apt-ftparchive packages . > Packages && chmod 644 ./*'
`;
}

/** Lines for mmdebstrap's command line; none where its own default must do (no Debian source on this machine). */
async function sourcesFor(suite: string): Promise<string[]> {
  const { stdout } = await command([
    'apt-get',
    'indextargets',
    '--format',
    INDEX_FORMAT,
    'Created-By: Packages',
  ]);
  return debianSources(parseIndexes(stdout), suite, KEYRING);
}

/** mmdebstrap reads none of the machine's apt settings, so a proxy must be handed on. */
async function proxyOptions(): Promise<string[]> {
  const { stdout } = await command(['apt-config', 'dump', '--format', '%f "%v";%n']);
  const lines = stdout
    .split('\n')
    .filter((line) => /^Acquire::\w+::Proxy(-Auto-Detect)? "[^"]+";$/.test(line));
  return lines.map((line) => `--aptopt=${line}`);
}

async function finish(recipe: Recipe, root: string): Promise<void> {
  await command(['sh', '-c', 'rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*', 'sh', root]);
  await command(['sh', '-c', 'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf', 'sh', root]);
  await writeFile(join(root, 'etc/resolv.conf'), '');
  for (const file of recipe.files) await writeImageFile(root, file);
  if (recipe.maskedUnits.length > 0)
    await command(['systemctl', '--root', root, 'mask', ...recipe.maskedUnits]);
  if (recipe.enabledUnits.length > 0)
    await command(['systemctl', '--root', root, 'enable', ...recipe.enabledUnits]);
  if (recipe.available.length > 0) await command(['chroot', root, 'apt-get', 'update']);
  // Else every first boot rebuilds the caches of the linker and the journal, as after an update of /usr.
  await command(['sh', '-c', 'touch "$1"/etc/.updated "$1"/var/.updated', 'sh', root]);
}

async function writeImageFile(root: string, file: ImageFile): Promise<void> {
  const path = join(root, file.path);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, file.content, { mode: file.mode });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
