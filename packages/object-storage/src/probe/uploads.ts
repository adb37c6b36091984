import { CompleteMultipartUploadCommand } from '@aws-sdk/client-s3';
import { placeOf, StorageError } from '../errors.js';
import { compareParts, compositeEtag, md5Hex } from '../integrity.js';
import type { Upload } from '../storage.js';
import { type Bench, CONTENT, OTHER } from './bench.js';
import { type ProbeRow, rowOf } from './needs.js';
import { statusBySigned, statusOf } from './status.js';

/** An upload of one part, which may be as small as it likes because it is the last. */
export async function uploadOnePart({ storage, presigner }: Bench, key: string): Promise<Upload> {
  const upload = await storage.createUpload(key);
  const { url } = upload.signPart(1, presigner);
  const status = await statusBySigned(storage, url, { method: 'PUT', body: CONTENT });
  if (status !== 200)
    throw new StorageError(
      'refused',
      `${placeOf(storage)}: presigned PUT of a part failed (${status})`,
      status,
    );
  return upload;
}

const complete = (
  { storage }: Bench,
  { key, id }: Upload,
  more: Partial<CompleteMultipartUploadCommand['input']> = {},
): Promise<number> =>
  statusOf(storage, `completing ${key}`, (client, options) => {
    const Parts = [{ PartNumber: 1, ETag: md5Hex(Buffer.from(CONTENT)) }];
    const of = { Bucket: storage.bucket, Key: key, UploadId: id, MultipartUpload: { Parts } };
    return client.send(new CompleteMultipartUploadCommand({ ...of, ...more }), options);
  });

export async function tryUpload(bench: Bench): Promise<ProbeRow[]> {
  const key = bench.at('upload').Key;
  const upload = await uploadOnePart(bench, key);
  const sent = [{ part: 1, size: CONTENT.length, md5: md5Hex(Buffer.from(CONTENT)) }];
  const [difference = 'size and MD5'] = compareParts(sent, await upload.parts());
  const first = await complete(bench, upload);
  const seen = await bench.storage.head(key);
  const again = await complete(bench, upload);
  return [
    rowOf('list of parts', difference),
    rowOf(
      'ETag of a multipart upload',
      seen?.etag === compositeEtag(sent) ? 'MD5 of its MD5s' : `another (${first})`,
    ),
    rowOf('completion, again', String(again)),
  ];
}

export async function tryConditionalCompletion(bench: Bench): Promise<ProbeRow[]> {
  const key = bench.at('completion').Key;
  await bench.storage.put(key, OTHER);
  const upload = await uploadOnePart(bench, key);
  return [rowOf('If-None-Match on completion', String(await complete(bench, upload, { IfNoneMatch: '*' })))];
}
