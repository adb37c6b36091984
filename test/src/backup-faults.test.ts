import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { keysOf } from '@perlstack/backup';
import { ARCHIVE } from '@perlstack/configs';
import { whyNoHosts } from '@perlstack/local-cloud';
import { PRIMARY, REPLICA, STACK } from './backup-site.js';
import { filesHolding, watchProcesses } from './secrets-watch.js';
import { BackupTrials, eventually, fails, folderOf, LEASE } from './backup-trials.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();

/**
 * What can go wrong with a backup, and what the next one makes of it. Nothing may look like a backup that is none, nothing
 * may stay that nobody counts, and nobody may have to tidy up by hand.
 */
(obstacle === null ? describe : describe.skip)(
  `backups through faults${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let trials: BackupTrials;

    beforeAll(async () => {
      trials = await BackupTrials.open();
    });
    afterAll(() => trials?.close());

    it('a runner is killed in the middle: its host ends by itself, the next one is told who holds the lease, post gives it back', async () => {
      const before = (await trials.manifests()).length;
      await trials.inTheMiddle(async (step, running) => {
        running.kill('SIGKILL');
        await running.ended;
        await trials.quiet();
        expect(await trials.uploads()).toHaveLength(1);
        await fails(
          await trials.backup(),
          /A backup is under way since \S+ \(.*acme\/shop\/actions\/runs\/1.*if it was killed, its lease ends at \S+/,
        );
        const post = await step.run('post');
        expect(post).toMatchObject({ code: 0 });
        expect(post.output).toContain('was ended');
        expect(await trials.uploads()).toEqual([]);
      });
      expect(await trials.manifests()).toHaveLength(before);
      await trials.succeeds();
      expect(await trials.manifests()).toHaveLength(before + 1);
    });

    it('a runner is lost without post: once its lease is over, the next one ends what it left', async () => {
      await trials.inTheMiddle(async (_, running) => {
        running.kill('SIGKILL');
        await running.ended;
      });
      const held = JSON.parse(String((await trials.site.bucket.get(LEASE))?.content)) as object;
      const over = { ...held, until: new Date(Date.now() - 60_000).toISOString() };
      await trials.site.bucket.put(LEASE, JSON.stringify(over));
      const { output } = await trials.succeeds();
      expect(output).toMatch(/Removed an upload of \S+ that was begun \S+ and never ended/);
    });

    it('a run loses its lease in the middle: it writes no manifest, and the next one clears what it sent', async () => {
      const before = (await trials.manifests()).length;
      const { bucket } = trials.site;
      await trials.inTheMiddle(async (_, running) => {
        const held = JSON.parse(String((await bucket.get(LEASE))?.content)) as object;
        await bucket.put(LEASE, JSON.stringify({ ...held, nonce: 'of another', owner: 'another run' }));
        await fails(await running.ended, /^Another run has taken the lease over.*\(another run\)/);
        expect(await trials.manifests()).toHaveLength(before);
        await bucket.put(LEASE, JSON.stringify({ ...held, until: new Date(0).toISOString() }));
      });
      const { output } = await trials.succeeds();
      expect(output).toMatch(/Removed backup \S+, which never came to its end/);
    });

    it('a runner is cancelled in the middle: main and post leave neither upload nor lease', async () => {
      await trials.inTheMiddle(async (step, running) => {
        running.kill('SIGINT');
        expect(await running.ended).toMatchObject({ code: 130 });
        await trials.quiet();
        expect(await step.run('post')).toMatchObject({ code: 0 });
        expect(await trials.uploads()).toEqual([]);
      });
      await trials.succeeds();
    });

    it('one byte of the base is another: verify and restore say so, also where the ETag was made to fit', async () => {
      const { key } = trials.last.object;
      const content = (await trials.site.bucket.get(key))?.content ?? Buffer.alloc(0);
      const manifestKey = `${folderOf(trials.last)}manifest.json`;
      const flip = async (at: number): Promise<string> => {
        const damaged = Buffer.from(content);
        damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
        return (await trials.site.bucket.put(key, damaged)).etag;
      };
      const claim = (etag: string): Promise<unknown> =>
        trials.site.bucket.put(
          manifestKey,
          JSON.stringify({ ...trials.last, object: { ...trials.last.object, etag } }),
        );
      const etag = await flip(content.length - 1);
      await fails(
        await trials.backup({ mode: 'verify' }),
        new RegExp(`Backup ${trials.last.id} is broken: .*${etag}`),
      );
      const left = await trials.restore({ backup: trials.last.id });
      expect(left.output).toContain(`Backup ${trials.last.id} is left out: its data are not what was stored`);
      await fails(left, new RegExp(`there is no whole backup ${trials.last.id}`));
      await claim(etag);
      await fails(
        await trials.restore({ backup: trials.last.id }),
        new RegExp(`${trials.last.id} could not be restored: .*the object is not what was stored: SHA-256`),
      );
      await claim(await flip(Math.floor(content.length / 2)));
      await fails(
        await trials.restore({ backup: trials.last.id }),
        /could not be restored: .*(age failed|not what was stored)/,
      );
      await claim((await trials.site.bucket.put(key, content)).etag);
      expect((await trials.restore({ backup: trials.last.id })).output).toContain('is proven');
    });

    it('keys, bucket or pair are wrong: one line each says which', async () => {
      await fails(
        await trials.backup({ 'access-key-id': 'nobody' }),
        /failed \(403 InvalidAccessKeyId\): the storage knows no such access key/,
      );
      await fails(
        await trials.backup({ 'secret-access-key': 'wrong' }),
        /failed \(403 SignatureDoesNotMatch\): check the secret key, and the region/,
      );
      const step = trials.site.step('pg-backup-to-object-storage', {
        'age-recipient': trials.site.age.recipient,
      });
      step.write('perlstack.yml', STACK.replace('shop-backups', 'no-such-bucket'));
      await fails(
        await step.run(),
        /bucket no-such-bucket: .* failed \(404 NoSuchBucket\): create the bucket first/,
      );
      step.remove();
      await fails(
        await trials.restore({ 'age-identity': '' }),
        /Input "age-identity": backup \S+ is encrypted for age1/,
      );
      const other = await trials.site.hosts.ask(REPLICA, 'age-keygen 2> /dev/null');
      const identity = /AGE-SECRET-KEY-1\S+/.exec(other)?.[0] ?? '';
      const result = await trials.restore({ 'age-identity': identity });
      await fails(result, /could not be restored: .*age failed with code 1: .*no identity matched/);
      expect(result.output).not.toContain(identity);
      expect(await trials.uploads()).toEqual([]);
    });

    it('a drill that cannot restore is noted as one that failed, unless that says nothing of the backup', async () => {
      const notes = async (): Promise<string[]> =>
        (await trials.site.bucket.list(keysOf('shop').drills)).map(({ key }) => key);
      const before = await notes();
      await fails(await trials.restore({ 'age-identity': '' }), /is encrypted for age1/);
      await trials.site.hosts.cloud.faults.shrinkDisk('shop-database-2', '/var/lib/postgresql', 50);
      await fails(await trials.restore(), /bytes that are needed are free/);
      await trials.site.hosts.cloud.faults.restoreDisk('shop-database-2', '/var/lib/postgresql');
      await fails(await trials.restore({ host: 'app-1' }), /app-1: it has no pg_ctl/);
      expect(await notes()).toEqual(before);
      await trials.relay.harm({ match: '^GET .*data\\.tar', status: 404 });
      await fails(await trials.restore(), /could not be restored: /);
      await trials.relay.harm();
      const [key = '', ...more] = (await notes()).filter((one) => !before.includes(one));
      expect(more).toEqual([]);
      const note = JSON.parse(String((await trials.site.bucket.get(key))?.content)) as object;
      expect(note).toMatchObject({ backup: trials.last.id, faults: [expect.stringContaining('404')] });
      const warning = /::warning::The last drill, \S+, failed; the last one that proved a backup was/;
      expect((await trials.backup({ mode: 'verify' })).output).toMatch(warning);
      expect((await trials.restore()).output).toContain('is proven');
      expect((await trials.backup({ mode: 'verify' })).output).not.toMatch(warning);
    });

    it('a disk is full, of the source or where it is to be restored: one line says so, and nothing is left', async () => {
      const { faults } = trials.site.hosts.cloud;
      await faults.shrinkDisk('shop-database-2', '/var/tmp', 4);
      const before = (await trials.manifests()).length;
      await fails(await trials.backup(), /database-2.*\/var\/tmp: No space left on device/);
      await faults.restoreDisk('shop-database-2', '/var/tmp');
      await trials.quiet();
      expect(await trials.uploads()).toEqual([]);
      expect(await trials.manifests()).toHaveLength(before);
      await faults.shrinkDisk('shop-database-2', '/var/lib/postgresql', 50);
      await fails(
        await trials.restore(),
        /could not be restored: .*\d+ of the \d+ bytes that are needed are free/,
      );
      const left = await trials.site.hosts.console(
        REPLICA,
        'ls /var/lib/postgresql/17 /run | grep perlstack-',
      );
      expect(left.output).toBe('');
      await faults.restoreDisk('shop-database-2', '/var/lib/postgresql');
    });

    it('the storage refuses, breaks off or lets a URL expire now and then: tried again; for good: one line, and nothing is left', async () => {
      await trials.relay.harm(
        { match: '^PUT .*partNumber=', status: 503, times: 1 },
        { match: '^PUT .*partNumber=', status: 403, times: 1 },
        { match: '^POST .*uploads', status: 500, times: 1 },
        { match: '^PUT .*/wal/', status: 500, times: 1 },
      );
      await trials.succeeds();
      expect(await trials.relay.harm({ match: '^GET .*/base/.*data', cutAfter: 1_000_000, times: 2 })).toBe(
        4,
      );
      expect((await trials.restore()).output).toContain('is proven');
      expect(await trials.relay.harm({ match: '^PUT .*partNumber=', status: 500 })).toBe(2);
      const before = (await trials.manifests()).length;
      await fails(
        await trials.backup(),
        /part 1: the bucket answers 500 and takes nothing, after several tries/,
      );
      await trials.relay.harm();
      await trials.quiet();
      expect(await trials.uploads()).toEqual([]);
      expect(await trials.manifests()).toHaveLength(before);
    });

    it('a runner is killed while the storage does not take a part: the same', async () => {
      await trials.relay.harm({ match: '^PUT .*partNumber=', hang: true });
      const step = trials.site.step('pg-backup-to-object-storage', {
        'age-recipient': trials.site.age.recipient,
        endpoint: trials.relay.endpoint,
      });
      const running = step.start();
      await eventually(
        async () => (await trials.site.hosts.console(REPLICA, 'ps -C curl -o args= || :')).output,
        /^curl/,
      );
      running.kill('SIGKILL');
      await running.ended;
      await eventually(
        async () => (await trials.site.hosts.console(REPLICA, 'ps -C curl -o args= || :')).output,
        /^$/,
      );
      await trials.quiet();
      await trials.relay.harm();
      expect(await step.run('post')).toMatchObject({ code: 0 });
      step.remove();
      expect(await trials.uploads()).toEqual([]);
      await trials.succeeds();
    });

    it('keys, identity and URLs are in no process list, file, log or output but the book', async () => {
      const hosts = ['web-1', 'app-1', PRIMARY, REPLICA];
      const { accessKeyId, secretAccessKey } = trials.site.storage;
      const { identity } = trials.site.age;
      const processes = watchProcesses(trials.site.hosts, hosts);
      const results = [await trials.succeeds({ 'max-rate': '5' }), await trials.restore()];
      const seen = await processes();
      expect(seen).toMatch(/BASE_BACKUP/);
      expect(seen).toMatch(/^age -r age1/m);
      expect(seen).toMatch(/^age -d -i /m);
      const said = results
        .map(({ output, summary, written }) => output + summary + JSON.stringify(written))
        .join('\n');
      const secrets = [accessKeyId, secretAccessKey, identity, 'AGE-SECRET-KEY-1', 'X-Amz-Signature'];
      for (const secret of secrets) {
        expect(seen).not.toContain(secret);
        expect(said).not.toContain(secret);
      }
      const holding = (host: string, words: readonly string[]): Promise<string> =>
        filesHolding(trials.site.hosts, host, words);
      for (const host of hosts) {
        expect(await holding(host, [secretAccessKey, 'AGE-SECRET-KEY-1'])).toBe('');
        expect(await holding(host, ['X-Amz-Signature', accessKeyId])).toBe(
          host.startsWith('database') ? ARCHIVE.book : '',
        );
        const journal = await trials.site.hosts.console(host, 'journalctl --quiet --no-pager');
        for (const secret of secrets) expect(journal.output).not.toContain(secret);
      }
      for (const host of [PRIMARY, REPLICA])
        expect(await trials.site.hosts.ask(host, `stat -c '%a %U' ${ARCHIVE.book}`)).toBe('600 postgres');
    });

    it('the server has a tablespace of its own: one line says so, and nothing is left', async () => {
      for (const host of [PRIMARY, REPLICA])
        await trials.site.hosts.ask(host, 'install -d -m 0700 -o postgres -g postgres /srv/far');
      await trials.site.sql(PRIMARY, "CREATE TABLESPACE far LOCATION '/srv/far'");
      await fails(
        await trials.backup(),
        /database-2: .*a copy of a server with tablespaces of its own is not one stream; move what lies in them to pg_default/,
      );
      await trials.quiet();
      expect(await trials.uploads()).toEqual([]);
      await trials.site.sql(PRIMARY, 'DROP TABLESPACE far');
      await trials.succeeds();
    });

    it('the source dies in the middle: the run fails and gives the lease back, the next one takes the other', async () => {
      await trials.inTheMiddle(async (_, running) => {
        await trials.site.hosts.cloud.faults.kill('shop-database-2');
        await fails(await running.ended, /database-2/);
      });
      expect(await trials.uploads()).toEqual([]);
      const { output, outputs } = await trials.succeeds();
      expect(output).toMatch(/::warning.*database-2 does not answer/);
      expect(outputs['source']).toBe(PRIMARY);
      await trials.site.hosts.revive(REPLICA);
      await eventually(
        () => trials.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"),
        /^1$/,
      );
    });
  },
);
