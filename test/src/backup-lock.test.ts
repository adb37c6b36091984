import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { keysOf, type Manifest, type RedisManifest } from '@perlstack/backup';
import { ARCHIVE } from '@perlstack/configs';
import { whyNoHosts } from '@perlstack/local-cloud';
import { allOf, type KeySeen, type Lock, type Storage } from '@perlstack/object-storage';
import type { Running } from './action-step.js';
import { type ActionResult, BackupSite, PRIMARY, STACK } from './backup-site.js';
import { eventually, fails, keyOfSegment } from './backup-trials.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();

const CACHE = 'cache-1';
const WITH_CACHE = STACK.replace(
  '\nbackups:',
  '\n  cache: { type: g6-nanode-1, count: 1, failover: manual }\nbackups:',
);
const stackWith = (backups: string): string => WITH_CACHE.replace(/backups: .*/, `backups: { ${backups} }`);
/** Of what is long ago one backup stays: the base of the window. */
const KEEP = 'keep: { daily: 1, weekly: 1, monthly: 1 }';
const VERSIONED = stackWith(`bucket: versioned, ${KEEP}`);
const LOCKED = stackWith(`bucket: locked, lock: 1h, pitr: 1h, ${KEEP}`);
const LOCK_FILE = '/var/lib/perlstack/backup/shop.lock';
const UNDER_WAY =
  /A backup is under way since 20\S+Z \(.*\): wait for it to end; if it was killed, its lease ends at 20/;

/** So much noise that a backup of it can be slow. */
const TABLES = `CREATE EXTENSION pgcrypto;
  CREATE TABLE ballast AS SELECT n, gen_random_bytes(1000) AS noise FROM generate_series(1, 12000) AS n;
  CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS token FROM generate_series(1, 1000) AS n`;

/** Arguments: book, segment. Input: what is sent. As someone who has read the book on a host that was taken over. */
const THIEF = `
set -eu
of() { sed -n "s/^$1 //p;/^$/q" ${ARCHIVE.book}; }
send() {
  set -- $(grep "^$1 " ${ARCHIVE.book})
  folder=$(printf %.8s "$1")
  mode=$(of lock-mode)
  printf 'not the log' > /tmp/stolen
  curl -sS -o /dev/null -w '%{http_code}' -T /tmp/stolen -H 'If-None-Match: *' \\
    \${mode:+-H "X-Amz-Object-Lock-Mode: $mode" -H "X-Amz-Object-Lock-Retain-Until-Date: $(of lock-until)"} \\
    "$(of folder)$folder/$1$(of suffix)?$(of put)$2"
}
`.replaceAll('\\${', '${');

type Inputs = Readonly<Record<string, string>>;

