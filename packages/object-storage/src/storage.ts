import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type ListPartsCommandOutput,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { clientOf, type StorageSpec } from './client.js';
import { placeOf, StorageError, storageError } from './errors.js';
import { compareParts, compositeEtag, md5Base64, type Part } from './integrity.js';
import { type Presigner, presignerOf, type Signed } from './presign.js';

export interface ObjectSeen {
  readonly key: string;
  readonly size: number;
  /** Without the quotes that the protocol puts around it: conditional writes take it bare only. */
  readonly etag: string;
  readonly modified: Date;
}

export interface PutOptions {
  /** Only when there is no such object yet. */
  readonly ifNoneMatch?: '*';
  /** Only when the object still has this ETag. */
  readonly ifMatch?: string;
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
  /** Reads a small object; `null`: there is none. */
  get(key: string): Promise<{ readonly content: Buffer; readonly etag: string } | null>;
  head(key: string): Promise<ObjectSeen | null>;
  /** All of it, sorted by key. */
  list(prefix: string): Promise<ObjectSeen[]>;
  /** The folders right in a folder, `shop/postgresql/7/`, without a look into them. */
  folders(prefix: string): Promise<string[]>;
  remove(keys: readonly string[]): Promise<void>;
  /** @param now when they begin to be good; by default at once, by the storage's clock */
  presigner(expiresInS: number, now?: Date): Presigner;
  /** The time, by the storage's clock where ours is wrong by more than minutes, as its answers have told. */
  now(): Date;
  createUpload(key: string): Promise<Upload>;
  openUpload(key: string, id: string): Upload;
  /** Multipart uploads that were begun and not ended. */
  uploads(prefix: string): Promise<UploadSeen[]>;
  /** The storage's own clock minus ours, in milliseconds. */
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

const BATCH = 1_000;
const bare = (etag: string | undefined): string => (etag ?? '').replaceAll('"', '');

export const openStorage = (spec: StorageSpec): Storage => storageWith(spec, clientOf(spec));

function storageWith(spec: StorageSpec, client: S3Client): Storage {
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

  const head = (key: string): Promise<ObjectSeen | null> =>
    orNull(
      asked(`HEAD ${key}`, async () => {
        const seen = await client.send(new HeadObjectCommand({ ...at, Key: key }), options);
        return {
          key,
          size: seen.ContentLength ?? 0,
          etag: bare(seen.ETag),
          modified: seen.LastModified ?? new Date(0),
        };
      }),
    );

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
        await asked(`completing ${key}`, () =>
          client.send(
            new CompleteMultipartUploadCommand({
              ...of,
              MultipartUpload: { Parts: sent.map(({ part, md5 }) => ({ PartNumber: part, ETag: md5 })) },
            }),
            options,
          ),
        );
        // RADOS Gateway's answer has an empty ETag.
        return checked(place, await head(key), sent);
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
    put: (key, content, { ifNoneMatch, ifMatch } = {}) =>
      asked(`PUT ${key}`, async () => {
        const body = Buffer.from(content);
        const command = new PutObjectCommand({
          ...{ ...at, Key: key, Body: body, ContentMD5: md5Base64(body) },
          ...(ifNoneMatch ? { IfNoneMatch: ifNoneMatch } : {}),
          ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
        });
        return { etag: bare((await client.send(command, options)).ETag) };
      }),
    get: (key) =>
      orNull(
        asked(`GET ${key}`, async () => {
          const { Body, ETag } = await client.send(new GetObjectCommand({ ...at, Key: key }), options);
          return { content: Buffer.from((await Body?.transformToByteArray()) ?? []), etag: bare(ETag) };
        }),
      ),
    list: (prefix) =>
      asked(`list of ${prefix || 'all objects'}`, async () => {
        const all: ObjectSeen[] = [];
        for await (const page of paginateListObjectsV2({ client }, { ...at, Prefix: prefix }, options)) {
          for (const { Key, Size, ETag, LastModified } of page.Contents ?? [])
            all.push({
              key: Key ?? '',
              size: Size ?? 0,
              etag: bare(ETag),
              modified: LastModified ?? new Date(0),
            });
        }
        return all;
      }),
    folders: (prefix) =>
      asked(`list of ${prefix || 'all objects'}`, async () => {
        const all: string[] = [];
        const input = { ...at, Prefix: prefix, Delimiter: '/' };
        for await (const page of paginateListObjectsV2({ client }, input, options))
          all.push(...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix));
        return all;
      }),
    remove: (keys) =>
      asked('removal', async () => {
        for (let from = 0; from < keys.length; from += BATCH) {
          const Objects = keys.slice(from, from + BATCH).map((Key) => ({ Key }));
          const { Errors = [] } = await client.send(
            new DeleteObjectsCommand({ ...at, Delete: { Objects, Quiet: true } }),
            options,
          );
          const [first] = Errors;
          if (first)
            throw new StorageError(
              'refused',
              `${place}: ${Errors.length} of ${Objects.length} objects were not removed: ${first.Key ?? ''} (${first.Code ?? 'no reason given'})`,
            );
        }
      }),
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
    clockSkewMs: async () => skewOf(spec.endpoint, signal, place),
    uncancelled: () => {
      const { signal: _left, ...rest } = spec;
      return storageWith(rest, client);
    },
    close: () => client.destroy(),
  };
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

/** Any answer tells the time, also one that refuses. */
async function skewOf(endpoint: string, signal: AbortSignal | undefined, place: string): Promise<number> {
  try {
    const before = Date.now();
    const timeout = AbortSignal.timeout(10_000);
    const answer = await fetch(endpoint, {
      method: 'HEAD',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const theirs = Date.parse(answer.headers.get('date') ?? '');
    return Number.isNaN(theirs) ? 0 : theirs + 500 - (before + Date.now()) / 2;
  } catch (error) {
    throw storageError(error, 'asking for the time', place);
  }
}
