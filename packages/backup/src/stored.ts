import type { ObjectSeen, Storage } from '@perlstack/object-storage';
import { UserError } from '@perlstack/stack';
import type { BackupKeys } from './keys.js';
import type { Manifest, Unreadable } from './manifest.js';

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
  readonly bytes: number;
}

export interface Broken {
  readonly id: string;
  readonly why: string;
  /** It has no manifest: whoever made it did not come to the end. */
  readonly unfinished: boolean;
  readonly keys: readonly string[];
}

export interface StoredBackups<M extends StoredFacts> {
  /** Oldest first. */
  readonly backups: readonly Stored<M>[];
  /** Folders of backups that never came to their end, or whose parts are not what their manifest says. */
  readonly broken: readonly Broken[];
}

/**
 * Reads the backups of one kind. What is not whole is told apart, and counts as nothing.
 *
 * @param read makes a manifest of its text, or says why it is none
 */
export async function readStored<M extends ObjectFacts>(
  storage: Storage,
  keys: Pick<BackupKeys, 'bases' | 'manifest'>,
  read: (text: string) => M | Unreadable,
): Promise<StoredBackups<M>> {
  const folders = new Map<string, ObjectSeen[]>();
  for (const object of await storage.list(keys.bases)) {
    const id = object.key.slice(keys.bases.length).split('/')[0] ?? '';
    folders.set(id, [...(folders.get(id) ?? []), object]);
  }
  const found = await Promise.all(
    [...folders].map(async ([id, objects]) => {
      const text = await storage.get(keys.manifest(id));
      return judge(id, objects, text && read(text.content.toString()));
    }),
  );
  return {
    backups: found
      .flatMap((one) => ('manifest' in one ? [one] : []))
      .sort((one, other) => one.manifest.id.localeCompare(other.manifest.id)),
    broken: found.flatMap((one) => ('why' in one ? [one] : [])),
  };
}

function judge<M extends ObjectFacts>(
  id: string,
  objects: readonly ObjectSeen[],
  manifest: M | Unreadable | null | undefined,
): Stored<M> | Broken {
  const broken = (why: string, unfinished = false): Broken => ({
    ...{ id, why, unfinished },
    keys: objects.map(({ key }) => key),
  });
  if (!manifest) return broken('it has no manifest: it never came to its end', true);
  if ('fault' in manifest) return broken(`its manifest cannot be read: ${manifest.fault}`);
  for (const stored of dataOf(manifest)) {
    const data = objects.find(({ key }) => key === stored.key);
    if (!data) return broken('its data are not there');
    if (data.size !== stored.size || data.etag !== stored.etag)
      return broken(`its data are not what was stored: ${data.size} bytes, ETag ${data.etag}`);
  }
  return { manifest, bytes: objects.reduce((sum, { size }) => sum + size, 0) };
}

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

/** Removes backups. Manifests go before their data: half a removed backup is none. */
export async function removeStored(
  storage: Storage,
  keys: Pick<BackupKeys, 'bases' | 'manifest'>,
  backups: readonly Stored<ObjectFacts>[],
  removed: readonly string[],
): Promise<void> {
  const going = new Set(removed);
  const data = backups.filter(({ manifest }) => going.has(manifest.id));
  await storage.remove(removed.map((id) => keys.manifest(id)));
  await storage.remove(data.flatMap(({ manifest }) => dataOf(manifest).map(({ key }) => key)));
}
