import { appendFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { packFolder } from './shop.js';

const SOURCE = fileURLToPath(new URL('../apps/tracker', import.meta.url));
/** What RT looks into for additions to the foot of every page. */
const FOOT = 'local/html/Callbacks/Tracker/Elements/Footer';

/** Debian packages of Request Tracker. */
export const TRACKER_PACKAGES = ['request-tracker5', 'rt5-db-postgresql'];

export interface TrackerOptions {
  /** Id of the release. */
  readonly release: string;
  /** What stands at the foot of every page of this release. */
  readonly foot: string;
  /** Perl that is added to its configuration. */
  readonly settings?: string;
  readonly directory: string;
}

/**
 * Packs a release of a site that runs Debian's Request Tracker: configuration and additions, as its administrators have
 * them in their repository; RT itself is in the hosts' packages.
 *
 * @returns path of the archive
 */
export async function packTracker({
  release,
  foot,
  settings = '',
  directory,
}: TrackerOptions): Promise<string> {
  const archive = path.join(directory, `tracker-${release}.tar.gz`);
  const stage = await mkdtemp(path.join(tmpdir(), 'tracker-stage-'));
  try {
    await cp(SOURCE, stage, { recursive: true });
    await mkdir(path.join(stage, FOOT), { recursive: true });
    await writeFile(path.join(stage, FOOT, 'Default'), `<p class="text-center">${foot}</p>\n`);
    await appendFile(path.join(stage, 'etc/site.pm'), settings);
    await packFolder(stage, archive);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  return archive;
}
