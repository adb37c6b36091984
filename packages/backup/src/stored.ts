import {
  allOf,
  type KeySeen,
  type ObjectSeen,
  type Removable,
  type Storage,
} from '@perlstack/object-storage';
import { UserError } from '@perlstack/stack';
import type { BackupKeys } from './keys.js';
import type { Manifest, Unreadable } from './manifest.js';
import type { Held } from './retention.js';
import { lockFrom, type Ways } from './ways.js';

/** What a manifest of any kind says. */
export type StoredFacts = Pick<Manifest, 'id' | 'startedAt' | 'finishedAt'> & {
  readonly object: Pick<Manifest['object'], 'size' | 'recipient'>;
};

/** The same of one whose data are an object of their own, or several. */
export type ObjectFacts = StoredFacts &
  (Pick<Manifest, 'object'> | { readonly objects: readonly DataObject[] });

type DataObject = Manifest['object'];

const dataOf = (manifest: ObjectFacts): readonly DataObject[] =>
  'objects' in manifest ? manifest.objects : [manifest.object];

/** A backup as the bucket has it. */
export interface Stored<M extends StoredFacts> {
  readonly manifest: M;
  /** All its objects together, with all versions of them. */
  readonly bytes: number;
  /** What it consists of, where it is of objects of its own. */
  readonly objects?: readonly KeySeen[];
}

export interface Broken {
  readonly id: string;
  readonly why: string;
  /** No manifest is listed: whoever made it did not come to the end. */
  readonly unfinished: boolean;
  /** Its manifest is listed and was not given: nobody knows whether it is good. */
  readonly unread?: boolean;
  readonly objects: readonly KeySeen[];
}

export interface StoredBackups<M extends StoredFacts> {
  /** Oldest first. */
  readonly backups: readonly Stored<M>[];
  /** Folders of backups that never came to their end, or whose parts are not what their manifest says. */
  readonly broken: readonly Broken[];
}

/**
 * Reads the backups of one kind. What is not whole is told apart, and counts as nothing. Where the bucket keeps versions, the
 * first of each key counts, also when it was overwritten or marked as removed since.
 *
 * @param read makes a manifest of its text, or says why it is none
 * @param known backups that were read before: a manifest that is the same object still, by its digest, is not read again
 */
export async function readStored<M extends ObjectFacts>(
  storage: Pick<Storage, 'versions' | 'get'>,
  keys: Pick<BackupKeys, 'bases' | 'manifest'>,
  read: (text: string) => M | Unreadable,
  known: readonly Stored<M>[] = [],
): Promise<StoredBackups<M>> {
  const folders = new Map<string, KeySeen[]>();
  for (const object of await storage.versions(keys.bases)) {
    const id = object.key.slice(keys.bases.length).split('/')[0] ?? '';
    folders.set(id, [...(folders.get(id) ?? []), object]);
  }
  const found = await Promise.all(
    [...folders].map(async ([id, objects]) => {
      const first = firstOf(objects, keys.manifest(id));
      const before = known.find(({ manifest }) => manifest.id === id);
      if (first && before && isSame(first, firstOf(before.objects ?? [], first.key)))
        return judge(id, objects, before.manifest);
      if (!first) return broken(id, objects, 'it has no manifest: it never came to its end', 'unfinished');
      const text = await storage.get(first.key, first.version);
      if (!text)
        return broken(id, objects, 'its manifest is listed, and the storage does not give it', 'unread');
      return judge(id, objects, read(text.content.toString()));
    }),
  );
  return {
    backups: found
      .flatMap((one) => ('manifest' in one ? [one] : []))
      .sort((one, other) => one.manifest.id.localeCompare(other.manifest.id)),
    broken: found.flatMap((one) => ('why' in one ? [one] : [])),
  };
}

const firstOf = (objects: readonly KeySeen[], key: string): ObjectSeen | undefined =>
  objects.find((one) => one.key === key)?.versions[0];

const isSame = (one: ObjectSeen, other: ObjectSeen | undefined): boolean =>
  one.etag === other?.etag && one.version === other.version && one.size === other.size;

const broken = (
  id: string,
  objects: readonly KeySeen[],
  why: string,
  how?: 'unfinished' | 'unread',
): Broken => ({
  ...{ id, why, objects, unfinished: how === 'unfinished' },
  ...(how === 'unread' ? { unread: true } : {}),
});

/**
 * Why nothing may be removed: a backup that may be good did not show itself, so that neither what is left of others nor what
 * the rules keep is known. `null`: nothing is in the way.
 */
export function unreadIn(backups: readonly Broken[]): string | null {
  const [one] = backups.filter(({ unread }) => unread);
  return one ? `Backup ${one.id}: ${one.why}; nothing is removed until it does: run this again` : null;
}

function judge<M extends ObjectFacts>(
  id: string,
  objects: readonly KeySeen[],
  manifest: M | Unreadable,
): Stored<M> | Broken {
  const bad = (why: string): Broken => broken(id, objects, why);
  if ('fault' in manifest) return bad(`its manifest cannot be read: ${manifest.fault}`);
  for (const stored of dataOf(manifest)) {
    const data = versionOf(
      objects.find(({ key }) => key === stored.key),
      stored.version,
    );
    if (!data) return bad('its data are not there');
    if (data.size !== stored.size || data.etag !== stored.etag)
      return bad(`its data are not what was stored: ${data.size} bytes, ETag ${data.etag}`);
  }
  return { manifest, objects, bytes: objects.reduce((sum, one) => sum + bytesKept(one), 0) };
}

