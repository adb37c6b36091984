import type { KeySeen, ObjectSeen, Storage } from '@perlstack/object-storage';
import { withWholeChains } from './incremental.js';
import { type ClusterKeys, walNameOf } from './keys.js';
import { type Manifest, readManifest } from './manifest.js';
import { type Kept, planRetention, type RetentionRules } from './retention.js';
import {
  bytesKept,
  readStored,
  type Stored,
  type StoredBackups,
  type StoredFacts,
  type Touched,
  touchedIn,
} from './stored.js';
import { type Histories, isOn, type Line } from './lineage.js';
import { coverage, type Coverage, timelineOf } from './wal.js';

/** What is known of a base backup, whichever engine made it. */
export type BackupFacts = Pick<
  Manifest,
  'id' | 'kind' | 'parent' | 'source' | 'postgresql' | 'wal' | 'proof' | 'rows' | 'startedAt' | 'finishedAt'
> &
  Partial<Pick<Manifest, 'lockedUntil'>> & {
    readonly object: Pick<Manifest['object'], 'size' | 'recipient'>;
  };

/** A base backup as the bucket has it. */
export type Backup<M extends BackupFacts = Manifest> = Stored<M>;

/** A file of the log as the bucket has it. */
export interface LogFile extends Pick<ObjectSeen, 'key' | 'size' | 'modified'> {
  /** All that is kept of it, where it is an object of its own: the first version counts, and `size` is that of all. */
  readonly seen?: KeySeen;
}

export interface Catalogue<M extends BackupFacts = Manifest> extends StoredBackups<M> {
  /** Segments and histories. */
  readonly wal: ReadonlyMap<string, LogFile>;
}

/**
 * Reads what the bucket has of a cluster. What is not whole is told apart, and counts as nothing.
 *
 * @param known what was read before: manifests that are still the same are not read again
 */
export async function readCatalogue(
  storage: Storage,
  keys: ClusterKeys,
  known?: Pick<Catalogue, 'backups'>,
): Promise<Catalogue> {
  const [stored, wal] = await Promise.all([
    readStored(storage, keys, readManifest, known?.backups),
    storage.versions(keys.wal),
  ]);
  const named = wal.flatMap((seen): [string, LogFile][] => {
    const found = walNameOf(seen.key);
    const modified = seen.versions[0]?.modified ?? new Date(0);
    return found ? [[found.name, { key: seen.key, size: bytesKept(seen), modified, seen }]] : [];
  });
  return { ...withWholeChains(stored), wal: new Map(named) };
}

/** What somebody wrote to or removed after it was stored. */
export function touchedOf({
  backups,
  broken,
  wal,
}: StoredBackups<StoredFacts> & Partial<Pick<Catalogue, 'wal'>>): Touched[] {
  const files = [...(wal?.values() ?? [])].flatMap(({ seen }) => seen ?? []);
  return touchedIn([...files, ...[...backups, ...broken].flatMap(({ objects = [] }) => objects)]);
}

export const keptOf = ({ manifest, bytes }: Backup<BackupFacts>): Kept => ({
  id: manifest.id,
  finishedAt: new Date(manifest.finishedAt),
  parent: manifest.parent,
  timeline: manifest.wal.timeline,
  startLsn: manifest.wal.startLsn,
  stopLsn: manifest.wal.stopLsn,
  segmentBytes: manifest.wal.segmentBytes,
  bytes,
  lockedUntil: manifest.lockedUntil ? new Date(manifest.lockedUntil) : null,
});

/**
 * How far recovery can go from a backup, and what of the log is missing on the way.
 *
 * @param start where it begins to read the log
 * @param upTo the last segment that has to be there; without one, as far as the bucket goes
 */
export function coverageOf(
  { manifest }: Backup<BackupFacts>,
  { wal }: Pick<Catalogue, 'wal'>,
  histories: Histories,
  start: string,
  upTo?: string,
): Coverage {
  const { timeline, segmentBytes } = manifest.wal;
  const reachable =
    upTo === undefined ||
    timelineOf(upTo) === timeline ||
    (histories.get(timelineOf(upTo)) ?? []).some((one) => one.timeline === timeline);
  return coverage({
    start: { timeline, lsn: start },
    segmentBytes,
    names: new Set(wal.keys()),
    histories,
    ...(upTo !== undefined && reachable ? { upTo } : {}),
  });
}

export interface Verified<M extends BackupFacts = Manifest> {
  readonly catalogue: Catalogue<M>;
  /** Which the primary is on; `null`: nobody knows. */
  readonly line: Line | null;
  /** The oldest backup on it from which recovery to any later moment has to be possible. */
  readonly from: Backup<M> | null;
  readonly coverage: Coverage | null;
  /** Of the newest backup on it alone. */
  readonly newest: Coverage | null;
}

export interface LogCheck<M extends BackupFacts> {
  readonly rules: RetentionRules;
  readonly histories: Histories;
  readonly line: Line | null;
  readonly now: Date;
  /** The last segment that was handed over. */
  readonly upTo: string | undefined;
  /** Where recovery from a backup begins to read the log. */
  readonly startOf: (manifest: M) => string;
}

/** Whether a catalogue has all of the log that recovery within the window needs. */
export function checkLog<M extends BackupFacts>(
  catalogue: Catalogue<M>,
  { rules, histories, line, now, upTo, startOf }: LogCheck<M>,
): Verified<M> {
  const backups = catalogue.backups.filter(({ manifest }) => isOn(line, manifest.wal));
  const { window } = planRetention(backups.map(keptOf), rules, now);
  const from = backups.find(({ manifest }) => manifest.id === window?.id) ?? backups[0];
  const last = backups.at(-1);
  if (!from || !last) return { catalogue, line, from: null, coverage: null, newest: null };
  const of = (one: Backup<M>): Coverage => coverageOf(one, catalogue, histories, startOf(one.manifest), upTo);
  return { catalogue, line, from, coverage: of(from), newest: of(last) };
}

/** Which segments are missing, as a sentence without its end. */
export function gapAfter(backup: string, missing: readonly string[]): string {
  const names = missing.slice(0, 5).join(', ') + (missing.length > 5 ? `, … (${missing.length})` : '');
  return `The log in the bucket has a gap after backup ${backup}: ${names}; recovery from it ends there`;
}
