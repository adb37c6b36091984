import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import type { Storage } from '@perlstack/object-storage';
import { BackupSite, PRIMARY, REPLICA, STACK } from './backup-site.js';
import { DEAF, eventually, fails, NO_LONGER_DEAF } from './backup-trials.js';
import { filesHolding, RESTORE_FOLDERS } from './secrets-watch.js';

// The first run builds the images.
jest.setTimeout(900_000);

const DROP_INS = '/run/systemd/system/postgresql@17-main.service.d';
/** On a host: PostgreSQL starts when a command has ended. */
const startsAfter = (command: string): string =>
  `mkdir -p ${DROP_INS}; printf '%s\\n' '[Service]' "ExecStartPre=${command}" > ${DROP_INS}/late.conf; systemctl daemon-reload`;
const STARTS_AT_ONCE = `rm -r ${DROP_INS}; systemctl daemon-reload`;

/** A backup for each night of a year, as their manifests say; all of them small. @returns their ids */
async function seedYear(bucket: Storage, folder: string, like: string): Promise<string[]> {
  const stored = await bucket.get(`${folder}${like}/manifest.json`);
  const pattern = JSON.parse(stored?.content.toString() ?? '') as { object: object };
  const ids = Array.from({ length: 365 }, (_, age) => {
    const at = new Date(Date.now() - (age + 1) * 86_400_000);
    return `${at.toISOString().slice(0, 10).replaceAll('-', '')}T020000Z`;
  });
  const seed = async (id: string): Promise<void> => {
    const key = `${folder}${id}/data.tar.zst.age`;
    const { etag } = await bucket.put(key, id);
    const finishedAt = `${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6, 8)}T02:10:00.000Z`;
    const object = { ...pattern.object, key, size: id.length, etag };
    await bucket.put(`${folder}${id}/manifest.json`, JSON.stringify({ ...pattern, id, finishedAt, object }));
  };
  for (let from = 0; from < ids.length; from += 20) await Promise.all(ids.slice(from, from + 20).map(seed));
  return ids;
}

const obstacle = await whyNoHosts();

