import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ConfigBundle } from '@perlstack/configs';
import { describe as describePlan } from '@perlstack/converge';
import { whyNoHosts } from '@perlstack/local-cloud';
import type { Outcome } from '@perlstack/procedure';
import type { DeployResult } from '@perlstack/release';
import type { LoadHandle, Shown } from './load-handle.js';
import {
  databasePrimary,
  executedOrders,
  provePostgres,
  proveRedis,
  readOnStandby,
  redis,
  sql,
} from './stack-proofs.js';
import { DOMAIN, fileOf, StackSite } from './stack-site.js';

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

interface Platform {
  readonly image: string;
  readonly web: number;
  readonly app: number;
  readonly postgresql: string;
  readonly redis: string;
  readonly nginx: string;
}

const DEBIAN_13: Platform = {
  ...{ image: 'linode/debian13', web: 2, app: 3 },
  ...{ postgresql: '17.', redis: '8.', nginx: 'nginx/1.26.' },
};
const DEBIAN_12: Platform = {
  ...{ image: 'linode/debian12', web: 2, app: 3 },
  ...{ postgresql: '15.', redis: '7.', nginx: 'nginx/1.22.' },
};

/** All tests are made on ten hosts of one distribution; on the other, that the stack comes up on the fewest hosts. */
const [whole, other] =
  process.env['WHOLE_STACK'] === 'debian12' ? [DEBIAN_12, DEBIAN_13] : [DEBIAN_13, DEBIAN_12];

const stackFile = ({ image, web, app }: Platform): string => `
stack: shop
region: us-ord
image: ${image}
app:
  domains: [${DOMAIN}]
  workers: 6
  packages: [libdbd-pg-perl, libmojolicious-perl, libredis-perl]
  health: { path: /healthz, body: ok, latency: 2s, successes: 3, timeout: 30s, release: /version }
  limits: { body: 20MiB }
  maxRequests: 1000
  drainTimeout: 20s
tiers:
  web: { type: g6-nanode-1, count: ${web}, tls: { files: true } }
  app: { type: g6-standard-1, count: ${app} }
  database: { type: g6-standard-1, count: 2, settings: { work_mem: 4MB } }
  cache: { type: g6-nanode-1, count: 3 }
`;

/** What holds for a stack on any distribution; `tests` are made after these, on the same hosts. */
function describeStack(platform: Platform, tests: (site: () => StackSite) => void = () => undefined): void {
  describeHosts(`the whole stack on ${platform.image}${obstacle === null ? '' : ` (${obstacle})`}`, () => {
    let opened: StackSite;
    const site = (): StackSite => opened;
    const names = (tier: string): string[] =>
      opened.hosts.inventory.hosts.filter((host) => host.tier === tier).map(({ name }) => name);

    let first: Outcome;
    let deployed: DeployResult;

    beforeAll(async () => {
      opened = await StackSite.open(stackFile(platform));
      first = await opened.converge(opened.bundle());
      deployed = await opened.deploy('r1');
    });
    afterAll(() => opened?.close());

    it('comes up on bare hosts, and the application runs on it', () => {
      expect(first).toMatchObject({ state: 'succeeded', failures: [], undoFailures: [] });
      expect(deployed).toMatchObject({ outcome: 'succeeded', unresolved: [], notes: [] });
    });

    it('is left alone by a second run: no write, no reload, no restart', async () => {
      const before = await opened.traces();
      const { steps, changes } = await opened.look(opened.bundle());
      expect({ steps, changes }).toEqual({ steps: [], changes: [] });
      expect(await opened.converge(opened.bundle())).toMatchObject({ state: 'succeeded' });
      expect(await opened.traces()).toEqual(before);
    });

    it('has a PostgreSQL primary that its replica follows', async () => {
      const { ask, inventory } = opened.hosts;
      const proof = await provePostgres(ask, inventory);
      const follows = { state: 'streaming', slotActive: true, receiver: 'streaming', sender: 'database-1' };
      expect(proof).toMatchObject({ primary: 'database-1', standbys: [{ host: 'database-2', ...follows }] });
      expect(proof.version).toMatch(platform.postgresql);
      expect(await readOnStandby(ask, proof)).toMatch(/^row-/);
      expect(proof.standbys[0]?.lagBytes).toBeLessThan(1_000_000);
      const settings = await sql(
        ask,
        'database-1',
        `SELECT setting FROM pg_settings WHERE name IN ('data_checksums', 'password_encryption') ORDER BY name;
         SELECT count(*) > 0 FROM pg_extension WHERE extname = 'pg_stat_statements';`,
      );
      expect(settings.split('\n')).toEqual(['on', 'scram-sha-256', 't']);
    });

    it('has a Redis primary that its replicas follow, and Sentinels that agree', async () => {
      const { ask, inventory } = opened.hosts;
      const proof = await proveRedis(ask, inventory, 'shop');
      expect(proof.primary).toBe('cache-1');
      expect(proof.version).toMatch(platform.redis);
      expect(proof.replicas.map(({ host, link }) => [host, link])).toEqual([
        ['cache-2', 'up'],
        ['cache-3', 'up'],
      ]);
      const agreed = expect.stringMatching(/^OK 3 usable Sentinels/);
      expect(proof.quorum).toEqual({ 'cache-1': agreed, 'cache-2': agreed, 'cache-3': agreed });
    });

    it('answers by name through every web host, with the stores behind it', async () => {
      for (const web of names('web')) {
        expect(await opened.visit(web, `https://${DOMAIN}/version`)).toBe(`${opened.release}\n\n200`);
        expect(await opened.visit(web, `http://${DOMAIN}/version`)).toMatch(/\n30[18]$/);
        const [body = '', status] = (await opened.visit(web, `https://${DOMAIN}/readyz`)).split('\n');
        expect([JSON.parse(body), status]).toMatchObject([
          { database: { state: 'ok', host: '10.10.2.2' }, cache: { state: 'ok', primary: '10.10.3.2:6379' } },
          '200',
        ]);
        expect(await opened.hosts.ask(web, 'nginx -v 2>&1')).toContain(platform.nginx);
      }
    });

    tests(site);
  });
}