/** Backups in buckets in which no write hangs on a condition. */
(obstacle === null ? describe : describe.skip)(
  `backups in buckets with versions and locks${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let site: BackupSite;

    beforeAll(async () => {
      site = await BackupSite.open(WITH_CACHE, { services: ['postgresql', 'redis'] });
      await sql(TABLES);
    });
    afterAll(() => site?.close());

    const sql = (query: string): Promise<string> => site.sql(PRIMARY, query, 'shop');
    const backUp = (stackFile: string, inputs: Inputs = {}): Promise<ActionResult> =>
      site.run('pg-backup-to-object-storage', { 'age-recipient': site.age.recipient, ...inputs }, stackFile);
    const drill = (stackFile: string): Promise<ActionResult> =>
      site.run(
        'pg-restore',
        {
          ...{ 'age-identity': site.age.identity, timeout: '10m' },
          assertions: 'shop: SELECT count(*) >= 1000 FROM orders',
        },
        stackFile,
      );
    const steal = (segment: string): Promise<string> => site.hosts.ask(PRIMARY, `${THIEF}send ${segment}`);

    async function isWhole(result: Promise<ActionResult>): Promise<ActionResult> {
      const ended = await result;
      expect(ended.output).toMatch(/is whole|has no gap/);
      expect(ended.code).toBe(0);
      return ended;
    }

    async function isProven(stackFile: string, backup: string): Promise<ActionResult> {
      const ended = await drill(stackFile);
      expect(ended.output).toContain(`Backup ${backup} is proven`);
      expect(ended.code).toBe(0);
      return ended;
    }

    async function manifestOf(bucket: Storage, backup: string): Promise<Manifest & { readonly key: string }> {
      const keys = await bucket.versions('shop/postgresql/');
      const key = keys.find((one) => one.key.endsWith(`${backup}/manifest.json`))?.key ?? '';
      const first = keys.find((one) => one.key === key)?.versions[0];
      const text = await bucket.get(key, first?.version);
      return { ...(JSON.parse(String(text?.content)) as Manifest), key };
    }

    /** A backup of long ago, of which an object was written twice. @returns its folder */
    async function seedOld(bucket: Storage, like: string, id: string, lock?: Lock): Promise<string> {
      const { key: _key, ...pattern } = await manifestOf(bucket, like);
      const { bases, data, manifest } = keysOf('shop').cluster(pattern.postgresql.systemId);
      const key = data(id, true);
      const { etag } = await bucket.put(key, id);
      await bucket.put(key, 'again');
      const [seen] = await bucket.versions(key);
      const version = seen?.versions[0]?.version ?? null;
      if (lock) await bucket.lock({ key, version }, lock);
      const finishedAt = `${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6, 8)}T02:10:00.000Z`;
      const object = { ...pattern.object, key, size: id.length, etag, version };
      const old = { ...pattern, id, finishedAt, object, lockedUntil: lock?.until.toISOString() ?? null };
      await bucket.put(manifest(id), JSON.stringify(old), lock ? { lock } : {});
      return `${bases}${id}/`;
    }

    /** While a backup is under way, which is killed then. */
    async function during(stackFile: string, act: (running: Running) => Promise<void>): Promise<void> {
      const step = site.step('pg-backup-to-object-storage', {
        ...{ 'age-recipient': site.age.recipient, 'max-rate': '1' },
      });
      step.write('perlstack.yml', stackFile);
      const running = step.start();
      try {
        await running.until(/[1-9]\d* MiB sent/);
        await act(running);
        running.kill('SIGKILL');
        await running.ended;
        expect(await step.run('post')).toMatchObject({ code: 0 });
      } finally {
        running.kill('SIGKILL');
        await running.ended;
        step.remove();
      }
    }

    describe('with versions', () => {
      let bucket: Storage;
      let backup: string;

      beforeAll(async () => {
        bucket = await site.makeBucket('versioned', 'versions');
      });
      afterAll(() => bucket?.close());

      it('the probe says how they are used, and a lock is refused by its name', async () => {
        const { code, output } = await backUp(VERSIONED, { mode: 'probe' });
        expect(output).toContain(
          'The storage enforces what backups need. The lease is taken on a server. Of each object the first version counts.',
        );
        expect(code).toBe(0);
        await fails(
          backUp(stackWith('bucket: versioned, lock: 1h')),
          /^backups\.lock: the storage does not enforce lock-governance \(Object Lock: off instead of on; .*\); leave it out, or use a bucket that was made with Object Lock/,
        );
        expect(await bucket.versions('')).toEqual([]);
      });

      it('a backup notes the version of its data, and is proven', async () => {
        backup = (await isWhole(backUp(VERSIONED))).outputs['backup'] ?? '';
        const { object, lockedUntil } = await manifestOf(bucket, backup);
        const [seen] = await bucket.versions(object.key);
        expect(object.version).toBe(seen?.versions[0]?.version);
        expect(object.version).toMatch(/\S{8}/);
        expect(lockedUntil).toBeNull();
        await isProven(VERSIONED, backup);
        expect(await bucket.get(keysOf('shop').lease)).toBeNull();
      });

      it('who steals a ticket overwrites nothing: it is found, and the drill restores what was there', async () => {
        const manifest = await manifestOf(bucket, backup);
        const segment = manifest.proof?.segment ?? '';
        const key = keyOfSegment(manifest, segment);
        expect(await steal(segment)).toBe('200');
        expect(String((await bucket.get(key))?.content)).toBe('not the log');
        const verified = await backUp(VERSIONED, { mode: 'verify' });
        expect(verified.output).toContain(
          `Overwritten with another content: ${key}. The first version is still there`,
        );
        expect(verified.code).toBe(0);
        await isProven(VERSIONED, backup);
      });

      it('who writes a segment before the server does stops the log, and does not get in its place', async () => {
        const manifest = await manifestOf(bucket, backup);
        const next = await sql('SELECT pg_walfile_name(pg_current_wal_lsn())');
        expect(await steal(next)).toBe('200');
        await sql("INSERT INTO orders VALUES (0, 'more')");
        await sql('SELECT pg_switch_wal()');
        const logged = (): Promise<string> =>
          site.hosts.ask(PRIMARY, 'grep -rh archive-wal /var/log/postgresql | tail -n 5 || :');
        await eventually(logged, new RegExp(`${next}: the bucket holds another content under this name`));
        const [planted] = await bucket.versions(keyOfSegment(manifest, next));
        expect(planted?.versions).toHaveLength(1);
        await bucket.removeVersions(planted ? allOf(planted) : []);
        const waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'";
        await eventually(() => sql(waiting), /^0$/);
      });

      it('who steals the key and marks all of it as removed has removed nothing', async () => {
        await bucket.remove((await bucket.list('shop/')).map(({ key }) => key));
        expect(await bucket.list('shop/postgresql/')).toEqual([]);
        const { output } = await isProven(VERSIONED, backup);
        expect(output).toContain('Marked as removed, not by retention: ');
      });

      it('of two backups at once the second is refused, and a run that was killed gives way when its post ends', async () => {
        await during(VERSIONED, async () => {
          expect(await site.hosts.ask(PRIMARY, `cat ${LOCK_FILE}`)).toContain('"purpose":"backup"');
          await fails(backUp(VERSIONED), UNDER_WAY);
        });
        expect(await site.hosts.ask(PRIMARY, `ls ${LOCK_FILE} 2> /dev/null || echo none`)).toBe('none');
        await isWhole(backUp(VERSIONED));
      });

      it('a run of which nothing is heard any more loses the lease after ten minutes, not before', async () => {
        const lock = {
          nonce: 'of-a-machine-that-is-gone',
          purpose: 'backup',
          owner: 'a run',
          since: '2026-01-01T00:00:00Z',
        };
        const silent = (minutes: number): Promise<string> =>
          site.hosts.ask(
            PRIMARY,
            `echo '${JSON.stringify(lock)}' > ${LOCK_FILE}; touch -d '-${minutes} minutes' ${LOCK_FILE}`,
          );
        await silent(9);
        await fails(backUp(VERSIONED), /under way since 2026-01-01T00:00:00Z \(a run\)/);
        await silent(11);
        await isWhole(backUp(VERSIONED));
      });

      it('retention removes all versions, so that nothing is left to be paid for', async () => {
        const going = '20241201T020000Z';
        const old = await seedOld(bucket, backup, going);
        await seedOld(bucket, backup, '20250101T020000Z');
        const inputs = { 'keep-minimum': '4' };
        const planned = await backUp(VERSIONED, { ...inputs, mode: 'plan' });
        expect(JSON.parse(planned.outputs['removed'] ?? '')).toEqual([going]);
        const sizes = (await bucket.versions(old)).flatMap(({ versions }) =>
          versions.map(({ size }) => size),
        );
        expect(sizes).toHaveLength(3);
        const freed = Number(/would go, (\d+) bytes/.exec(planned.output)?.[1]);
        expect(freed).toBeGreaterThanOrEqual(sizes.reduce((sum, size) => sum + size, 0));
        const { outputs } = await isWhole(backUp(VERSIONED, inputs));
        expect(JSON.parse(outputs['removed'] ?? '')).toEqual([going]);
        expect(await markersAndAll(bucket, old)).toEqual([]);
      });
    });

    describe('with Object Lock', () => {
      let bucket: Storage;
      let backup: string;

      beforeAll(async () => {
        bucket = await site.makeBucket('locked', 'locks');
      });
      afterAll(() => bucket?.close());

      it('a backup and its log can be removed by nobody, and are proven', async () => {
        const began = Date.now();
        const { output, outputs } = await isWhole(backUp(LOCKED));
        backup = outputs['backup'] ?? '';
        expect(output).not.toContain('::warning');
        const manifest = await manifestOf(bucket, backup);
        const until = Date.parse(manifest.lockedUntil ?? '');
        expect(until).toBeGreaterThan(began + 3_600_000);
        const segment = keyOfSegment(manifest, manifest.proof?.segment ?? '');
        const keys = [manifest.key, manifest.object.key, segment];
        const [own, data, log] = await Promise.all(keys.map(async (key) => (await bucket.head(key))?.lock));
        expect([own, data]).toEqual([own, own]);
        expect(own).toEqual({ mode: 'GOVERNANCE', until: new Date(until) });
        // By the last ticket of the week it could not be for less.
        expect(+(log?.until ?? 0)).toBeGreaterThan(began + 7 * 86_400_000 + 3_600_000 - 1_000);
        const seen = await Promise.all(keys.map(async (key) => (await bucket.versions(key))[0]));
        const versions = seen.flatMap((one) => (one ? allOf(one) : []));
        expect(versions).toHaveLength(3);
        expect(await bucket.removeVersions(versions)).toHaveLength(3);
        await isProven(LOCKED, backup);
      });

      it('who steals a ticket overwrites nothing there either', async () => {
        const manifest = await manifestOf(bucket, backup);
        const segment = manifest.proof?.segment ?? '';
        expect(await steal(segment)).toBe('200');
        const { output } = await isProven(LOCKED, backup);
        expect(output).toContain(`Overwritten with another content: ${keyOfSegment(manifest, segment)}`);
      });

      it('retention passes over what is locked, and says until when', async () => {
        const lock: Lock = { mode: 'COMPLIANCE', until: new Date(Date.now() + 3_600_000) };
        const [locked, going, window] = ['20241201T020000Z', '20241210T020000Z', '20250101T020000Z'];
        const held = await seedOld(bucket, backup, locked, lock);
        const free = await seedOld(bucket, backup, going);
        await seedOld(bucket, backup, window);
        // A lock that the manifest does not know of.
        const late = await seedOld(bucket, backup, '20241220T020000Z');
        const [first] = (await bucket.versions(`${late}manifest.json`))[0]?.versions ?? [];
        await bucket.lock(first ?? { key: '', version: null }, lock);
        const { output, outputs } = await isWhole(backUp(LOCKED));
        expect(JSON.parse(outputs['removed'] ?? '')).toEqual([going, '20241220T020000Z']);
        const until = lock.until.toISOString();
        expect(output).toContain(`Backup ${locked} stays because it is locked until ${until}`);
        expect(output).toMatch(
          new RegExp(
            `Locked, and so not removed: \\d+ versions?, such as ${late}manifest.json until ${until}`,
          ),
        );
        expect(await markersAndAll(bucket, free)).toEqual([]);
        expect((await bucket.versions(held)).length + (await bucket.versions(late)).length).toBe(4);
      });

      it('a lock that is longer than what retention keeps is warned of', async () => {
        const { output } = await isWhole(backUp(stackWith('bucket: locked, lock: 2h, pitr: 1h')));
        expect(output).toMatch(/::warning.*backups\.lock is longer than backups\.pitr/);
      });

      it('a snapshot of Redis is locked too, under a lease on its own host, and is proven', async () => {
        const redis = (inputs: Inputs = {}): Promise<ActionResult> =>
          site.run(
            'redis-backup-to-object-storage',
            { 'age-recipient': site.age.recipient, ...inputs },
            LOCKED,
          );
        const lock = '{"nonce":"n","purpose":"backup","owner":"a run","since":"2026-01-01T00:00:00Z"}';
        await site.hosts.ask(
          CACHE,
          `mkdir -p ${LOCK_FILE.replace(/\/[^/]*$/, '')}; echo '${lock}' > ${LOCK_FILE}`,
        );
        await fails(redis(), /under way since 2026-01-01T00:00:00Z \(a run\)/);
        await site.hosts.ask(CACHE, `rm ${LOCK_FILE}`);
        const { outputs, code } = await redis();
        expect(code).toBe(0);
        const id = outputs['backup'] ?? '';
        const key = keysOf('shop').redis.manifest(id);
        const manifest = JSON.parse(String((await bucket.get(key))?.content)) as RedisManifest;
        const { object, lockedUntil } = manifest;
        expect((await bucket.head(object.key, object.version))?.lock?.until.toISOString()).toBe(lockedUntil);
        const inputs = { 'age-identity': site.age.identity, timeout: '10m' };
        const proven = await site.run('redis-restore', inputs, LOCKED);
        expect(proven.output).toContain(`Backup ${id} is proven`);
      });
    });

    /** What a bucket keeps below a folder, also where a marker alone is left. */
    async function markersAndAll(bucket: Storage, folder: string): Promise<readonly (KeySeen | string)[]> {
      const folders = await bucket.folders(folder.replace(/[^/]+\/$/, ''));
      return [...(await bucket.versions(folder)), ...folders.filter((one) => one === folder)];
    }
  },
);
