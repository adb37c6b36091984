import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type ListObjectsV2CommandOutput,
  paginateListObjectsV2,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { clientOf, type StorageSpec } from './client.js';
import { watchClock, type WatchedClock } from './clock.js';
import { placeOf, StorageError, storageError } from './errors.js';
import { compareParts, compositeEtag, md5Base64, type Part } from './integrity.js';
import { type Presigner, presignerOf, type Signed } from './presign.js';
import {
  type KeySeen,
  type Lock,
  type ObjectSeen,
  pagesOfVersions,
  putLock,
  type Removable,
  removeAll,
  SeenKeys,
} from './versions.js';

export interface PutOptions {
  /** Only when there is no such object yet. */
  readonly ifNoneMatch?: '*';
  /** Only when the object still has this ETag. */
  readonly ifMatch?: string;
  /** In a bucket with Object Lock: keeps it from being removed. */
  readonly lock?: Lock;
}

export interface UploadSeen {
  readonly key: string;
  readonly id: string;
  readonly initiated: Date;
}

/** To be handed to whatever waits for an answer. */
export interface SendOptions {
  readonly abortSignal?: AbortSignal;
}

/** A multipart upload: its parts become an object all at once, or never. */
export interface Upload {
  readonly key: string;
  readonly id: string;
  signPart(part: number, presigner: Presigner): Signed;
  parts(): Promise<Part[]>;
  /**
   * Makes an object of the parts, after the storage's list of them was compared with what was sent, and checks it.
   *
   * @throws StorageError when they differ; nothing is made then
   */
  complete(sent: readonly Part[]): Promise<ObjectSeen>;
  /** Forgets it, with its parts; harmless when it is gone already. */
  abort(): Promise<void>;
}

/** One bucket. Whatever fails throws a `StorageError`. */
export interface Storage {
  readonly bucket: string;
  readonly endpoint: string;
  /** Writes a small object, whose MD5 the storage compares. `exists` when a condition does not hold. */
  put(key: string, content: string | Buffer, options?: PutOptions): Promise<{ readonly etag: string }>;
  /** Reads a small object, or a certain version of it; `null`: there is none. */
  get(
    key: string,
    version?: string | null,
  ): Promise<{ readonly content: Buffer; readonly etag: string } | null>;
  head(key: string, version?: string | null): Promise<(ObjectSeen & { readonly lock: Lock | null }) | null>;
  /** All that is there now, sorted by key. */
  list(prefix: string): Promise<ObjectSeen[]>;
  /**
   * All that the bucket keeps, also what was overwritten or removed by a deletion marker alone, sorted by key. Where the bucket
   * keeps no versions, or does not list them, each object is one.
   */
  versions(prefix: string): Promise<KeySeen[]>;
  /** The folders right in a folder, `shop/postgresql/7/`, without a look into them; also of what has versions alone. */
  folders(prefix: string): Promise<string[]>;
  /** In a bucket with versions this only marks them as removed. */
  remove(keys: readonly string[]): Promise<void>;
  /** Removes for good. @returns what stays because it is locked */
  removeVersions(what: readonly Removable[]): Promise<Removable[]>;
  /** Keeps a version from being removed; what is locked as long already stays so. */
  lock(what: Removable, lock: Lock): Promise<void>;
  /** @param now when they begin to be good; by default at once, by the storage's clock */
  presigner(expiresInS: number, now?: Date): Presigner;
  /** The time, by the storage's clock where ours is wrong by more than minutes, as its answers have told. */
  now(): Date;
  createUpload(key: string): Promise<Upload>;
  openUpload(key: string, id: string): Upload;
  /** Multipart uploads that were begun and not ended. */
  uploads(prefix: string): Promise<UploadSeen[]>;
  /** The storage's own clock minus ours, in milliseconds, as its answers tell; it is asked where there was none yet. */
  clockSkewMs(): Promise<number>;
  /** The same without its signal, for changes that must not be cut in half; closed with this one. */
  uncancelled(): Storage;
  close(): void;
  /**
   * For requests that have no method here; what they throw becomes a `StorageError`.
   *
   * @param what `reading the lifecycle rules`
   */
  ask<T>(what: string, work: (client: S3Client, options: SendOptions) => Promise<T>): Promise<T>;
}

const bare = (etag: string | undefined): string => (etag ?? '').replaceAll('"', '');

export function openStorage(spec: StorageSpec): Storage {
  const client = clientOf(spec);
  return storageWith(spec, client, watchClock(client));
}

