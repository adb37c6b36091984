import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import { messageOf } from '@perlstack/stack';
import type { ActionStep } from './action-step.js';
import { PRIMARY, REPLICA } from './backup-site.js';
import { BackupTrials, DEAF, eventually, fails, NO_LONGER_DEAF } from './backup-trials.js';
import { filesHolding, RESTORE_FOLDERS } from './secrets-watch.js';

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

    describe('a restore into a replica', () => {
      const DATA = '/var/lib/postgresql/17/main';
      const named = { mode: 'replica', host: REPLICA, replace: REPLICA, timeout: '10m' };

      const console = async (script: string): Promise<string> =>
        (await trials.site.hosts.console(REPLICA, script)).output;

      /**
       * Begins one, and kills its runner at a moment that the host itself sees. The server that recovers asks the storage and its
       * primary, and gets no answer: it stays where it is.
       *
       * @param before when its host is to get no answer any more
       * @returns its step
       */
      async function killWhen(moment: string, before = moment): Promise<ActionStep> {
        const { site, relay } = trials;
        const step = site.step(
          'pg-restore',
          { endpoint: relay.endpoint, 'age-identity': site.age.identity, ...named },
          { prefix: site.hosts.cloud.inInternet([]) },
        );
        const running = step.start();
        const until = (what: string): string => `until ${what}; do sleep 0.02; done`;
        const seen = await console(
          `timeout 120 sh -c '${until(before)}' && ${DEAF}; timeout 120 sh -c '${until(moment)}' && echo seen`,
        );
        running.kill('SIGKILL');
        const { output } = await running.ended;
        if (seen !== 'seen') throw new Error(`it never came to ${moment}:\n${output}`);
        return step;
      }

      /** Nothing of the restore runs, or lies, on the host. */
      async function expectNothingLeft(): Promise<void> {
        const programs = 'ps -C tar,zstd,age,curl,perl -o args= || :';
        await eventually(() => console(programs), /^$/);
        const secrets = ['AGE-SECRET-KEY', 'X-Amz-Signature'];
        expect(await filesHolding(trials.site.hosts, REPLICA, secrets, RESTORE_FOLDERS)).toBe('');
        expect(await console('ls -d /run/perlstack-restore* 2> /dev/null')).toBe('');
        expect(await console('systemctl list-timers --all | grep forget')).toBe('');
        expect(await console(`ls -d ${DATA}.restoring* 2> /dev/null`)).toBe('');
      }

      /** What could be started knows that it follows somebody, and nothing that runs takes writes. */
      async function expectNoPrimary(): Promise<void> {
        expect(
          await console(`[ ! -e ${DATA}/PG_VERSION ] || [ -e ${DATA}/standby.signal ] || echo primary`),
        ).toBe('');
        const inRecovery =
          'cd / && runuser -u postgres -- psql -XAtc "SELECT pg_is_in_recovery()" 2> /dev/null';
        expect(await console(inRecovery)).toMatch(/^t?$/);
      }

      beforeAll(async () => {
        await console('systemctl stop postgresql@17-main');
      });

      const COME = `[ -e ${DATA}.restoring/base ]`;
      const THERE = '[ -e /run/perlstack-restore/identity ]';
      const TO_STREAM = `grep -qs /run/perlstack-restore/restore-wal ${DATA}/postgresql.auto.conf`;

      it.each([
        ['its files come', COME, COME],
        ['they are there', THERE, THERE],
        ['it is to stream', TO_STREAM, THERE],
      ])(
        'whose runner is killed when %s leaves nothing secret, and no second primary',
        async (_when, moment, before) => {
          const step = await killWhen(moment, before);
          try {
            await expectNoPrimary();
            expect(await step.run('post')).toMatchObject({ code: 0 });
          } finally {
            await console(NO_LONGER_DEAF);
            step.remove();
          }
          await expectNothingLeft();
          await console('systemctl start postgresql@17-main');
          expect(await console('systemctl is-active postgresql@17-main')).not.toBe('active');
          await expectNoPrimary();
        },
      );

      it('whose runner is lost with its post, when it is to stream, is brought to its end by the host itself', async () => {
        const step = await killWhen(TO_STREAM, THERE);
        step.remove();
        await expectNoPrimary();
        await console(NO_LONGER_DEAF);
        const streams = 'SELECT status FROM pg_stat_wal_receiver';
        await eventually(
          async () => console(`cd / && runuser -u postgres -- psql -XAtc "${streams}"`),
          /^streaming$/,
        ).catch(async (error: unknown) => {
          const words = await console(
            'systemctl status --no-pager postgresql@17-main; pgrep -a -f perlstack-restore; tail -n 30 $(ls -t /var/log/postgresql/*.log | head -n 1)',
          );
          throw new Error(`${messageOf(error)}\n${words}`);
        });
        await eventually(async () => console('ls /run | grep perlstack-restore'), /^$/);
        await expectNothingLeft();
        expect(await trials.sql('SHOW restore_command', REPLICA)).toBe('');
      });

      it('is finished by the next run, and follows the primary', async () => {
        await console('systemctl stop postgresql@17-main');
        const step = await killWhen(COME);
        step.remove();
        await console(NO_LONGER_DEAF);
        const { code, output } = await trials.restore(named);
        expect(output).toContain(`${REPLICA} is a replica with backup`);
        expect(code).toBe(0);
        await expectNothingLeft();
        await trials.sql("INSERT INTO orders VALUES (-1, 'after it')");
        const count = 'SELECT count(*) FROM orders WHERE id = -1';
        await eventually(() => trials.sql(count, REPLICA), /^1$/);
      });
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
