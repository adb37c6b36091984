import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { SendOptions, Storage } from '../storage.js';
import type { Bench } from './bench.js';
import { tryLifecycle, tryLock, tryVersioning } from './bucket.js';
import { EXPECTED, type ProbeRow, rowOf } from './needs.js';
import { tryConditionalCompletion, tryUpload } from './uploads.js';
import * as writes from './writes.js';

const SIGNED_S = 600;
/** Older ones were left by a probe that was killed. */
const LONGEST_PROBE_MS = 3_600_000;
const CLEANUP_MS = 20_000;

/**
 * Tries out what an endpoint enforces and what it only accepts, in a folder `probe/` below the prefix. All that it wrote
 * is removed at the end, also when it fails or is cancelled.
 *
 * @param prefix empty, or with a slash at its end
 * @throws StorageError when the bucket can't be read and written to at all
 */
export async function probeStorage(storage: Storage, prefix: string): Promise<ProbeRow[]> {
  const shared = `${prefix}probe/`;
  const folder = `${shared}${randomUUID()}/`;
  const bench: Bench = {
    ...{ storage, prefix, shared, folder, presigner: storage.presigner(SIGNED_S) },
    at: (name) => ({ Bucket: storage.bucket, Key: `${folder}${name}` }),
  };
  const tries = [
    ...Object.values(writes),
    tryUpload,
    tryConditionalCompletion,
    tryVersioning,
    tryLock,
    tryLifecycle,
  ];
  // All of them end before anything is removed: one that still ran would write again.
  const outcomes = await Promise.allSettled(tries.map((one) => one(bench)));
  const removed = await Promise.allSettled([sweep(bench)]);
  const rows = [...outcomes, ...removed].flatMap((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
  const order = Object.keys(EXPECTED);
  return rows.sort((a, b) => order.indexOf(a.feature) - order.indexOf(b.feature));
}

/** Not under the signal of the storage: what is cancelled still cleans up. */
const sweep = ({ storage, shared, folder }: Bench): Promise<ProbeRow> =>
  storage.ask('removing what the probe wrote', async (client) => {
    const options = { abortSignal: AbortSignal.timeout(CLEANUP_MS) };
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
  const { Versions = [], DeleteMarkers = [] } = await client.send(
    new ListObjectVersionsCommand(where),
    options,
  );
  return [
    ...Uploads.map(({ Key = '', UploadId, Initiated = new Date() }) => ({
      ...{ key: Key, since: Initiated, upload: UploadId },
    })),
    ...[...Versions, ...DeleteMarkers].map(({ Key = '', VersionId, LastModified = new Date() }) => ({
      ...{ key: Key, since: LastModified, version: VersionId },
    })),
  ];
}