function storageWith(spec: StorageSpec, client: S3Client, watched: WatchedClock): Storage {
  const { bucket, signal } = spec;
  const place = placeOf(spec);
  const at = { Bucket: bucket };
  // The SDK corrects itself by answers that say so, since no signature would be taken otherwise.
  const clock = (): Date => new Date(Date.now() + client.config.systemClockOffset);
  const options: SendOptions = signal ? { abortSignal: signal } : {};
  const asked = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw storageError(error, what, place);
    }
  };
  const orNull = <T>(work: Promise<T>): Promise<T | null> =>
    work.catch((error: unknown) => {
      if (error instanceof StorageError && error.kind === 'missing') return null;
      throw error;
    });

  const head: Storage['head'] = (key, version = null) =>
    orNull(
      asked(`HEAD ${key}`, async () => {
        const of = { ...at, Key: key, ...(version === null ? {} : { VersionId: version }) };
        const seen = await client.send(new HeadObjectCommand(of), options);
        const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until } = seen;
        return {
          key,
          size: seen.ContentLength ?? 0,
          etag: bare(seen.ETag),
          modified: seen.LastModified ?? new Date(0),
          version: seen.VersionId ?? null,
          lock: mode && until ? { mode, until } : null,
        };
      }),
    );
  const list: Storage['list'] = (prefix) =>
    asked(`list of ${prefix || 'all objects'}`, async () => {
      const all: ObjectSeen[] = [];
      for await (const page of paginateListObjectsV2({ client }, { ...at, Prefix: prefix }, options)) {
        for (const { Key, Size, ETag, LastModified } of page.Contents ?? [])
          all.push({
            key: Key ?? '',
            size: Size ?? 0,
            etag: bare(ETag),
            modified: LastModified ?? new Date(0),
            version: null,
          });
      }
      return all;
    });
  // Versions are another right, and some endpoints know none: without them there are the objects themselves.
  const orWithout = <T>(work: Promise<T>, without: () => Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      if (error instanceof StorageError && ['denied', 'refused'].includes(error.kind)) return without();
      throw error;
    });
  const asking = { client, options };

  const openUpload = (key: string, id: string): Upload => {
    const of = { ...at, Key: key, UploadId: id };
    const parts = (): Promise<Part[]> =>
      asked(`list of parts of ${key}`, async () => {
        const all: Part[] = [];
        // The SDK's paginator goes on for as long as a marker comes, and RADOS Gateway sends one with the last page too.
        for (let marker: string | undefined = '0'; marker !== undefined;) {
          const page: ListPartsCommandOutput = await client.send(
            new ListPartsCommand({ ...of, PartNumberMarker: marker }),
            options,
          );
          for (const { PartNumber, Size, ETag } of page.Parts ?? [])
            all.push({ part: PartNumber ?? 0, size: Size ?? 0, md5: bare(ETag) });
          marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
        }
        return all;
      });
    return {
      key,
      id,
      parts,
      signPart: (part, presigner) =>
        presigner.sign({ method: 'PUT', key, query: { partNumber: String(part), uploadId: id } }),
      complete: async (sent) => {
        const faults = compareParts(sent, await parts());
        if (faults.length > 0)
          throw new StorageError(
            'bad-digest',
            `${place}: ${key} was not stored as it was sent: ${faults.slice(0, 3).join('; ')}`,
          );
        const { VersionId } = await asked(`completing ${key}`, () =>
          client.send(
            new CompleteMultipartUploadCommand({
              ...of,
              MultipartUpload: { Parts: sent.map(({ part, md5 }) => ({ PartNumber: part, ETag: md5 })) },
            }),
            options,
          ),
        );
        // RADOS Gateway's answer has an empty ETag, and no version where it was completed already.
        return checked(place, await head(key, VersionId), sent);
      },
      abort: async () => {
        await orNull(
          asked(`aborting ${key}`, () => client.send(new AbortMultipartUploadCommand(of), options)),
        );
      },
    };
  };

  return {
    bucket,
    endpoint: spec.endpoint,
    ask: (what, work) => asked(what, () => work(client, options)),
    head,
    openUpload,
    put: (key, content, { ifNoneMatch, ifMatch, lock } = {}) =>
      asked(`PUT ${key}`, async () => {
        const body = Buffer.from(content);
        const command = new PutObjectCommand({
          ...{ ...at, Key: key, Body: body, ContentMD5: md5Base64(body) },
          ...(ifNoneMatch ? { IfNoneMatch: ifNoneMatch } : {}),
          ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
          ...(lock ? { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: lock.until } : {}),
        });
        return { etag: bare((await client.send(command, options)).ETag) };
      }),
    get: (key, version = null) =>
      orNull(
        asked(`GET ${key}`, async () => {
          const of = { ...at, Key: key, ...(version === null ? {} : { VersionId: version }) };
          const { Body, ETag } = await client.send(new GetObjectCommand(of), options);
          return { content: Buffer.from((await Body?.transformToByteArray()) ?? []), etag: bare(ETag) };
        }),
      ),
    list,
    versions: (prefix) =>
      orWithout(
        asked(`list of ${prefix || 'all objects'}`, async () => {
          const keys = new SeenKeys();
          for await (const page of pagesOfVersions(asking, { ...at, Prefix: prefix })) keys.add(page);
          return keys.all();
        }),
        async () => (await list(prefix)).map((one) => ({ key: one.key, versions: [one], markers: [] })),
      ),
    folders: (prefix) => {
      const input = { ...at, Prefix: prefix, Delimiter: '/' };
      const named = (pages: readonly Pick<ListObjectsV2CommandOutput, 'CommonPrefixes'>[]): string[] => [
        ...new Set(
          pages.flatMap(({ CommonPrefixes = [] }) => CommonPrefixes.map(({ Prefix = '' }) => Prefix)),
        ),
      ];
      const what = `list of ${prefix || 'all objects'}`;
      return orWithout(
        asked(what, async () => named(await allPages(pagesOfVersions(asking, input)))),
        () =>
          asked(what, async () => named(await allPages(paginateListObjectsV2({ client }, input, options)))),
      );
    },
    remove: async (keys) => {
      const objects = keys.map((key) => ({ key, version: null }));
      await asked('removal', () => removeAll(asking, { bucket, name: place }, objects));
    },
    removeVersions: (what) => asked('removal', () => removeAll(asking, { bucket, name: place }, what)),
    lock: async (what, lock) => {
      try {
        await asked(`locking ${what.key}`, () => putLock(asking, bucket, what, lock));
      } catch (error) {
        // A bucket may lock all that comes by itself, and for longer.
        const until = (await head(what.key, what.version))?.lock?.until;
        if (!until || until < lock.until) throw error;
      }
    },
    presigner: (expiresInS, now = clock()) => presignerOf(spec, expiresInS, now),
    now: clock,
    createUpload: (key) =>
      asked(`begin of an upload of ${key}`, async () => {
        const { UploadId = '' } = await client.send(
          new CreateMultipartUploadCommand({ ...at, Key: key }),
          options,
        );
        return openUpload(key, UploadId);
      }),
    uploads: (prefix) =>
      asked(`list of uploads in ${prefix || 'all of it'}`, async () => {
        const all: UploadSeen[] = [];
        let marker: { KeyMarker?: string; UploadIdMarker?: string } | null = {};
        while (marker) {
          const page: Awaited<ReturnType<typeof listUploads>> = await listUploads(marker);
          for (const { Key = '', UploadId = '', Initiated = new Date(0) } of page.Uploads ?? [])
            all.push({ key: Key, id: UploadId, initiated: Initiated });
          const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
          marker =
            IsTruncated && NextKeyMarker
              ? {
                  KeyMarker: NextKeyMarker,
                  ...(NextUploadIdMarker ? { UploadIdMarker: NextUploadIdMarker } : {}),
                }
              : null;
        }
        return all;

        function listUploads(from: { KeyMarker?: string; UploadIdMarker?: string }) {
          return client.send(new ListMultipartUploadsCommand({ ...at, Prefix: prefix, ...from }), options);
        }
      }),
    clockSkewMs: async () => {
      const known = watched.skewMs();
      if (known !== null) return known;
      // Any answer tells the time, also one that refuses.
      const asking = asked('asking for the time', () => client.send(new HeadBucketCommand(at), options));
      return asking.then(
        () => watched.skewMs() ?? 0,
        (error: unknown) => {
          const told = watched.skewMs();
          if (told === null || signal?.aborted) throw error;
          return told;
        },
      );
    },
    uncancelled: () => {
      const { signal: _left, ...rest } = spec;
      return storageWith(rest, client, watched);
    },
    close: () => client.destroy(),
  };
}

async function allPages<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pages) all.push(page);
  return all;
}

function checked(place: string, seen: ObjectSeen | null, sent: readonly Part[]): ObjectSeen {
  const size = sent.reduce((sum, part) => sum + part.size, 0);
  const etag = compositeEtag(sent);
  if (seen?.size === size && seen.etag === etag) return seen;
  const there = seen ? `${seen.size} bytes, ETag ${seen.etag}` : 'nothing';
  throw new StorageError(
    'bad-digest',
    `${place}: after completion there is ${there}, not ${size} bytes with ETag ${etag}`,
  );
}
