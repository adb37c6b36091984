import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { keysOf, type Manifest, namesFor, writeBook } from '@perlstack/backup';
import { ARCHIVE } from '@perlstack/configs';
import { whyNoHosts } from '@perlstack/local-cloud';
import { openStorage } from '@perlstack/object-storage';
import { PRIMARY, REPLICA } from './backup-site.js';
import { BackupTrials, eventually, fails, folderOf, keyOfSegment } from './backup-trials.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();

/** What can go wrong with the log behind a backup: no recovery may end early and look well, and no server may stand still. */
(obstacle === null ? describe : describe.skip)(
  `the log of backups through faults${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let trials: BackupTrials;

    beforeAll(async () => {
      trials = await BackupTrials.open();
    });
    afterAll(() => trials?.close());

    it('one byte of a segment is another: recovery stops there and says which, instead of ending early', async () => {
      const segment = trials.last.proof?.segment ?? '';
      const key = keyOfSegment(trials.last, segment);
      const content = (await trials.site.bucket.get(key))?.content ?? Buffer.alloc(0);
      const damaged = Buffer.from(content);
      damaged.writeUInt8(damaged.readUInt8(content.length >> 1) ^ 1, content.length >> 1);
      await trials.site.bucket.put(key, damaged);
      for (const target of ['proof', 'latest'])
        await fails(
          await trials.restore({ backup: trials.last.id, target }),
          new RegExp(`could not be restored: .*${segment}: the bucket has it, and .*age.* failed`),
        );
      await trials.site.bucket.put(key, content);
      expect((await trials.restore({ backup: trials.last.id })).code).toBe(0);
    });

    it('a segment is missing: verify and the next backup name it, no recovery passes it or looks well, nothing is removed', async () => {
      const segment = trials.last.proof?.segment ?? '';
      const key = keyOfSegment(trials.last, segment);
      const content = (await trials.site.bucket.get(key))?.content ?? Buffer.alloc(0);
      const gone = trials.last.id;
      const before = (await trials.manifests()).map(({ id }) => id);
      await trials.site.bucket.remove([key]);
      await trials.write();
      const gap = new RegExp(`The log in the bucket has a gap after backup \\S+: ${segment}; recovery`);
      await fails(await trials.backup({ mode: 'verify' }), gap);
      const next = await trials.backup({ 'keep-minimum': '1' });
      expect(next).toMatchObject({ code: 0 });
      expect(next.output).toMatch(gap);
      expect(next.output).toContain('The log before it has a gap of 1 segments');
      expect(JSON.parse(next.outputs['removed'] ?? '')).toEqual([]);
      expect((await trials.manifests()).map(({ id }) => id)).toEqual([...before, next.outputs['backup']]);
      const proof = (await trials.manifests()).at(-1)?.proof?.lsn ?? '';
      await fails(
        await trials.restore({ backup: gone, target: proof }),
        /could not be restored: .*recovery ended before configured recovery target was reached/,
      );
      await fails(
        await trials.restore({ backup: gone, target: 'latest' }),
        new RegExp(
          `could not be restored: .*${segment} is not in the bucket, and \\S+ is: the log has a gap`,
        ),
      );
      expect((await trials.restore()).output).toContain('is proven');
      await trials.site.bucket.put(key, content);
      await trials.succeeds();
    });

    it('the storage hangs: the log waits, users write on, a run fails in one line and warns of it, and all of it comes by itself', async () => {
      const failures = (): Promise<string> => trials.sql('SELECT failed_count FROM pg_stat_archiver');
      await trials.site.storage.setFrozen(true);
      try {
        // As after so long that what waits should worry somebody.
        await trials.sql("SELECT pg_stat_reset_shared('archiver')");
        await trials.write();
        const results = await Promise.all(['backup', 'verify'].map((mode) => trials.backup({ mode })));
        for (const result of results) {
          await fails(result, /failed \(no answer in time\)/);
          expect(result.output).toMatch(
            /::warning.*[1-9] segments of the log wait on database-1, none was handed over yet/,
          );
          expect(result.outputs['metrics']).toMatch(/"segmentsWaiting":[1-9]/);
        }
        await eventually(async () => String(Number(await failures()) > 0), /true/);
        await trials.write();
        expect(Number(await trials.waiting())).toBeGreaterThan(0);
      } finally {
        await trials.site.storage.setFrozen(false);
      }
      await trials.write();
      await eventually(trials.waiting, /^0$/);
      await trials.succeeds();
    });

    it('more of the log waits than the book allows: it is let go, which the next backup says, and its base closes the gap', async () => {
      const dropped = (): Promise<string> =>
        trials.site.hosts.ask(PRIMARY, 'cat /var/lib/perlstack-wal/dropped 2> /dev/null || :');
      await trials.relay.harm({ match: '^PUT .*/wal/', status: 503 });
      await trials.site.hosts.ask(
        PRIMARY,
        "sed -i 's/^limit .*/limit 20000000/' /var/lib/perlstack-wal/tickets",
      );
      await trials.write();
      await trials.write();
      await trials.write();
      const [segment] = (await eventually(dropped, /[0-9A-F]{24}/)).split('\n');
      expect(await trials.sql('INSERT INTO orders VALUES (0, $$still$$) RETURNING 1')).toBe('1');
      expect(await trials.relay.harm()).toBeGreaterThan(0);
      const { output, code, outputs } = await trials.backup();
      expect(output).toMatch(
        new RegExp(
          `::warning.*database-1: \\d+ segments of the log were let go while the bucket was away, from ${segment}`,
        ),
      );
      expect(output).toMatch(/::warning.*The log in the bucket has a gap after backup/);
      expect(output).toContain(`from ${outputs['backup']} on it has none`);
      expect(code).toBe(0);
      expect(await dropped()).toBe('');
      expect((await trials.restore()).output).toContain(`Backup ${outputs['backup']} is proven`);
      // As retention does once the window has passed the gap.
      for (const old of (await trials.manifests()).slice(0, -1))
        await trials.site.bucket.remove([`${folderOf(old)}manifest.json`, old.object.key]);
      expect((await trials.succeeds()).output).not.toContain('were let go');
    });

    it('a book has no ticket left: PostgreSQL says what to do, and the next backup heals it', async () => {
      await trials.site.hosts.ask(PRIMARY, "sed -i '/^$/q' /var/lib/perlstack-wal/tickets");
      await trials.write();
      await eventually(
        trials.logged,
        /no ticket in \S+, which was made for \S+; run the backup, which writes new ones/,
      );
      await trials.succeeds();
      expect(await trials.waiting()).toBe('0');
    });

    it('the tickets of a book are too old: the same', async () => {
      const { accessKeyId, secretAccessKey, region } = trials.site.storage;
      const storage = openStorage({
        ...{ endpoint: trials.relay.endpoint, bucket: 'shop-backups', region, accessKeyId, secretAccessKey },
      });
      const lsn = await trials.sql('SELECT pg_current_wal_lsn()');
      const { timeline, segmentBytes } = trials.last.wal;
      const names = [...namesFor({ timeline, lsn, segmentBytes, waiting: 8, perDay: 1 })].slice(0, 100);
      const book = await writeBook(storage, keysOf('shop').cluster(trials.last.postgresql.systemId), names, {
        recipient: trials.site.age.recipient,
        limitBytes: 2 ** 40,
        ways: { once: 'condition', lock: null },
        now: new Date(Date.now() - 8 * 86_400_000),
      });
      storage.close();
      await trials.site.hosts.remote.upload(
        PRIMARY,
        { path: ARCHIVE.book, mode: 0o600, owner: 'postgres', group: 'postgres' },
        Buffer.concat([...book.content]),
        { sudo: true },
      );
      await trials.write();
      await eventually(
        trials.logged,
        /the bucket refused the ticket \(403\): it is too old.*run the backup, which writes new ones/,
      );
      await trials.succeeds();
      expect(await trials.waiting()).toBe('0');
    });

    it('the primary is lost with a segment that nobody stored, and a history is let go: recovery names both, and then goes across', async () => {
      const before = trials.last;
      await trials.relay.harm({ match: '^PUT .*/wal/', status: 503 });
      await trials.sql("INSERT INTO orders VALUES (-1, 'before')");
      const lost = await trials.sql('SELECT pg_walfile_name(pg_current_wal_lsn())');
      await trials.sql('SELECT pg_switch_wal()');
      await trials.sql("INSERT INTO orders VALUES (-2, 'streamed')");
      await eventually(() => trials.sql('SELECT count(*) FROM orders WHERE id = -2', REPLICA), /^1$/);
      await trials.site.hosts.ask(PRIMARY, 'systemctl kill -s KILL postgresql@17-main');
      const limit = (bytes: number): Promise<string> =>
        trials.site.hosts.ask(REPLICA, `sed -i 's/^limit .*/limit ${bytes}/' ${ARCHIVE.book}`);
      await limit(1);
      await trials.sql('SELECT pg_promote()', REPLICA);
      await eventually(() => trials.waiting(REPLICA), /^0$/);
      await trials.relay.harm();
      await limit(1e12);
      await trials.sql("INSERT INTO orders VALUES (-3, 'after')", REPLICA);
      const stored = await trials.sql('SELECT pg_walfile_name(pg_current_wal_lsn())', REPLICA);
      await trials.sql('SELECT pg_switch_wal()', REPLICA);
      await inTheBucket(before, stored);

      const toTheEnd = { backup: before.id, target: 'latest' };
      await fails(
        await trials.restore(toTheEnd),
        new RegExp(`could not be restored: .*00000002.history is not in the bucket, and ${stored} is`),
      );
      const { code, output, outputs } = await trials.backup();
      expect([code, outputs['source']]).toEqual([0, REPLICA]);
      expect(output).toMatch(
        /::warning.*database-2: 1 segments of the log were let go .*, from 00000002.history/,
      );
      expect(output).toMatch(new RegExp(`::warning.*has a gap after backup \\S+: ${lost};`));
      await inTheBucket(before, '00000002.history');
      await fails(
        await trials.restore(toTheEnd),
        new RegExp(`could not be restored: .*${lost} is not in the bucket, and timeline 2 needs it`),
      );
      const pack = `zstd -q -c /var/lib/postgresql/17/main/pg_wal/${lost} | age -r ${trials.site.age.recipient} | base64 -w0`;
      const packed = Buffer.from(await trials.site.hosts.ask(PRIMARY, pack), 'base64');
      await trials.site.bucket.put(keyOfSegment(before, lost), packed);
      await recoversAcross(before, 3);
      await trials.succeeds();
      expect(trials.last.wal.timeline).toBe(before.wal.timeline + 1);
    });

    it('a replica that was made after the backup takes over: its log waits for a book, and recovery goes across', async () => {
      const before = trials.last;
      await trials.site.hosts.ask(PRIMARY, `rm -rf /var/lib/postgresql/17/main ${ARCHIVE.folder}`);
      await trials.site.converge();
      expect(await trials.site.hosts.ask(PRIMARY, `ls ${ARCHIVE.folder}`)).toBe('spool');
      await trials.site.hosts.ask(REPLICA, 'systemctl stop postgresql@17-main');
      await trials.sql('SELECT pg_promote()');
      await trials.sql("INSERT INTO orders VALUES (-4, 'without a book')");
      await trials.write();
      await eventually(trials.logged, /tickets: No such file or directory; run the backup, which writes it/);
      expect(Number(await trials.waiting())).toBeGreaterThan(1);
      const { outputs } = await trials.succeeds();
      expect(outputs['source']).toBe(PRIMARY);
      await recoversAcross(before, 4);
    });

    const inTheBucket = (backup: Manifest, name: string): Promise<string> =>
      eventually(
        async () => String((await trials.site.bucket.head(keyOfSegment(backup, name))) !== null),
        /true/,
      );

    /** A recovery to the end of the log finds what was written before and after a change of primary. */
    async function recoversAcross({ id }: Manifest, rows: number): Promise<void> {
      const across = await trials.restore({
        backup: id,
        target: 'latest',
        assertions: `shop: SELECT count(*) = ${rows} FROM orders WHERE id < 0`,
      });
      expect(across.output).toContain(`Backup ${id} is proven`);
    }
  },
);
