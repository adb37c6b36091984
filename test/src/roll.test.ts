import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import { fileJournal } from '@perlstack/procedure';
import { batchSizes, deploy, type DeployOptions, type DeployResult, type Owner } from '@perlstack/release';
import type { Stack } from '@perlstack/stack';
import { type LoadHandle, startLoad } from './load-handle.js';
import { openSite, type Site } from './release-site.js';
import { packShop, type ShopOptions } from './shop.js';

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

const HOSTS = ['app-1', 'app-2', 'app-3'];

/** What a roll-out of many hosts, of many releases, by many people needs beyond the switch itself. */
describeHosts(`the course of a roll-out${obstacle === null ? '' : ` (${obstacle})`}`, () => {
  let site: Site;
  let load: LoadHandle;
  let number = 0;
  let serving = '';

  const nextRelease = (): string => `r${(number += 1)}`;

  const ownerOf = (run: number, workflow = 'o/shop/.github/workflows/deploy.yml'): Owner => ({
    ...{ id: `o/shop/${run}`, url: `https://ci.example/${run}`, actor: 'ada', workflow, number: run },
  });

  function optionsOf(owner: Owner, more: Partial<DeployOptions>): DeployOptions {
    const { stack, inventory, remote } = site;
    return { stack, inventory, remote, owner, journal: fileJournal(site.journal()), ...more };
  }

  async function roll(
    release: string,
    more: Partial<DeployOptions> = {},
    shop: Partial<ShopOptions> = {},
  ): Promise<DeployResult> {
    const path = await packShop({ release, bootMs: 300, directory: site.folder, ...shop });
    return deploy(optionsOf(ownerOf(number), { release, artifact: { path }, ...more }));
  }

  const rollback = (more: Partial<DeployOptions> = {}): Promise<DeployResult> =>
    deploy(optionsOf(ownerOf(number, 'o/shop/.github/workflows/rollback.yml'), more));

  const servingOn = async (): Promise<string[]> =>
    Promise.all(
      HOSTS.map(async (host) =>
        (await site.ask(host, 'readlink /srv/shop/current')).replace('releases/', ''),
      ),
    );
  const everywhere = (release: string): string[] => HOSTS.map(() => release);

  async function unnoticed(mark: string): Promise<void> {
    const { failed, failures } = await load.since(mark);
    expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
  }

  beforeAll(async () => {
    site = await openSite(HOSTS.length);
    serving = nextRelease();
    expect(await roll(serving)).toMatchObject({ outcome: 'succeeded', left: [] });
    const clients = { get: 6, post: 4, 'slow-get': 2, 'slow-post': 2 };
    const config = { urls: [site.url], clients, prefix: `c${Date.now()}` };
    load = startLoad(config, (argv) => site.cloud.inInternet(argv));
  });
  afterAll(async () => {
    await load?.close();
    await site?.close();
  });

  it('switches a batch at once, also to a release that is a tar.zst', async () => {
    serving = nextRelease();
    await load.mark(serving);
    const order: string[] = [];
    const packed = await packShop({ release: serving, bootMs: 300, directory: site.folder });
    const path = packed.replace('.gz', '.zst');
    writeFileSync(path, zstdCompressSync(gunzipSync(readFileSync(packed))));
    const result = await roll(serving, {
      artifact: { path },
      batch: batchSizes('1,100%'),
      onEvent: ({ step, state }) => {
        if (step.kind === 'switch' || step.kind === 'gate') order.push(`${step.id} ${state}`);
      },
    });
    expect(result).toMatchObject({ outcome: 'succeeded', left: [] });
    expect(order.slice(0, 4)).toEqual([
      'app-1/switch started',
      'app-1/switch done',
      'app-1/gate started',
      'app-1/gate done',
    ]);
    expect(new Set(order.slice(4, 6))).toEqual(new Set(['app-2/switch started', 'app-3/switch started']));
    await unnoticed(serving);
  });

  it('serves the static files of the old and of the new release on every host while it lasts, and the old ones after', async () => {
    const before = serving;
    serving = nextRelease();
    const seen: string[] = [];
    const assetsOn = (host: string): Promise<string> => {
      const ask = (release: string): string =>
        `curl -s -o /dev/null -w '%{http_code} ' "http://$address:5000/assets/${release}.css"`;
      const address = `address=$(ip -4 -o addr show | grep -o '10[.]10[.]1[.][0-9]*' | head -n 1)`;
      return site.ask(host, `${address}; ${ask(before)}; ${ask(serving)}`);
    };
    let asked: Promise<void> | undefined;
    const result = await roll(serving, {
      onEvent: ({ step, state }) => {
        if (step.id !== 'app-1/gate' || state !== 'started') return;
        asked = Promise.all(HOSTS.map(assetsOn)).then((all) => void seen.push(...all));
      },
    });
    await asked;
    expect(result.outcome).toBe('succeeded');
    expect(seen).toEqual(HOSTS.map(() => '200 200'));
    expect(await Promise.all(HOSTS.map(assetsOn))).toEqual(HOSTS.map(() => '200 200'));
    expect(await site.ask('app-1', 'ls /srv/shop/next 2>/dev/null || echo gone')).toBe('gone');
  });

  describe('a migration', () => {
    const migrating = (): Stack => ({
      ...site.stack,
      app: { ...site.stack.app, hooks: { migrate: 'bin/migrate up', timeout: 60_000 } },
    });
    const COUNT =
      '#!/bin/sh\nset -eu\n[ "$1" = up ]\necho "migrating for $RELEASE"\necho "$RELEASE" >>/var/lib/shop/migrations\n';
    const migrations = async (): Promise<string[]> =>
      (
        await Promise.all(
          HOSTS.map((host) => site.ask(host, 'cat /var/lib/shop/migrations 2>/dev/null || true')),
        )
      )
        .join('\n')
        .split('\n')
        .filter(Boolean);

    it('runs once a release, on one host, before any instance of it starts', async () => {
      serving = nextRelease();
      await load.mark(serving);
      const order: string[] = [];
      const result = await roll(
        serving,
        {
          stack: migrating(),
          onEvent: ({ step, state, message }) => order.push(`${step.kind} ${state} ${message ?? ''}`),
        },
        { migrate: COUNT },
      );
      expect(result).toMatchObject({ outcome: 'succeeded' });
      expect(await migrations()).toEqual([serving]);
      // All hosts know: the one on which it ran may die.
      const mark = `test -e /srv/shop/releases/${serving}/.perlstack-migrated && echo noted`;
      expect(await Promise.all(HOSTS.map((host) => site.ask(host, mark)))).toEqual(HOSTS.map(() => 'noted'));
      expect(order).toContain(`migrate progress migrating for ${serving}`);
      expect(order.indexOf('boot started ')).toBeGreaterThan(
        order.findIndex((one) => one.startsWith('migrate done')),
      );
      await unnoticed(serving);
    });

    it('that fails stops the deploy, and no instance has started', async () => {
      const release = nextRelease();
      const migrate = '#!/bin/sh\necho "relation orders does not exist" >&2\nexit 3\n';
      const kinds = new Set<string>();
      const onEvent: DeployOptions['onEvent'] = ({ step }) => kinds.add(step.kind);
      const result = await roll(release, { stack: migrating(), onEvent }, { migrate });
      expect(result).toMatchObject({
        outcome: 'rolled-back',
        reason: `app-1: the migration of ${release} (bin/migrate up) failed: relation orders does not exist`,
        unresolved: [],
      });
      expect(result.evidence).toContain('relation orders does not exist');
      expect(kinds).not.toContain('boot');
      expect(await servingOn()).toEqual(everywhere(serving));
    });

    it('is gone through to its end when the runner is killed, and not repeated', async () => {
      const release = nextRelease();
      const migrate = COUNT.replace('echo "migrating', 'sleep 3\necho "migrating');
      const artifact = await packShop({ release, migrate, directory: site.folder });
      const order = {
        release,
        artifact,
        owner: `o/shop/${number}`,
        journal: site.journal(),
        stack: migrating(),
      };
      expect(await site.process({ ...order, dieAt: 'migrate started' })).toMatchObject({ killed: true });
      const before = await migrations();
      const { output } = await site.process(order);
      expect(output).toContain('"outcome":"succeeded"');
      serving = release;
      expect((await migrations()).filter((one) => one === release)).toEqual([release]);
      expect(before).not.toContain(release);
    });

    it('without a program is refused by name', async () => {
      const release = nextRelease();
      const result = await roll(release, { stack: migrating() });
      expect(result).toMatchObject({ outcome: 'rolled-back' });
      expect(result.reason).toMatch(
        /\/srv\/shop\/releases\/r\d+\/bin\/migrate is no program that can be run$/,
      );
    });
  });

  describe('a rollback', () => {
    it('goes to the release before in one step, without an artifact', async () => {
      const first = serving;
      serving = nextRelease();
      await roll(serving);
      await load.mark('back');
      const kinds = new Set<string>();
      const result = await rollback({ onEvent: ({ step }) => kinds.add(step.kind) });
      expect(result).toMatchObject({ outcome: 'succeeded', release: first, previous: serving });
      expect(await servingOn()).toEqual(everywhere(first));
      expect(kinds).not.toContain('upload');
      await unnoticed('back');
      serving = first;
    });

    it('goes to a release that is named', async () => {
      const [newer = ''] = (await site.ask('app-1', 'ls -t /srv/shop/releases'))
        .split('\n')
        .filter((id) => id !== serving);
      const sound = await site.ask(
        'app-1',
        `cd /srv/shop/releases && ls -d */.perlstack-good | cut -d / -f 1`,
      );
      const target = sound.split('\n').find((id) => id !== serving) ?? newer;
      expect(await rollback({ release: target })).toMatchObject({ outcome: 'succeeded', release: target });
      expect(await servingOn()).toEqual(everywhere(target));
      serving = target;
    });

    it('goes to one that a host does not keep, which gets it from another one', async () => {
      const [target = ''] = (await site.ask('app-3', 'ls -d /srv/shop/releases/*/.perlstack-good'))
        .split('\n')
        .map((mark) => mark.split('/').at(-2) ?? '')
        .filter((id) => id !== serving);
      const marks = (host: string): Promise<string> =>
        site.ask(host, `cd /srv/shop/releases/${target} && stat -c '%n %Y' .perlstack-sha256 && ls -A`);
      const before = await marks('app-2');
      for (const host of ['app-1', 'app-3']) await site.ask(host, `rm -r /srv/shop/releases/${target}`);
      await load.mark('copied');
      const copied: Record<string, string> = {};
      const result = await rollback({
        release: target,
        onEvent: ({ step, state, message }) => {
          if (step.kind === 'copy' && state === 'done') copied[step.id] = message ?? '';
        },
      });
      expect(result).toMatchObject({ outcome: 'succeeded', release: target, unresolved: [], notes: [] });
      expect(copied).toEqual({ 'app-1/copy': '0.0 MiB', 'app-3/copy': '0.0 MiB' });
      expect(await servingOn()).toEqual(everywhere(target));
      for (const host of HOSTS) expect(await marks(host)).toBe(before);
      expect(await site.ask('app-1', 'ls -A /srv/shop/releases | grep "^[.]" || true')).toBe('');
      await unnoticed('copied');
      serving = target;
    });

    it('to what is not kept is refused', async () => {
      await expect(rollback({ release: 'r999' })).rejects.toThrow(
        /no app server keeps release r999 any more: they have r/,
      );
      expect(await servingOn()).toEqual(everywhere(serving));
    });
  });

  describe('two at once', () => {
    it('the second waits its turn, where it is told to', async () => {
      const [first, second] = [nextRelease(), nextRelease()];
      const waiting: string[] = [];
      let later: Promise<DeployResult> | undefined;
      const result = await roll(first, {
        owner: ownerOf(number - 1),
        onEvent: () => {
          later ??= roll(second, {
            lockWaitMs: 120_000,
            onEvent: ({ step, message }) => void (step.id === 'lock' && waiting.push(message ?? '')),
          });
        },
      });
      expect(result.outcome).toBe('succeeded');
      expect(await later).toMatchObject({ outcome: 'succeeded', previous: first });
      expect(waiting[0]).toMatch(
        /^waiting: another deploy of shop is under way: o\/shop\/\d+ of ada \(.* holds the lock on app-1/,
      );
      serving = second;
    });

    it('an older run does not overtake a newer one', async () => {
      const old = ownerOf(1);
      await expect(roll(nextRelease(), { owner: old })).rejects.toThrow(
        /of run #1 is older than r\d+, which run #\d+ of ada \(https:\/\/ci\.example\/\d+\) deployed on 20/,
      );
      expect(await servingOn()).toEqual(everywhere(serving));
      serving = nextRelease();
      expect(await roll(serving, { owner: old, allowOlder: true })).toMatchObject({ outcome: 'succeeded' });
    });

    it('every host knows who deployed what, and what came of it', async () => {
      const lines = await Promise.all(
        HOSTS.map((host) => site.ask(host, 'cat /var/lib/perlstack/shop/audit.log')),
      );
      const [entries = [], ...others] = lines.map((text) =>
        text.split('\n').map((one) => JSON.parse(one) as unknown),
      );
      for (const other of others) expect(other).toEqual(entries);
      expect(entries.slice(-2)).toMatchObject([
        { event: 'began', kind: 'deploy', release: serving, actor: 'ada', url: 'https://ci.example/1' },
        { event: 'succeeded', kind: 'deploy', release: serving, number: 1, reason: null },
      ]);
      expect(entries).toContainEqual(expect.objectContaining({ kind: 'rollback', event: 'succeeded' }));
    });
  });

  describe('looks before it begins, and refuses', () => {
    const DROP_IN = '/etc/systemd/system/shop@.service.d/by-hand.conf';
    const dropIn = (text: string): string =>
      `mkdir -p $(dirname ${DROP_IN}) && printf '[Service]\\n${text}\\n' >${DROP_IN} && systemctl daemon-reload`;

    afterEach(async () => {
      await site.ask('app-2', `rm -f ${DROP_IN} && systemctl daemon-reload`);
    });

    it.each([
      [
        'a unit that drops requests',
        dropIn('KillMode=control-group'),
        /^app-2: the unit has KillMode=control-group: SIGQUIT then goes/,
      ],
      [
        'a unit that runs whatever `current` leads to',
        dropIn('ExecStart=\\nExecStart=/usr/bin/starman --workers 2 /srv/shop/current/app.psgi'),
        /^app-2: the unit runs \/srv\/shop\/current\/app\.psgi, which is not in the folder of its own release/,
      ],
    ])('%s', async (_what, make, message) => {
      await site.ask('app-2', make);
      await expect(roll(nextRelease())).rejects.toThrow(message);
      expect(await servingOn()).toEqual(everywhere(serving));
    });

    it('connections to Starman that are kept open', async () => {
      const file = '/etc/nginx/conf.d/shop.conf';
      await site.ask(
        'app-2',
        `cp -a ${file} /root/before && sed -i 's/^upstream shop_current {/&\\nkeepalive 8;/' ${file}`,
      );
      try {
        await expect(roll(nextRelease())).rejects.toThrow(/^app-2: nginx keeps connections to Starman open/);
      } finally {
        await site.ask('app-2', `mv /root/before ${file}`);
      }
    });
  });

  it('loses and doubles no order', async () => {
    await load.stop();
    const { acknowledged, lost, doubled } = await load.balance(await site.orders());
    expect({ lost, doubled }).toEqual({ lost: [], doubled: [] });
    expect(acknowledged).toBeGreaterThan(100);
  });
});
