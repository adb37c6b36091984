import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { RedisManifest } from '@perlstack/backup';
import { REDIS, SENTINEL } from '@perlstack/configs';
import { whyNoHosts } from '@perlstack/local-cloud';
import { REDIS_PASSWORD } from './backup-site.js';
import { eventually, fails } from './backup-trials.js';
import { CACHES, RedisBackupSite, SNAPSHOTS, stackOf } from './redis-backup-site.js';
import { filesHolding, watchProcesses } from './secrets-watch.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();
const ALL = CACHES.join(', ');

(obstacle === null ? describe : describe.skip).each([
  ['linode/debian13', 8],
  ['linode/debian12', 7],
] as const)(
  `backups of Redis on %s${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  (image, version) => {
    let tier: RedisBackupSite;
    let backup = '';
    /** What hangs on us alone is tried with one version: it takes its time. */
    const once = version === 8 ? it : undefined;
    const stackFile = stackOf(image, 'persistence: aof');

    beforeAll(async () => {
      tier = await RedisBackupSite.open(stackFile);
      await tier.haveSentinelsWait();
      // So much noise that a backup of it can be slow, made in pieces: Redis answers nobody meanwhile.
      const noise = Array.from(
        { length: 30 },
        (_, part) =>
          `EVAL "math.randomseed(${part}) for i = 1, 100 do local t = {} for j = 1, 500 do t[j] = math.random(100000, 999999) end redis.call('SET', 'noise:${part}:' .. i, table.concat(t)) end return 1" 0`,
      );
      // And what a key can be.
      await tier.redis(
        'cache-1',
        `SET config:version 42
SADD products 1 2 3
HSET "a key" field "with blanks"
SET session:1 gone PX 1
SELECT 3
SET other 3
${noise.join('\n')}`,
      );
      await tier.expectCluster('cache-1');
    });
    afterAll(() => tier?.close());

    const manifestOf = async (id: string): Promise<RedisManifest> => {
      const stored = await tier.site.bucket.get(SNAPSHOTS.manifest(id));
      return JSON.parse(String(stored?.content)) as RedisManifest;
    };
    const whole = async (): Promise<string[]> =>
      (await tier.site.bucket.list(SNAPSHOTS.bases))
        .filter(({ key }) => key.endsWith('manifest.json'))
        .map(({ key }) => key.slice(SNAPSHOTS.bases.length).split('/')[0] ?? '');
    const programs = (host: string): Promise<string> =>
      tier.site.hosts
        .console(host, 'ps -C redis-cli,redis-check-rdb,zstd,age,perl,curl -o args= || :; ls /var/tmp')
        .then(({ output }) => output);

    it('says what it would do, without a change', async () => {
      const { code, output } = await tier.backup({ mode: 'plan' });
      expect(output).toMatch(/cache-[23] would be copied; 0 whole backups there; 0 would go\. Nothing was/);
      expect(code).toBe(0);
      expect(await tier.site.bucket.list('')).toEqual([]);
      await fails(tier.backup({ mode: 'verify' }), /has no whole backup of this stack; run mode "backup"/);
    });

    it('copies a replica into the bucket while the primary is written to', async () => {
      const writing = tier.site.hosts.ask(
        'cache-1',
        `{ cat ${REDIS.passwordFile}; for i in $(seq 20000); do echo "SET load:$i $i"; done; } | redis-cli > /dev/null`,
      );
      const { code, output, outputs, summary } = await tier.backup();
      await writing;
      expect(output).toMatch(/Backup \S+ of cache-[23] is whole: \d+ keys/);
      expect(code).toBe(0);
      backup = outputs['backup'] ?? '';
      expect(outputs['source']).toMatch(/^cache-[23]$/);
      expect(summary).toContain(backup);
      expect(JSON.parse(outputs['metrics'] ?? '')).toMatchObject({ backups: 1, lastDrillAgeSeconds: null });
      expect(JSON.parse(outputs['probe'] ?? '')).not.toEqual([]);
      const { source, redis, keys, databases, object } = await manifestOf(backup);
      expect(source).toMatchObject({ host: outputs['source'], role: 'replica' });
      expect(redis.version).toMatch(new RegExp(`^${version}\\.`));
      expect(redis.replicationId).toBe(await tier.replication('cache-1', 'master_replid'));
      expect(redis.offset).toBeGreaterThan(20_000_000 * 0.4);
      expect(keys).toBeGreaterThan(3_000);
      expect(databases['3']?.least).toBeGreaterThanOrEqual(1);
      expect(object.recipient).toBe(tier.site.age.recipient);
      // Nothing of Redis's own was asked for, and nothing is left.
      expect(await tier.site.hosts.ask('cache-1', 'ls /var/lib/redis')).not.toContain('dump.rdb');
      expect(await programs(source.host)).not.toMatch(/perlstack|redis-cli|curl/);
    });

    it('is proven by a drill, which leaves nothing and disturbs nobody', async () => {
      const before = await tier.redis('cache-3', 'INFO server');
      const { code, output, outputs } = await tier.restore({
        assertions: [
          '0: GET config:version = 42',
          '0: SCARD products >= 3',
          '0: HGET "a key" field = with blanks',
          '3: EXISTS other',
        ].join('\n'),
      });
      expect(output).toContain(`Backup ${backup} is proven`);
      expect(code).toBe(0);
      expect(JSON.parse(outputs['report'] ?? '')).toMatchObject({ host: 'cache-3', faults: [] });
      expect(JSON.parse(outputs['report'] ?? '')).toMatchObject({ keys: (await manifestOf(backup)).keys });
      const pid = (info: string): string | undefined => /process_id:\d+/.exec(info)?.[0];
      expect(pid(await tier.redis('cache-3', 'INFO server'))).toBe(pid(before));
      const left =
        'ls /var/lib /run | grep -c perlstack-redis-drill; systemctl is-active perlstack-redis-drill || :';
      expect(await tier.site.hosts.ask('cache-3', left)).toBe('0\ninactive');
      expect(await tier.site.bucket.list(SNAPSHOTS.drills)).toHaveLength(1);
    });

    once?.('a drill fails when an answer is another, and says which', async () => {
      const { code, output } = await tier.restore({
        assertions: '0: GET config:version = 41\n0: EXISTS nothing\n3: EXISTS other',
      });
      expect(code).toBe(1);
      expect(output).toContain('0: GET config:version = 41: the answer is 42, not 41');
      expect(output).toContain('0: EXISTS nothing: the answer is 0, not > 0');
      expect(output).not.toContain('EXISTS other');
    });

    once?.each(['snapshotBytes', 'memoryBytes'] as const)(
      'a drill refuses a host that has no room for %s',
      async (what) => {
        const manifest = await manifestOf(backup);
        const claim = (one: RedisManifest): Promise<unknown> =>
          tier.site.bucket.put(SNAPSHOTS.manifest(backup), JSON.stringify(one));
        await claim({ ...manifest, redis: { ...manifest.redis, [what]: 1e15 } });
        const result = await tier.restore();
        await claim(manifest);
        const room = what === 'memoryBytes' ? 'memory' : 'disk';
        await fails(
          result,
          new RegExp(`could not be restored: .*\\d+ of the \\d+ bytes of ${room} that are needed`),
        );
      },
    );

    once?.('one byte is another, or the key: verify and drill say so', async () => {
      const manifest = await manifestOf(backup);
      const { key } = manifest.object;
      const content = (await tier.site.bucket.get(key))?.content ?? Buffer.alloc(0);
      const damaged = Buffer.from(content);
      damaged.writeUInt8(damaged.readUInt8(damaged.length - 1) ^ 1, damaged.length - 1);
      const { etag } = await tier.site.bucket.put(key, damaged);
      await fails(tier.backup({ mode: 'verify' }), new RegExp(`Backup ${backup} is broken: .*${etag}`));
      await fails(tier.restore({ backup }), new RegExp(`there is no whole backup ${backup}`));
      const claim = (tag: string): Promise<unknown> =>
        tier.site.bucket.put(
          SNAPSHOTS.manifest(backup),
          JSON.stringify({ ...manifest, object: { ...manifest.object, etag: tag } }),
        );
      await claim(etag);
      await fails(tier.restore(), /could not be restored: .*(not what was stored: SHA-256|age failed)/);
      await claim((await tier.site.bucket.put(key, content)).etag);
      const other = await tier.site.hosts.ask('cache-1', 'age-keygen 2> /dev/null');
      const identity = /AGE-SECRET-KEY-1\S+/.exec(other)?.[0] ?? '';
      const result = await tier.restore({ 'age-identity': identity });
      await fails(result, /could not be restored: .*age failed with code 1: .*no identity matched/);
      expect(result.output).not.toContain(identity);
      await fails(tier.restore({ 'age-identity': '' }), /Input "age-identity": backup \S+ is encrypted for/);
      expect((await tier.backup({ mode: 'verify' })).output).toContain('1 whole backup, the newest of');
    });

    once?.(
      'a runner is killed in the middle: nothing looks whole, its host ends by itself, the next run clears it',
      async () => {
        const inputs = { 'age-recipient': tier.site.age.recipient, source: 'cache-2' };
        const step = tier.site.step('redis-backup-to-object-storage', inputs);
        // Of 23,000 keys: it can't be over before it is seen.
        await tier.redis('cache-2', 'CONFIG SET rdb-key-save-delay 1000');
        const running = step.start();
        const over = running.ended.then(({ output }) => {
          throw new Error(`It was over before it could be killed: ${output}`);
        });
        await Promise.race([eventually(() => programs('cache-2'), /redis-check-rdb/), over]);
        over.catch(() => undefined);
        running.kill('SIGKILL');
        await running.ended;
        await tier.redis('cache-2', 'CONFIG SET rdb-key-save-delay 0');
        await eventually(() => programs('cache-2'), /^(?!.*(perlstack|redis-c|curl|zstd|age ))/s);
        expect(await whole()).toEqual([backup]);
        await fails(
          await tier.backup(),
          /A backup is under way since \S+ .*if it was killed, its lease ends at/,
        );
        expect(await step.run('post')).toMatchObject({ code: 0 });
        step.remove();
        const { code, outputs, output } = await tier.backup({ 'keep-minimum': '1' });
        expect(output).toContain('is whole');
        expect(code).toBe(0);
        // The newest of its day stays, and by so small a minimum no other one of the same day.
        expect(JSON.parse(outputs['removed'] ?? '')).toEqual([backup]);
        backup = outputs['backup'] ?? '';
        expect(await whole()).toEqual([backup]);
        expect(await tier.site.bucket.uploads('')).toEqual([]);
      },
    );

    once?.('a replica is down: it is told of, and another host is copied', async () => {
      await tier.site.hosts.ask('cache-2', `systemctl stop ${REDIS.unit}`);
      await fails(tier.backup({ source: 'cache-2' }), /cache-2 is not a replica whose link is up/);
      const { code, outputs } = await tier.backup({ 'keep-minimum': '1' });
      expect(code).toBe(0);
      expect(outputs['source']).toBe('cache-3');
      backup = outputs['backup'] ?? '';
      await tier.site.hosts.ask('cache-2', `systemctl start ${REDIS.unit}`);
      const primary = await tier.backup({ source: 'primary', 'keep-minimum': '1' });
      expect(primary.outputs['source']).toBe('cache-1');
      backup = primary.outputs['backup'] ?? '';
      await tier.expectCluster('cache-1');
    });

    once?.('a copy of the primary that a Sentinel took for a replica is forgotten', async () => {
      // So slow that all of them, who ask every 10 s, see it.
      await tier.redis('cache-1', 'CONFIG SET rdb-key-save-delay 1000');
      const copy = `REDISCLI_AUTH='${REDIS_PASSWORD}' redis-cli --rdb - > /dev/null 2>&1`;
      const copying = tier.site.hosts.console('cache-1', copy);
      for (const host of CACHES) await tier.eventually(async () => (await tier.view(host)).replicas, '3');
      await tier.redis('cache-1', 'CONFIG SET rdb-key-save-delay 0');
      await copying;
      for (const host of CACHES) expect((await tier.view(host)).replicas).toBe('3');
      const { code, output, outputs } = await tier.backup({ 'keep-minimum': '1' });
      // Of the drills before, on purpose.
      const [, ...others] = output.split('\n').filter((line) => line.startsWith('::warning'));
      expect(output).toContain('::warning::The last drill, ');
      expect(others).toEqual([]);
      expect(code).toBe(0);
      backup = outputs['backup'] ?? '';
      for (const host of CACHES)
        expect(await tier.view(host)).toEqual({ flags: 'master', replicas: '2', others: '2' });
      await tier.expectCluster('cache-1');
    });

    once?.('keys, identity, URLs and password are in no process list, file, log or output', async () => {
      const { hosts, storage, age } = tier.site;
      // redis-cli takes the password of a server that it copies from its environment alone.
      const processes = watchProcesses(hosts, CACHES, false);
      const results = [
        await tier.backup({ source: 'cache-2', 'max-rate': '1', 'keep-minimum': '1' }),
        await tier.restore(),
      ];
      expect(results.map(({ code }) => code)).toEqual([0, 0]);
      backup = results[0]?.outputs['backup'] ?? '';
      const seen = await processes();
      expect(seen).toMatch(/^redis-cli -p 6379 --rdb -/m);
      expect(seen).toMatch(/^age -r age1/m);
      // A drill is so short that its age alone may be missed.
      expect(seen).toMatch(/^age -d -i |redis-server unixsocket:/m);
      const said = results
        .map(({ output, summary, written }) => output + summary + JSON.stringify(written))
        .join('\n');
      const { accessKeyId, secretAccessKey } = storage;
      const secrets = [accessKeyId, secretAccessKey, age.identity, 'AGE-SECRET-KEY-1', 'X-Amz-Signature'];
      for (const secret of [...secrets, REDIS_PASSWORD]) {
        expect(seen).not.toContain(secret);
        expect(said).not.toContain(secret);
      }
      for (const host of CACHES) {
        expect(await filesHolding(hosts, host, secrets)).toBe('');
        const journal = await hosts.console(host, 'journalctl --quiet --no-pager');
        for (const secret of [...secrets, REDIS_PASSWORD]) expect(journal.output).not.toContain(secret);
      }
    });

    describe('after a disaster', () => {
      const stop = (): Promise<string[]> => tier.everywhere(`systemctl stop ${REDIS.unit}`);
      beforeAll(() => tier.redis('cache-1', 'SET later yes\nSET config:version 43\nWAIT 2 5000'));
      const expectBack = async (leader: string): Promise<void> => {
        await tier.expectCluster(leader);
        for (const host of CACHES) {
          expect(await tier.redis(host, 'GET config:version\nEXISTS later\nSELECT 3\nGET other')).toBe(
            '42\n0\nOK\n3',
          );
        }
        const marks = await tier.everywhere('ls -A /var/lib/redis');
        for (const files of marks) expect(files).not.toMatch(/restoring|part|new/);
      };

      once?.(
        'refuses a Redis that runs, data that nobody named, and a host that does not answer',
        async () => {
          const running = await tier.restore({ mode: 'primary', replace: ALL });
          for (const host of CACHES)
            expect(running.output).toContain(
              `${host}: Redis runs here: stop it first, if it is really to be`,
            );
          await stop();
          const unnamed = await tier.restore({ mode: 'primary', replace: 'cache-1 cache-2' });
          expect(unnamed.output).toContain(
            'cache-3: /var/lib/redis is not empty: name this host in the input replace',
          );
          expect(unnamed.output).not.toContain('cache-1: /var/lib/redis');
          expect([running.code, unnamed.code]).toEqual([1, 1]);
          const planned = await tier.restore({ mode: 'plan' });
          expect(planned.output).toContain('Mode primary would refuse: cache-1: /var/lib/redis is not empty');
          expect(planned.code).toBe(0);
          await tier.site.hosts.cloud.faults.kill('shop-cache-3');
          await fails(
            tier.restore({ mode: 'primary', replace: ALL }),
            /cache-3 does not answer: should it come back later, so would its old data/,
          );
          await tier.site.hosts.revive('cache-3');
          await stop();
        },
      );

      it('brings the whole tier to the snapshot, and nothing of before comes back', async () => {
        await stop();
        const { code, output } = await tier.restore({ mode: 'primary', replace: ALL });
        expect(output).toContain('cache-1 is the primary with backup');
        expect(output).toContain('cache-2 and cache-3 follow it; the Sentinels agree');
        expect(code).toBe(0);
        await expectBack('cache-1');
        for (const said of await tier.everywhere('ls -d /var/lib/redis.replaced-*/appendonlydir'))
          expect(said).toMatch(/^\/var\/lib\/redis\.replaced-\d{8}T\d{6}Z\/appendonlydir$/);
        expect(await tier.site.look()).toEqual({ steps: [], changes: [], refusals: [] });
        // Also not when all of them start again.
        await tier.everywhere(`systemctl restart ${REDIS.unit}`);
        await tier.eventually(() => tier.redis('cache-1', 'GET config:version'), '42');
      });

      once?.each(['rdb', 'both'])('the same with persistence: %s, on another host', async (persistence) => {
        await tier.everywhere('rm -rf /var/lib/redis.replaced-*');
        const bundle = tier.site.bundle(stackOf(image, `persistence: ${persistence}`));
        await tier.site.converge({ restart: true }, bundle);
        const leader = (await primaryOf()) === 'cache-2' ? 'cache-1' : 'cache-2';
        await tier.redis(await primaryOf(), 'SET later yes\nSET config:version 43\nWAIT 2 5000');
        await stop();
        const { code, output } = await tier.restore({ mode: 'primary', host: leader, replace: ALL });
        expect(output).toContain(`${leader} is the primary with backup ${backup}`);
        expect(code).toBe(0);
        await expectBack(leader);
        expect(await tier.site.look(bundle)).toEqual({ steps: [], changes: [], refusals: [] });
      });

      const primaryOf = async (): Promise<string> => {
        const said = await tier.sentinel('cache-1', 'SENTINEL GET-MASTER-ADDR-BY-NAME shop');
        return CACHES.find((host) => tier.addressOf(host) === said.split('\n')[0]) ?? said;
      };

      once?.each([
        ['while the snapshot is on its way', /Restore/],
        ['while it is loaded', /cache-1: the snapshot is there/],
      ])('a run that is killed %s is finished by the next one', async (_, when) => {
        await stop();
        await tier.everywhere('rm -rf /var/lib/redis.replaced-*');
        const inputs = { mode: 'primary', replace: ALL };
        const step = tier.restoring(inputs);
        const running = step.start();
        await running.until(when);
        if (when.source === 'Restore')
          await eventually(
            () => tier.site.hosts.console('cache-1', 'ls -A /var/lib/redis').then(({ output }) => output),
            /restoring/,
          );
        running.kill('SIGKILL');
        await running.ended;
        step.remove();
        for (const host of CACHES)
          expect(await tier.site.hosts.ask(host, `systemctl is-active ${SENTINEL.unit} || :`)).toMatch(
            /^inactive/,
          );
        const { code, output } = await tier.restore(inputs);
        expect(output).toContain(`cache-1 is the primary with backup ${backup}`);
        expect(code).toBe(0);
        await expectBack('cache-1');
        // Moved aside once, and not what the killed run had brought.
        for (const said of await tier.everywhere('ls -d /var/lib/redis.replaced-* | wc -l'))
          expect(said).toBe('1');
      });

      it('the tier is backed up again, and that is proven', async () => {
        const { code, outputs } = await tier.backup();
        expect(code).toBe(0);
        const proven = await tier.restore({ assertions: '0: GET config:version = 42' });
        expect(proven.output).toContain(`Backup ${outputs['backup']} is proven`);
      });
    });
  },
);
