import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import type { ActionStep } from './action-step.js';
import { PRIMARY, REPLICA } from './backup-site.js';
import { BackupTrials, fails } from './backup-trials.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();

/** What a run says on its way: it is killed after each of these. */
const MOMENTS = {
  'pg-backup-to-object-storage': [
    /^::group::Observe$/m,
    /is primary$/m,
    /^::group::Look into the bucket$/m,
    /^::group::Base backup$/m,
    /^A full backup$/m,
    /tickets on every member/,
    /bytes in \d+ parts/,
    /^::group::Check$/m,
    /is whole/,
  ],
  'pg-restore': [
    /^::group::Look into the bucket$/m,
    /files of the log$/m,
    /^::group::Drill$/m,
    /being checked$/m,
  ],
} as const;

/** Has all of a process believe in another time. */
const clockOff = (ms: number): string =>
  `--import=data:text/javascript,${encodeURIComponent(
    `const Real = Date; globalThis.Date = class extends Real { constructor(...given) { given.length > 0 ? super(...given) : super(Real.now() + ${ms}); } static now() { return Real.now() + ${ms}; } };`,
  )}`;

/** Runs of the actions that are cut short, or see another world at their end than at their beginning. */
(obstacle === null ? describe : describe.skip)(
  `runs of backups and restores through faults${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let trials: BackupTrials;

    beforeAll(async () => {
      trials = await BackupTrials.open();
    });
    afterAll(() => trials?.close());

    const stepOf = (action: keyof typeof MOMENTS, env: Record<string, string> = {}): ActionStep => {
      const { site, relay } = trials;
      const { recipient, identity } = site.age;
      const given =
        action === 'pg-restore'
          ? { 'age-identity': identity, timeout: '10m' }
          : { 'age-recipient': recipient };
      const options = { env, prefix: site.hosts.cloud.inInternet([]) };
      return site.step(action, { endpoint: relay.endpoint, ...given }, options);
    };

    async function killAfter(action: keyof typeof MOMENTS, moment: RegExp): Promise<void> {
      const step = stepOf(action);
      try {
        const running = step.start();
        await running.until(moment);
        running.kill('SIGKILL');
        await running.ended;
        expect(await step.run('post')).toMatchObject({ code: 0 });
      } finally {
        step.remove();
      }
    }

    const leftOn = async (host: string): Promise<string> =>
      (await trials.site.hosts.console(host, 'ls /var/lib/postgresql/17 /run | grep perlstack-')).output;

    it('a backup is killed after each thing it says: what looks whole is whole, and the next one tidies up nothing', async () => {
      const before = await trials.manifests();
      for (const moment of MOMENTS['pg-backup-to-object-storage']) {
        await killAfter('pg-backup-to-object-storage', moment);
        await trials.quiet();
        expect(await trials.uploads()).toEqual([]);
      }
      await trials.succeeds();
      const after = await trials.manifests();
      // Those that were killed behind their manifest count.
      expect(after.length).toBeGreaterThan(before.length);
      for (const { object } of after) {
        const seen = await trials.site.bucket.head(object.key);
        expect(seen).toMatchObject({ size: object.size, etag: object.etag });
      }
      expect(await trials.backup({ mode: 'verify' })).toMatchObject({ code: 0 });
    });

    it('a drill is killed after each thing it says: post leaves nothing of it, and the next one proves the backup', async () => {
      for (const moment of MOMENTS['pg-restore']) {
        await killAfter('pg-restore', moment);
        expect(await leftOn(REPLICA)).toBe('');
        const running = 'ps -C postgres -o args= | grep -c perlstack-drill || :';
        expect((await trials.site.hosts.console(REPLICA, running)).output.trim()).toBe('0');
      }
      expect((await trials.restore()).output).toContain('is proven');
    });

    it.each([
      ['ahead by 20 minutes', 20 * 60_000],
      ['behind by 3 hours', -3 * 3_600_000],
    ])('the clock of the runner is %s: backups and drills go by that of the storage', async (_what, ms) => {
      const env = { NODE_OPTIONS: clockOff(ms) };
      for (const action of ['pg-backup-to-object-storage', 'pg-restore'] as const) {
        const step = stepOf(action, env);
        const { code, output } = await step.run();
        expect(output).toMatch(/has no gap|is proven/);
        expect(code).toBe(0);
        step.remove();
      }
      const newest = (await trials.manifests()).at(-1);
      expect(Math.abs(Date.parse(newest?.finishedAt ?? '') - Date.now())).toBeLessThan(5 * 60_000);
    });

    it('the disk is full in the middle of a restore: one line says so, and nothing of it is left', async () => {
      const { site, relay, last } = trials;
      const { faults } = site.hosts.cloud;
      const folder = '/var/lib/postgresql';
      await site.hosts.ask(REPLICA, 'systemctl stop postgresql@17-main');
      const needed = Math.ceil((last.postgresql.databaseBytes * 1.1) / 1024 ** 2) + 256;
      await faults.shrinkDisk('shop-database-2', folder, needed + 8);
      // Fills what is free as soon as the first files are there, while the transfer breaks off and goes on.
      const filler = `until [ -e ${folder}/17/perlstack-drill/base ]; do sleep 0.01; done; head -c 4G /dev/zero > ${folder}/filler`;
      await site.hosts.console(REPLICA, `systemd-run --quiet sh -c '${filler}'`);
      await relay.harm({ match: '^GET .*data\\.tar', cutAfter: 1_500_000, times: 5 });
      await fails(
        await trials.restore(),
        /^Backup \S+ could not be restored: .*tar failed with code 2: .*No space left on device/,
      );
      await relay.harm();
      expect(await leftOn(REPLICA)).toBe('');
      await faults.restoreDisk('shop-database-2', folder);
      await site.hosts.ask(REPLICA, 'systemctl start postgresql@17-main');
      expect((await trials.restore()).output).toContain('is proven');
    });

    it('the primary goes and the source takes over in the middle: the run fails, and the next one is of the new timeline', async () => {
      const before = trials.last;
      await trials.inTheMiddle(async (_step, running) => {
        await trials.site.hosts.ask(PRIMARY, 'systemctl stop postgresql@17-main');
        await trials.sql('SELECT pg_promote()', REPLICA);
        await fails(await running.ended, /database-[12]/);
        await trials.quiet();
      });
      expect(await trials.uploads()).toEqual([]);
      const { outputs } = await trials.succeeds();
      expect(outputs['source']).toBe(REPLICA);
      expect(trials.last.wal.timeline).toBe(before.wal.timeline + 1);
    });
  },
);
