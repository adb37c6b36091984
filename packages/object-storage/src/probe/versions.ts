import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { StorageError } from '../errors.js';
import { compositeEtag, md5Hex } from '../integrity.js';
import { type Lock, lockHeaders, type Removable } from '../versions.js';
import { type Bench, CONTENT, OTHER } from './bench.js';
import { tryLockState } from './bucket.js';
import { type ProbeRow, rowOf } from './needs.js';
import { bodyBySigned, statusBySigned, statusOf } from './status.js';
import { uploadOnePart } from './uploads.js';

/** What is written to a key after something else. */
export async function tryVersions(bench: Bench): Promise<ProbeRow[]> {
  const { storage, presigner, at } = bench;
  const key = at('versions').Key;
  await storage.put(key, CONTENT);
  await storage.put(key, OTHER);
  const [seen] = await storage.versions(key);
  const [first, second] = seen?.versions ?? [];
  if (!first || !second || first.etag !== md5Hex(Buffer.from(CONTENT)))
    return [
      rowOf('overwritten object', 'the second is there alone', false),
      rowOf('GET of a version', 'there is one version', false),
      rowOf('removal of a version', 'there is one version', false),
    ];
  const { url } = presigner.sign({ method: 'GET', key, query: { versionId: first.version ?? 'null' } });
  const { status, body } = await bodyBySigned(storage, url);
  await storage.remove([key]);
  const [marked] = await storage.versions(key);
  const gone = [...(marked?.versions ?? []), ...(marked?.markers ?? []).map((version) => ({ key, version }))];
  await storage.removeVersions(gone);
  const left = await storage.versions(key);
  return [
    rowOf('overwritten object', EXPECTED_FIRST),
    rowOf('GET of a version', `${status} with ${body === CONTENT ? 'its' : 'other'} bytes`),
    rowOf('removal of a version', left.length > 0 ? `${left[0]?.versions.length ?? 0} left` : 'nothing left'),
  ];
}

const EXPECTED_FIRST = 'its first version stays';

const LOCK_FEATURES = [
  'locked version, GOVERNANCE',
  'locked version, COMPLIANCE',
  'lock of an upload',
  'URL that locks',
] as const;

/** How long what a probe locks stays so: nobody could remove it before. The storage tells the time in whole seconds. */
const LOCK_MS = 4_000;

/** Locks objects for seconds, and tries to remove them meanwhile. Ends when they can be removed. */
export async function tryLock(bench: Bench): Promise<ProbeRow[]> {
  const state = await tryLockState(bench);
  if (state[0]?.holds !== true)
    return [
      ...state,
      ...LOCK_FEATURES.map((feature) => rowOf(feature, 'not tried, because it is off', false)),
    ];
  const until = new Date(Date.now() + (await bench.storage.clockSkewMs()) + LOCK_MS);
  const tried = await Promise.allSettled([
    tryLocked(bench, { mode: 'GOVERNANCE', until }),
    tryLocked(bench, { mode: 'COMPLIANCE', until }),
    tryLockedUpload(bench, { mode: 'GOVERNANCE', until }),
    tryLockingUrl(bench, { mode: 'GOVERNANCE', until }),
  ]);
  await sleep(LOCK_MS + 1_000);
  return [
    ...state,
    ...tried.map((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value;
    }),
  ];
}

async function tryLocked(bench: Bench, lock: Lock): Promise<ProbeRow> {
  const { storage, at } = bench;
  const feature = `locked version, ${lock.mode}` as const;
  const key = at(`lock-${lock.mode}`).Key;
  try {
    await storage.put(key, CONTENT, { lock });
  } catch (error) {
    if (!(error instanceof StorageError) || error.status === undefined || error.kind === 'busy') throw error;
    return rowOf(feature, `PUT ${error.status}`, false);
  }
  const version = (await storage.head(key))?.version ?? null;
  const removed = await removal(bench, { key, version });
  const [kept] = removed === 403 ? await storage.removeVersions([{ key, version }]) : [];
  return rowOf(feature, `DELETE ${removed}, in a batch ${kept ? 'refused' : 'removed'}`);
}

async function tryLockedUpload(bench: Bench, lock: Lock): Promise<ProbeRow> {
  const { storage, at } = bench;
  const upload = await uploadOnePart(bench, at('lock-upload').Key);
  const md5 = md5Hex(Buffer.from(CONTENT));
  const made = await upload.complete([{ part: 1, size: CONTENT.length, md5 }]);
  if (made.etag !== compositeEtag([{ md5 }])) return rowOf('lock of an upload', 'another ETag', false);
  await storage.lock(made, lock);
  return rowOf('lock of an upload', `DELETE ${await removal(bench, made)}`);
}

async function tryLockingUrl({ storage, presigner, at }: Bench, lock: Lock): Promise<ProbeRow> {
  const key = at('lock-signed').Key;
  const headers = lockHeaders(lock);
  const { url } = presigner.sign({ method: 'PUT', key, headers });
  const md5 = { 'content-md5': Buffer.from(md5Hex(Buffer.from(CONTENT)), 'hex').toString('base64') };
  const put = (more: Readonly<Record<string, string>>): Promise<number> =>
    statusBySigned(storage, url, { method: 'PUT', headers: { ...md5, ...more }, body: CONTENT });
  const right = await put(headers);
  const locked = (await storage.head(key))?.lock?.until;
  const sooner = lockHeaders({ ...lock, until: new Date(+lock.until - 1_000) });
  const [other, without] = [await put(sooner), await put({})];
  const holds = locked !== undefined && Math.abs(+locked - +lock.until) < 1_000;
  return rowOf(
    'URL that locks',
    `${right} and ${holds ? 'locked' : 'not locked'}, with another date ${other}, without ${without}`,
  );
}

const removal = ({ storage }: Bench, { key, version }: Removable): Promise<number> =>
  statusOf(storage, `DELETE ${key}`, (client, options) =>
    client.send(
      new DeleteObjectCommand({ Bucket: storage.bucket, Key: key, VersionId: version ?? undefined }),
      options,
    ),
  );
