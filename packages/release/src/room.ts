import { UserError } from '@perlstack/stack';
import type { Wanted } from './plan.js';
import { type AppHostState, isLive } from './world.js';

const MIB = 1024 ** 2;
/** What an instance takes when there is none yet to measure. */
const FIRST_INSTANCE = 96 * MIB;
/** What stays free whatever happens, for the host itself. */
const MEMORY_RESERVE = 32 * MIB;
const DISK_RESERVE = 64 * MIB;

/**
 * A host needs room for the release's folder and, by strategy `socket`, for a second instance as large as the largest one
 * that runs there.
 *
 * @throws UserError naming what there is and what is needed.
 */
export function requireRoom(host: AppHostState, wanted: Wanted): void {
  const unpacked = host.releases.some(({ id }) => id === wanted.release);
  const disk = unpacked ? 0 : wanted.bytes + wanted.unpackedBytes + DISK_RESERVE;
  if (host.diskAvailable < disk) {
    throw new UserError(
      `${host.host} has ${mebibytes(host.diskAvailable)} of disk left, release ${wanted.release} needs ${mebibytes(disk)}: ` +
        'lower app.keepReleases or make room. Nothing was changed',
    );
  }
  const runs = host.instances.some(({ id, active }) => id === wanted.release && active === 'active');
  if (runs || wanted.strategy === 'drain') return;
  const memory = instanceMemory(host) * wanted.units + MEMORY_RESERVE;
  if (host.memoryAvailable < memory) {
    throw new UserError(
      `${host.host} has ${mebibytes(host.memoryAvailable)} of memory available, a second instance beside the one that runs ` +
        `needs ${mebibytes(memory)}: deploy with strategy "drain", or take a larger type. Nothing was changed`,
    );
  }
}

function instanceMemory(host: AppHostState): number {
  const measured = host.instances.filter(isLive).flatMap(({ memory }) => memory ?? []);
  return measured.length > 0 ? Math.max(...measured) : FIRST_INSTANCE;
}

const mebibytes = (bytes: number): string => `${Math.floor(bytes / MIB)} MiB`;
