import {
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { StorageError } from './errors.js';

/** An object, or one version of it. */
export interface ObjectSeen {
  readonly key: string;
  readonly size: number;
  /** Without the quotes that the protocol puts around it: conditional writes take it bare only. */
  readonly etag: string;
  readonly modified: Date;
  /** `null` where the bucket keeps no versions. */
  readonly version: string | null;
}

/** One key with all that a bucket keeps of it. */
export interface KeySeen {
  readonly key: string;
  /** Oldest first, one at least: the first is what was written before anybody could overwrite it. */
  readonly versions: readonly ObjectSeen[];
  /** Versions that say that it was removed, while those above are still there. */
  readonly markers: readonly string[];
}

/** How an object is kept from being removed: with `GOVERNANCE` by nobody but who may bypass it, with `COMPLIANCE` by nobody. */
export interface Lock {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE';
  readonly until: Date;
}

/** What is to be removed: a version, or, where the bucket keeps none, the object. */
export type Removable = Pick<ObjectSeen, 'key' | 'version'>;

/** All that a bucket keeps of a key. */
export const allOf = ({ key, versions, markers }: KeySeen): Removable[] => [
  ...versions,
  ...markers.map((version) => ({ key, version })),
];

/** Headers of a PUT that lock what it writes; signed into a URL, they hold whoever uses it to them. */
export const lockHeaders = ({ mode, until }: Lock): Record<string, string> => ({
  'x-amz-object-lock-mode': mode,
  'x-amz-object-lock-retain-until-date': until.toISOString(),
});

/** What a request is made with. */
interface Asking {
  readonly client: S3Client;
  readonly options: { readonly abortSignal?: AbortSignal };
}

type Page = Pick<ListObjectVersionsCommandOutput, 'Versions' | 'DeleteMarkers' | 'CommonPrefixes'>;

/** Pages of a listing of versions. The SDK has no paginator for them. */
export async function* pagesOfVersions(
  { client, options }: Asking,
  where: { readonly Bucket: string; readonly Prefix: string; readonly Delimiter?: string },
): AsyncGenerator<Page> {
  for (let from: { KeyMarker?: string; VersionIdMarker?: string } | null = {}; from;) {
    const page: ListObjectVersionsCommandOutput = await client.send(
      new ListObjectVersionsCommand({ ...where, ...from }),
      options,
    );
    yield page;
    const { IsTruncated, NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
    from =
      IsTruncated && KeyMarker !== undefined
        ? { KeyMarker, ...(VersionIdMarker === undefined ? {} : { VersionIdMarker }) }
        : null;
  }
}

/**
 * Puts pages of versions together by key. Storages list the newest version of a key first. A key of which there is one version,
 * made when the bucket kept none, is as one in a bucket without versions.
 */
export class SeenKeys {
  readonly #keys = new Map<string, { versions: ObjectSeen[]; markers: string[] }>();

  /** Of a page nothing else is kept: a listing may have many. */
  add({ Versions = [], DeleteMarkers = [] }: Page): void {
    for (const { Key = '', Size = 0, ETag = '', LastModified = new Date(0), VersionId = null } of Versions)
      this.#at(Key).versions.unshift({
        ...{ key: Key, size: Size, etag: ETag.replaceAll('"', ''), modified: LastModified },
        version: VersionId,
      });
    for (const { Key = '', VersionId = '' } of DeleteMarkers) this.#at(Key).markers.push(VersionId);
  }

  all(): KeySeen[] {
    return [...this.#keys]
      .filter(([, { versions }]) => versions.length > 0)
      .map(([key, { versions, markers }]) => ({ key, versions: plainIfAlone(versions, markers), markers }))
      .sort((one, other) => (one.key < other.key ? -1 : 1));
  }

  #at(key: string): { versions: ObjectSeen[]; markers: string[] } {
    const there = this.#keys.get(key) ?? { versions: [], markers: [] };
    this.#keys.set(key, there);
    return there;
  }
}

/** What some pages tell. */
export function keysIn(pages: Iterable<Page>): KeySeen[] {
  const keys = new SeenKeys();
  for (const page of pages) keys.add(page);
  return keys.all();
}

function plainIfAlone(versions: readonly ObjectSeen[], markers: readonly string[]): readonly ObjectSeen[] {
  const [only, more] = versions;
  const plain = only?.version === 'null' && !more && markers.length === 0;
  return plain ? [{ ...only, version: null }] : versions;
}

const BATCH = 1_000;

/** Removes as many as there are. @returns what the storage refuses to remove because it is locked */
export async function removeAll(
  { client, options }: Asking,
  place: { readonly bucket: string; readonly name: string },
  what: readonly Removable[],
): Promise<Removable[]> {
  const locked: Removable[] = [];
  for (let from = 0; from < what.length; from += BATCH) {
    const some = what.slice(from, from + BATCH);
    const Objects = some.map(({ key, version }) => ({
      Key: key,
      ...(version === null ? {} : { VersionId: version }),
    }));
    const { Errors = [] } = await client.send(
      new DeleteObjectsCommand({ Bucket: place.bucket, Delete: { Objects, Quiet: true } }),
      options,
    );
    const refused = Errors.filter(({ Code, VersionId }) => Code === 'AccessDenied' && VersionId);
    locked.push(...refused.map(({ Key = '', VersionId = '' }) => ({ key: Key, version: VersionId })));
    const [first] = Errors.filter((error) => !refused.includes(error));
    if (first)
      throw new StorageError(
        'refused',
        `${place.name}: ${Errors.length} of ${Objects.length} objects were not removed: ${first.Key ?? ''} (${first.Code ?? 'no reason given'})`,
      );
  }
  return locked;
}

export async function putLock(
  { client, options }: Asking,
  Bucket: string,
  { key, version }: Removable,
  { mode, until }: Lock,
): Promise<void> {
  const Retention = { Mode: mode, RetainUntilDate: until };
  const of = { Bucket, Key: key, ...(version === null ? {} : { VersionId: version }) };
  await client.send(new PutObjectRetentionCommand({ ...of, Retention }), options);
}
