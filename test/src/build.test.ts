import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import { fileJournal } from '@perlstack/procedure';
import { deploy, type DeployOptions, type DeployResult } from '@perlstack/release';
import { parseStack } from '@perlstack/stack';
import { openSite, type Site } from './release-site.js';
import { packShop } from './shop.js';
import type { Distribution } from './xs-distribution.js';

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

const HOSTS = ['app-1', 'app-2'];

/** Modules are built once, on one host, and go from there to the others; the runner carries the checkout alone. */
describeHosts(`modules built on a host${obstacle === null ? '' : ` (${obstacle})`}`, () => {
  let site: Site;
  let number = 0;
  let serving = '';

  const nextRelease = (): string => `r${(number += 1)}`;
  const SIX: Distribution = { answer: 42, version: '1.0' };

  /** @returns what became of it, and what each host's modules came from */
  async function roll(
    release: string,
    answer: Distribution,
    more: Partial<DeployOptions> = {},
  ): Promise<{ result: DeployResult; how: Record<string, string>; said: string[] }> {
    const path = await packShop({ release, answer, directory: site.folder });
    const how: Record<string, string> = {};
    const said: string[] = [];
    const { stack, inventory, remote } = site;
    const result = await deploy({
      ...{ stack, inventory, remote, release, artifact: { path } },
      ...{ owner: { id: 'run-1' }, journal: fileJournal(site.journal()) },
      onEvent: ({ step, state, message }) => {
        if (step.kind === 'modules' && state === 'done') how[step.host ?? ''] = message ?? '';
        if (step.kind === 'modules' && state === 'progress') said.push(message ?? '');
      },
      ...more,
    });
    return { result, how, said };
  }

  const answers = (): Promise<string[]> =>
    Promise.all(
      HOSTS.map((host) =>
        site.ask(host, `curl -s --unix-socket /srv/shop/current.sock http://localhost/answer`),
      ),
    );
  const trees = (host: string): Promise<string> =>
    site.ask(host, 'ls /srv/shop/modules | grep -v tar.zst || true');

  beforeAll(async () => {
    site = await openSite(HOSTS.length, { build: 'carton' });
  });
  afterAll(async () => {
    await site?.close();
  });

  it('are built on the first, compiled for its perl, and fetched by the other', async () => {
    serving = nextRelease();
    const { result, how, said } = await roll(serving, SIX);
    expect(result).toMatchObject({ outcome: 'succeeded', unresolved: [] });
    expect(how).toEqual({ 'app-1': 'built', 'app-2': 'fetched' });
    expect(said.join('\n')).toMatch(/Local-Answer|distribution/);
    expect(await answers()).toEqual(['42', '42']);
    expect(
      await site.ask('app-2', `find -L /srv/shop/releases/${serving}/local -name Answer.so | wc -l`),
    ).toBe('1');
    // What is in C was compiled once: nobody but the first host has the archive's build.
    expect(await site.ask('app-1', 'stat -c %U:%a /srv/shop/modules/*/lib')).toBe('root:755');
  });

  it('are kept for the next release with the same dependencies', async () => {
    serving = nextRelease();
    const { result, how } = await roll(serving, SIX);
    expect(result.outcome).toBe('succeeded');
    expect(how).toEqual({ 'app-1': 'from cache', 'app-2': 'from cache' });
    expect(await answers()).toEqual(['42', '42']);
  });

  it('are built anew for others, and a rollback has those of its own release', async () => {
    const before = serving;
    serving = nextRelease();
    const { result, how } = await roll(serving, { answer: 43, version: '1.1' });
    expect(result.outcome).toBe('succeeded');
    expect(how).toEqual({ 'app-1': 'built', 'app-2': 'fetched' });
    expect(await answers()).toEqual(['43', '43']);
    // One of the hosts has neither the release nor its modules: both come from the other one.
    const there = `/srv/shop/releases/${before}`;
    await site.ask('app-2', `rm -r "$(readlink -f ${there}/local)" ${there}`);
    expect((await trees('app-2')).split('\n')).toHaveLength(1);
    const { stack, inventory, remote } = site;
    const back = await deploy({ stack, inventory, remote, owner: { id: 'run-1' } });
    expect(back).toMatchObject({ outcome: 'succeeded', release: before });
    expect(await answers()).toEqual(['42', '42']);
    serving = before;
    for (const host of HOSTS) expect((await trees(host)).split('\n')).toHaveLength(2);
  });

  it('that cannot be built stop the deploy with the compiler’s words, and nothing was changed', async () => {
    const { result } = await roll(nextRelease(), { answer: 0, version: '1.2', broken: true });
    expect(result).toMatchObject({ outcome: 'rolled-back', unresolved: [] });
    expect(result.reason).toMatch(/^app-1: the modules of r\d+ cannot be built: /);
    expect(result.evidence.join('\n')).toContain('there_is_no_such_name');
    expect(await answers()).toEqual(['42', '42']);
    expect(await site.ask('app-1', 'ls -A /srv/shop/modules | grep partial || true')).toBe('');
  });

  it('that no kept release uses are removed', async () => {
    // keepReleases is 3: the release with version 1.1 is pushed out by these.
    for (let more = 0; more < 3; more += 1) {
      serving = nextRelease();
      expect((await roll(serving, SIX)).result.outcome).toBe('succeeded');
    }
    for (const host of HOSTS) expect((await trees(host)).split('\n')).toHaveLength(1);
  });

  it('come from a host that has them when a new one has not', async () => {
    await site.ask('app-2', 'rm -rf /srv/shop/modules');
    serving = nextRelease();
    const { result, how } = await roll(serving, SIX);
    expect(result).toMatchObject({ outcome: 'succeeded' });
    expect(how).toEqual({ 'app-1': 'from cache', 'app-2': 'fetched' });
    expect(await answers()).toEqual(['42', '42']);
  });

  it('are given to app hosts alone', async () => {
    const [key = ''] = (await trees('app-1')).split('\n');
    const ask = (address: string): string =>
      `curl -s -o /dev/null -w '%{http_code}' ${address}/.perlstack/modules/${key}.tar.zst`;
    const inside = site.inventory.hosts.find(({ name }) => name === 'app-1')?.privateAddress ?? '';
    expect(await site.ask('app-2', ask(`http://${inside}:5000`))).toBe('200');
    expect(await site.ask('web-1', ask(`http://${inside}:5000`))).toBe('403');
    expect(await site.ask('web-1', ask('http://127.0.0.1'))).toBe('403');
  });

  it('with cpm, where there is none, say so', async () => {
    const cpm = parseStack(site.stackFile.replace('with: carton', 'with: cpm'), 'perlstack.yml').stack;
    await expect(roll(nextRelease(), SIX, { stack: cpm })).rejects.toThrow(
      /^app-1 has no cpm, which is to build the modules there: .* Nothing was changed$/,
    );
    expect(await answers()).toEqual(['42', '42']);
  });
});
