import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { command } from '@perlstack/local-cloud';
import { stageRelease } from '../../shop.js';

const FILES = 200;
const BYTES = 5_000;

/**
 * The sample shop with two hundred more files, about 1 MB packed: as large as a small shop's release is.
 *
 * @returns path of the archive, which the caller removes
 */
export async function packArtifact(bootMs: number): Promise<string> {
  const stage = await mkdtemp(path.join(tmpdir(), 'bench-stage-'));
  const archive = `${stage}.tar.gz`;
  try {
    await stageRelease(stage, { release: 'bench', bootMs });
    const folder = path.join(stage, 'share');
    await mkdir(folder);
    for (let at = 0; at < FILES; at += 1) await writeFile(path.join(folder, `${at}.bin`), noise(at));
    await command([
      ...['tar', '--create', '--gzip', `--file=${archive}`, '--mode=u=rwX,go=rX'],
      ...['--owner=0', '--group=0', `--directory=${stage}`, '--transform=s,^\\./,,', '.'],
    ]);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  return archive;
}

/** Bytes that do not pack, the same in every run. */
function noise(seed: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(BYTES / 32) }, (_, at) =>
    createHash('sha256').update(`${seed} ${at}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, BYTES);
}
