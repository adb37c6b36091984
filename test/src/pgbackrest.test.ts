import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { keysOf } from '@perlstack/backup';
import { PGBACKREST } from '@perlstack/configs';
import { whyNoHosts } from '@perlstack/local-cloud';
import { acquireLease } from '@perlstack/object-storage';
import { errorsIn } from './action-step.js';
import { type ActionResult, PRIMARY, REPLICA } from './backup-site.js';
import { eventually, fails } from './backup-trials.js';
import { FORGETFUL_STACK, PASSPHRASE, PgbackrestSite } from './pgbackrest-site.js';
import { filesHolding, watchProcesses } from './secrets-watch.js';

// The first run builds the images.
jest.setTimeout(900_000);

const LABEL = /^\d{8}-\d{6}F$/;
const NOW = `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const obstacle = await whyNoHosts();

/** The second engine, with Debian's own pgBackRest against a real gateway over TLS. */
(obstacle === null ? describe : describe.skip)(
  `backups by pgBackRest${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let trial: PgbackrestSite;
    let full: string;
    let incremental: string;
    let beforeDrop: string;

    beforeAll(async () => {
      trial = await PgbackrestSite.open();
      await trial.sql(
        'CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS token FROM generate_series(1, 50000) AS n',
      );
    });
    afterAll(() => trial?.close());

    const succeeds = async (
      running: Promise<ActionResult>,
      words: string | RegExp,
    ): Promise<ActionResult> => {
      const result = await running;
      expect(result.output).toMatch(words);
      expect(result.code).toBe(0);
      expectNoSecret(result);
      return result;
    };
    const expectNoSecret = ({ output, summary, written }: ActionResult): void => {
      const texts = [output, summary, ...Object.values(written)].join('\n');
      const { secretAccessKey } = trial.site.storage;
      expect([secretAccessKey, PASSPHRASE].filter((secret) => texts.includes(secret))).toEqual([]);
    };

    it('takes the place of the other engine without a restart, its key in a file for PostgreSQL alone', async () => {
      const started = await trial.sql('SELECT pg_postmaster_start_time()');
      const planned = JSON.stringify(await trial.converge());
      expect(planned).toContain('archive-push');
      expect(planned).not.toContain(PASSPHRASE);
      expect(planned).not.toContain(trial.site.storage.secretAccessKey);
      expect(await trial.sql('SHOW archive_command')).toBe('pgbackrest --stanza=shop archive-push "%p"');
      expect(await trial.sql('SELECT pg_postmaster_start_time()')).toBe(started);
      for (const host of [PRIMARY, REPLICA])
        expect(await trial.site.hosts.ask(host, `stat -c '%a %U' ${PGBACKREST.secrets}`)).toBe(
          '600 postgres',
        );
    });

    it('says what it would do before there is anything, and what cannot be restored', async () => {
      await succeeds(
        trial.backup({ mode: 'plan' }),
        /A full backup of database-1 would be made; the stanza shop would be made; 0 whole backups there/,
      );
      await fails(await trial.backup({ mode: 'verify' }), /The bucket has no whole backup of this stack/);
      await fails(await trial.restore(), /The bucket has no whole backup of this stack/);
      expect(await trial.objects()).toEqual([]);
    });

    it('copies the primary while it is written to, and takes the log that waited', async () => {
      const writing = trial.site.hosts.console(
        PRIMARY,
        `cd / && for i in $(seq 60); do runuser -u postgres -- psql -Xqd shop -c "INSERT INTO orders SELECT n, 'x' FROM generate_series(1, 500) n"; sleep 0.1; done`,
      );
      const { outputs, output, summary } = await succeeds(
        trial.backup(),
        /of database-1 is whole, and the log from \S+ on has no gap \([1-9]/,
      );
      await writing;
      full = outputs['backup'] ?? '';
      expect(full).toMatch(LABEL);
      expect(outputs['source']).toBe(PRIMARY);
      expect(Number(outputs['bytes'])).toBeGreaterThan(1_000_000);
      expect(output).toContain('the stanza shop was made');
      expect(output).toContain('it is the primary, and pgBackRest copies no other here');
      expect(summary).toContain(full);
      const metrics = JSON.parse(outputs['metrics'] ?? '') as Record<string, number | null>;
      expect(metrics).toMatchObject({ backups: 1, lastDrillAgeSeconds: null });
      expect(metrics['lastBackupAgeSeconds']).toBeLessThan(600);
      expect(metrics['archiveLagSeconds']).toBeLessThan(600);
      await eventually(trial.waiting, /^0$/);
    });

    it('copies what changed on top of it, and says a full one is due after as many as were asked for', async () => {
      await trial.sql("INSERT INTO orders VALUES (-3, 'incremental')");
      const { outputs } = await succeeds(trial.backup({ 'full-every': '2' }), `Incremental, on ${full}`);
      incremental = outputs['backup'] ?? '';
      expect(incremental).toMatch(new RegExp(`^${full}_\\d{8}-\\d{6}I$`));
      await succeeds(
        trial.backup({ mode: 'plan', 'full-every': '2' }),
        /A full backup of database-1 would be made; 2 whole backups there/,
      );
    });

    it('is proven by a drill on the replica, which leaves nothing and is noted', async () => {
      const { outputs } = await succeeds(
        trial.restore({
          assertions:
            'shop: SELECT count(*) >= 50000 FROM orders\nshop: SELECT count(*) = 1 FROM orders WHERE id = -3',
        }),
        `Backup ${incremental} is proven`,
      );
      expect(JSON.parse(outputs['faults'] ?? '')).toEqual([]);
      expect(JSON.parse(outputs['report'] ?? '')).toMatchObject({ host: REPLICA, backup: incremental });
      const left = 'ls /var/lib/postgresql/17 /run | grep -c perlstack- || :';
      expect(await trial.site.hosts.ask(REPLICA, left)).toBe('0');
      const planned = await trial.backup({ mode: 'plan' });
      const metrics = JSON.parse(planned.outputs['metrics'] ?? '') as Record<string, number | null>;
      expect(metrics['lastDrillAgeSeconds']).toBeLessThan(600);
    });

    it('a drill fails when an assertion does, and says which; the next run warns of it', async () => {
      await fails(
        await trial.restore({ assertions: 'shop: SELECT count(*) = 1 FROM orders' }),
        /shop: SELECT count\(\*\) = 1 FROM orders: the answer is f, not t/,
      );
      expect((await trial.backup({ mode: 'plan' })).output).toMatch(
        /::warning::The last drill, \S+, failed; /,
      );
    });

    it('brings back a dropped table, as it was just before', async () => {
      await trial.sql("INSERT INTO orders VALUES (-1, 'before')");
      beforeDrop = (await trial.sql(`SELECT pg_sleep(1.1); ${NOW}`)).split('\n').at(-1) ?? '';
      await trial.sql("INSERT INTO orders VALUES (-2, 'after')");
      await trial.sql('DROP TABLE orders');
      await trial.sql('SELECT pg_switch_wal()');
      await eventually(trial.waiting, /^0$/);
      await succeeds(
        trial.restore({
          target: beforeDrop,
          assertions:
            'shop: SELECT count(*) = 1 FROM orders WHERE id = -1\nshop: SELECT count(*) = 0 FROM orders WHERE id = -2',
        }),
        'is proven',
      );
    });

    it('finds a segment that is missing, which pgBackRest itself does not see, and restores nothing past it', async () => {
      await succeeds(
        trial.backup({ mode: 'verify' }),
        /2 whole backups, every file as it was stored, and no gap/,
      );
      const segments = (await trial.objects('/archive/')).filter(({ key }) => /\/[0-9A-F]{24}-/.test(key));
      const key = segments.at(-2)?.key ?? '';
      const name = /([0-9A-F]{24})-/.exec(key)?.[1] ?? '';
      const stored = await trial.site.bucket.get(key);
      await trial.site.bucket.remove([key]);
      await fails(
        await trial.backup({ mode: 'verify' }),
        new RegExp(`has a gap after backup ${full}: ${name}`),
      );
      await fails(
        await trial.restore({ target: 'latest' }),
        new RegExp(`has a gap after backup ${incremental}: ${name}.*choose a target before it`),
      );
      await trial.site.bucket.put(key, stored?.content ?? Buffer.alloc(0));
    });

    it('finds one byte that is another, in the data and in the log; a restore ends there', async () => {
      const flip = async (key: string, act: () => Promise<void>): Promise<void> => {
        const content = (await trial.site.bucket.get(key))?.content ?? Buffer.alloc(0);
        const damaged = Buffer.from(content);
        const at = Math.floor(content.length / 2);
        damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
        await trial.site.bucket.put(key, damaged);
        try {
          await act();
        } finally {
          await trial.site.bucket.put(key, content);
        }
      };
      const bundle = (await trial.objects(`/backup/shop/${full}/`)).filter(({ key }) =>
        key.includes('/bundle/'),
      );
      const largest = [...bundle].sort((one, other) => other.size - one.size)[0]?.key ?? '';
      await flip(largest, async () => {
        const { output, code } = await trial.backup({ mode: 'verify' });
        const messages = errorsIn(output).map(({ message }) => message);
        expect(messages).toContainEqual(
          expect.stringMatching(`Backup ${full} is not as it was stored: .*checksum invalid`),
        );
        expect(code).toBe(1);
        await fails(await trial.restore(), /database-2: a file in the bucket is not what was stored/);
      });
      const segments = (await trial.objects('/archive/')).filter(({ key }) => /\/[0-9A-F]{24}-/.test(key));
      await flip(segments.at(-2)?.key ?? '', async () => {
        await fails(await trial.backup({ mode: 'verify' }), /The log 17-1 is not as it was stored/);
        await fails(
          await trial.restore({ target: 'latest' }),
          /restore-wal: ERROR: \S+ (could not be had from the bucket|in the bucket is not what was stored)/,
        );
      });
    });

    it('keeps the log while the gateway is away, and hands it over when it is back', async () => {
      await trial.site.storage.setFrozen(true);
      try {
        for (let count = 0; count < 3; count += 1) {
          await trial.sql(`CREATE TABLE while_away_${count} AS SELECT 1; SELECT pg_switch_wal()`);
        }
        await eventually(trial.waiting, /^[3-9]$/);
      } finally {
        await trial.site.storage.setFrozen(false);
      }
      await eventually(trial.waiting, /^0$/, 480);
    });

    it('says which of the secrets is wrong', async () => {
      await trial.converge({ BACKUP_SECRET_ACCESS_KEY: 'not-the-secret' });
      await fails(
        await trial.backup(),
        /database-1: the bucket refuses the key that the server has \(403 SignatureDoesNotMatch\)/,
      );
      await trial.converge({ BACKUP_ACCESS_KEY_ID: 'nobody' });
      await fails(await trial.backup(), /refuses the key that the server has \(403 InvalidAccessKeyId\)/);
      await trial.converge({ BACKUP_CIPHER_PASSPHRASE: 'another' });
      await fails(await trial.backup(), /encrypted with another passphrase/);
      await trial.converge();
    });

    it('with the key of the bucket it heeds the lease of others', async () => {
      const { endpoint, accessKeyId, secretAccessKey } = trial.site.storage;
      const key = { endpoint, 'access-key-id': accessKeyId, 'secret-access-key': secretAccessKey };
      const lease = await acquireLease(trial.site.bucket, keysOf('shop').lease, {
        ...{ purpose: 'backup', owner: 'another run', ttlMs: 600_000 },
      });
      await fails(await trial.backup(key), /A backup is under way since \S+ \(another run/);
      await lease.release();
    });

    it('leaves nothing at work on the host when its runner is killed, and the next one finds no lock', async () => {
      await trial.sql(
        'CREATE TABLE ballast AS SELECT n, md5(n::text) || md5((-n)::text) AS noise FROM generate_series(1, 400000) AS n',
      );
      const step = trial.step('pg-backup-to-object-storage');
      try {
        const running = step.start();
        await running.until(/A full backup/);
        running.kill('SIGKILL');
        await running.ended;
        const programs = 'ps -C pgbackrest -o args= | grep -c -- --type=full || :';
        await eventually(async () => (await trial.site.hosts.console(PRIMARY, programs)).output, /^0$/);
      } finally {
        step.remove();
      }
      await succeeds(trial.backup(), 'has no gap');
      await trial.sql('DROP TABLE ballast');
    });

    it('ends uploads that killed runs left, its own alone, and none that may be under way', async () => {
      const { bucket, storage } = trial.site;
      const { endpoint, accessKeyId, secretAccessKey } = storage;
      const key = { endpoint, 'access-key-id': accessKeyId, 'secret-access-key': secretAccessKey };
      const uploads = async (): Promise<string[]> => (await bucket.uploads('')).map((one) => one.key).sort();
      const others = [
        'shop/pgbackrest/archive/shop/17-1/0000000100000000/under-way',
        'shop/postgresql/7/base/20261127T020000Z/data.tar.zst',
        'shops/pgbackrest/backup/shop/20261127-020000F/bundle/1',
      ];
      for (const one of others) await bucket.createUpload(one);
      await trial.sql(
        'CREATE EXTENSION IF NOT EXISTS pgcrypto; CREATE TABLE noise AS SELECT gen_random_bytes(1000) AS bytes FROM generate_series(1, 60000)',
      );
      const step = trial.step('pg-backup-to-object-storage', key);
      try {
        const running = step.start();
        // The kill meets a file that is on its way in parts, and nobody is left who could end that.
        await eventually(async () => (await uploads()).join('\n'), /^shop\/pgbackrest\/backup\//m, 2_400, 50);
        await storage.setFrozen(true);
        await trial.site.hosts.console(PRIMARY, 'kill -9 $(ps -C pgbackrest -o pid=)');
        running.kill('SIGKILL');
        await running.ended;
        await storage.setFrozen(false);
        expect((await uploads()).length).toBeGreaterThan(others.length);
        expect(await step.run('post')).toMatchObject({ code: 0 });
      } finally {
        step.remove();
      }
      // The storage tells whole seconds: what may be of the next backup itself is left to the one after it.
      await trial.sql('SELECT pg_sleep(3)');
      await succeeds(
        trial.backup(key),
        /Removed an upload of shop\/pgbackrest\/backup\/\S+ that was begun \S+ and never ended[^]*has no gap/,
      );
      expect(await uploads()).toEqual(others);
      for (const one of await bucket.uploads('')) await bucket.openUpload(one.key, one.id).abort();
      await trial.sql('DROP TABLE noise');
    });

    it('key, passphrase and URLs are in no process list, file, log or output but where apply-configs laid them', async () => {
      const { hosts, storage } = trial.site;
      const names = ['web-1', 'app-1', PRIMARY, REPLICA];
      const processes = watchProcesses(hosts, names);
      await succeeds(trial.backup({ 'full-every': '1' }), 'has no gap');
      await trial.sql('SELECT pg_switch_wal()');
      await eventually(trial.waiting, /^0$/);
      await succeeds(trial.restore(), 'is proven');
      const seen = await processes();
      for (const word of ['backup', 'archive-push', 'restore', 'archive-get'])
        expect(seen).toMatch(new RegExp(`^pgbackrest .*${word}`, 'm'));
      const secrets = [storage.accessKeyId, storage.secretAccessKey, PASSPHRASE, 'X-Amz-Signature'];
      const folders = '/tmp /var/tmp /run /var/log /var/spool /root /home /etc /srv /var/lib/perlstack';
      for (const secret of secrets) expect(seen).not.toContain(secret);
      for (const host of names) {
        expect(await filesHolding(hosts, host, secrets, folders)).toBe(
          host.startsWith('database') ? PGBACKREST.secrets : '',
        );
        const journal = await hosts.console(host, 'journalctl --quiet --no-pager');
        for (const secret of secrets) expect(journal.output).not.toContain(secret);
      }
    });

    it('lets go what the rules no longer keep, and the log before it', async () => {
      const planned = await trial.backup({ mode: 'plan', 'keep-minimum': '1' }, FORGETFUL_STACK);
      expect(planned.output).toContain('Nothing was changed.');
      const before = await trial.objects('/archive/');
      const gone: string[] = [];
      for (let count = 0; count < 2; count += 1) {
        const { outputs } = await succeeds(
          trial.backup({ 'keep-minimum': '1' }, FORGETFUL_STACK),
          'is whole',
        );
        gone.push(...(JSON.parse(outputs['removed'] ?? '') as string[]));
        // The window is a second long.
        await trial.sql('SELECT pg_sleep(1.5)');
      }
      expect(gone[0]).toBe(full);
      // With what builds on it, which may have gone before; pgBackRest keeps their manifests as its history.
      const left = (await trial.objects('/backup/shop/')).map(({ key }) => key);
      expect(left.filter((key) => key.includes(`/backup/shop/${full}`))).toEqual([]);
      const segments = (await trial.objects('/archive/')).map(({ key }) => key);
      const oldest = before.filter(({ key }) => /\/[0-9A-F]{24}-/.test(key))[0]?.key ?? '';
      expect(segments).not.toContain(oldest);
    });

    describe('after a disaster', () => {
      const stop = async (): Promise<void> => {
        for (const host of [PRIMARY, REPLICA])
          await trial.site.hosts.ask(host, 'systemctl stop postgresql@17-main');
      };
      const foldersAside = (): Promise<string> =>
        trial.site.hosts.ask(PRIMARY, 'ls /var/lib/postgresql/17 | grep -c main.replaced || :');

      it('refuses to take the place of a server that runs, and data that nobody named', async () => {
        await trial.sql('CREATE TABLE survivors AS SELECT 1 AS id; SELECT pg_switch_wal()');
        await eventually(trial.waiting, /^0$/);
        await fails(
          await trial.restore({ mode: 'primary', target: 'latest' }),
          /PostgreSQL runs here: stop it first/,
        );
        await stop();
        await fails(
          await trial.restore({ mode: 'primary', target: 'latest' }),
          /name this host in the input replace/,
        );
        expect(await foldersAside()).toBe('0');
      });

      it('makes a primary of the bucket, with all that was archived, and keeps the old data', async () => {
        await succeeds(
          trial.restore({ mode: 'primary', target: 'latest', replace: PRIMARY }),
          /database-1 is a primary with backup \S+, recovered up to the end of the log/,
        );
        expect(await trial.sql('SELECT count(*) FROM survivors')).toBe('1');
        expect(await trial.sql('SELECT timeline_id > 1 FROM pg_control_checkpoint()')).toBe('t');
        expect(await foldersAside()).toBe('1');
        const left = await trial.site.hosts.ask(
          PRIMARY,
          'ls /run | grep -c perlstack-restore || :; cat /var/lib/postgresql/17/main/postgresql.auto.conf',
        );
        expect(left).toBe('0');
      });

      it('makes a replica of a backup, and backups go on across the timelines', async () => {
        await succeeds(
          trial.restore({ mode: 'replica', replace: REPLICA }),
          /database-2 is a replica with backup \S+ and streams from database-1/,
        );
        await trial.converge();
        await succeeds(trial.backup({ 'full-every': '9' }), /Incremental, on [^]*and the log from/);
        await succeeds(
          trial.restore({ assertions: 'shop: SELECT count(*) = 1 FROM survivors' }),
          'is proven',
        );
      });

      it('makes old data fit, where their server is named, and puts nothing aside', async () => {
        await trial.site.hosts.ask(REPLICA, 'systemctl stop postgresql@17-main');
        await trial.sql('INSERT INTO survivors VALUES (2)');
        const before = (await trial.sql(`SELECT pg_sleep(1.1); ${NOW}`)).split('\n').at(-1) ?? '';
        await trial.sql('INSERT INTO survivors VALUES (3); SELECT pg_switch_wal()');
        await eventually(trial.waiting, /^0$/);
        await stop();
        await succeeds(
          trial.restore({ mode: 'primary', target: before, replace: PRIMARY, delta: 'true' }),
          'database-1 is a primary with backup',
        );
        expect(await trial.sql('SELECT max(id) FROM survivors')).toBe('2');
        expect(await foldersAside()).toBe('1');
      });

      it('a replica that was away meanwhile takes nothing of the log behind that, and follows', async () => {
        // As it is until the new timeline has its first segment there.
        const segments = (await trial.objects('/archive/')).map(({ key }) => key);
        await trial.site.bucket.remove(segments.filter((key) => /\/00000003[0-9A-F]{16}-/.test(key)));
        await trial.sql("SELECT pg_create_physical_replication_slot('database_2')");
        await trial.site.hosts.ask(REPLICA, 'systemctl start postgresql@17-main');
        await eventually(() => trial.sql('SELECT state FROM pg_stat_replication'), /^streaming$/, 120);
        await trial.sql('INSERT INTO survivors VALUES (4)');
        await eventually(() => trial.sql('SELECT max(id) FROM survivors', REPLICA), /^4$/, 20);
        expect(await trial.sql('SELECT count(*) FROM survivors WHERE id = 3', REPLICA)).toBe('0');
      });
    });

    it('gives its place back to the other engine, and its key goes from the hosts', async () => {
      const { site } = trial;
      await site.converge({ rebuild: [REPLICA] });
      for (const host of [PRIMARY, REPLICA])
        expect(await site.hosts.ask(host, `test ! -e ${PGBACKREST.secrets} && echo gone`)).toBe('gone');
      const { code, output } = await site.backup();
      expect(output).toContain('and the log from');
      expect(code).toBe(0);
    });
  },
);
