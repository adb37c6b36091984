import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type ConfigBundle, render, takesRestart } from '@perlstack/configs';
import { type Consent, type ConvergePlan, handlers } from '@perlstack/converge';
import { whyNoHosts } from '@perlstack/local-cloud';
import { execute, type Outcome } from '@perlstack/procedure';
import { parseStack, UserError } from '@perlstack/stack';
import * as converging from './converging.js';
import { type HostsSite, openHosts } from './hosts-site.js';

// The first run builds the images.
jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const PRIMARY = 'database-1';
const REPLICA = 'database-2';
const SECRETS = { DATABASE_PASSWORD: `pa'ss:w\\rd "$1"`, REPLICATION_PASSWORD: 'fol:low\\me' };

/** Settings under which a replica falls behind soon. */
const SMALL =
  'settings: { min_wal_size: 32MB, max_wal_size: 64MB, wal_keep_size: 0, max_slot_wal_keep_size: 32MB }';

/** Values that another dialect than postgresql.conf's own would change or choke on. */
const NASTY: Readonly<Record<string, string>> = {
  quote: "it's",
  quotes: `''"' "`,
  semicolon: 'a; DROP TABLE x; }',
  brace: '${HOME} $1 {{ x }}',
  backslash: 'C:\\new\\',
  comment: '# not a comment',
  unicode: 'zażółć — 日本語 🐘',
  blanks: '  two  ',
  empty: '',
};