describeStack({ ...other, web: 1, app: 1 });

describeStack(whole, (site) => {
  const ask = (host: string, script: string): Promise<string> => site().hosts.ask(host, script);
  let load: LoadHandle;

  beforeAll(async () => {
    load = site().startLoad();
    await load.mark('start');
  });
  afterAll(() => load?.close());

  const look = (bundle: ConfigBundle) => site().look(bundle);

  async function expectUnnoticed(mark: string): Promise<Shown> {
    const seen = await load.since(mark);
    expect({ failed: seen.failed, failures: seen.failures }).toEqual({ failed: 0, failures: [] });
    expect(seen.requests).toBeGreaterThan(20);
    return seen;
  }

  /** What is rendered holds again, on all hosts, and nobody has noticed anything. */
  async function expectAsRendered(mark: string): Promise<void> {
    const { steps, changes } = await look(site().bundle());
    expect({ steps, changes }).toEqual({ steps: [], changes: [] });
    await expectUnnoticed(mark);
  }

  describe('under load', () => {
    it('takes a changed setting of nginx without a failed request', async () => {
      await load.mark('nginx');
      const bundle = site().bundle(['body: 20MiB', 'body: 30MiB']);
      const { rows } = describePlan(await look(bundle));
      expect(new Set(rows.map(({ service }) => service))).toEqual(new Set(['nginx']));
      await site().converge(bundle);
      expect(await ask('web-1', 'nginx -T 2>/dev/null | grep -c "client_max_body_size 30"')).not.toBe('0');
      await site().converge(site().bundle());
      await expectAsRendered('nginx');
    });

    it('takes a changed setting of Starman, which the next release brings into force, without a failed request', async () => {
      await load.mark('starman');
      const bundle = site().bundle(['maxRequests: 1000', 'maxRequests: 900']);
      const { rows } = describePlan(await look(bundle));
      expect(rows.map(({ host, target }) => `${host} ${target}`)).toEqual(
        ['app-1', 'app-2', 'app-3'].map((host) => `${host} /etc/systemd/system/shop@.service`),
      );
      await site().converge(bundle);
      expect(await site().deploy('r2')).toMatchObject({ outcome: 'succeeded' });
      for (const host of ['app-1', 'app-2', 'app-3']) {
        expect(await ask(host, 'ps -C starman -o args= | head -1; pgrep -fc "max-requests 900"')).not.toMatch(
          /\n0$/,
        );
      }
      await expectUnnoticed('starman');
      await site().converge(site().bundle());
      await expectAsRendered('starman');
    });

    it.each([
      ['nginx of the web tier', 'web-2', '/etc/nginx/conf.d/shop.conf', 'nonsense;\n'],
      ['nginx of the app tier', 'app-2', '/etc/nginx/conf.d/shop.conf', 'nonsense;\n'],
      ['Starman', 'app-2', 'shop@.service', '[Service]\nExecStart=relative\n'],
      ['postgresql.conf', 'database-1', 'conf.d/20-reload.conf', "work_mem = 'lots'\n"],
      ['pg_hba.conf', 'database-1', 'pg_hba.conf', 'host all all nowhere nonsense\n'],
      ['Redis', 'cache-1', 'redis/settings.conf', 'maxmemory-policy "sometimes"\n'],
      ['Sentinel', 'cache-1', 'sentinel/settings.conf', 'sentinel down-after-milliseconds shop "soon"\n'],
      ['the firewall', 'database-2', 'nftables.d/00-perlstack.nft', 'nonsense\n'],
      ['sshd', 'cache-2', 'sshd_config.d/00-perlstack.conf', 'Nonsense yes\n'],
      ['sudo', 'app-3', 'sudoers.d/90-perlstack', 'nonsense\n'],
    ])('keeps the old configuration of %s when the new one is broken', async (what, host, path, line) => {
      await load.mark(what);
      const before = await site().traces();
      const bundle = site().bundle();
      fileOf(bundle, host, path).content += line;
      const { failures, undoFailures } = await site().try(bundle, { restart: true });
      expect({ failures: failures.length, undoFailures }).toEqual({ failures: 1, undoFailures: [] });
      expect(String(failures[0]?.error)).toMatch(/not valid, and the old one stays in force/);
      expect(await site().traces()).toEqual(before);
      await expectAsRendered(what);
    });

    it('shows what somebody changed on a host, and puts it back only when asked to', async () => {
      await load.mark('drift');
      await ask('web-1', 'echo "# by hand" >> /etc/nginx/conf.d/shop.conf');
      const settings = `/etc/postgresql/${whole.postgresql.slice(0, 2)}/main/conf.d/20-reload.conf`;
      await ask('database-1', `echo "work_mem = '8MB'" >> ${settings}`);
      const plan = await look(site().bundle());
      expect(plan.steps).toEqual([]);
      expect(plan.changes.map(({ host, kind }) => `${host} ${kind}`)).toEqual([
        'web-1 drift',
        'database-1 drift',
      ]);
      expect(describePlan(plan).diffs.map(({ diff }) => diff)).toEqual([
        expect.stringContaining('+# by hand'),
        expect.stringContaining("+work_mem = '8MB'"),
      ]);
      await site().converge(site().bundle());
      expect(await ask('web-1', 'tail -n 1 /etc/nginx/conf.d/shop.conf')).toBe('# by hand');
      await site().converge(site().bundle(), { drift: 'restore' });
      expect(await ask('web-1', 'tail -n 1 /etc/nginx/conf.d/shop.conf')).not.toBe('# by hand');
      await expectAsRendered('drift');
    });

    it('has lost no order and carried out none twice', async () => {
      const primary = await databasePrimary(ask, site().hosts.inventory);
      await load.stop();
      const { lost, doubled, acknowledged } = await load.balance(await executedOrders(ask, primary));
      expect({ lost, doubled }).toEqual({ lost: [], doubled: [] });
      expect(acknowledged).toBeGreaterThan(100);
    });
  });

  describe('a setting of PostgreSQL that takes a restart', () => {
    const changed = (): ConfigBundle =>
      site().bundle(['work_mem: 4MB', 'work_mem: 4MB, max_locks_per_transaction: 96']);

    it('is refused without consent, and nothing is done', async () => {
      const before = await site().traces();
      await expect(site().try(changed())).rejects.toThrow(/database-\d.*restart/);
      expect(await site().traces()).toEqual(before);
    });

    it('is made on the replica first, and the application goes on by itself', async () => {
      load = site().startLoad();
      await load.mark('restart');
      const order: string[] = [];
      const outcome = await site().converge(changed(), { restart: true });
      for (const host of ['database-1', 'database-2']) {
        expect(await sql(ask, host, 'SHOW max_locks_per_transaction')).toBe('96');
        order.push(await sql(ask, host, 'SELECT extract(epoch FROM pg_postmaster_start_time())'));
      }
      expect(Number(order[1])).toBeLessThan(Number(order[0]));
      expect(outcome.state).toBe('succeeded');
      expect(await provePostgres(ask, site().hosts.inventory)).toMatchObject({
        primary: 'database-1',
        standbys: [{ host: 'database-2', state: 'streaming', slotActive: true }],
      });
      await load.mark('afterwards');
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await expectUnnoticed('afterwards');
      const { requests, failed, failures, byKind } = await load.since('restart');
      process.stdout.write(`while PostgreSQL restarted: ${failed} of ${requests} requests failed\n`);
      // Only orders need the database, and only for as long as its primary is away.
      expect(failures.filter(({ kind }) => !kind.includes('post'))).toEqual([]);
      expect(byKind.post.ok).toBeGreaterThan(byKind.post.failed);
      await load.stop();
      const { lost, doubled } = await load.balance(await executedOrders(ask, 'database-1'));
      expect({ lost, doubled }).toEqual({ lost: [], doubled: [] });
    });
  });

  it('follows a failover that Sentinel decided, which no later run undoes', async () => {
    const { inventory } = site().hosts;
    await ask('cache-1', 'systemctl kill -s KILL redis-server; systemctl stop redis-server');
    await until(
      async () =>
        (await redis(ask, 'cache-2', 'SENTINEL GET-MASTER-ADDR-BY-NAME shop', 'sentinel')).includes(
          '10.10.3.2',
        ) === false,
    );
    await ask('cache-1', 'systemctl start redis-server');
    await until(async () =>
      (await redis(ask, 'cache-1', 'INFO replication')).includes('master_link_status:up'),
    );
    const { primary } = await proveRedis(ask, inventory, 'shop');
    expect(primary).not.toBe('cache-1');
    await site().converge(site().bundle(), { restart: true });
    expect(await proveRedis(ask, inventory, 'shop')).toMatchObject({ primary });
    await until(async () => (await site().visit('web-1', `https://${DOMAIN}/visit`)).endsWith('200'));
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 250));
}
