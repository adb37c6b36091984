import type { ObjectSeen, Storage } from '@perlstack/object-storage';
import { type ClusterKeys, walNameOf } from './keys.js';
import { type Manifest, readManifest } from './manifest.js';
import type { Kept } from './retention.js';
import { coverage, type Coverage, type Switch, timelineOf } from './wal.js';

/** A base backup as the bucket has it. */
export interface Backup {
  readonly manifest: Manifest;
  readonly bytes: number;
}

export interface Broken {
  readonly id: string;
  readonly why: string;
  /** It has no manifest: whoever made it did not come to the end. */
  readonly unfinished: boolean;
  readonly keys: readonly string[];
}

export interface Catalogue {
  /** Oldest first. */
  readonly backups: readonly Backup[];
  /** Folders of backups that never came to their end, or whose parts are not what their manifest says. */
  readonly broken: readonly Broken[];
  /** Segments and histories. */
  readonly wal: ReadonlyMap<string, ObjectSeen>;
}

/** Reads what the bucket has of a cluster. What is not whole is told apart, and counts as nothing. */
export async function readCatalogue(storage: Storage, keys: ClusterKeys): Promise<Catalogue> {
  const [bases, wal] = await Promise.all([storage.list(keys.bases), storage.list(keys.wal)]);
  const folders = new Map<string, ObjectSeen[]>();
  for (const object of bases) {
    const id = object.key.slice(keys.bases.length).split('/')[0] ?? '';
    folders.set(id, [...(folders.get(id) ?? []), object]);
  }
  const read = await Promise.all([...folders].map(([id, objects]) => readFolder(storage, keys, id, objects)));
  const named = wal.flatMap((object) => {
    const found = walNameOf(object.key);
    return found ? [[found.name, object] as const] : [];
  });
  return {
    backups: read
      .flatMap((one) => ('manifest' in one ? [one] : []))
      .sort((one, other) => one.manifest.id.localeCompare(other.manifest.id)),
    broken: read.flatMap((one) => ('why' in one ? [one] : [])),
    wal: new Map(named),
  };
}

async function readFolder(storage: Storage, keys: ClusterKeys, id: string, objects: readonly ObjectSeen[]) {
  const broken = (why: string, unfinished = false): Broken => ({
    ...{ id, why, unfinished },
    keys: objects.map(({ key }) => key),
  });
  const stored = await storage.get(keys.manifest(id));
  if (!stored) return broken('it has no manifest: it never came to its end', true);
  const manifest = readManifest(stored.content.toString());
  if ('fault' in manifest) return broken(`its manifest cannot be read: ${manifest.fault}`);
  const data = objects.find(({ key }) => key === manifest.object.key);
  if (!data) return broken('its data are not there');
  if (data.size !== manifest.object.size || data.etag !== manifest.object.etag)
    return broken(`its data are not what was stored: ${data.size} bytes, ETag ${data.etag}`);
  return { manifest, bytes: objects.reduce((sum, { size }) => sum + size, 0) };
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
