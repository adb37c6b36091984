import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { render } from '@perlstack/configs';
import { handlers, observe, plan } from '@perlstack/converge';
import { whyNoHosts } from '@perlstack/local-cloud';
import { execute, fileJournal } from '@perlstack/procedure';
import { deploy, type DeployResult } from '@perlstack/release';
import { type HostsSite, openHosts } from './hosts-site.js';
import { type LoadHandle, startLoad } from './load-handle.js';
import { packShop } from './shop.js';

// Several Starman masters on a host (`app.units`): every release has as many, and they come, serve and go together.

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

const UNITS = ['shop@', 'shop-unit2@', 'shop-unit3@'];

const STACK = `
stack: shop
region: us-ord
app:
  workers: 20
  units: 3
  workerMemory: 24MiB
  packages: [libmojolicious-perl]
  health: { path: /healthz, body: ok, latency: 2s, successes: 3, timeout: 30s, release: /version }
  drainTimeout: 5s
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-standard-1, count: 1 }
`;

describeHosts(`three units a host${obstacle === null ? '' : ` (skipped: ${obstacle})`}`, () => {
  let site: HostsSite;
  let load: LoadHandle | undefined;

  beforeAll(async () => {
    site = await openHosts(STACK);
    const bundle = render(site.stack, site.inventory);
    const { steps } = plan(bundle, await observe(site.remote, bundle));
    const { failures } = await execute(steps, handlers(site.remote, bundle));
    expect(failures).toEqual([]);
  });

  afterAll(async () => {
    await load?.close();
    await site?.close();
  });

  async function roll(release: string): Promise<DeployResult> {
    return deploy({
      ...{ stack: site.stack, inventory: site.inventory, remote: site.remote, release },
      artifact: { path: await packShop({ release, fault: 'none', bootMs: 500, directory: site.folder }) },
      owner: { id: 'run-1', url: 'https://ci.example/run-1' },
      journal: fileJournal(`${site.folder}/${release}.journal`),
    });
  }

  const ask = (script: string): Promise<string> => site.ask('app-1', script);
  const running = (): Promise<string> =>
    ask(`systemctl list-units --plain --no-legend --full 'shop*@*' | cut -d ' ' -f 1 | sort`);
  const instances = (release: string): string =>
    UNITS.map((unit) => `${unit}${release}.service`)
      .sort()
      .join('\n');

  it('starts all of them with the release, and shares the workers out', async () => {
    expect(await roll('r1')).toMatchObject({ outcome: 'succeeded', unresolved: [], notes: [] });
    expect(await running()).toBe(instances('r1'));
    const workers = UNITS.map((unit) => `pgrep -c -P $(systemctl show -p MainPID --value ${unit}r1.service)`);
    expect(await ask(workers.join('; '))).toBe('7\n7\n6');
    expect(await ask('cd /srv/shop; readlink current.sock current-unit2.sock current-unit3.sock')).toBe(
      '/run/shop/r1.sock\n/run/shop/unit2/r1.sock\n/run/shop/unit3/r1.sock',
    );
  });

  it('rolls a new release out without a failed request, and leaves none of the old ones', async () => {
    const clients = { get: 8, post: 6, 'slow-get': 4, 'slow-post': 4 };
    const urls = [`http://${site.inventory.hosts[0]?.publicAddress}`];
    load = startLoad({ urls, clients, prefix: `p${Date.now()}` }, (argv) => site.cloud.inInternet(argv));
    await load.mark('r2');
    expect(await roll('r2')).toMatchObject({
      outcome: 'succeeded',
      previous: 'r1',
      unresolved: [],
      notes: [],
    });
    await load.mark('after');
    const { failed, failures, requests } = await load.since('r2');
    expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
    expect(requests).toBeGreaterThan(50);
    expect(await running()).toBe(instances('r2'));
    expect(await ask('find /run/shop -name "*.sock" | sort')).toBe(
      '/run/shop/r2.sock\n/run/shop/unit2/r2.sock\n/run/shop/unit3/r2.sock',
    );
  });

  it('says how many requests it cut off because they took longer than they may, whichever unit had them', async () => {
    await load?.close();
    load = undefined;
    const slow = (socket: string): string =>
      `setsid -f curl -s -o /dev/null --max-time 60 --unix-socket /run/shop/${socket} 'http://shop/slow?ms=45000' </dev/null >/dev/null 2>&1`;
    await ask(['unit2/r2.sock', 'unit3/r2.sock'].map(slow).join('; '));
    const { outcome, servers } = await roll('r3');
    expect({ outcome, cut: servers[0]?.cut }).toEqual({ outcome: 'succeeded', cut: 2 });
    expect(await running()).toBe(instances('r3'));
  });

  it('leaves the requests of a unit that is stopped to the others', async () => {
    const codes = `for n in $(seq 40); do curl -s -o /dev/null -w '%{http_code} ' http://10.10.1.2:5000/version; done`;
    await ask('systemctl stop shop-unit2@r3.service');
    expect(new Set((await ask(codes)).split(' '))).toEqual(new Set(['200']));
    // A start of the release brings up what is missing of it.
    await ask('systemctl start shop@r3.service');
    expect(await running()).toBe(instances('r3'));
  });

  it('is not proven by one unit of three', async () => {
    await ask('systemctl stop shop-unit3@r3.service');
    const again = roll('r3');
    await expect(again).rejects.toThrow(/r3/);
    await ask('systemctl start shop@r3.service');
    expect(await roll('r3')).toMatchObject({ outcome: 'nothing-to-do' });
  });
});
