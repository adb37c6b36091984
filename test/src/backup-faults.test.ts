import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { keysOf, type Manifest } from '@perlstack/backup';
import { whyNoHosts } from '@perlstack/local-cloud';
import { type ActionStep, errorsIn } from './action-step.js';
import { type ActionResult, BackupSite } from './backup-site.js';
import { openStorageRelay, type StorageRelay } from './storage-relay-handle.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();
const PRIMARY = 'database-1';
const REPLICA = 'database-2';
const STACK = `
stack: shop
region: us-ord
app: {}
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-nanode-1, count: 1 }
  database: { type: g6-standard-1, count: 2 }
backups: { bucket: shop-backups }
`;
const LEASE = keysOf('shop').lease;

/**
 * What can go wrong with a backup, and what the next one makes of it. Nothing may look like a backup that is none, nothing
 * may stay that nobody counts, and nobody may have to tidy up by hand.
 */
(obstacle === null ? describe : describe.skip)(
  `backups through faults${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let site: BackupSite;
    let relay: StorageRelay;
    /** The newest good backup. */
    let last: Manifest;

    const sql = (query: string, host = PRIMARY, database = 'shop'): Promise<string> =>
      site.sql(host, query, database);
    const backup = (inputs: Readonly<Record<string, string>> = {}): Promise<ActionResult> =>
      site.backup({ endpoint: relay.endpoint, 'archive-timeout': '60s', ...inputs });
    const restore = (inputs: Readonly<Record<string, string>> = {}): Promise<ActionResult> =>
      site.restore({ endpoint: relay.endpoint, ...inputs });
    const manifests = async (): Promise<Manifest[]> => {
      const objects = (await site.bucket.list('shop/postgresql/')).filter(({ key }) =>
        key.endsWith('manifest.json'),
      );
      return Promise.all(
        objects.map(async ({ key }) => JSON.parse(String((await site.bucket.get(key))?.content)) as Manifest),
      );
    };
    const uploads = async (): Promise<string[]> => (await site.bucket.uploads('')).map(({ key }) => key);
    const folderOf = ({ object }: Manifest): string => object.key.slice(0, object.key.lastIndexOf('/') + 1);
    const keyOfSegment = ({ postgresql }: Manifest, name: string): string =>
      keysOf('shop').cluster(postgresql.systemId).segment(name, true);

    /** A backup as it should be. */
    async function succeeds(inputs: Readonly<Record<string, string>> = {}): Promise<ActionResult> {
      const result = await backup(inputs);
      expect(result.output).toContain('has no gap');
      expect(result.code).toBe(0);
      expect(await uploads()).toEqual([]);
      last = (await manifests()).find(({ id }) => id === result.outputs['backup']) as Manifest;
      expect(last.proof).not.toBeNull();
      return result;
    }

    /** Fails in one line, and leaves nothing that looks like a backup. */
    async function fails(result: Pick<ActionResult, 'code' | 'output'>, message: RegExp): Promise<void> {
      const errors = errorsIn(result.output).map((error) => error.message);
      expect(errors.join('\n')).toMatch(message);
      expect(errors).toHaveLength(1);
      expect(errors[0]).not.toContain('\n');
      expect(result.code).toBe(1);
    }

    async function eventually(ask: () => Promise<string>, wanted: RegExp): Promise<string> {
      let answer = '';
      for (let tries = 0; tries < 240; tries += 1) {
        answer = await ask();
        if (wanted.test(answer)) return answer;
        await sleep(500);
      }
      expect(answer).toMatch(wanted);
      return answer;
    }

    /** A backup that takes so long that something can be done to it, in its middle. */
    async function inTheMiddle(
      act: (step: ActionStep, running: ReturnType<ActionStep['start']>) => Promise<void>,
    ): Promise<void> {
      const step = site.step('pg-backup-to-object-storage', {
        'age-recipient': site.age.recipient,
        endpoint: relay.endpoint,
        'max-rate': '1',
      });
      const running = step.start();
      try {
        await running.until(/[1-9]\d* MiB sent/);
        await act(step, running);
      } finally {
        running.kill('SIGKILL');
        await running.ended;
        step.remove();
      }
    }

    /** Nothing of a backup runs on its source any more. */
    const quiet = async (host = REPLICA): Promise<void> => {
      await eventually(
        async () =>
          (await site.hosts.console(host, 'ps -C pg_basebackup,zstd,age,perl -o args= || :')).output,
        /^$/,
      );
      await eventually(
        () => sql("SELECT count(*) FROM pg_replication_slots WHERE slot_name ~ 'backup'", host),
        /^0$/,
      );
      expect((await site.hosts.console(host, 'ls /var/tmp')).output).not.toContain('perlstack');
    };

    beforeAll(async () => {
      site = await BackupSite.open(STACK);
      relay = await openStorageRelay(site.hosts.cloud, site.storage.endpoint);
      await sql(`CREATE EXTENSION pgcrypto;
        CREATE TABLE ballast AS SELECT n, gen_random_bytes(1000) AS noise FROM generate_series(1, 12000) AS n;
        CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS token FROM generate_series(1, 1000) AS n`);
      await succeeds();
    });
    afterAll(async () => {
      relay?.close();
      await site?.close();
    });

    it('a runner is killed in the middle: its host ends by itself, the next one is told who holds the lease, post gives it back', async () => {
      const before = (await manifests()).length;
      await inTheMiddle(async (step, running) => {
        running.kill('SIGKILL');
        await running.ended;
        await quiet();
        expect(await uploads()).toHaveLength(1);
        await fails(
          await backup(),
          /A backup is under way since \S+ \(.*acme\/shop\/actions\/runs\/1.*if it was killed, its lease ends at \S+/,
        );
        const post = await step.run('post');
        expect(post).toMatchObject({ code: 0 });
        expect(post.output).toContain('was ended');
        expect(await uploads()).toEqual([]);
      });
      expect(await manifests()).toHaveLength(before);
      await succeeds();
      expect(await manifests()).toHaveLength(before + 1);
    });

    it('a runner is lost without post: once its lease is over, the next one ends what it left', async () => {
      await inTheMiddle(async (_, running) => {
        running.kill('SIGKILL');
        await running.ended;
      });
      const held = JSON.parse(String((await site.bucket.get(LEASE))?.content)) as object;
      const over = { ...held, until: new Date(Date.now() - 60_000).toISOString() };
      await site.bucket.put(LEASE, JSON.stringify(over));
      const { output } = await succeeds();
      expect(output).toMatch(/Removed an upload of \S+ that was begun \S+ and never ended/);
    });

    it('a runner is cancelled in the middle: main and post leave neither upload nor lease', async () => {
      await inTheMiddle(async (step, running) => {
        running.kill('SIGINT');
        expect(await running.ended).toMatchObject({ code: 130 });
        await quiet();
        expect(await step.run('post')).toMatchObject({ code: 0 });
        expect(await uploads()).toEqual([]);
      });
      await succeeds();
    });

    it('one byte of the base is another: verify and restore say so, also where the ETag was made to fit', async () => {
      const { key } = last.object;
      const content = (await site.bucket.get(key))?.content ?? Buffer.alloc(0);
      const manifestKey = `${folderOf(last)}manifest.json`;
      const flip = async (at: number): Promise<string> => {
        const damaged = Buffer.from(content);
        damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
        return (await site.bucket.put(key, damaged)).etag;
      };
      const claim = (etag: string): Promise<unknown> =>
        site.bucket.put(manifestKey, JSON.stringify({ ...last, object: { ...last.object, etag } }));
      const etag = await flip(content.length - 1);
      await fails(await backup({ mode: 'verify' }), new RegExp(`Backup ${last.id} is broken: .*${etag}`));
      const left = await restore({ backup: last.id });
      expect(left.output).toContain(`Backup ${last.id} is left out: its data are not what was stored`);
      await fails(left, new RegExp(`there is no whole backup ${last.id}`));
      await claim(etag);
      await fails(
        await restore({ backup: last.id }),
        new RegExp(`${last.id} could not be restored: .*the object is not what was stored: SHA-256`),
      );
      await claim(await flip(Math.floor(content.length / 2)));
      await fails(
        await restore({ backup: last.id }),
        /could not be restored: .*(age failed|not what was stored)/,
      );
      await claim((await site.bucket.put(key, content)).etag);
      expect((await restore({ backup: last.id })).output).toContain('is proven');
    });

    it('one byte of a segment is another: recovery stops there and says which, instead of ending early', async () => {
      const segment = last.proof?.segment ?? '';
      const key = keyOfSegment(last, segment);
      const content = (await site.bucket.get(key))?.content ?? Buffer.alloc(0);
      const damaged = Buffer.from(content);
      damaged.writeUInt8(damaged.readUInt8(content.length >> 1) ^ 1, content.length >> 1);
      await site.bucket.put(key, damaged);
      for (const target of ['proof', 'latest'])
        await fails(
          await restore({ backup: last.id, target }),
          new RegExp(`could not be restored: .*${segment}: the bucket has it, and .*age.* failed`),
        );
      await site.bucket.put(key, content);
      expect((await restore({ backup: last.id })).code).toBe(0);
    });
  },
);