(obstacle === null ? describe : describe.skip).each([
  ['linode/debian13', 17],
  ['linode/debian12', 15],
] as const)(`PostgreSQL on %s${obstacle === null ? '' : ` (skipped: ${obstacle})`}`, (image, version) => {
  let site: HostsSite;
  /** What hangs on us alone is tried with one version: it takes its time. */
  const once = version === 17 ? it : undefined;

  const stackFile = (database = ''): string => `
stack: shop
region: us-ord
image: ${image}
app: {}
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-nanode-1, count: 1 }
  database: { type: g6-nanode-1, count: 2, ${database} }
`;

  /** PostgreSQL's part of what is rendered, so that nothing else stands between the hosts. */
  const bundleOf = (database = ''): ConfigBundle => {
    const { stack } = parseStack(stackFile(database), 'perlstack.yml');
    const bundle = render(stack, site.inventory, { secrets: SECRETS });
    const hosts = bundle.hosts.map((host) => ({
      ...host,
      users: [],
      services: host.services.filter(({ name }) => name === 'postgresql'),
    }));
    return { ...bundle, hosts: hosts.filter(({ services }) => services.length > 0) };
  };

  const look = (bundle: ConfigBundle, consent: Partial<Consent> = {}): Promise<ConvergePlan> =>
    converging.look(site.remote, bundle, consent);

  const converge = async (bundle: ConfigBundle, consent: Partial<Consent> = {}): Promise<Outcome> => {
    const { outcome } = await converging.attempt(site.remote, bundle, consent);
    expect(outcome.failures.map(({ step, error }) => `${step.id}: ${String(error)}`)).toEqual([]);
    return outcome;
  };

  const sql = (host: string, query: string, database = 'postgres'): Promise<string> =>
    site.ask(host, `cd / && runuser -u postgres -- psql -XAtq -d ${database} <<'SQL'\n${query}\nSQL`);

  const startedAt = (host: string): Promise<string> => sql(host, 'SELECT pg_postmaster_start_time()');

  const eventually = async (ask: () => Promise<string>, wanted: string): Promise<void> => {
    let answer = '';
    for (let tries = 0; tries < 60; tries += 1) {
      answer = await ask().catch(String);
      if (answer === wanted) return;
      await sleep(500);
    }
    expect(answer).toBe(wanted);
  };

  const replicates = async (from: string, to: string, text: string): Promise<void> => {
    await sql(
      from,
      `CREATE TABLE IF NOT EXISTS mark (text text); INSERT INTO mark VALUES ('${text}');`,
      'shop',
    );
    await eventually(() => sql(to, `SELECT count(*) FROM mark WHERE text = '${text}'`, 'shop'), '1');
  };

  const expectStreaming = async (from: string, to: string): Promise<void> => {
    const slot = to.replace('-', '_');
    expect(
      await sql(
        from,
        "SELECT application_name, state, replay_lag IS NULL OR replay_lag < interval '1 min' FROM pg_stat_replication",
      ),
    ).toBe(`${to}|streaming|t`);
    expect(await sql(to, 'SELECT status, slot_name FROM pg_stat_wal_receiver')).toBe(`streaming|${slot}`);
    expect(
      await sql(from, `SELECT active, wal_status FROM pg_replication_slots WHERE slot_name = '${slot}'`),
    ).toBe('t|reserved');
  };

  beforeAll(async () => {
    site = await openHosts(stackFile());
  });

  afterAll(async () => {
    await site?.close();
  });

  /** A bundle in which a member never proves itself. */
  const unprovable = (host: string, bundle: ConfigBundle): ConfigBundle => {
    for (const service of bundle.hosts.find((entry) => entry.host === host)?.services ?? []) {
      service.probe = [['false']];
    }
    return bundle;
  };

  const fails = async (bundle: ConfigBundle, consent: Partial<Consent> = {}): Promise<Outcome> => {
    const { steps } = await look(bundle, consent);
    const outcome = await execute(steps, handlers(site.remote, bundle), { onFailure: 'undo' });
    expect(outcome.undoFailures).toEqual([]);
    expect(outcome.state).toBe('failed');
    return outcome;
  };

  const dataFolders = (host: string): Promise<string> =>
    site.ask(host, `cd /var/lib/postgresql/${version} && stat -c '%n %i' -- *`);

  once?.('takes back a cluster that does not come up', async () => {
    const { failures } = await fails(unprovable(PRIMARY, bundleOf()));
    expect(String(failures[0]?.error)).toContain('did not come into force');
    expect(
      await site.ask(PRIMARY, `ls -A /var/lib/postgresql/${version} /etc/postgresql/${version}/main/conf.d`),
    ).not.toMatch(/main\.|PG_VERSION|\.conf/);
    expect(await site.ask(PRIMARY, 'pgrep -c -u postgres || true')).toBe('0');
  });

  it('makes a primary and its replica on bare hosts', async () => {
    const planned = await look(bundleOf());
    expect(planned.refusals).toEqual([]);
    expect(
      planned.changes.filter(({ kind }) => kind === 'data').map(({ host, what }) => `${host}: ${what}`),
    ).toEqual([`${PRIMARY}: new cluster of PostgreSQL ${version}`, `${REPLICA}: to be made from ${PRIMARY}`]);
    const outcome = await converge(bundleOf());
    const said = outcome.events.filter(({ step }) => step.id === `${REPLICA}/postgresql/clone`);
    expect(
      said.some(({ state, message }) => state === 'progress' && /^\d+ of \d+ MiB$/.test(message ?? '')),
    ).toBe(true);
    expect(JSON.stringify([planned, outcome])).not.toMatch(/follow.me|pa'ss|SCRAM/);

    await expectStreaming(PRIMARY, REPLICA);
    await replicates(PRIMARY, REPLICA, 'first');
    for (const host of [PRIMARY, REPLICA]) {
      expect(await sql(host, 'SHOW data_checksums; SHOW wal_log_hints; SHOW server_version_num')).toMatch(
        new RegExp(`^on\non\n${version}`),
      );
      expect(
        await site.ask(host, `systemctl is-enabled postgresql@${version}-main; pg_lsclusters -h`),
      ).toMatch(/^enabled\n.*online/);
      expect(await site.ask(host, 'grep -rl -e SCRAM -e follow /var/log/postgresql || true')).toBe('');
    }
    expect(await sql(PRIMARY, 'SELECT count(*) >= 0 FROM pg_stat_statements')).toBe('t');
    expect(await sql(PRIMARY, "SELECT count(*) FROM pg_stat_statements WHERE query ~ 'SCRAM'")).toBe('0');
  });

  it('changes nothing the second time', async () => {
    const times = await Promise.all([PRIMARY, REPLICA].map(startedAt));
    expect(await look(bundleOf())).toEqual({ steps: [], changes: [], refusals: [] });
    expect(await Promise.all([PRIMARY, REPLICA].map(startedAt))).toEqual(times);
  });

  it('lets the application in from its own hosts, and nobody from elsewhere', async () => {
    const addresses = [PRIMARY, REPLICA].map(
      (name) => site.inventory.hosts.find((host) => host.name === name)?.privateAddress ?? '',
    );
    const install = `DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql-client-${version}`;
    await Promise.all(['app-1', 'web-1'].map((host) => site.ask(host, `${install} 2>&1`)));
    const login = (host: string, user: string, password: string, more = '') =>
      site.ask(
        host,
        `PGPASSWORD=${shellWord(password)} psql -XAtc 'SELECT current_user, pg_is_in_recovery()' ` +
          `"host=${addresses.join(',')} user=${user} dbname=shop connect_timeout=5 target_session_attrs=read-write ${more}" 2>&1 || true`,
      );
    expect(await login('app-1', 'shop', SECRETS.DATABASE_PASSWORD)).toBe('shop|f');
    expect(await login('app-1', 'shop', 'wrong')).toContain('password authentication failed');
    expect(await login('app-1', 'postgres', 'x')).toContain('no pg_hba.conf entry');
    expect(await login('app-1', 'replicator', SECRETS.REPLICATION_PASSWORD, 'replication=1')).toContain(
      'no pg_hba.conf entry',
    );
    expect(await login('web-1', 'shop', SECRETS.DATABASE_PASSWORD)).toContain('no pg_hba.conf entry');
  });

  it('reads back every value as it was written, and takes it by a reload', async () => {
    const settings = Object.entries(NASTY).map(
      ([name, value]) => `perlstack.${name}: ${JSON.stringify(value)}`,
    );
    const times = await Promise.all([PRIMARY, REPLICA].map(startedAt));
    const bundle = bundleOf(`settings: { log_min_duration_statement: 250ms, work_mem: 5MB }`);
    await converge(bundle);
    expect(await Promise.all([PRIMARY, REPLICA].map((host) => sql(host, 'SHOW work_mem')))).toEqual([
      '5MB',
      '5MB',
    ]);
    expect(await Promise.all([PRIMARY, REPLICA].map(startedAt))).toEqual(times);
    // Of settings that no extension is known for it is not known that a reload would do.
    await converge(bundleOf(`settings: { ${settings.join(', ')} }`), { restart: true });
    for (const [name, value] of Object.entries(NASTY)) {
      expect(await sql(PRIMARY, `SELECT to_json(current_setting('perlstack.${name}'))`)).toBe(
        JSON.stringify(value),
      );
    }
    await converge(bundleOf(), { restart: true });
  });

  once?.('leaves the server on its old files when the new ones are not valid', async () => {
    const times = await Promise.all([PRIMARY, REPLICA].map(startedAt));
    const wrong = bundleOf('settings: { work_mem: lots }');
    const outcome = await execute((await look(wrong)).steps, handlers(site.remote, wrong));
    expect(String(outcome.failures[0]?.error)).toMatch(/the new configuration is not valid.*work_mem.*lots/);
    const broken = bundleOf();
    const hba = broken.hosts[0]?.services[0]?.files.find(({ path }) => path.endsWith('pg_hba.conf'));
    if (hba) hba.content += 'host nonsense\n';
    const refused = await execute((await look(broken)).steps, handlers(site.remote, broken));
    expect(String(refused.failures[0]?.error)).toMatch(/the new configuration is not valid.*end-of-line/);
    expect(await Promise.all([PRIMARY, REPLICA].map(startedAt))).toEqual(times);
    expect(await look(bundleOf())).toMatchObject({ changes: [] });
  });

  it('has every setting in the file that a change of it takes', async () => {
    const all = JSON.parse(
      await sql(PRIMARY, 'SELECT json_object_agg(lower(name), context) FROM pg_settings'),
    ) as Record<string, string>;
    const atStart = Object.keys(all).filter((name) => all[name] === 'postmaster');
    expect(atStart.filter((name) => !takesRestart(name))).toEqual([]);
    const files = bundleOf().hosts[0]?.services[0]?.files ?? [];
    for (const { path, content, effect } of files.filter((file) => file.path.includes('/conf.d/'))) {
      const contexts = [...content.matchAll(/^(\S+) = /gm)].map(
        ([, name = '']) => all[name] ?? `${name} is unknown`,
      );
      expect({ path, restart: contexts.filter((context) => context === 'postmaster').length }).toEqual({
        ...{ path, restart: effect === 'restart' ? contexts.length : 0 },
      });
    }
  });

  once?.('waits for the replica at every commit when durability says so', async () => {
    const times = await Promise.all([PRIMARY, REPLICA].map(startedAt));
    await converge(bundleOf('durability: sync'));
    await eventually(() => sql(PRIMARY, 'SELECT sync_state FROM pg_stat_replication'), 'sync');
    await replicates(PRIMARY, REPLICA, 'sync');
    expect(await Promise.all([PRIMARY, REPLICA].map(startedAt))).toEqual(times);
    await converge(bundleOf());
    await eventually(() => sql(PRIMARY, 'SELECT sync_state FROM pg_stat_replication'), 'async');
  });

  once?.('gives the roles new passwords', async () => {
    const old = SECRETS.REPLICATION_PASSWORD;
    SECRETS.REPLICATION_PASSWORD = 'another: one';
    const { changes } = await look(bundleOf());
    expect(changes.map(({ host, target, what }) => `${host} ${target} ${what}`)).toContain(
      `${PRIMARY} role replicator password or rights differ`,
    );
    await converge(bundleOf());
    await site.ask(REPLICA, `systemctl restart postgresql@${version}-main`);
    await eventually(() => sql(PRIMARY, 'SELECT state FROM pg_stat_replication'), 'streaming');
    SECRETS.REPLICATION_PASSWORD = old;
    await converge(bundleOf());
  });

  it('restarts with consent only, the replica first', async () => {
    const bundle = bundleOf('connections: 110');
    const times = await Promise.all([PRIMARY, REPLICA].map(startedAt));
    const refused = await look(bundle);
    expect(refused.steps).toEqual([]);
    expect(refused.refusals.join('\n')).toMatch(/database-1.*restart/);
    expect(await Promise.all([PRIMARY, REPLICA].map(startedAt))).toEqual(times);
    await converge(bundle, { restart: true });
    expect(await Promise.all([PRIMARY, REPLICA].map((host) => sql(host, 'SHOW max_connections')))).toEqual([
      '110',
      '110',
    ]);
    const [primary = '', replica = ''] = await Promise.all([PRIMARY, REPLICA].map(startedAt));
    expect(replica < primary).toBe(true);
    expect(await look(bundle)).toMatchObject({ steps: [], changes: [] });
  });

  it('lowers a limit on the primary first, which a replica must not be below', async () => {
    await converge(bundleOf('connections: 60'), { restart: true });
    expect(await Promise.all([PRIMARY, REPLICA].map((host) => sql(host, 'SHOW max_connections')))).toEqual([
      '60',
      '60',
    ]);
    const [primary = '', replica = ''] = await Promise.all([PRIMARY, REPLICA].map(startedAt));
    expect(primary < replica).toBe(true);
    await replicates(PRIMARY, REPLICA, 'lowered');
    await converge(bundleOf(), { restart: true });
  });

  once?.('shows a restart that is due though no file changes', async () => {
    await sql(PRIMARY, 'ALTER SYSTEM SET max_files_per_process = 900;\nSELECT pg_reload_conf();');
    await eventually(
      () => sql(PRIMARY, "SELECT pending_restart FROM pg_settings WHERE name = 'max_files_per_process'"),
      't',
    );
    const shown = await look(bundleOf());
    expect(shown.changes.map(({ host, what }) => `${host}: ${what}`)).toEqual([
      `${PRIMARY}: restart due for max_files_per_process`,
    ]);
    expect(shown.steps).toEqual([]);
    await converge(bundleOf(), { restart: true });
    expect(await sql(PRIMARY, 'SHOW max_files_per_process')).toBe('900');
    expect(await look(bundleOf())).toEqual({ steps: [], changes: [], refusals: [] });
  });

  once?.('starts a replica that was down, and waits until it follows', async () => {
    await site.ask(REPLICA, `systemctl stop postgresql@${version}-main`);
    const identity = await site.ask(REPLICA, `stat -c %i /var/lib/postgresql/${version}/main`);
    const outcome = await converge(bundleOf());
    expect(outcome.changed).toContain(`${REPLICA}/postgresql/apply`);
    expect(outcome.events.filter(({ step }) => step.kind === 'postgresql-clone')).toEqual([]);
    expect(await site.ask(REPLICA, `stat -c %i /var/lib/postgresql/${version}/main`)).toBe(identity);
    await expectStreaming(PRIMARY, REPLICA);
    await replicates(PRIMARY, REPLICA, 'back');
  });

  once?.('tells a replica apart whose WAL is gone, and makes it anew only when allowed', async () => {
    const small = bundleOf(SMALL);
    await converge(small);
    await site.ask(REPLICA, `systemctl stop postgresql@${version}-main`);
    await sql(
      PRIMARY,
      'CREATE TABLE IF NOT EXISTS bulk (text text);\n' +
        Array.from(
          { length: 8 },
          () =>
            'INSERT INTO bulk SELECT repeat(md5(g::text), 8) FROM generate_series(1, 20000) g;\nSELECT pg_switch_wal();\nCHECKPOINT;\n',
        ).join(''),
      'shop',
    );
    expect(await sql(PRIMARY, 'SELECT wal_status FROM pg_replication_slots')).toBe('lost');
    const refused = await look(small);
    expect(refused.steps).toEqual([]);
    expect(refused.refusals.join()).toMatch(/^database-2: .*fell behind.*allow-rebuild: database-2/);
    await expect(converge(small, { rebuild: [PRIMARY] })).rejects.toThrow(UserError);

    const before = await dataFolders(REPLICA);
    await fails(unprovable(REPLICA, bundleOf(SMALL)), { rebuild: [REPLICA] });
    expect(await dataFolders(REPLICA)).toBe(before);

    await converge(small, { rebuild: [REPLICA] });
    await expectStreaming(PRIMARY, REPLICA);
    expect(await site.ask(REPLICA, `ls /var/lib/postgresql/${version}`)).toBe('main');
    await converge(bundleOf());
    expect(await look(bundleOf())).toEqual({ steps: [], changes: [], refusals: [] });
  });

  it('keeps to the primary that somebody promoted, and never starts a second one', async () => {
    await site.ask(REPLICA, `systemctl stop postgresql@${version}-main`);
    await sql(PRIMARY, "INSERT INTO mark VALUES ('only on the old primary');", 'shop');
    await site.ask(PRIMARY, `systemctl stop postgresql@${version}-main`);
    const both = await look(bundleOf());
    expect(both.refusals).toEqual([]);
    await site.ask(REPLICA, `systemctl start postgresql@${version}-main`);
    await sql(REPLICA, 'SELECT pg_promote();');
    await sql(REPLICA, "INSERT INTO mark VALUES ('on the new primary');", 'shop');

    const refused = await look(bundleOf());
    expect(refused.steps).toEqual([]);
    expect(refused.refusals.join('\n')).toMatch(
      /^database-1: .*was the primary before database-2.*allow-rebuild: database-1/,
    );
    await expect(converge(bundleOf())).rejects.toThrow(UserError);
    expect(await site.ask(PRIMARY, 'pgrep -c -u postgres || true')).toBe('0');

    const outcome = await converge(bundleOf(), { rebuild: [PRIMARY] });
    const remark = outcome.events.find(
      ({ step, state }) => step.id === `${PRIMARY}/postgresql/follow` && state === 'done',
    );
    expect(remark?.message).toContain(`its old copy stays in /var/lib/postgresql/${version}/main.diverged`);
    await expectStreaming(REPLICA, PRIMARY);
    await replicates(REPLICA, PRIMARY, 'other way round');
    expect(await look(bundleOf())).toEqual({ steps: [], changes: [], refusals: [] });
  });

  once?.('does nothing where two members take writes', async () => {
    await sql(PRIMARY, 'SELECT pg_promote();');
    const refused = await look(bundleOf('connections: 120'), { restart: true, rebuild: [PRIMARY, REPLICA] });
    expect(refused.steps).toEqual([]);
    expect(refused.refusals.join()).toMatch(/^database-1 and database-2 both take writes/);
  });
});

const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
