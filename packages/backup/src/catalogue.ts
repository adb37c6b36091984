import type { ObjectSeen, Storage } from '@perlstack/object-storage';
import { type ClusterKeys, walNameOf } from './keys.js';
import { type Manifest, readManifest } from './manifest.js';
import type { Kept } from './retention.js';
import { readStored, type Stored, type StoredBackups } from './stored.js';
import { coverage, type Coverage, type Switch, timelineOf } from './wal.js';

/** A base backup as the bucket has it. */
export type Backup = Stored<Manifest>;

export interface Catalogue extends StoredBackups<Manifest> {
  /** Segments and histories. */
  readonly wal: ReadonlyMap<string, ObjectSeen>;
}

/** Reads what the bucket has of a cluster. What is not whole is told apart, and counts as nothing. */
export async function readCatalogue(storage: Storage, keys: ClusterKeys): Promise<Catalogue> {
  const [stored, wal] = await Promise.all([readStored(storage, keys, readManifest), storage.list(keys.wal)]);
  const named = wal.flatMap((object) => {
    const found = walNameOf(object.key);
    return found ? [[found.name, object] as const] : [];
  });
  return { ...stored, wal: new Map(named) };
}

export const keptOf = ({ manifest, bytes }: Backup): Kept => ({
  id: manifest.id,
  finishedAt: new Date(manifest.finishedAt),
  parent: manifest.parent,
  timeline: manifest.wal.timeline,
  startLsn: manifest.wal.startLsn,
  segmentBytes: manifest.wal.segmentBytes,
  bytes,
});

/**
 * How far recovery can go from a backup, and what of the log is missing on the way. Up to its end a backup has the log
 * in itself.
 */
export function coverageOf(
  { manifest }: Backup,
  { wal }: Catalogue,
  histories: ReadonlyMap<number, readonly Switch[]>,
  upTo?: string,
): Coverage {
  const { timeline, stopLsn, segmentBytes } = manifest.wal;
  const reachable =
    upTo === undefined ||
    timelineOf(upTo) === timeline ||
    (histories.get(timelineOf(upTo)) ?? []).some((one) => one.timeline === timeline);
  return coverage({
    start: { timeline, lsn: stopLsn },
    segmentBytes,
    names: new Set(wal.keys()),
    histories,
    ...(upTo !== undefined && reachable ? { upTo } : {}),
  });
}
