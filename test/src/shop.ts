import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Distribution, vendor } from './xs-distribution.js';

const SOURCE = fileURLToPath(new URL('../apps/shop', import.meta.url));
/** Parts of the source folder that no release needs. */
const LEFT_OUT = new Set(['t']);

export const FAULTS = [
  'none',
  'broken-syntax',
  'dies',
  'hang',
  'unhealthy',
  'unhealthy-later',
  'fails-later',
  'fails-some',
] as const;
/** What a release is made to do wrong; explained in the application's lib/Shop/Switch.pm. */
export type Fault = (typeof FAULTS)[number];

export interface ShopOptions {
  /** Id of the release. */
  readonly release: string;
  readonly fault?: Fault;
  /** How long the application takes to load, in milliseconds. */
  readonly bootMs?: number;
  /** A dependency with a part in C, which the release asks for its answer at `/answer`. */
  readonly answer?: Distribution;
  /** Text of the program `bin/migrate`, where the release has one. */
  readonly migrate?: string;
  /** Where the archive goes; default: a new folder for temporary files, which the caller removes. */
  readonly directory?: string;
}

/**
 * Packs a release of the sample application. The same options give the same bytes.
 *
 * @returns path of `shop-<release>.tar.gz`, whose entries stand at the top of the archive.
 */
export async function packShop(options: ShopOptions): Promise<string> {
  const directory = options.directory ?? (await mkdtemp(path.join(tmpdir(), 'shop-')));
  const archive = path.join(directory, `shop-${options.release}.tar.gz`);
  const stage = await mkdtemp(path.join(tmpdir(), 'shop-stage-'));
  try {
    await stageRelease(stage, options);
    await packFolder(stage, archive);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  return archive;
}

/** Lays out the release's folder; every release has a style sheet that no other release has. */
export async function stageRelease(stage: string, options: ShopOptions): Promise<void> {
  const { release, fault = 'none', bootMs = 0 } = options;
  await cp(SOURCE, stage, {
    recursive: true,
    filter: (from) => !LEFT_OUT.has(path.relative(SOURCE, from)),
  });
  await writeFile(path.join(stage, 'release.conf'), `fault = ${fault}\nboot_ms = ${bootMs}\n`);
  if (options.answer !== undefined) await vendor(stage, options.answer);
  if (options.migrate !== undefined) {
    await mkdir(path.join(stage, 'bin'), { recursive: true });
    await writeFile(path.join(stage, 'bin', 'migrate'), options.migrate, { mode: 0o755 });
  }
  await mkdir(path.join(stage, 'public', 'assets'));
  await writeFile(path.join(stage, 'public', 'assets', `${release}.css`), `/* ${release} */\n`);
}

/** Packs what is in a folder; the same files give the same bytes. */
export async function packFolder(stage: string, archive: string): Promise<void> {
  const reproducible = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  const entries = (await readdir(stage)).sort();
  await promisify(execFile)('tar', [
    '--create',
    `--file=${archive}`,
    '--use-compress-program=gzip --no-name',
    '--format=ustar',
    '--mode=u=rwX,go=rX',
    ...reproducible,
    `--directory=${stage}`,
    '--',
    ...entries,
  ]);
}
