import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { StorageError } from '../errors.js';
import type { SendOptions, Storage } from '../storage.js';
import type { Bench } from './bench.js';
import { tryLifecycle, tryVersioning } from './bucket.js';
import { EXPECTED, type Feature, featuresOf, type Need, type ProbeRow, refusedRows, rowOf } from './needs.js';
import { tryConditionalCompletion, tryUpload } from './uploads.js';
import { tryLock, tryVersions } from './versions.js';
import * as writes from './writes.js';

type Try = readonly [features: readonly [Feature, ...Feature[]], work: (bench: Bench) => Promise<ProbeRow[]>];

const TRIES: readonly Try[] = [
  [
    ['wrong MD5 on PUT', 'wrong MD5 on a part', 'wrong MD5 on a presigned PUT', 'wrong SHA-256 on PUT'],
    writes.tryDigests,
  ],
  [['PUT of unknown length'], writes.tryUnknownLength],
  [['If-None-Match on PUT'], writes.tryRace],
  [['If-Match with a bare ETag', 'If-Match with a quoted ETag'], writes.tryIfMatch],
  [['If-Match on DELETE'], writes.tryConditionalDelete],
  [['write-once URL'], writes.tryWriteOnce],
  [['URL for one length'], writes.tryBoundLength],
  [['range of a GET'], writes.tryRange],
  [['list of parts', 'ETag of a multipart upload', 'completion, again'], tryUpload],
  [['If-None-Match on completion'], tryConditionalCompletion],
  [['lifecycle rules', 'lifecycle rules by size'], tryLifecycle],
  [['versioning'], tryVersioning],
  [['overwritten object', 'GET of a version', 'removal of a version'], tryVersions],
  [
    [
      'Object Lock',
      'locked version, GOVERNANCE',
      'locked version, COMPLIANCE',
      'lock of an upload',
      'URL that locks',
    ],
    tryLock,
  ],
];

/** A key that is good for objects may be not good enough to ask for these. */
const QUESTIONS: ReadonlySet<Feature> = new Set(['lifecycle rules', 'versioning', 'Object Lock']);

const SIGNED_S = 600;
/** Older ones were left by a probe that was killed. */
const LONGEST_PROBE_MS = 3_600_000;

/**
 * Tries out what an endpoint enforces and what it only accepts, in a folder `probe/` below the prefix. All that it wrote
 * is removed at the end, also when it fails or is cancelled.
 *
 * @param prefix empty, or with a slash at its end
 * @param needs what is to be known; by default all of it. A bucket with Object Lock takes some seconds more, because what is
 *   locked there must stay so until it can be removed.
 * @throws StorageError when the bucket can't be read and written to at all
 */
export async function probeStorage(
  storage: Storage,
  prefix: string,
  needs?: readonly Need[],
): Promise<ProbeRow[]> {
  const wanted = needs && featuresOf(needs);
  const tries = TRIES.filter(([features]) => features.some((feature) => wanted?.has(feature) ?? true));
  await assertGoingOn(storage);
  const shared = `${prefix}probe/`;
  const folder = `${shared}${randomUUID()}/`;
  const bench: Bench = {
    // A request that is cut off may still take place, after all was removed; so a cancelled probe goes on to its end.
    ...{ storage: storage.uncancelled(), prefix, shared, folder, presigner: storage.presigner(SIGNED_S) },
    at: (name) => ({ Bucket: storage.bucket, Key: `${folder}${name}` }),
  };
  // All of them end before anything is removed: one that still ran would write again.
  const outcomes = await Promise.allSettled(tries.map((one) => attempt(one, bench)));
  const removed = await Promise.allSettled([sweep(bench)]);
  await assertGoingOn(storage);
  const rows = [...outcomes, ...removed].flatMap((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
  const order = Object.keys(EXPECTED);
  return rows.sort((a, b) => order.indexOf(a.feature) - order.indexOf(b.feature));
}

const assertGoingOn = (storage: Storage): Promise<void> =>
  storage.ask('probe', async (_client, { abortSignal }) => abortSignal?.throwIfAborted());

/** A request that an endpoint does not know, or that this key may not send, says something about the endpoint too. */
async function attempt([features, work]: Try, bench: Bench): Promise<ProbeRow[]> {
  try {
    return await work(bench);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const tolerable = error.kind === 'refused' || (error.kind === 'denied' && QUESTIONS.has(features[0]));
    if (!tolerable) throw error;
    return refusedRows(features, error);
  }
}

const sweep = ({ storage, shared, folder }: Bench): Promise<ProbeRow> =>
  storage.ask('removing what the probe wrote', async (client, options) => {
    const at = { Bucket: storage.bucket };
    const isOurs = ({ key, since }: Left): boolean =>
      key.startsWith(folder) || +since < Date.now() - LONGEST_PROBE_MS;
    const look = async (): Promise<Left[]> =>
      (await leftIn(client, { ...at, Prefix: shared }, options)).filter(isOurs);
    for (const { key: Key, ...id } of await look()) {
      const gone =
        'upload' in id
          ? client.send(new AbortMultipartUploadCommand({ ...at, Key, UploadId: id.upload }), options)
          : client.send(new DeleteObjectCommand({ ...at, Key, VersionId: id.version }), options);
      // What is left is seen below.
      await gone.catch(() => undefined);
    }
    const left = await look();
    return rowOf('removal', left.length > 0 ? `${left.length} left` : 'nothing left');
  });

type Left = { readonly key: string; readonly since: Date } & (
  { readonly upload: string | undefined } | { readonly version: string | undefined }
);

async function leftIn(
  client: S3Client,
  where: { readonly Bucket: string; readonly Prefix: string },
  options: SendOptions,
): Promise<Left[]> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand(where), options);
  // Versions are another right; without it there are the objects themselves.
  const { Versions = [], DeleteMarkers = [] } = await client
    .send(new ListObjectVersionsCommand(where), options)
    .catch(async () => ({
      Versions: (await client.send(new ListObjectsV2Command(where), options)).Contents?.map((seen) => ({
        ...seen,
        VersionId: undefined,
      })),
      DeleteMarkers: [],
    }));
  return [
    ...Uploads.map(({ Key = '', UploadId, Initiated = new Date() }) => ({
      ...{ key: Key, since: Initiated, upload: UploadId },
    })),
    ...[...Versions, ...DeleteMarkers].map(({ Key = '', VersionId, LastModified = new Date() }) => ({
      ...{ key: Key, since: LastModified, version: VersionId },
    })),
  ];
}