(obstacle === null ? describe : describe.skip)(
  `backups${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let site: BackupSite;
    let backup: string;
    let beforeDrop: string;
    /** The one that a restore to the past leaves behind. */
    let newer: string;

    beforeAll(async () => {
      site = await BackupSite.open(STACK);
    });
    afterAll(() => site?.close());

    const sql = (query: string, database = 'shop'): Promise<string> => site.sql(PRIMARY, query, database);

    it('asks for a public key before anything is done', async () => {
      const { code, output } = await site.backup({ 'age-recipient': '' });
      expect(output).toContain('the input "age-recipient" has no public key');
      expect(code).toBe(1);
    });

    it('tries out what the storage enforces, and leaves nothing there', async () => {
      const { code, output, outputs, summary } = await site.backup({ mode: 'probe' });
      expect(output).toContain('The storage enforces what backups need.');
      expect(code).toBe(0);
      const rows = JSON.parse(outputs['probe'] ?? '') as { feature: string; holds: boolean | null }[];
      expect(rows.find(({ feature }) => feature === 'write-once URL')?.holds).toBe(true);
      expect(summary).toContain('write-once URL');
      expect(await site.bucket.list('')).toEqual([]);
    });

    it('keeps no log before the first backup, and does not let it pile up', async () => {
      await sql(
        'CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS token FROM generate_series(1, 50000) AS n',
      );
      await sql('SELECT pg_switch_wal()');
      // Of the server that is going to be copied.
      await site.sql(REPLICA, "ALTER SYSTEM SET work_mem = '7MB'");
      await eventually(
        () => sql('SELECT archived_count > 0 AND failed_count = 0 FROM pg_stat_archiver'),
        /^t$/,
        120,
      );
    });

    it('copies a replica into the bucket while the primary is written to, and the log behind it', async () => {
      const writing = site.hosts.console(
        PRIMARY,
        `cd / && for i in $(seq 60); do runuser -u postgres -- psql -Xqd shop -c "INSERT INTO orders SELECT n, 'x' FROM generate_series(1, 500) n"; sleep 0.1; done`,
      );
      const { code, output, outputs, summary } = await site.backup();
      await writing;
      expect(output).toContain('and the log from');
      expect(code).toBe(0);
      expect(outputs['source']).toBe(REPLICA);
      backup = outputs['backup'] ?? '';
      expect(backup).toMatch(/^\d{8}T\d{6}Z$/);
      expect(summary).toContain(backup);
      const metrics = JSON.parse(outputs['metrics'] ?? '') as Record<string, number>;
      expect(metrics['backups']).toBe(1);
      expect(metrics['ticketHoursLeft']).toBeGreaterThan(160);
    });

    it('is not made of a server that keeps its log to itself, by whatever ALTER SYSTEM said', async () => {
      await site.sql(PRIMARY, "ALTER SYSTEM SET archive_command = ''");
      await site.sql(PRIMARY, 'SELECT pg_reload_conf()');
      const { code, output } = await site.backup();
      await site.sql(PRIMARY, 'ALTER SYSTEM RESET archive_command');
      await site.sql(PRIMARY, 'SELECT pg_reload_conf()');
      expect(output).toMatch(
        new RegExp(
          `${PRIMARY}: archive_command is not .* ALTER SYSTEM set archive_command there, .*: ALTER SYSTEM RESET it`,
        ),
      );
      expect(code).toBe(1);
    });

    it('is proven by a drill, which leaves nothing', async () => {
      const { code, output, outputs } = await site.restore({
        assertions: 'shop: SELECT count(*) >= 50000 FROM orders\nshop: SELECT true',
      });
      expect(output).toContain(`Backup ${backup} is proven`);
      expect(code).toBe(0);
      expect(JSON.parse(outputs['faults'] ?? '')).toEqual([]);
      const left = await site.hosts.ask(REPLICA, 'ls /var/lib/postgresql/17 /run | grep -c perlstack- || :');
      expect(left).toBe('0');
    });

    it('is proven on a server that is none of the database as well, once that has the programs', async () => {
      const host = 'app-1';
      const before = await site.restore({ host });
      expect(before.code).toBe(1);
      expect(before.output).toMatch(
        /app-1: it has no pg_ctl pg_verifybackup pg_amcheck psql.*; restore on a server of the database tier, or install postgresql-17, age,/,
      );
      const install = 'DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends';
      // A cluster of its own is of no use there.
      const none =
        'mkdir -p /etc/postgresql-common && echo create_main_cluster=false > /etc/postgresql-common/createcluster.conf';
      await site.hosts.ask(host, `${none}; ${install} postgresql-17 age curl zstd > /dev/null 2>&1`);
      const { code, output } = await site.restore({
        host,
        assertions: 'shop: SELECT count(*) >= 50000 FROM orders',
      });
      expect(output).toContain(`Backup ${backup} is proven`);
      expect(code).toBe(0);
      expect(await site.hosts.ask(host, 'ls /var/lib/postgresql/17 /run | grep -c perlstack- || :')).toBe(
        '0',
      );
    });

    it('a drill fails when an assertion does, and says which', async () => {
      const { code, output } = await site.restore({ assertions: 'shop: SELECT count(*) = 1 FROM orders' });
      expect(code).toBe(1);
      expect(output).toContain('shop: SELECT count(*) = 1 FROM orders: the answer is f, not t');
    });

    it('makes a replica of the bucket, which then follows the primary', async () => {
      await sql("INSERT INTO orders SELECT n, 'of the log' FROM generate_series(1, 5) AS n");
      const count = 'SELECT count(*) FROM orders';
      const replica = { mode: 'replica', host: REPLICA };
      await fails(
        site.restore({ mode: 'replica', host: PRIMARY }),
        /database-1 is the primary: nothing was changed/,
      );
      await fails(site.restore({ ...replica, target: 'latest' }), /a replica follows its primary/);
      await fails(site.restore(replica), /PostgreSQL runs here: stop it first/);
      await site.hosts.ask(REPLICA, 'systemctl stop postgresql@17-main');
      await fails(site.restore(replica), /is not empty: name this host in the input replace/);
      await sql('SELECT pg_switch_wal()');
      const { code, output } = await site.restore({ ...replica, replace: REPLICA });
      expect(output).toContain('database-2 is a replica with backup');
      expect(output).toMatch(/Backup \S+ was proven by a drill/);
      expect(code).toBe(0);
      await sql("INSERT INTO orders VALUES (0, 'after it')");
      const rows = await sql(count);
      await eventually(() => site.sql(REPLICA, count, 'shop'), new RegExp(`^${rows}$`));
      expect(await site.sql(REPLICA, 'SHOW restore_command')).toBe('');
      expect(await sql('SELECT state FROM pg_stat_replication')).toBe('streaming');
      // What it needed of the bucket is gone, and its old data are not.
      const left = 'ls -d /run/perlstack-restore 2> /dev/null; ls /var/lib/postgresql/17';
      expect(await site.hosts.ask(REPLICA, left)).toMatch(/^main\nmain\.replaced-\d{8}T\d{6}Z$/);
    });

    it('brings back a dropped table, as it was just before', async () => {
      await sql("INSERT INTO orders VALUES (-1, 'before')");
      beforeDrop = await sql(
        'SELECT pg_sleep(0.05); SELECT to_char(clock_timestamp() AT TIME ZONE \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')',
      );
      beforeDrop = beforeDrop.split('\n').at(-1) ?? '';
      await sql("INSERT INTO orders VALUES (-2, 'after')");
      await sql('DROP TABLE orders');
      await sql('SELECT pg_switch_wal()');
      await eventually(
        () =>
          sql(
            'SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 16777216) FROM pg_stat_archiver',
          ),
        /^t$/,
        120,
      );
      const { code, output } = await site.restore({
        target: beforeDrop,
        assertions: `shop: SELECT count(*) = 1 FROM orders WHERE id = -1\nshop: SELECT count(*) = 0 FROM orders WHERE id = -2`,
      });
      expect(output).toContain('is proven');
      expect(code).toBe(0);
    });

    it('says what it would do, and looks into the bucket, without a change', async () => {
      const before = await site.bucket.list('');
      const planned = await site.backup({ mode: 'plan' });
      expect(planned.output).toContain('Nothing was changed.');
      const verified = await site.backup({ mode: 'verify' });
      expect(verified.output).toContain('1 whole backup, and no gap in the log');
      expect([planned.code, verified.code]).toEqual([0, 0]);
      const keys = (await site.bucket.list('')).map(({ key }) => key);
      // The log goes on coming meanwhile.
      expect(keys.filter((key) => !key.includes('/wal/'))).toEqual(
        before.map(({ key }) => key).filter((key) => !key.includes('/wal/')),
      );
    });

    it('lets go of a year of nights what the rules no longer keep, and shows it before', async () => {
      const systemId = await sql('SELECT system_identifier FROM pg_control_system()');
      const folder = `shop/postgresql/${systemId}/base/`;
      const seeded = await seedYear(site.bucket, folder, backup);
      const planned = await site.backup({ mode: 'plan' });
      const going = JSON.parse(planned.outputs['removed'] ?? '') as string[];
      expect(going.length).toBeGreaterThan(330);
      expect(planned.output).toContain(`${going.length} and `);
      const { code, output, outputs, summary } = await site.backup();
      newer = outputs['backup'] ?? '';
      expect(output).toContain('is whole');
      expect(code).toBe(0);
      expect(JSON.parse(outputs['removed'] ?? '')).toEqual(going);
      expect(summary).toContain('stays: monthly');
      const left = (await site.bucket.list(folder)).map(
        ({ key }) => key.slice(folder.length).split('/')[0] ?? '',
      );
      expect(new Set(left)).toEqual(
        new Set([...seeded.filter((id) => !going.includes(id)), backup, outputs['backup'] ?? '']),
      );
    });

    describe('after a disaster', () => {
      it('refuses to take the place of a server that runs, and data that nobody named', async () => {
        const running = await site.restore({ mode: 'primary', target: 'latest' });
        expect(running.output).toContain('PostgreSQL runs here: stop it first');
        for (const host of [PRIMARY, REPLICA])
          await site.hosts.ask(host, 'systemctl stop postgresql@17-main');
        const unnamed = await site.restore({ mode: 'primary', target: 'latest' });
        expect(unnamed.output).toContain('name this host in the input replace');
        expect([running.code, unnamed.code]).toEqual([1, 1]);
      });

      it('refuses to move the data of a server that is not up yet, or that no unit knows', async () => {
        const ask = (command: string): Promise<string> => site.hosts.ask(PRIMARY, command);
        const named = { mode: 'primary', target: 'latest', replace: PRIMARY };
        const unit = 'postgresql@17-main';
        await ask(`${startsAfter('sleep 300')}; systemctl start --no-block ${unit}`);
        await fails(site.restore(named), /PostgreSQL runs here: stop it first.*is activating/);
        await ask(`systemctl stop ${unit}; ${STARTS_AT_ONCE}`);
        const control = (word: string): Promise<string> =>
          ask(
            `cd / && runuser -u postgres -- /usr/lib/postgresql/17/bin/pg_ctl ${word} -w -s -D /var/lib/postgresql/17/main -l /dev/null -o '-c config_file=/etc/postgresql/17/main/postgresql.conf'`,
          );
        await control('start');
        const refused = site.restore(named).finally(() => control('stop'));
        await fails(refused, /PostgreSQL runs here: process \d+ works on \S+, though postgresql@17-main/);
      });

      it.each([
        ['its files come', '[ -e /var/lib/postgresql/17/main.restoring/base ]'],
        ['they are there', '[ -e /run/perlstack-restore/identity ]'],
        [
          'it is to be started',
          // Not by what the one before left.
          '[ -e /run/perlstack-restore ] && grep -qs perlstack-restore /var/lib/postgresql/17/main/postgresql.auto.conf',
        ],
      ])(
        'a restore whose runner is killed when %s leaves nothing that reads the bucket, and no server in its midst',
        async (when, moment) => {
          const { hosts } = site;
          const inputs = { mode: 'primary', target: beforeDrop, replace: PRIMARY, timeout: '10m' };
          const step = site.step('pg-restore', { 'age-identity': site.age.identity, ...inputs });
          // Recovery has little to read and would be over before the kill, or right after: it gets no answer, and begins no sooner.
          const isDeaf = 'nft list table inet deaf | grep -q drop';
          await hosts.ask(PRIMARY, startsAfter(`sh -c 'until ${isDeaf}; do sleep 0.1; done'`));
          try {
            const running = step.start();
            const laid = `until ${moment}; do sleep 0.02; done`;
            await hosts.ask(PRIMARY, `timeout 120 sh -c '${laid}'; ${DEAF}`);
            running.kill('SIGKILL');
            await running.ended;
            // Without post as well: what can be started knows that it is to recover.
            const knows = `cd /var/lib/postgresql/17/main 2> /dev/null || exit 0; ls recovery.signal; grep -o perlstack-restore/restore-wal postgresql.auto.conf || echo it serves`;
            expect(await hosts.ask(PRIMARY, knows)).toMatch(
              /^(|recovery.signal\nperlstack-restore\/restore-wal)$/,
            );
            // And after the time that recovery may take.
            const later = 'systemctl show -p ExecStart perlstack-restore-forget.service';
            if (when !== 'its files come')
              expect(await hosts.ask(PRIMARY, later)).toContain('/run/perlstack-restore/identity');
            expect(await step.run('post')).toMatchObject({ code: 0 });
          } finally {
            await hosts.ask(PRIMARY, `${NO_LONGER_DEAF}; ${STARTS_AT_ONCE}`);
            step.remove();
          }
          const secrets = ['AGE-SECRET-KEY', 'X-Amz-Signature'];
          expect(await filesHolding(hosts, PRIMARY, secrets, RESTORE_FOLDERS)).toBe('');
          const left =
            'ls /run | grep perlstack-restore || :; systemctl list-timers --all | grep -c forget || :';
          expect(await hosts.ask(PRIMARY, left)).toBe('0');
          await hosts.console(PRIMARY, 'systemctl start postgresql@17-main');
          expect(await hosts.ask(PRIMARY, 'systemctl is-active postgresql@17-main || :')).not.toBe('active');
          // Nor does the bucket have a timeline that nobody goes on with.
          const keys = (await site.bucket.list('shop/postgresql/')).map(({ key }) => key);
          expect(keys.filter((key) => key.includes('.history'))).toEqual([]);
        },
      );

      it('makes a primary of the bucket, with all that was archived, and keeps the old data', async () => {
        const notes = await site.bucket.list('shop/drills/');
        expect(notes.length).toBeGreaterThan(1);
        await site.bucket.remove(notes.map(({ key }) => key));
        const { code, output } = await site.restore({
          mode: 'primary',
          target: beforeDrop,
          replace: PRIMARY,
        });
        expect(output).toContain(`${PRIMARY} is a primary with backup ${backup}`);
        expect(output).toContain(`Backup ${backup} was never proven by a drill`);
        expect(code).toBe(0);
        expect(await sql('SELECT count(*) FROM orders WHERE id = -1')).toBe('1');
        expect(await sql('SELECT count(*) FROM orders WHERE id = -2')).toBe('0');
        expect(await sql('SELECT timeline_id > 1 FROM pg_control_checkpoint()')).toBe('t');
        expect(await site.hosts.ask(PRIMARY, 'ls /var/lib/postgresql/17')).toMatch(/main\.replaced-\d+T/);
        const left = await site.hosts.ask(
          PRIMARY,
          'ls /run | grep -c perlstack-restore || :; cat /var/lib/postgresql/17/main/postgresql.auto.conf',
        );
        expect(left).toBe("0\nwork_mem = '7MB'");
        expect(await sql('SHOW work_mem')).toBe('7MB');
        expect(output).toContain('what ALTER SYSTEM had set came back with the data: work_mem');
      });

      it('a drill right after it proves what that came from, not the newer backup that it left behind', async () => {
        const { bucket } = site;
        const keys = async () => (await bucket.list('shop/postgresql/')).map(({ key }) => key).join('\n');
        await eventually(keys, /00000002\.history/, 120);
        const planned = await site.restore({ mode: 'plan', target: 'latest' });
        expect(planned.output).toContain(`Backup ${backup} would be restored`);
        const { code, output } = await site.restore({
          target: 'latest',
          assertions: 'shop: SELECT count(*) = 1 FROM orders WHERE id = -1',
        });
        expect(output).toContain(`Backup ${backup} is proven`);
        expect(code).toBe(0);
        const left = await site.restore({ target: 'latest', backup: newer });
        expect(left.output).toMatch(
          /::warning::Backup \S+ is of timeline 1 behind the place where timeline 2/,
        );
        expect(left.output).toContain(`Backup ${newer} is proven`);
      });

      it('apply-configs makes replicas of the others, and the next backup goes on from there', async () => {
        await site.converge({ rebuild: [REPLICA] });
        const { code, output, outputs } = await site.backup({ 'full-every': '3' });
        expect(output).toContain('A full backup');
        expect(output).toContain('and the log from');
        expect(code).toBe(0);
        expect(outputs['backup']).not.toBe(backup);
        expect(JSON.parse(outputs['removed'] ?? '')).not.toContain(backup);
        const proven = await site.restore({
          assertions: 'shop: SELECT count(*) = 1 FROM orders WHERE id = -1',
        });
        expect(proven.output).toContain('is proven');
      });

      it('an incremental backup holds what changed, and is restored with what it builds on', async () => {
        await sql("INSERT INTO orders VALUES (-3, 'incremental')");
        const { code, output, outputs } = await site.backup({ 'full-every': '3' });
        expect(output).toContain('Incremental, on ');
        expect(code).toBe(0);
        const sizes = (await site.bucket.list('shop/postgresql/'))
          .filter(({ key }) => /data\.tar/.test(key))
          .map(({ key, size }) => ({ size, isNew: key.includes(outputs['backup'] ?? '-') }));
        const added = sizes.find(({ isNew }) => isNew)?.size ?? Number.NaN;
        expect(added).toBeLessThan(Math.max(...sizes.map(({ size }) => size)) / 2);
        const proven = await site.restore({
          assertions: 'shop: SELECT count(*) = 1 FROM orders WHERE id = -3',
        });
        expect(proven.output).toContain(`Backup ${outputs['backup']} is proven`);
        expect(proven.code).toBe(0);
      });

      it('a server that was made anew has nothing to build on: it is copied whole, and somebody is told', async () => {
        await sql("INSERT INTO orders VALUES (-4, 'of what has no summary')");
        const lsn = await sql('SELECT pg_current_wal_lsn()');
        // A summary ends where a checkpoint begins.
        const summarized = `SELECT count(*) > 0 FROM pg_available_wal_summaries() WHERE end_lsn >= '${lsn}'`;
        const look = async (): Promise<string> => {
          await sql('CHECKPOINT');
          return site.sql(REPLICA, `CHECKPOINT; ${summarized}`);
        };
        await eventually(look, /^t$/, 60);
        await site.hosts.ask(REPLICA, 'rm -f /var/lib/postgresql/17/main/pg_wal/summaries/*');
        const { code, output } = await site.backup({ 'full-every': '3' });
        expect(output).toMatch(/::warning::A full backup, because none could be built on \S+: .*summaries/);
        expect(output).toContain('has no gap');
        expect(code).toBe(0);
      });
    });
  },
);
