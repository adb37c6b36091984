import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import { fileJournal } from '@perlstack/procedure';
import { batchSizes, deploy, type DeployOptions, type DeployResult } from '@perlstack/release';
import { type LoadHandle, startLoad } from './load-handle.js';
import { openSite, type Site } from './release-site.js';
import { type Fault, packShop } from './shop.js';

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

const HOSTS = ['app-1', 'app-2', 'app-3'];

/**
 * A release that is judged by what the web tier saw of visitors. All of them ask for what takes its time on any host, most of
 * it waiting: what else the machine does at that moment is then no reason to find one host slower than the others.
 */
describeHosts(`a canary${obstacle === null ? '' : ` (${obstacle})`}`, () => {
  let site: Site;
  let load: LoadHandle;
  let number = 0;
  let serving = '';

  const nextRelease = (): string => `r${(number += 1)}`;

  async function roll(
    release: string,
    more: Partial<DeployOptions> = {},
    fault: Fault = 'none',
  ): Promise<DeployResult> {
    const { stack, inventory, remote } = site;
    const path = await packShop({ release, fault, bootMs: 300, directory: site.folder });
    const run = { owner: { id: 'run-1' }, journal: fileJournal(site.journal()) };
    return deploy({ stack, inventory, remote, release, artifact: { path }, ...run, ...more });
  }

  const servingOn = (): Promise<string[]> =>
    Promise.all(
      HOSTS.map(async (host) =>
        (await site.ask(host, 'readlink /srv/shop/current')).replace('releases/', ''),
      ),
    );

  beforeAll(async () => {
    site = await openSite(HOSTS.length, { workers: 12 });
    serving = nextRelease();
    expect(await roll(serving)).toMatchObject({ outcome: 'succeeded', left: [] });
    const clients = { 'slow-get': 32 };
    const config = { urls: [site.url], clients, slowMs: 800, thinkMs: [50, 150] as const };
    load = startLoad(config, (argv) => site.cloud.inInternet(argv));
  });
  afterAll(async () => {
    await load?.close();
    await site?.close();
  });

  const canary = { hosts: 1, bakeMs: 10_000, slowdown: 1.15 };
  const batch = batchSizes('100%');

  it('that does as well as the rest is followed by the others', async () => {
    // Until the log is long enough to say how servers differ by themselves.
    await sleep(90_000);
    serving = nextRelease();
    await load.mark(serving);
    const result = await roll(serving, { canary, batch });
    expect(result).toMatchObject({ outcome: 'succeeded', canary: { decision: 'promote' } });
    expect(result.canary?.canary.requests).toBeGreaterThan(50);
    expect(result.canary?.rest.requests).toBeGreaterThan(result.canary?.canary.requests ?? Infinity);
    expect(result.canary?.variation).toBeGreaterThan(1);
    expect(await servingOn()).toEqual(HOSTS.map(() => serving));
    const { failed, failures } = await load.since(serving);
    expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
  });

  it('that fails some requests is rolled back by itself, and no other host ever had the release', async () => {
    const switched = new Set<string>();
    const onEvent: DeployOptions['onEvent'] = ({ step }) => {
      if (step.kind === 'switch') switched.add(step.host ?? '');
    };
    const result = await roll(nextRelease(), { canary, batch, onEvent }, 'fails-some');
    expect(result).toMatchObject({
      ...{ outcome: 'rolled-back', unresolved: [] },
      canary: { decision: 'roll-back' },
    });
    expect(result.reason).toMatch(/^app-1: r\d+ does worse than the rest: more errors \(p = /);
    expect([...switched]).toEqual(['app-1']);
    expect(await servingOn()).toEqual(HOSTS.map(() => serving));
  });
});
