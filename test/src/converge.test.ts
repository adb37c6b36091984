import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ConfigBundle, ManagedFile, ServiceConfig } from '@perlstack/configs';
import {
  assertAllowed,
  type Consent,
  type ConvergePlan,
  describe as describePlan,
  type HandlerOptions,
  handlers,
  NO_CONSENT,
  observe,
  plan,
} from '@perlstack/converge';
import { createHostCloud, type HostCloud, type HostSpec, whyNoHosts } from '@perlstack/local-cloud';
import { execute, type ExecuteOptions, type Outcome } from '@perlstack/procedure';
import { connect, fingerprint, generateKeyPair, type Remote } from '@perlstack/remote';
import { type Host, HostSchema } from '@perlstack/stack';
import { openTunnels, type Tunnels } from './tunnels.js';

// The first run builds the image.
jest.setTimeout(300_000);

const obstacle = await whyNoHosts();
const NAMES = ['web-1', 'web-2'] as const;
const SECRET = 'hunter2-hunter2';
const SITE = '/etc/nginx/conf.d/shop.conf';
const DEFAULT_SITE = '/etc/nginx/sites-enabled/default';
const NOTHING: ConvergePlan = { steps: [], changes: [], refusals: [] };
const RESTORE: Consent = { ...NO_CONSENT, drift: 'restore' };
/** What goes back by itself is waited for; long enough for a look at it before, and for a login on a busy machine. */
const BRIEF: HandlerOptions = { guardSeconds: 15 };

