import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHostCloud, type ObjectStorage, whyNoHosts } from '@perlstack/local-cloud';
import {
  abortAfter,
  allOf,
  acquireLease,
  getRules,
  type KeySeen,
  type LifecycleRule,
  missingFor,
  openStorage,
  type Part,
  probeStorage,
  putRules,
  readVersioning,
  releaseLease,
  type Storage,
  StorageError,
  type StorageSpec,
  type Upload,
} from '@perlstack/object-storage';
import { openTunnels } from './tunnels.js';

// The first run builds the image.
jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const MIB = 1024 * 1024;
const md5 = (content: Buffer): string => createHash('md5').update(content).digest('hex');
const some = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** One at which nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** As many at once as a storage takes from one client without a queue. */
async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < items.length; from += 50)
    await Promise.all(items.slice(from, from + 50).map(work));
}

(obstacle === null ? describe : describe.skip)(
  `Object storage${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    const closing: (() => unknown)[] = [];
    let gateway: ObjectStorage;
    let spec: StorageSpec;
    let storage: Storage;

    const open = (more: Partial<StorageSpec> = {}): Storage => {
      const opened = openStorage({ ...spec, ...more });
      closing.push(() => opened.close());
      return opened;
    };

    const makeBucket = async (bucket: string, locked = false): Promise<Storage> => {
      const made = open({ bucket });
      await made.ask('making it', (client) =>
        client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: locked })),
      );
      return made;
    };

    beforeAll(async () => {
      const cloud = await createHostCloud();
      closing.push(() => cloud.close());
      // A rule's day is over in seconds.
      gateway = await cloud.startObjectStorage({ lifecycleDayS: 3 });
      const tunnels = await openTunnels(cloud);
      closing.push(() => tunnels.close());
      const { hostname, port } = new URL(gateway.endpoint);
      const { accessKeyId, secretAccessKey, region } = gateway;
      const endpoint = `http://127.0.0.1:${await tunnels.to(hostname, Number(port))}`;
      spec = { endpoint, region, accessKeyId, secretAccessKey, bucket: 'shop' };
      storage = await makeBucket('shop');
    });

    afterAll(async () => {
      for (const one of closing.reverse()) await one();
    });

    describe('objects', () => {
      it('are written, read, listed and removed', async () => {
        const content = Buffer.from([0, 255, 10, 13]);
        const { etag } = await storage.put('a/ü 1+(2).bin', content);
        expect(etag).toBe(md5(content));
        expect(await storage.get('a/ü 1+(2).bin')).toEqual({ content, etag });
        const seen = await storage.head('a/ü 1+(2).bin');
        expect(seen).toMatchObject({ key: 'a/ü 1+(2).bin', size: 4, etag });
        await storage.put('a/empty', '');
        expect((await storage.list('a/')).map(({ key, size }) => [key, size])).toEqual([
          ['a/empty', 0],
          ['a/ü 1+(2).bin', 4],
        ]);
        expect(await storage.folders('')).toContain('a/');
        expect(await storage.folders('a/')).toEqual([]);
        await storage.remove(['a/empty', 'a/ü 1+(2).bin', 'a/never-there']);
        expect([
          await storage.get('a/empty'),
          await storage.head('a/empty'),
          await storage.list('a/'),
        ]).toEqual([null, null, []]);
      });

      it('are written on a condition only where it holds', async () => {
        const first = await storage.put('condition', '1', { ifNoneMatch: '*' });
        await expect(storage.put('condition', '2', { ifNoneMatch: '*' })).rejects.toMatchObject({
          kind: 'exists',
        });
        const second = await storage.put('condition', '2', { ifMatch: first.etag });
        await expect(storage.put('condition', '3', { ifMatch: first.etag })).rejects.toMatchObject({
          kind: 'exists',
        });
        expect(await storage.get('condition')).toEqual({ content: Buffer.from('2'), etag: second.etag });
      });

      it('are listed and removed however many there are', async () => {
        const keys = some(1_003).map((index) => `many/${String(index).padStart(4, '0')}`);
        await inTurns(keys, (key) => storage.put(key, key));
        expect((await storage.list('many/')).map(({ key }) => key)).toEqual(keys);
        await storage.remove(keys);
        expect(await storage.list('many/')).toEqual([]);
      });
    });

    describe('versions', () => {
      const lockedBucket = (name: string): Promise<Storage> => makeBucket(name, true);
      const numbers = (keys: readonly KeySeen[]): number[] => keys.map(({ versions }) => versions.length);

      it('are listed however many there are, read one by one, and removed with what marks them as removed', async () => {
        const bucket = await lockedBucket('many-versions');
        await bucket.put('a/key', 'first');
        await inTurns(some(1_001), (index) => bucket.put('a/key', String(index)));
        await bucket.put('a/other', 'x');
        await bucket.remove(['a/key', 'a/other']);
        expect([await bucket.list(''), await bucket.get('a/key')]).toEqual([[], null]);
        expect(await bucket.folders('')).toEqual(['a/']);
        const keys = await bucket.versions('a/');
        expect(numbers(keys)).toEqual([1_002, 1]);
        const [first] = keys[0]?.versions ?? [];
        expect(String((await bucket.get('a/key', first?.version))?.content)).toBe('first');
        const query = { versionId: first?.version ?? '' };
        const { url } = bucket.presigner(60).sign({ method: 'GET', key: 'a/key', query });
        expect(await (await fetch(url)).text()).toBe('first');
        expect(await bucket.removeVersions(keys.flatMap(allOf))).toEqual([]);
        expect([await bucket.versions(''), await bucket.folders('')]).toEqual([[], []]);
      });

      it('are of no account in a bucket without: an object is there, and is removed', async () => {
        await storage.put('plain/a', '1');
        await storage.put('plain/a', '2');
        const keys = await storage.versions('plain/');
        expect(keys).toMatchObject([{ key: 'plain/a', versions: [{ version: null }], markers: [] }]);
        expect(await storage.removeVersions(keys.flatMap(allOf))).toEqual([]);
        expect(await storage.list('plain/')).toEqual([]);
      });

      it('stay as long as they are locked, and what is locked for longer is not locked for less', async () => {
        const bucket = await lockedBucket('kept');
        const until = new Date(Date.now() + 3_600_000);
        await bucket.put('now', 'x', { lock: { mode: 'GOVERNANCE', until } });
        await bucket.put('later', 'x');
        await bucket.put('free', 'x');
        const [free, later, now] = (await bucket.versions('')).flatMap(({ versions }) => versions);
        if (!free || !later || !now) throw new Error('there are three');
        await bucket.lock(later, { mode: 'COMPLIANCE', until });
        await bucket.lock(later, { mode: 'GOVERNANCE', until: new Date(+until - 60_000) });
        await expect(
          bucket.lock(later, { mode: 'GOVERNANCE', until: new Date(+until + 60_000) }),
        ).rejects.toThrow(/locking later failed \(40/);
        const left = await bucket.removeVersions([free, later, now]);
        expect(left.map(({ key }) => key).sort()).toEqual(['later', 'now']);
        expect((await bucket.head('later', later.version))?.lock).toEqual({ mode: 'COMPLIANCE', until });
        await expect(
          storage.put('locked', 'x', { lock: { mode: 'GOVERNANCE', until } }),
        ).rejects.toMatchObject({
          kind: 'refused',
        });
      });
    });

    describe('an upload in parts', () => {
      const put = async (upload: Upload, part: number, content: Buffer, sent = content): Promise<Part> => {
        const { url } = upload.signPart(part, storage.presigner(600));
        const headers = { 'content-md5': createHash('md5').update(content).digest('base64') };
        const { status } = await fetch(url, { method: 'PUT', headers, body: new Uint8Array(sent) });
        expect(status).toBe(sent === content ? 200 : 400);
        return { part, size: content.length, md5: md5(content) };
      };

      it('becomes an object when the storage has what was sent, and only then', async () => {
        const upload = await storage.createUpload('parts/base');
        const [large, small] = [Buffer.alloc(5 * MIB, 'a'), Buffer.from('the rest')];
        await put(upload, 1, large, Buffer.concat([large.subarray(1), Buffer.from('b')]));
        expect(await upload.parts()).toEqual([]);
        const sent = [await put(upload, 1, large), await put(upload, 2, small)];
        expect(await upload.parts()).toEqual(sent);
        const wrong = sent.map((part) => ({ ...part, md5: md5(Buffer.from('x')) }));
        await expect(upload.complete(wrong)).rejects.toThrow(
          /parts\/base was not stored as it was sent: part 1/,
        );
        expect(await storage.head('parts/base')).toBeNull();
        expect(await upload.complete(sent)).toMatchObject({ size: large.length + small.length });
        expect((await storage.get('parts/base'))?.content.equals(Buffer.concat([large, small]))).toBe(true);
        expect(await storage.uploads('parts/')).toEqual([]);
      });

      it('lists all its parts, however many, and ends', async () => {
        const upload = await storage.createUpload('parts/many');
        await inTurns(some(1_002), (index) => put(upload, index + 1, Buffer.from(`part ${index}`)));
        const parts = await upload.parts();
        expect(parts.map(({ part }) => part)).toEqual(some(1_002).map((index) => index + 1));
        await upload.abort();
      });

      it('is found by another process, and forgotten; once more does no harm', async () => {
        const begun = await storage.createUpload('parts/left');
        await put(begun, 1, Buffer.from('left behind'));
        const [seen, ...others] = await open().uploads('parts/');
        expect([seen?.key, seen?.id, others]).toEqual(['parts/left', begun.id, []]);
        const found = open().openUpload('parts/left', begun.id);
        expect(await found.parts()).toHaveLength(1);
        await found.abort();
        await begun.abort();
        expect(await storage.uploads('')).toEqual([]);
      });
    });

    describe('a lease', () => {
      it('goes to one of eight that ask at once, ten times, and can be given on', async () => {
        const racers = some(8).map(() => open());
        for (const round of some(10)) {
          const asked = racers.map((racer, index) =>
            acquireLease(racer, 'lease.json', {
              ...{ purpose: 'backup', owner: `${round}-${index}`, ttlMs: 600_000 },
            }),
          );
          const outcomes = await Promise.allSettled(asked);
          const [winner, ...others] = outcomes.flatMap((one) =>
            one.status === 'fulfilled' ? [one.value] : [],
          );
          const losers = outcomes.flatMap((one): unknown[] =>
            one.status === 'rejected' ? [one.reason] : [],
          );
          expect(others).toEqual([]);
          for (const loser of losers) expect(loser).toMatchObject({ kind: 'exists' });
          expect(JSON.parse(String((await storage.get('lease.json'))?.content))).toEqual(winner?.holder);
          await winner?.renew();
          // Half of them as after a killed run, by what its journal says.
          if (round % 2 === 0) await winner?.release();
          else await releaseLease(storage, 'lease.json', winner?.holder.nonce ?? '');
        }
      });
    });

    describe('the probe', () => {
      const brief = async (probed: Storage): Promise<Record<string, string>> =>
        Object.fromEntries(
          (await probeStorage(probed, 'shop/')).map(({ feature, seen, holds }) => [
            feature,
            `${holds === null ? '?' : holds ? 'yes' : 'no'}: ${seen}`,
          ]),
        );
      const ALWAYS = {
        'wrong MD5 on PUT': 'yes: 400',
        'wrong MD5 on a part': 'yes: 400',
        'wrong MD5 on a presigned PUT': 'yes: 400',
        'wrong SHA-256 on PUT': 'no: 200',
        'PUT of unknown length': 'yes: 411',
        'If-None-Match on completion': 'no: 200',
        'If-Match on DELETE': 'no: 204',
        'URL for one length': 'yes: 200, with another length 403',
        'range of a GET': 'yes: 206 with these bytes',
        'list of parts': 'yes: size and MD5',
        'ETag of a multipart upload': 'yes: MD5 of its MD5s',
        'completion, again': 'yes: 200',
        'lifecycle rules': 'yes: as written',
        'lifecycle rules by size': 'no: Filter.ObjectSizeGreaterThan was dropped',
        removal: 'yes: nothing left',
      };

      const VERSIONS = {
        'If-None-Match on PUT': 'no: 4 of 4 writers at once win',
        'If-Match with a bare ETag': 'no: 412, with an old one 412',
        'If-Match with a quoted ETag': 'no: 412, with an old one 412',
        'write-once URL': 'no: 200, again 200, without its header 403, as GET 403, as DELETE 403',
        versioning: 'yes: on',
        'overwritten object': 'yes: its first version stays',
        'GET of a version': 'yes: 200 with its bytes',
        'removal of a version': 'yes: nothing left',
      };
      const NO_LOCK = {
        'Object Lock': 'no: off',
        'locked version, GOVERNANCE': 'no: not tried, because it is off',
        'locked version, COMPLIANCE': 'no: not tried, because it is off',
        'lock of an upload': 'no: not tried, because it is off',
        'URL that locks': 'no: not tried, because it is off',
      };

      it('sees what a plain bucket enforces and what it only accepts', async () => {
        expect(await brief(await makeBucket('plain'))).toEqual({
          ...ALWAYS,
          'If-None-Match on PUT': 'yes: 1 of 4 writers at once wins',
          'If-Match with a bare ETag': 'yes: 200, with an old one 412',
          'If-Match with a quoted ETag': 'no: 412, with an old one 412',
          'write-once URL': 'yes: 200, again 412, without its header 403, as GET 403, as DELETE 403',
          versioning: 'yes: off',
          'overwritten object': 'no: the second is there alone',
          'GET of a version': 'no: there is one version',
          'removal of a version': 'no: there is one version',
          ...NO_LOCK,
        });
      });

      it('sees that a bucket with versions keeps what is overwritten, and gives it back', async () => {
        const versioned = await makeBucket('versioned');
        await versioned.ask('switching versions on', (client) =>
          client.send(
            new PutBucketVersioningCommand({
              ...{ Bucket: 'versioned', VersioningConfiguration: { Status: 'Enabled' } },
            }),
          ),
        );
        expect(await brief(versioned)).toEqual({ ...ALWAYS, ...VERSIONS, ...NO_LOCK });
        expect(await versioned.versions('')).toEqual([]);
        expect(await readVersioning(versioned)).toBe('on');
      });

      it('sees that nothing is written once in a bucket with versions, and refuses what needs that', async () => {
        const locked = await makeBucket('locked', true);
        const refused = 'yes: DELETE 403, in a batch refused';
        expect(await brief(locked)).toEqual({
          ...{ ...ALWAYS, ...VERSIONS, 'Object Lock': 'yes: on' },
          'locked version, GOVERNANCE': refused,
          'locked version, COMPLIANCE': refused,
          'lock of an upload': 'yes: DELETE 403',
          'URL that locks': 'yes: 200 and locked, with another date 403, without 403',
        });
        const missing = missingFor(await probeStorage(locked, ''), [
          'md5',
          'multipart',
          'write-once',
          'lease',
        ]);
        expect(missing.map(({ need }) => need)).toEqual(['write-once', 'lease']);
      });

      it('leaves no object, no upload and no rule, and touches no other', async () => {
        const bucket = await makeBucket('tidy');
        const rule: LifecycleRule = {
          ...{ ID: 'theirs', Status: 'Enabled', Expiration: { Days: 3_000 } },
          Filter: { And: { Prefix: 'logs/', Tags: [{ Key: 'a', Value: '1' }] } },
        };
        await putRules(bucket, [rule]);
        await abortAfter(bucket, 'shop/', 3_000);
        const before = await getRules(bucket);
        await bucket.put('shop/probe/of-somebody', 'else');
        await probeStorage(bucket, 'shop/');
        expect(await getRules(bucket)).toEqual(before);
        expect((await bucket.list('')).map(({ key }) => key)).toEqual(['shop/probe/of-somebody']);
        expect(await bucket.uploads('')).toEqual([]);
        const near = await probeStorage(bucket, 'logs/');
        expect(near.find(({ feature }) => feature === 'lifecycle rules')).toMatchObject({ holds: null });
        expect(await getRules(bucket)).toEqual(before);
      });

      it('removes what it wrote also when it is cancelled', async () => {
        const bucket = await makeBucket('cancelled');
        const cancel = new AbortController();
        const probed = open({ bucket: 'cancelled', signal: cancel.signal });
        let written = 0;
        const inMidst: Storage = {
          ...probed,
          uncancelled: () => {
            const sure = probed.uncancelled();
            return {
              ...sure,
              createUpload: (key) => {
                written++;
                cancel.abort(new Error('cancelled by the user'));
                return sure.createUpload(key);
              },
            };
          },
        };
        await expect(probeStorage(inMidst, '')).rejects.toThrow('cancelled by the user');
        expect(written).toBeGreaterThan(0);
        expect([await bucket.list(''), await bucket.uploads(''), await getRules(bucket)]).toEqual([
          [],
          [],
          [],
        ]);
      });
    });

    describe('lifecycle rules', () => {
      it('are refused when the storage drops a part of them, and those from before stay', async () => {
        const bucket = await makeBucket('rules');
        const theirs: LifecycleRule[] = [
          { ID: 'logs', Status: 'Enabled', Filter: { Prefix: 'logs/' }, Expiration: { Days: 3_000 } },
        ];
        await putRules(bucket, theirs);
        const before = await getRules(bucket);
        const large: LifecycleRule = {
          ...{ ID: 'large', Status: 'Enabled', Expiration: { Days: 1 } },
          Filter: { And: { Prefix: 'shop/', ObjectSizeGreaterThan: MIB } },
        };
        await expect(putRules(bucket, [...before, large])).rejects.toThrow(
          /rule large: Filter\.ObjectSizeGreaterThan was dropped\): .* put back$/,
        );
        expect(await getRules(bucket)).toEqual(before);
        await putRules(bucket, []);
        expect(await getRules(bucket)).toEqual([]);
      });

      it('make the storage itself forget an upload that nobody ended', async () => {
        const bucket = await makeBucket('forgetful');
        await bucket.createUpload('shop/begun');
        await bucket.createUpload('other/begun');
        expect(await abortAfter(bucket, 'shop/', 1)).toBe(true);
        expect(await abortAfter(bucket, 'shop/', 1)).toBe(false);
        while ((await bucket.uploads('shop/')).length > 0) await sleep(200);
        expect(await bucket.uploads('')).toMatchObject([{ key: 'other/begun' }]);
      });
    });

    describe('an error', () => {
      const failure = async (work: Promise<unknown>): Promise<StorageError> => {
        const thrown: unknown = await work.then(
          () => new Error('it did not fail'),
          (error: unknown) => error,
        );
        if (!(thrown instanceof StorageError)) throw thrown;
        return thrown;
      };

      it('says in one line, without key and URL, what is wrong', async () => {
        const signed = storage.presigner(60).sign({ method: 'GET', key: 'k' }).signature;
        const wrongKey = open({ accessKeyId: 'AKWRONGKEY' });
        const wrongSecret = open({ secretAccessKey: 'wrong-secret' });
        const nowhere = open({ endpoint: `http://127.0.0.1:${await freePort()}`, tries: 1 });
        const noBucket = open({ bucket: 'nobodys' });
        const upload = await storage.createUpload('errors/upload');
        const cases: [() => Promise<unknown>, StorageError['kind'], RegExp][] = [
          [
            () => wrongKey.get('k'),
            'denied',
            /403 InvalidAccessKeyId\): the storage knows no such access key$/,
          ],
          [
            () => wrongSecret.put('k', ''),
            'denied',
            /403 SignatureDoesNotMatch\): check the secret key, and the region$/,
          ],
          [() => nowhere.list(''), 'unreachable', /ECONNREFUSED\): check the endpoint and the network$/],
          [() => nowhere.clockSkewMs(), 'unreachable', /ECONNREFUSED/],
          [() => noBucket.put('k', ''), 'no-bucket', /404 NoSuchBucket\): create the bucket first/],
          [() => probeStorage(wrongKey, ''), 'denied', /403/],
          [() => probeStorage(nowhere, ''), 'unreachable', /ECONNREFUSED/],
          [() => probeStorage(noBucket, ''), 'no-bucket', /NoSuchBucket/],
          [
            () => upload.complete([{ part: 1, size: 1, md5: md5(Buffer.from('x')) }]),
            'bad-digest',
            /part 1 is not there/,
          ],
          [
            () => storage.openUpload('errors/none', '2~none').parts(),
            'missing',
            /404 NoSuch(Upload|Key)\): there is no such object$/,
          ],
        ];
        for (const [work, kind, words] of cases) {
          const error = await failure(work());
          expect(error.kind).toBe(kind);
          expect(error.message).toMatch(words);
          expect(error.message).toMatch(/^Object storage 127\.0\.0\.1:\d+, bucket [a-z]+: [^\n]+$/);
          const secrets = [
            spec.accessKeyId,
            spec.secretAccessKey,
            'AKWRONGKEY',
            'wrong-secret',
            signed,
            'http://',
            'X-Amz',
          ];
          for (const secret of secrets)
            expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain(secret);
        }
        await upload.abort();
      });

      it('comes also from a storage that stands still, and goes when it does', async () => {
        const impatient = open({ timeoutMs: 1_000, tries: 1 });
        await gateway.setFrozen(true);
        try {
          const error = await failure(impatient.get('k'));
          expect(error.message).toMatch(
            /GET k failed \(no answer in time\): check the endpoint and the network$/,
          );
        } finally {
          await gateway.setFrozen(false);
        }
        expect(await storage.get('k')).toBeNull();
      });
    });
  },
);
