import { UserError } from '@perlstack/stack';
import type { Lane } from './lanes.js';
import { hasModules } from './modules.js';
import type { Wanted } from './plan.js';
import { type AppHostState, isLive, type ModuleTree } from './world.js';

const MIB = 1024 ** 2;
/** What an instance takes when there is none yet to measure. */
const FIRST_INSTANCE = 96 * MIB;
/** What stays free whatever happens, for the host itself. */
const MEMORY_RESERVE = 32 * MIB;
/** Bytes of disk. */
export const DISK_RESERVE = 64 * MIB;
/** So many times as large as its archive Perl's source is: 4.5 times, by what Debian installs in /usr/share/perl5. */
const UNPACKS_TO = 5;

/** Where a release, and its modules, come from. */
export interface Sources {
  readonly app: readonly AppHostState[];
  /** The host that builds the modules, or has them; null where none are built. */
  readonly builder: string | null;
  /** The host that others get the release from; null where the runner brings it. */
  readonly keeper: string | null;
}

/**
 * A host needs room for the release's folder and its modules and, by strategy `socket`, for a second instance as large as the
 * largest one that runs there. One that is ill is replaced, and has none beside it.
 *
 * @throws UserError naming what there is and what is needed.
 */
export function requireRoom({ host, ill }: Lane, wanted: Wanted, sources: Sources): void {
  const runs = host.instances.some(({ id, active }) => id === wanted.release && active === 'active');
  requireDisk(
    host,
    wanted,
    runs ? 0 : arriving(host, wanted, sources),
    runs ? 0 : built(host, wanted, sources),
  );
  if (runs || ill || wanted.strategy === 'drain') return;
  const memory = instanceMemory(host) * wanted.units + MEMORY_RESERVE;
  if (host.memoryAvailable < memory) {
    throw new UserError(
      `${host.host} has ${mebibytes(host.memoryAvailable)} of memory available, a second instance beside the one that runs ` +
        `needs ${mebibytes(memory)}: deploy with strategy "drain", or take a larger type. Nothing was changed`,
    );
  }
}

function requireDisk(host: AppHostState, { release }: Wanted, arrives: number, modules: number): void {
  const disk = arrives + modules === 0 ? 0 : arrives + modules + DISK_RESERVE;
  if (host.diskAvailable >= disk) return;
  throw new UserError(
    `${host.host} has ${mebibytes(host.diskAvailable)} of disk left, release ${release}${modules > 0 ? ' and its modules need' : ' needs'} ` +
      `${mebibytes(disk)}: lower app.keepReleases or make room. Nothing was changed`,
  );
}

/** Bytes that a release takes when it arrives, packed and unpacked; a copy brings the modules that are not there. */
function arriving(
  host: AppHostState,
  { release, bytes, unpackedBytes }: Wanted,
  { app, keeper }: Sources,
): number {
  if (host.releases.some(({ id }) => id === release)) return 0;
  if (keeper === null) return bytes + unpackedBytes;
  const folder = app.find((one) => one.host === keeper)?.releases.find(({ id }) => id === release);
  const tree = folder?.tree ?? null;
  const known = tree === null || hasModules(host, tree);
  return 2 * ((folder?.bytes ?? 0) + (known ? 0 : (treeBytes(treesOf(app), tree) ?? 0)));
}

/**
 * Bytes that its modules take where they are not there yet, packed and unpacked; on the host that builds them also the copy of
 * the release in which that is done, and what is unpacked to be built. What they come to is known afterwards: until then they
 * count as much as the largest that a host has, or what the archives hold that the release brings.
 */
function built(
  host: AppHostState,
  { modules, unpackedBytes, vendoredBytes }: Wanted,
  { app, builder }: Sources,
): number {
  if (modules === null || hasModules(host, modules.key)) return 0;
  const trees = treesOf(app);
  const largest = Math.max(0, ...trees.map(({ bytes }) => bytes ?? 0));
  const made = trees.some(({ key }) => key === modules.key);
  const tree = treeBytes(trees, modules.key) ?? Math.max(largest, vendoredBytes * UNPACKS_TO);
  return !made && host.host === builder ? unpackedBytes + 3 * tree : 2 * tree;
}

const treesOf = (app: readonly AppHostState[]): ModuleTree[] => app.flatMap(({ modules }) => modules);

const treeBytes = (trees: readonly ModuleTree[], wanted: string): number | null =>
  trees.find(({ key, bytes }) => key === wanted && bytes !== null)?.bytes ?? null;

function instanceMemory(host: AppHostState): number {
  const measured = host.instances.filter(isLive).flatMap(({ memory }) => memory ?? []);
  return measured.length > 0 ? Math.max(...measured) : FIRST_INSTANCE;
}

const mebibytes = (bytes: number): string => `${Math.floor(bytes / MIB)} MiB`;