(obstacle === null ? describe : describe.skip)(
  `converge${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    const user = generateKeyPair('deploy');
    const hostKey = generateKeyPair('host');
    let cloud: HostCloud;
    let tunnels: Tunnels;
    let hosts: Host[];
    let remote: Remote;

    beforeAll(async () => {
      cloud = await createHostCloud();
      tunnels = await openTunnels(cloud);
      hosts = await Promise.all(NAMES.map((name, index) => bootHost(name, index + 1)));
      remote = open();
    });

    afterAll(async () => {
      await remote?.close();
      await tunnels?.close();
      await cloud?.close();
    });

    const open = (): Remote => connect({ stack: 'shop', hosts }, { privateKey: user.privateKey });

    async function bootHost(name: string, number: number): Promise<Host> {
      const spec = hostSpec(name, number, userData(name, user.publicKey, hostKey));
      await cloud.driver.create(spec);
      await cloud.driver.boot(spec.id);
      await cloud.waitForSsh(spec.id);
      const port = await tunnels.to(spec.interfaces[0]?.ipv4 ?? '', 22);
      return HostSchema.parse({
        ...{ name, tier: 'web', publicAddress: spec.interfaces[0]?.ipv4, privateAddress: null },
        ssh: { address: '127.0.0.1', port, hostKeys: [fingerprint(hostKey.publicKey)] },
      });
    }

    const look = async (bundle: ConfigBundle, consent = NO_CONSENT): Promise<ConvergePlan> =>
      plan(bundle, await observe(remote, bundle), consent);

    const converge = async (
      bundle: ConfigBundle,
      options: ExecuteOptions = {},
      consent = NO_CONSENT,
    ): Promise<Outcome> => {
      const desired = await look(bundle, consent);
      assertAllowed(desired);
      return execute(desired.steps, handlers(remote, bundle, BRIEF), options);
    };

    const settle = async (bundle: ConfigBundle, consent = NO_CONSENT): Promise<void> => {
      const outcome = await converge(bundle, {}, consent);
      expect(outcome.failures).toEqual([]);
    };

    const onHost = async (host: string, command: string): Promise<string> =>
      (await remote.script(host, command, [], { sudo: true })).stdout.trim();

    const answers = (): Promise<string[]> =>
      Promise.all(NAMES.map((name) => onHost(name, 'curl -s 127.0.0.1')));
    const reloads = async (name: string): Promise<number> =>
      Number(await onHost(name, 'journalctl -u nginx -o cat | grep -c ^Reloaded || :'));
    const leftovers = (): Promise<string[]> =>
      Promise.all(
        NAMES.map((name) =>
          onHost(name, 'cd /var/lib/perlstack/converge && ls -d stage backup 2>/dev/null || :'),
        ),
      );

    it('brings up a fresh host, on which nothing ever ran with a default configuration', async () => {
      const bundle = bundleOf('one');
      const description = describePlan(await look(bundle));
      expect(description.rows).toContainEqual({
        host: 'web-1',
        service: 'nginx',
        target: 'package nginx',
        change: 'to be installed',
      });
      expect(JSON.stringify(description)).not.toContain(SECRET);

      const outcome = await converge(bundle);
      expect(outcome.failures).toEqual([]);
      expect(await answers()).toEqual(['one', 'one']);
      expect(await onHost('web-1', 'journalctl -u nginx -o cat | grep -c ^Started')).toBe('1');
      expect(
        await onHost('web-1', 'systemctl is-enabled nginx; stat -c "%a %U %G" /etc/shop/env /srv/shop'),
      ).toBe('enabled\n640 root shop\n750 shop shop');
      expect(await onHost('web-1', 'id -Gn shop; ls /usr/sbin/policy-rc.d 2>&1 | grep -c No')).toBe(
        'shop adm\n1',
      );
      expect(JSON.stringify(outcome)).not.toContain(SECRET);
    });

    it('changes nothing the second time', async () => {
      const before = remote.counters().commands;
      expect(await look(bundleOf('one'))).toEqual(NOTHING);
      expect(remote.counters().commands - before).toBe(NAMES.length);
      expect(await leftovers()).toEqual(['', '']);
    });

    it('shows a diff, and reloads only where something changed', async () => {
      const counts = await Promise.all(NAMES.map(reloads));
      const bundle = bundleOf('one');
      siteOf(bundle, 'web-1').content = site('two');
      const { diffs } = describePlan(await look(bundle));
      expect(diffs).toHaveLength(1);
      expect(diffs[0]?.diff).toContain(`-${site('one')}+${site('two')}`);
      await settle(bundle);
      expect(await answers()).toEqual(['two', 'one']);
      expect(await Promise.all(NAMES.map(reloads))).toEqual([(counts[0] ?? 0) + 1, counts[1]]);
    });

    it('says of a secret only that it changed', async () => {
      const bundle = bundleOf('one');
      for (const { services } of bundle.hosts)
        fileOf(services, '/etc/shop/env').content = 'TOKEN=other-secret\n';
      const seen = await observe(remote, bundle);
      const description = describePlan(plan(bundle, seen));
      expect(description.diffs.find(({ path }) => path === '/etc/shop/env')?.diff).toBe('(secret changed)\n');
      expect(JSON.stringify([seen, description])).not.toMatch(/other-secret|hunter2/);
    });

    it('changes no host when one file on one host is broken', async () => {
      await settle(bundleOf('good'));
      const broken = bundleOf('better');
      siteOf(broken, 'web-2').content = site('better', 'nonsense;');
      const counts = await Promise.all(NAMES.map(reloads));
      const { failures } = await converge(broken);
      expect(failures).toHaveLength(1);
      expect(String(failures[0]?.error)).toMatch(
        /web-2: nginx: the new configuration is not valid.*unknown directive "nonsense"/,
      );
      expect(await answers()).toEqual(['good', 'good']);
      expect(await Promise.all(NAMES.map(reloads))).toEqual(counts);
      expect(await onHost('web-2', 'cat /etc/nginx/conf.d/shop.conf')).toBe(site('good').trim());
      expect((await look(bundleOf('good'))).changes.filter(({ kind }) => kind !== 'leftovers')).toEqual([]);
    });

    it('takes back what does not pass its probe, there and on the hosts that were through', async () => {
      await settle(bundleOf('good'));
      const bad = bundleOf('bad');
      siteOf(bad, 'web-2').content = 'server { listen 80 default_server; return 503; }\n';
      const { failures, undoFailures } = await converge(bad, { onFailure: 'undo' });
      expect(String(failures[0]?.error)).toMatch(
        /web-2: nginx: .* the old one is back in force: .*probe failed.*503/,
      );
      expect(undoFailures).toEqual([]);
      expect(await answers()).toEqual(['good', 'good']);
      expect(await leftovers()).toEqual(['', '']);
      expect(await look(bundleOf('good'))).toEqual(NOTHING);
    });

    it('takes back what was cancelled in the middle', async () => {
      await settle(bundleOf('good'));
      const abort = new AbortController();
      const running = converge(slow(bundleOf('cancelled')), { signal: abort.signal, onFailure: 'undo' });
      await until(async () => (await answers()).includes('cancelled'));
      abort.abort();
      expect(await running).toMatchObject({ state: 'cancelled', undoFailures: [] });
      expect(await answers()).toEqual(['good', 'good']);
      expect(await look(bundleOf('good'))).toEqual(NOTHING);
    });

    it('goes on by itself when nobody listens any more', async () => {
      await settle(bundleOf('good'));
      const bundle = bundleOf('alone');
      const running = converge(slow(bundle, 2));
      await until(async () => (await answers()).every((answer) => answer === 'alone'));
      await remote.close();
      remote = open();
      expect((await running).state).toBe('failed');
      // Looking waits for the script that is still at work.
      expect((await look(bundle)).changes.map(({ kind }) => kind)).toEqual(['leftovers', 'leftovers']);
      await settle(bundle);
      expect(await look(bundle)).toEqual(NOTHING);
    });

    it('notices a change whose reload was never made', async () => {
      await settle(bundleOf('old'));
      const bundle = slow(bundleOf('new'), 60);
      const running = converge(bundle);
      await until(async () => (await answers()).includes('new'));
      await Promise.all(
        NAMES.map((name) =>
          onHost(
            name,
            'kill -KILL $(find /proc/[0-9]*/fd/9 -lname "*/converge/lock" 2>/dev/null | cut -d / -f 3)',
          ),
        ),
      );
      expect((await running).state).toBe('failed');
      const { changes } = await look(bundleOf('new'));
      expect(changes.filter(({ host }) => host === 'web-1').map(({ what }) => what)).toEqual([
        'reload due',
        'to be cleaned up',
      ]);
      await settle(bundleOf('new'));
      expect(await look(bundleOf('new'))).toEqual(NOTHING);
    });

    it.each([
      ['a folder', 'chmod 700 /srv/shop', 'directory /srv/shop', 'mode 0700 → 0750'],
      ['a stopped service', 'systemctl stop nginx', 'nginx.service', 'to be started'],
      ['a disabled service', 'systemctl disable nginx', 'nginx.service', 'to be enabled'],
      ['an account', 'usermod -s /bin/sh shop', 'user shop', 'shell /bin/sh → /usr/sbin/nologin'],
    ])('sees %s that is not as it should be, and mends it', async (_, command, target, change) => {
      await settle(bundleOf('good'));
      await onHost('web-1', command);
      const { rows } = describePlan(await look(bundleOf('good')));
      expect(rows.map((row) => [row.host, row.target, row.change])).toEqual([['web-1', target, change]]);
      await settle(bundleOf('good'));
      expect(await look(bundleOf('good'))).toEqual(NOTHING);
      expect(await answers()).toEqual(['good', 'good']);
    });

    it.each([
      ['a changed file', `echo "# by hand" >> ${SITE}`, SITE, 'content'],
      ['a missing file', 'rm /etc/shop/env', '/etc/shop/env', 'removed'],
      ['a mode', 'chmod 666 /etc/shop/env', '/etc/shop/env', 'mode 0640 → 0666'],
      ['an owner', `chown nobody ${SITE}`, SITE, 'owner root:root → nobody:root'],
      [
        'a link in place of a file',
        'mv /etc/shop/env /etc/e; ln -s /etc/e /etc/shop/env',
        '/etc/shop/env',
        'is no plain file',
      ],
      ['a file that must not be', `touch ${DEFAULT_SITE}`, DEFAULT_SITE, 'new'],
    ])('shows %s as drift, leaves it, and puts it back when asked', async (_, command, path, what) => {
      await settle(bundleOf('good'));
      await onHost('web-1', command);
      const before = await onHost('web-1', `stat -c '%i %Z' $(ls ${path} /etc/nginx/nginx.conf 2>/dev/null)`);
      const count = await reloads('web-1');

      const kept = await look(bundleOf('good'));
      expect(describePlan(kept).rows).toEqual([
        { host: 'web-1', service: 'nginx', target: path, change: `drift, left as it is: ${what}` },
      ]);
      expect([kept.steps, kept.refusals]).toEqual([[], []]);
      expect(JSON.stringify(kept)).not.toContain(SECRET);
      await settle(bundleOf('good'));
      expect(await onHost('web-1', `stat -c '%i %Z' $(ls ${path} /etc/nginx/nginx.conf 2>/dev/null)`)).toBe(
        before,
      );
      expect(await reloads('web-1')).toBe(count);

      await settle(bundleOf('good'), RESTORE);
      expect(await look(bundleOf('good'))).toEqual(NOTHING);
      expect(await reloads('web-1')).toBe(count + 1);
      expect(await answers()).toEqual(['good', 'good']);
    });

    it('shows what somebody wrote into a file, and changes the others around it', async () => {
      await settle(bundleOf('good'));
      await onHost('web-1', `echo "# by hand" >> ${SITE}`);
      const bundle = bundleOf('good');
      for (const { services } of bundle.hosts) fileOf(services, '/etc/shop/env').content = 'TOKEN=next\n';
      const { diffs } = describePlan(await look(bundle));
      expect(diffs.find(({ path }) => path === SITE)?.diff).toContain('+# by hand\n');
      await settle(bundle);
      expect(await onHost('web-1', `tail -n 1 ${SITE}; cat /etc/shop/env`)).toBe('# by hand\nTOKEN=next');
      expect((await look(bundle)).changes.map(({ kind }) => kind)).toEqual(['drift']);
      await settle(bundleOf('good'), RESTORE);
    });

    it('refuses to change a file that somebody else changed, on every host', async () => {
      await settle(bundleOf('good'));
      await onHost('web-2', `echo "# by hand" >> ${SITE}`);
      await expect(converge(bundleOf('better'))).rejects.toThrow(
        /web-2: nginx: \/etc\/nginx\/conf.d\/shop.conf is to change.*drift: restore/,
      );
      expect(await answers()).toEqual(['good', 'good']);
      expect(await leftovers()).toEqual(['', '']);
      await settle(bundleOf('better'), RESTORE);
      expect(await answers()).toEqual(['better', 'better']);
      expect(await look(bundleOf('better'))).toEqual(NOTHING);
    });

    describe('a change that takes a restart', () => {
      const asking = (answer: string): ConfigBundle => {
        const bundle = bundleOf(answer);
        for (const host of bundle.hosts)
          host.services = host.services.map((service) => ({
            ...service,
            unit: service.unit && { ...service.unit, restartAsks: true },
            files: service.files.map((file) => ({
              ...file,
              effect: file.path === SITE ? ('restart' as const) : ('reload' as const),
            })),
          }));
        return bundle;
      };
      const pid = (): Promise<string> => onHost('web-1', 'systemctl show -p MainPID --value nginx');
      const RESTART: Consent = { ...NO_CONSENT, restart: true };

      it('waits for consent, and nothing else is done meanwhile', async () => {
        await settle(asking('good'), { ...RESTORE, restart: true });
        const [before, count] = [await pid(), await reloads('web-2')];
        const bundle = asking('good');
        siteOf(bundle, 'web-1').content = site('restarted');
        fileOf(bundle.hosts[1]?.services ?? [], '/etc/shop/env').content = 'TOKEN=next\n';
        await expect(converge(bundle)).rejects.toThrow(
          /web-1: nginx: \/etc\/nginx\/conf.d\/shop.conf \(.*restarted.*\) takes a restart; .*allow-restart: true/,
        );
        expect(await answers()).toEqual(['good', 'good']);
        expect([await pid(), await reloads('web-2')]).toEqual([before, count]);
        expect(await onHost('web-2', 'cat /etc/shop/env')).toBe(`TOKEN=${SECRET}`);

        const { rows, summary } = describePlan(await look(bundle, RESTART));
        expect(rows).toContainEqual({
          ...{ host: 'web-1', service: 'nginx', target: 'nginx.service', change: 'restart' },
        });
        expect(rows).toContainEqual({
          ...{ host: 'web-2', service: 'nginx', target: 'nginx.service', change: 'reload' },
        });
        expect(summary).toBe('4 changes on 2 hosts, 1 restart');
        await settle(bundle, RESTART);
        expect(await answers()).toEqual(['restarted', 'good']);
        expect(await pid()).not.toBe(before);
        expect(await reloads('web-2')).toBe(count + 1);
        expect(await look(bundle)).toEqual(NOTHING);
      });

      it('is taken back by a restart too', async () => {
        await settle(bundleOf('good'), { ...RESTORE, restart: true });
        await settle(asking('good'));
        const before = await pid();
        const bundle = asking('good');
        siteOf(bundle, 'web-1').content = 'server { listen 80 default_server; return 503; }\n';
        const { failures } = await converge(bundle, {}, RESTART);
        expect(String(failures[0]?.error)).toMatch(/the old one is back in force: .*503/);
        expect(await answers()).toEqual(['good', 'good']);
        const starts = 'journalctl -u nginx -o cat -n 40 | grep ^Started | wc -l';
        expect(Number(await onHost('web-1', starts))).toBeGreaterThan(1);
        expect(await pid()).not.toBe(before);
      });
    });

    it('lays presets before packages are installed, and remembers them', async () => {
      const bundle = bundleOf('good');
      const preset = '/etc/dpkg/dpkg.cfg.d/without-mojo';
      const mojo = { ...nginx('good'), name: 'mojo', packages: ['libmojolicious-perl'], files: [] };
      const service: ServiceConfig = {
        ...mojo,
        ...{ directories: [], removes: [], roots: [], validate: [], probe: [], unit: null },
        presets: [fileAt(preset, 'path-exclude=/usr/bin/mojo\n')],
      };
      bundle.hosts[0]?.services.push(service);
      await settle(bundleOf('good'), RESTORE);
      const desired = await look(bundle);
      expect(desired.steps.map(({ id }) => id).slice(0, 2)).toEqual(['web-1/presets', 'web-1/packages']);
      await settle(bundle);
      expect(await onHost('web-1', 'ls /usr/bin/mojo /usr/bin/morbo 2>/dev/null || :')).toBe(
        '/usr/bin/morbo',
      );
      expect(await look(bundle)).toEqual(NOTHING);
      await onHost('web-1', `echo '# by hand' >> ${preset}`);
      expect((await look(bundle)).changes.map(({ kind, what }) => [kind, what])).toEqual([
        ['drift', 'drift, left as it is: content'],
      ]);
      await onHost('web-1', `rm ${preset}`);
    });

    it('keeps the order of services across hosts', async () => {
      await settle(bundleOf('good'), RESTORE);
      const bundle = bundleOf('ordered');
      const first = bundle.hosts[0]?.services[0];
      if (first) first.after = [{ host: 'web-2', service: 'nginx' }];
      const { events, failures } = await converge(bundle);
      expect(failures).toEqual([]);
      const applied = events.filter(({ step }) => step.kind === 'apply');
      expect(applied.map(({ step, state }) => `${step.host} ${state}`)).toEqual([
        ...['web-2 started', 'web-2 done', 'web-1 started', 'web-1 done'],
      ]);
    });

    describe('a change that locks everybody out', () => {
      const sshd = (content: string): ConfigBundle => ({
        ...{ stack: 'shop', notes: [] },
        hosts: [{ host: 'web-1', users: [], services: [guarded(content)] }],
      });
      const SSHD = '/etc/ssh/sshd_config.d/10-perlstack.conf';
      const guarded = (content: string): ServiceConfig => ({
        ...{ name: 'sshd', packages: ['openssh-server'], directories: [], files: [fileAt(SSHD, content)] },
        ...{ removes: [], roots: ['/etc/ssh'], validate: [['/usr/sbin/sshd', '-t']], daemonReload: false },
        unit: { name: 'ssh.service', enabled: true, state: 'running', onChange: 'reload' },
        ...{ probe: [], guardsAccess: true },
      });
      const guards = (host: string): Promise<string> =>
        onHost(host, 'ls /var/lib/perlstack/converge/guard; systemctl list-timers --no-legend "perlstack-*"');

      it('is taken back over the connection that is still open', async () => {
        await settle(sshd('MaxAuthTries 5\n'));
        expect(await guards('web-1')).toBe('');
        const { failures } = await converge(sshd('DenyUsers deploy\n'));
        expect(String(failures[0]?.error)).toMatch(/web-1: sshd: .*nobody could log in.*the old one is back/);
        await remote.close();
        remote = open();
        expect(await onHost('web-1', `cat ${SSHD}`)).toBe('MaxAuthTries 5');
        expect(await guards('web-1')).toBe('');
        await converge(sshd('MaxAuthTries 5\n'));
        expect(await look(sshd('MaxAuthTries 5\n'))).toEqual(NOTHING);
      });

      it('is taken back by the host itself when the runner is gone', async () => {
        await settle(sshd('MaxAuthTries 5\n'));
        const bundle = sshd('DenyUsers deploy\n');
        const dying: Remote = { ...remote, reach: () => remote.close() };
        const { steps } = await look(bundle);
        expect((await execute(steps.slice(0, 2), handlers(dying, bundle, BRIEF))).state).toBe('failed');
        remote = open();
        await expect(remote.run('web-1', ['true'])).rejects.toThrow();
        await until(() =>
          remote.run('web-1', ['true']).then(
            () => true,
            () => false,
          ),
        );
        expect(await onHost('web-1', `cat ${SSHD}`)).toBe('MaxAuthTries 5');
        expect(await guards('web-1')).toBe('');
      });

      it('is not the only one: one that nobody confirmed is taken back too, and the next run waits for that', async () => {
        await settle(sshd('MaxAuthTries 5\n'));
        const bundle = sshd('MaxAuthTries 4\n');
        const dying: Remote = { ...remote, reach: () => remote.close() };
        const { steps } = await look(bundle);
        expect((await execute(steps.slice(0, 2), handlers(dying, bundle, BRIEF))).state).toBe('failed');
        remote = open();
        expect(await onHost('web-1', `cat ${SSHD}`)).toBe('MaxAuthTries 4');
        expect((await look(bundle)).changes.map(({ what }) => what)).toEqual([
          ...['content', 'reload', 'to be cleaned up'],
        ]);
        expect(await onHost('web-1', `cat ${SSHD}`)).toBe('MaxAuthTries 5');
        await settle(bundle);
        expect(await look(bundle)).toEqual(NOTHING);
      });

      it('is taken back by the host when not even the open connection is left', async () => {
        const rules =
          'table inet shut {\n chain in {\n type filter hook input priority 0\n tcp dport 22 drop\n }\n}\n';
        const bundle: ConfigBundle = {
          ...{ stack: 'shop', notes: [] },
          hosts: [{ host: 'web-2', users: [], services: [firewall(rules)] }],
        };
        const { failures } = await converge(bundle);
        expect(String(failures[0]?.error)).toMatch(
          /web-2: firewall: .*nobody could log in.*the old one is back/,
        );
        expect(await onHost('web-2', 'nft list ruleset | grep -c shut || :')).toBe('0');
      });
    });

    it('is finished by a rerun, whichever step was the last before a kill', async () => {
      let state = 0;
      for (let done = 0; ; done++) {
        // Something of everything: an account, a folder, files, an unwanted file, a stopped service.
        await onHost(
          'web-1',
          'userdel shop; rm -rf /srv/shop /etc/nginx/conf.d/shop.conf; systemctl stop nginx',
        );
        const bundle = bundleOf(`state ${state++}`);
        const { steps } = await look(bundle, RESTORE);
        const killed = new Set(steps.slice(0, done).map(({ id }) => id));
        // A step whose predecessors are cut away cannot be part of the first run.
        const first = steps.filter(
          ({ id, after = [] }) => killed.has(id) && after.every((before) => killed.has(before)),
        );
        expect((await execute(first, handlers(remote, bundle))).failures).toEqual([]);
        await remote.close();
        remote = open();
        await settle(bundle, RESTORE);
        expect(await look(bundle)).toEqual(NOTHING);
        expect(await answers()).toEqual([`state ${state - 1}`, `state ${state - 1}`]);
        if (done >= steps.length) break;
      }
    });
  },
);

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

const fileAt = (path: string, content: string): ManagedFile => ({
  ...{ path, content, owner: 'root', group: 'root', mode: 0o644, secret: false },
});

const firewall = (rules: string): ServiceConfig => ({
  ...{
    name: 'firewall',
    packages: ['nftables'],
    directories: [],
    files: [fileAt('/etc/nftables.conf', rules)],
  },
  ...{ removes: [], roots: [], validate: [['nft', '-c', '-f', '/etc/nftables.conf']], daemonReload: false },
  unit: { name: 'nftables.service', enabled: true, state: 'running', onChange: 'reload' },
  ...{ probe: [], guardsAccess: true },
});

const site = (answer: string, extra = ''): string =>
  `server { listen 80 default_server; location / { return 200 "${answer}"; } ${extra} }\n`;

function bundleOf(answer: string): ConfigBundle {
  const hosts = NAMES.map((host) => ({
    host,
    users: [{ name: 'shop', home: '/srv/shop', shell: '/usr/sbin/nologin', groups: ['adm'] }],
    services: [nginx(answer)],
  }));
  return { stack: 'shop', hosts, notes: [] };
}

function nginx(answer: string): ServiceConfig {
  return {
    name: 'nginx',
    packages: ['nginx', 'curl'],
    directories: [{ path: '/srv/shop', owner: 'shop', group: 'shop', mode: 0o750 }],
    files: [
      {
        path: '/etc/nginx/conf.d/shop.conf',
        content: site(answer),
        owner: 'root',
        group: 'root',
        mode: 0o644,
        secret: false,
      },
      {
        path: '/etc/shop/env',
        content: `TOKEN=${SECRET}\n`,
        owner: 'root',
        group: 'shop',
        mode: 0o640,
        secret: true,
      },
    ],
    removes: ['/etc/nginx/sites-enabled/default'],
    roots: ['/etc/nginx'],
    validate: [['nginx', '-t', '-q']],
    unit: { name: 'nginx.service', enabled: true, state: 'running', onChange: 'reload' },
    daemonReload: false,
    probe: [['curl', '-fsS', '-m', '5', 'http://127.0.0.1/']],
  };
}

/** The same, with a probe that takes its time. */
function slow(bundle: ConfigBundle, seconds = 30): ConfigBundle {
  for (const { services } of bundle.hosts)
    for (const service of services) service.probe.push(['sleep', String(seconds)]);
  return bundle;
}

function fileOf(services: readonly ServiceConfig[], path: string): ManagedFile {
  const file = services.flatMap(({ files }) => files).find((candidate) => candidate.path === path);
  if (!file) throw new Error(`No file ${path}`);
  return file;
}

function siteOf(bundle: ConfigBundle, name: string): ManagedFile {
  return fileOf(
    bundle.hosts.find(({ host }) => host === name)?.services ?? [],
    '/etc/nginx/conf.d/shop.conf',
  );
}

function userData(
  name: string,
  publicKey: string,
  hostKey: { privateKey: string; publicKey: string },
): string {
  const config = {
    hostname: name,
    disable_root: true,
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: hostKey.privateKey, ed25519_public: hostKey.publicKey },
    users: [
      {
        name: 'deploy',
        lock_passwd: true,
        shell: '/bin/bash',
        sudo: 'ALL=(ALL) NOPASSWD:ALL',
        ssh_authorized_keys: [publicKey],
      },
    ],
  };
  return `#cloud-config\n${JSON.stringify(config)}\n`;
}

function hostSpec(name: string, number: number, data: string): HostSpec {
  return {
    ...{ id: 1000 + number, label: `shop-${name}`, image: 'linode/debian13', memoryMiB: 1024, vcpus: 1 },
    ...{ region: 'se-sto', type: 'g6-nanode-1', userData: data, authorizedKeys: [] },
    interfaces: [
      {
        ...{
          id: 100 + number,
          kind: 'public',
          mac: `f2:3c:00:00:00:0${number}`,
          prefix: 24,
          defaultRoute: true,
        },
        ...{
          ipv4: `203.0.113.${10 + number}`,
          gateway: '203.0.113.1',
          vpcId: null,
          subnetId: null,
          nat11: null,
        },
      },
    ],
  };
}
