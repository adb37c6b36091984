import {
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { md5Base64, md5Hex } from '../integrity.js';
import { type Bench, CONTENT, OTHER } from './bench.js';
import { type ProbeRow, rowOf } from './needs.js';
import { statusBySigned, statusOf } from './status.js';

const WRONG_MD5 = md5Base64(Buffer.from(OTHER));

const put = async (
  { storage, at }: Bench,
  name: string,
  more: Partial<PutObjectCommand['input']> = {},
): Promise<number> =>
  statusOf(storage, `PUT ${at(name).Key}`, (client, options) =>
    client.send(new PutObjectCommand({ ...at(name), Body: CONTENT, ...more }), options),
  );

export async function tryDigests(bench: Bench): Promise<ProbeRow[]> {
  const { storage, presigner, at } = bench;
  const upload = await storage.createUpload(at('digest-part').Key);
  const part = {
    ...at('digest-part'),
    UploadId: upload.id,
    PartNumber: 1,
    Body: CONTENT,
    ContentMD5: WRONG_MD5,
  };
  const { url } = presigner.sign({ method: 'PUT', key: at('digest-signed').Key });
  const headers = { 'content-md5': WRONG_MD5 };
  const statuses = await Promise.all([
    put(bench, 'digest-md5', { ContentMD5: WRONG_MD5 }),
    statusOf(storage, 'PUT of a part', (client, options) =>
      client.send(new UploadPartCommand(part), options),
    ),
    statusBySigned(storage, url, { method: 'PUT', headers, body: CONTENT }),
    put(bench, 'digest-sha256', { ChecksumSHA256: Buffer.alloc(32).toString('base64') }),
  ]);
  const features = [
    'wrong MD5 on PUT',
    'wrong MD5 on a part',
    'wrong MD5 on a presigned PUT',
    'wrong SHA-256 on PUT',
  ] as const;
  return features.map((feature, at) => rowOf(feature, String(statuses[at])));
}

export async function tryUnknownLength({ storage, presigner, at }: Bench): Promise<ProbeRow[]> {
  const { url } = presigner.sign({ method: 'PUT', key: at('length-unknown').Key });
  const body = (): ReadableStream<Uint8Array> => new Blob([CONTENT]).stream();
  return [
    rowOf('PUT of unknown length', String(await statusBySigned(storage, url, { method: 'PUT', body }))),
  ];
}

export async function tryRace(bench: Bench): Promise<ProbeRow[]> {
  const writers = Array.from({ length: 4 }, (_, writer) =>
    put(bench, 'race', { Body: `writer ${writer}`, IfNoneMatch: '*' }),
  );
  const winners = (await Promise.all(writers)).filter((status) => status === 200).length;
  return [rowOf('If-None-Match on PUT', `${winners} of 4 writers at once ${winners === 1 ? 'wins' : 'win'}`)];
}

export async function tryIfMatch(bench: Bench): Promise<ProbeRow[]> {
  const { storage, at } = bench;
  const turn = async (name: string, write: (etag: string) => string): Promise<string> => {
    const { etag } = await storage.put(at(name).Key, 'first');
    const fitting = await put(bench, name, { Body: 'second', IfMatch: write(etag) });
    // The first ETag again: it is an old one, also where the write before was refused or kept it.
    await storage.put(at(name).Key, 'third');
    return `${fitting}, with an old one ${await put(bench, name, { Body: 'fourth', IfMatch: write(etag) })}`;
  };
  const [bare, quoted] = await Promise.all([
    turn('match-bare', (etag) => etag),
    turn('match-quoted', (etag) => `"${etag}"`),
  ]);
  return [rowOf('If-Match with a bare ETag', bare), rowOf('If-Match with a quoted ETag', quoted)];
}

export async function tryConditionalDelete({ storage, at }: Bench): Promise<ProbeRow[]> {
  const target = at('delete');
  await storage.put(target.Key, CONTENT);
  const status = await statusOf(storage, `DELETE ${target.Key}`, (client, options) =>
    client.send(new DeleteObjectCommand({ ...target, IfMatch: md5Hex(Buffer.from(OTHER)) }), options),
  );
  return [rowOf('If-Match on DELETE', String(status))];
}

export async function tryWriteOnce({ storage, presigner, at }: Bench): Promise<ProbeRow[]> {
  const headers = { 'if-none-match': '*' };
  const { url } = presigner.sign({ method: 'PUT', key: at('once').Key, headers });
  const first = await statusBySigned(storage, url, { method: 'PUT', headers, body: CONTENT });
  const again = await statusBySigned(storage, url, { method: 'PUT', headers, body: OTHER });
  const without = await statusBySigned(storage, url, { method: 'PUT', body: OTHER });
  const read = await statusBySigned(storage, url, { method: 'GET', headers });
  const removed = await statusBySigned(storage, url, { method: 'DELETE', headers });
  return [
    rowOf(
      'write-once URL',
      `${first}, again ${again}, without its header ${without}, as GET ${read}, as DELETE ${removed}`,
    ),
  ];
}

export async function tryBoundLength({ storage, presigner, at }: Bench): Promise<ProbeRow[]> {
  const headers = { 'content-length': String(CONTENT.length) };
  const { url } = presigner.sign({ method: 'PUT', key: at('length-bound').Key, headers });
  const fitting = await statusBySigned(storage, url, { method: 'PUT', body: CONTENT });
  const longer = await statusBySigned(storage, url, { method: 'PUT', body: `${CONTENT}!` });
  return [rowOf('URL for one length', `${fitting}, with another length ${longer}`)];
}

export async function tryRange({ storage, at }: Bench): Promise<ProbeRow[]> {
  await storage.put(at('range').Key, '0123456789');
  const seen = await storage.ask(`GET ${at('range').Key}`, async (client, options) => {
    const answer = await client.send(new GetObjectCommand({ ...at('range'), Range: 'bytes=3-5' }), options);
    const text = await answer.Body?.transformToString();
    return `${answer.$metadata.httpStatusCode ?? 0} with ${text === '345' ? 'these' : 'other'} bytes`;
  });
  return [rowOf('range of a GET', seen)];
}