/** @param version that a manifest names; `null`: the first, since there were no versions when it was written */
function versionOf(seen: KeySeen | undefined, version: string | null): ObjectSeen | undefined {
  return version === null ? seen?.versions[0] : seen?.versions.find((one) => one.version === version);
}

/** Of all versions of a key. */
export const bytesKept = ({ versions }: KeySeen): number => versions.reduce((sum, { size }) => sum + size, 0);

/** What somebody did to a key of a bucket that keeps versions. */
export interface Touched {
  readonly key: string;
  /** Written again with the same content, as after an answer that was lost; with another one; or marked as removed. */
  readonly how: 'again' | 'overwritten' | 'removed';
}

/** @returns the keys that were touched after they were written; nothing in a bucket without versions */
export function touchedIn(keys: Iterable<KeySeen>): Touched[] {
  return [...keys].flatMap(({ key, versions, markers }): Touched[] => {
    const [first, ...later] = versions;
    if (later.some(({ etag }) => etag !== first?.etag)) return [{ key, how: 'overwritten' }];
    if (markers.length > 0) return [{ key, how: 'removed' }];
    return later.length > 0 ? [{ key, how: 'again' }] : [];
  });
}

/** What it takes to write into the bucket. */
export interface Writing {
  readonly ways: Pick<Ways, 'lock'>;
  /**
   * @param otherwise what it means that another run has taken the lease over: that may have cleared the data of this one, or be at
   * work with what this one is to remove
   * @throws UserError when it has
   */
  readonly stillHeld: (otherwise: string) => Promise<void>;
}

/**
 * Writes the manifest, as the last thing of a backup: from here on it counts, and is locked where that is wanted. What never comes so
 * far is not, so that it can be cleared.
 *
 * @param objects with its data
 * @param taken what the manifest says besides
 * @throws UserError when another run has taken the lease over meanwhile
 */
export async function writeStored<T extends object>(
  storage: Pick<Storage, 'now' | 'lock' | 'put'>,
  key: string,
  objects: readonly DataObject[],
  { ways, stillHeld }: Writing,
  taken: T,
): Promise<T & { readonly finishedAt: string; readonly lockedUntil: string | null }> {
  await stillHeld('what was copied is no backup');
  const lock = lockFrom(ways.lock, storage.now());
  if (lock) for (const object of objects) await storage.lock(object, lock);
  const lockedUntil = lock?.until.toISOString() ?? null;
  const manifest = { ...taken, finishedAt: storage.now().toISOString(), lockedUntil };
  const options = { ifNoneMatch: '*' as const, ...(lock ? { lock } : {}) };
  await storage.put(key, `${JSON.stringify(manifest, null, 1)}\n`, options);
  return manifest;
}

/** What retention goes by of a backup that builds on no other and has no log behind it. */
export const heldOf = ({ manifest, bytes }: Stored<StoredFacts & Pick<Manifest, 'lockedUntil'>>): Held => ({
  ...{ id: manifest.id, finishedAt: new Date(manifest.finishedAt), parent: null, bytes },
  lockedUntil: manifest.lockedUntil === null ? null : new Date(manifest.lockedUntil),
});

export const idsOf = (backups: readonly Stored<StoredFacts>[]): string =>
  backups.map(({ manifest }) => manifest.id).join(', ') || 'none';

/**
 * The backups that may be restored.
 *
 * @param id of a certain one; `null`: all of them
 * @throws UserError when there is none
 */
export function backupsNamed<M extends StoredFacts>(
  backups: readonly Stored<M>[],
  id: string | null,
): readonly Stored<M>[] {
  const wanted = id === null ? backups : backups.filter(({ manifest }) => manifest.id === id);
  if (wanted.length > 0) return wanted;
  throw new UserError(
    id === null
      ? 'The bucket has no whole backup of this stack'
      : `Input "backup": there is no whole backup ${id}; there is: ${idsOf(backups)}`,
  );
}

/** What it takes to remove from the bucket. */
export type Removing = Pick<Writing, 'stillHeld'> & { readonly storage: Pick<Storage, 'removeVersions'> };

/**
 * Removes backups, with all versions of what they consist of. Manifests go before their data: half a removed backup is none.
 *
 * @param beside objects that go after them
 * @returns what stays, because the storage keeps it locked
 * @throws UserError when another run has taken the lease over: what stays was not decided with what that one does
 */
export async function removeStored(
  { storage, stillHeld }: Removing,
  keys: Pick<BackupKeys, 'manifest'>,
  backups: readonly Stored<StoredFacts>[],
  removed: readonly string[],
  beside: readonly KeySeen[] = [],
): Promise<Removable[]> {
  const going = backups.filter(({ manifest }) => removed.includes(manifest.id));
  if (going.length + beside.length === 0) return [];
  await stillHeld('nothing was removed');
  const isManifest = ({ key }: KeySeen): boolean => key.endsWith('/manifest.json');
  const manifests = going.flatMap(({ objects = [] }) => objects.filter(isManifest).flatMap(allOf));
  const locked = await storage.removeVersions(manifests);
  const left = new Set(locked.map(({ key }) => key));
  const bare = going.filter(({ manifest }) => !left.has(keys.manifest(manifest.id)));
  const data = bare.flatMap(({ objects = [] }) => objects.filter((one) => !isManifest(one)).flatMap(allOf));
  return [...locked, ...(await storage.removeVersions([...data, ...beside.flatMap(allOf)]))];
}
