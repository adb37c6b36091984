import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

/** A distribution with a part in C, as CPAN has them, and what names it as a dependency. */
export interface Distribution {
  /** What the C function answers. */
  readonly answer: number;
  readonly version: string;
  /** Does not compile. */
  readonly broken?: boolean;
}

const AUTHOR = 'S/SH/SHOP';

const MAKEFILE = `use ExtUtils::MakeMaker;
WriteMakefile(NAME => 'Local::Answer', VERSION_FROM => 'lib/Local/Answer.pm', LIBS => [], NO_META => 1);
`;

const moduleOf = (version: string): string => `package Local::Answer;
use strict;
use warnings;
our $VERSION = '${version}';
require XSLoader;
XSLoader::load('Local::Answer', $VERSION);
1;
`;

const xsOf = ({ answer, broken }: Distribution): string => `#define PERL_NO_GET_CONTEXT
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"

MODULE = Local::Answer  PACKAGE = Local::Answer

int
answer()
  CODE:
    RETVAL = ${broken ? 'there_is_no_such_name' : answer};
  OUTPUT:
    RETVAL
`;

/**
 * Puts a dependency on the distribution into a release's folder, as `carton bundle` does: cpanfile, cpanfile.snapshot, and
 * vendor/cache with the archive and its index, so that it is built without a network.
 */
export async function vendor(release: string, distribution: Distribution): Promise<void> {
  const name = `Local-Answer-${distribution.version}`;
  const archive = `${AUTHOR}/${name}.tar.gz`;
  const cache = path.join(release, 'vendor', 'cache');
  await mkdir(path.join(cache, 'authors', 'id', AUTHOR), { recursive: true });
  await mkdir(path.join(cache, 'modules'), { recursive: true });
  await pack(name, distribution, path.join(cache, 'authors', 'id', archive));
  const index = `File: 02packages.details.txt\nLine-Count: 1\n\nLocal::Answer ${distribution.version} ${archive}\n`;
  await writeFile(path.join(cache, 'modules', '02packages.details.txt.gz'), gzipSync(index));
  await writeFile(
    path.join(release, 'cpanfile'),
    `requires 'Local::Answer', '== ${distribution.version}';\n`,
  );
  await writeFile(path.join(release, 'cpanfile.snapshot'), snapshot(name, archive, distribution.version));
}

const snapshot = (
  name: string,
  archive: string,
  version: string,
): string => `# carton snapshot format: version 1.0
DISTRIBUTIONS
  ${name}
    pathname: ${archive}
    provides:
      Local::Answer ${version}
    requirements:
      ExtUtils::MakeMaker 0
`;

async function pack(name: string, distribution: Distribution, archive: string): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'distribution-'));
  try {
    const files: Readonly<Record<string, string>> = {
      'Makefile.PL': MAKEFILE,
      'Answer.xs': xsOf(distribution),
      'lib/Local/Answer.pm': moduleOf(distribution.version),
      MANIFEST: 'Answer.xs\nMANIFEST\nMakefile.PL\nlib/Local/Answer.pm\n',
    };
    for (const [file, content] of Object.entries(files)) {
      const target = path.join(folder, name, file);
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, content);
    }
    const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    const gzip = '--use-compress-program=gzip --no-name';
    await promisify(execFile)('tar', ['-cf', archive, gzip, ...same, '-C', folder, name]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
