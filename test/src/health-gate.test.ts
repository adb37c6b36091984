import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { gate, type GateOptions, parseProbes, type Places, probesOf, type Verdict } from '@perlstack/health';
import { whyNoHosts } from '@perlstack/local-cloud';
import { examplesOf } from '@perlstack/tooling';
import { ActionStep } from './action-step.js';
import { DOMAIN, StackSite } from './stack-site.js';

jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

const STACK = `
stack: shop
region: us-ord
app:
  domains: [${DOMAIN}]
  workers: 4
  packages: [libdbd-pg-perl, libmojolicious-perl, libredis-perl]
  health: { path: /healthz, body: ok, latency: 5s, successes: 1, timeout: 60s, release: /version }
tiers:
  web: { type: g6-nanode-1, count: 1, tls: { files: true } }
  app: { type: g6-standard-1, count: 1 }
  database: { type: g6-standard-1, count: 2 }
  cache: { type: g6-nanode-1, count: 3 }
`;

/** Every kind of probe that needs a host, green on a stack in order and red for what it is there to notice. */
describeHosts(`the gate on real services${obstacle === null ? '' : ` (${obstacle})`}`, () => {
  let site: StackSite;

  const places: Places = (word) => {
    if (word === undefined || word === 'runner') return [undefined];
    const { hosts } = site.hosts.inventory;
    return hosts.filter(({ name, tier }) => name === word || tier === word).map(({ name }) => name);
  };
  const look = (yaml: string, more: Partial<GateOptions> = {}): Promise<Verdict> =>
    gate({
      probes: probesOf(parseProbes(yaml, 'probes'), places),
      ...{
        successes: 1,
        intervalMs: 200,
        perTryTimeoutMs: 10_000,
        timeoutMs: 60_000,
        remote: site.hosts.remote,
      },
      ...more,
    });
  /** Ends at the first failure. */
  const once: Partial<GateOptions> = { giveUp: async () => 'that will do' };
  const address = (host: string): string =>
    site.hosts.inventory.hosts.find(({ name }) => name === host)?.privateAddress ?? '';

  async function expectOpen(yaml: string, more: Partial<GateOptions> = {}): Promise<Verdict> {
    const verdict = await look(yaml, more);
    expect(verdict.passed ? 'open' : verdict.reason).toBe('open');
    return verdict;
  }
  async function expectClosed(yaml: string, reason: RegExp): Promise<void> {
    const verdict = await look(yaml, once);
    expect(verdict.passed).toBe(false);
    expect(verdict.reason).toMatch(reason);
  }

  /** Services need their time to notice; as long as they have not, the gate stays open. */
  async function until(yaml: string, reason: RegExp): Promise<void> {
    const verdict = await look(yaml, { ...once, holdMs: 240_000, timeoutMs: 250_000 });
    expect(verdict.reason).toMatch(reason);
  }

  /**
   * Drops what a host and a server of a port say to each other over the connections that they have, silently, as a firewall
   * that forgot them would; new ones are let through.
   */
  async function mute(host: string, port: number): Promise<void> {
    await site.hosts.ask(
      host,
      `ports=$(ss -Htn state established "( dport = :${port} )" | awk '{ sub(/.*:/, "", $3); print $3 }' | paste -sd,)
[ -n "$ports" ] || { echo 'no connection' >&2; exit 1; }
nft -f - <<RULES
table inet mute {
  chain out { type filter hook output priority -10; tcp sport { $ports } tcp dport ${port} drop; }
  chain in { type filter hook input priority -10; tcp sport ${port} tcp dport { $ports } drop; }
}
RULES`,
    );
  }
  const unmute = (host: string): Promise<string> => site.hosts.ask(host, 'nft delete table inet mute');

  beforeAll(async () => {
    site = await StackSite.open(STACK);
    await site.converge(site.bundle());
    await site.deploy('r1');
    const packages = 'apt-get install -y -qq prometheus prometheus-node-exporter >/dev/null 2>&1';
    const ca = await readFile(join(site.hosts.folder, 'ca.crt'), 'utf8');
    await site.hosts.ask('web-1', `DEBIAN_FRONTEND=noninteractive ${packages}; systemctl start prometheus`);
    // By name, as a visitor comes.
    await site.hosts.ask('web-1', `echo '${address('web-1')} ${DOMAIN}' >>/etc/hosts`);
    await site.hosts.ask(
      'web-1',
      `cat >/usr/local/share/ca-certificates/test.crt <<'CA'\n${ca}CA\nupdate-ca-certificates >/dev/null 2>&1`,
    );
  });
  afterAll(async () => {
    await site?.close();
  });

  it('HTTP from a host: status, headers, redirect, JSON, percentile', async () => {
    const web = address('web-1');
    await expectOpen(`
      - { http: "http://${web}/", from: web-1, headers: { Host: ${DOMAIN} }, status: 308 }
      - { http: "http://${web}/healthz", from: web-1, json: { pointer: /status, equals: ok }, latency: { p90: 5s, samples: 5 } }`);
    // To HTTPS, with a certificate that the host believes.
    await expectOpen(
      `- { http: "http://${DOMAIN}/", from: web-1, redirects: 1, location: "https://${DOMAIN}/" }`,
    );
    await expectClosed(
      `- { http: "http://${DOMAIN}/", from: web-1, location: "https://elsewhere.example/" }`,
      /: 308 in \d+ ms leading to https:\/\/shop.example.com\/, not to https:\/\/elsewhere.example\/$/,
    );
    await expectClosed(
      `- { http: "http://${web}/healthz", from: web-1, json: { pointer: /a } }`,
      /without \/a in its JSON$/,
    );
    await expectClosed(`- { http: "http://${web}/healthz", from: web-1, status: 204 }`, /: 200 in/);
  });

  const examples = examplesOf('health-gate').filter(({ inventory }) => inventory !== undefined);
  it.each(examples.map((inputs) => [inputs['probes'] ?? '', inputs] as const))(
    'an example of the README:\n%s',
    async (_probes, inputs) => {
      const step = new ActionStep('health-gate', {
        ...inputs,
        inventory: JSON.stringify(site.hosts.inventory),
        'ssh-private-key': site.hosts.privateKey,
      });
      step.write('ca.crt', await readFile(site.caFile));
      try {
        const { code, output } = await step.run();
        expect(output).toContain('The gate is open: ');
        expect(code).toBe(0);
      } finally {
        step.remove();
      }
    },
  );

  it('a port, from each host of a tier', async () => {
    const postgres = `${address('database-1')}:5432`;
    await expectOpen(`- { tcp: "${postgres}", from: app }`);
    // Nobody but the application may talk to it.
    await expectClosed(`- { tcp: "${postgres}", from: cache-1, latency: 1s }`, /asked by cache-1\): /);
  });

  it('a certificate: chain, name, days left', async () => {
    const place = `${address('web-1')}:443`;
    await expectOpen(`- { tls: "${place}", servername: ${DOMAIN}, days: 1, from: web-1 }`);
    await expectClosed(
      `- { tls: "${place}", servername: ${DOMAIN}, days: 14, from: web-1 }`,
      /1 days from now, less than 14$/,
    );
    await expectClosed(
      `- { tls: "${place}", servername: other.example, days: 0, from: web-1 }`,
      /[Hh]ostname mismatch/,
    );
    // A host that knows nothing of the authority believes it where it is named, and then only it.
    await expectClosed(`- { tls: "${place}", servername: ${DOMAIN}, days: 0, from: app-1 }`, /unable to/);
    await expectOpen(
      `- { tls: "${place}", servername: ${DOMAIN}, days: 1, from: app-1, ca: ${site.caFile} }`,
    );
    await expectClosed(
      `- { tls: "${place}", servername: other.example, days: 0, from: app-1, ca: ${site.caFile} }`,
      /[Hh]ostname mismatch/,
    );
    // Where another is named, the one that the host believes does not count.
    const other = join(site.hosts.folder, 'other.crt');
    await writeFile(other, rootCertificates[0] ?? '');
    const page = `http: "https://${DOMAIN}/healthz", from: web-1`;
    await expectOpen(`- { ${page}, ca: ${site.caFile} }`);
    await expectClosed(`- { ${page}, ca: ${other} }`, /certificate/);
    await expectClosed(`- { tls: "${address('database-1')}:22", days: 0, from: web-1 }`, /certificate of /);
  });

  it('a unit', async () => {
    await expectOpen('- { unit: nginx.service, on: web }\n- { unit: shop@r1.service, on: app }');
    await expectClosed('- { unit: nothing.service, on: web }', /there is no such unit$/);
    await site.hosts.ask('web-1', 'systemctl stop prometheus-node-exporter');
    await expectClosed('- { unit: prometheus-node-exporter.service, on: web-1 }', /inactive \(dead\)$/);
    await site.hosts.ask('web-1', 'systemctl start prometheus-node-exporter');
  });

  it('a command, whose words no shell sees', async () => {
    await expectOpen(`- { command: [printf, "%s", "$HOME; false"], on: app-1, contains: "$HOME; false" }`);
    await expectClosed('- { command: [test, -e, /nowhere], on: app-1 }', /exit code 1$/);
  });

  it('PostgreSQL: role, lag, connections', async () => {
    await expectOpen(`
      - { postgres: primary, on: database-1, lag: { bytes: 16MiB, time: 30s }, connections: 90% }
      - { postgres: replica, on: database-2, lag: { bytes: 16MiB, time: 30s } }`);
    await expectClosed('- { postgres: primary, on: database-2 }', /^.*replica, streaming.*: no primary$/);
    await expectClosed('- { postgres: any, on: database-1, connections: 0% }', /more than 0 %$/);
    await site.hosts.ask('database-1', 'systemctl stop postgresql@17-main');
    await expectClosed('- { postgres: replica, on: database-2 }', /not connected.*: it does not stream$/);
    await expectClosed('- { postgres: any, on: database-1 }', /connection to server .* failed/);
    await site.hosts.ask('database-1', 'systemctl start postgresql@17-main');
    await expectOpen('- { postgres: replica, on: database-2 }');
  });

  it('a PostgreSQL replica whose link was cut, while it says that it streams', async () => {
    const lagging = '- { postgres: replica, on: database-2, lag: { bytes: 16MiB, time: 30s } }';
    // Nothing is written: a link that has nothing to say is none that was cut.
    await expectOpen(lagging, { holdMs: 25_000 });
    await site.hosts.cloud.faults.cutLink('shop-database-2', { peer: 'shop-database-1' });
    await expectClosed(
      '- { postgres: replica, on: database-2 }',
      /replica, streaming, .*: its primary cannot be reached: connection to server failed: no answer in 3 s$/,
    );
    await site.hosts.cloud.faults.restoreLink('shop-database-2');
    await expectOpen(lagging);
    // The same for the connection that it streams over alone: the primary can be reached, and says how far it is.
    await mute('database-2', 5432);
    const fill = 'CREATE TABLE filling AS SELECT repeat(md5(i::text), 100) FROM generate_series(1, 20000) i';
    await site.hosts.ask('database-1', `cd / && runuser -u postgres -- psql -qc "${fill}" shop`);
    // As little as shows: a machine that takes its time to write would have the silence noticed first.
    await expectClosed(
      lagging.replace('16MiB', '1MiB'),
      /replica, streaming, \d{6,} bytes .*: more than 1048576 bytes$/,
    );
    await until(
      '- { postgres: replica, on: database-2 }',
      /replica, streaming, .*: it has heard nothing from its primary for \d+ s$/,
    );
    await unmute('database-2');
    await expectOpen(lagging, { timeoutMs: 120_000 });
  });

  it('a Redis replica that does not know how far it is behind', async () => {
    const lagging = '- { redis: replica, on: cache-3, lag: { bytes: 1MiB } }';
    await expectOpen(lagging);
    await mute('cache-3', 6379);
    const write = `for i = 1, 40 do redis.call('SET', 'filling' .. i, string.rep('x', 65536)) end`;
    await site.hosts.ask(
      'cache-1',
      `{ cat /etc/perlstack/redis/auth; echo; echo "EVAL \\"${write}\\" 0"; } | redis-cli >/dev/null`,
    );
    await expectClosed(lagging, /replica, link up, \d{7} bytes behind: more than 1048576$/);
    await unmute('cache-3');
    await expectOpen(lagging, { timeoutMs: 120_000 });
  });

  it('Redis and Sentinel: role, link, lag, quorum', async () => {
    await expectOpen(`
      - { redis: primary, on: cache-1, lag: { bytes: 1MiB } }
      - { redis: replica, on: cache-2, lag: { bytes: 1MiB } }
      - { redis: replica, on: cache-3 }
      - { sentinel: shop, on: cache }`);
    await expectClosed(
      '- { redis: primary, on: cache-2 }',
      /replica, link up, \d+ bytes behind: no primary$/,
    );
    // Two of three Sentinels away: no quorum. A replica that is kept from its primary: no link.
    await site.hosts.ask('cache-2', 'systemctl stop redis-sentinel');
    await site.hosts.ask('cache-3', 'systemctl stop redis-sentinel');
    await until('- { sentinel: shop, on: cache-1 }', /NOQUORUM/);
    await site.hosts.ask('cache-2', 'systemctl start redis-sentinel');
    await site.hosts.ask('cache-3', 'systemctl start redis-sentinel');
    await expectOpen('- { sentinel: shop, on: cache-1 }', { timeoutMs: 120_000 });
    await site.hosts.cloud.faults.cutLink('shop-cache-1', { peer: 'shop-cache-3' });
    await expectClosed(
      '- { redis: replica, on: cache-3 }',
      /link (up, .*: its primary cannot be asked: it does not answer|down, .*)$/,
    );
    await site.hosts.cloud.faults.restoreLink('shop-cache-1');
  });

  it('Prometheus: a query and its threshold', async () => {
    const up = (threshold: string, query = 'up{job=\\"prometheus\\"}'): string =>
      `- { prometheus: "http://127.0.0.1:9090", query: "${query}", threshold: "${threshold}", from: web-1 }`;
    await expectOpen(up('== 1'));
    await expectClosed(up('> 1'), /1 is not > 1$/);
    await expectClosed(up('>= 0', 'nothing_at_all'), /the query has no series$/);
    await expectClosed(up('>= 0', 'sum('), /400 in/);
    // Far more than 64 KiB.
    const { evidence } = await expectOpen(up('>= 0', '{__name__=~\\".+_(total|bucket|count)\\"}'));
    expect(evidence[0]?.seen).toMatch(/^200: \d{3,} series from 0 to /);
  });

  it('one of several is enough where that is said, and what is said of each is in the evidence', async () => {
    const verdict = await expectOpen(
      '- { unit: nothing.service, on: web }\n- { unit: nginx.service, on: web }',
      { need: 'any' },
    );
    expect(verdict.evidence.map(({ ok, seen }) => [ok, seen])).toEqual([
      [false, 'there is no such unit'],
      [true, 'active (running)'],
    ]);
  });

  it('as an action: from the runner, with the verdict as output and in the summary', async () => {
    const step = new ActionStep('health-gate', {
      probes: `
- { group: data, of: [{ postgres: any, on: database, connections: 90% }] }
- { unit: nginx.service, on: web }
- { unit: no.service, on: web }
- { tcp: "${address('web-1')}:443", from: app-1 }`,
      inventory: JSON.stringify(site.hosts.inventory),
      'ssh-private-key': site.hosts.privateKey,
      ...{ need: '3', successes: '2', interval: '100ms', hold: '200ms', timeout: '60s' },
    });
    try {
      const { code, output } = await step.run();
      expect(output).toContain('The gate is open: 2 of 2 consecutive');
      expect(code).toBe(0);
      const { passed, verdict } = step.entries('OUTPUT');
      expect(passed).toBe('true');
      expect(JSON.parse(verdict ?? '')).toMatchObject({
        passed: true,
        evidence: { length: 5, 0: { from: 'database-1' }, 4: { from: 'app-1' } },
        tree: [{ group: 'data', healthy: 2, needed: 2, members: { length: 2 } }, {}, { ok: false }, {}],
      });
      const rows = step.runnerFile('STEP_SUMMARY').replaceAll(/ +/g, ' ');
      expect(rows).toContain('| data | | 2 of 2, needed 2 | healthy | |');
      expect(rows).toContain('| ↳ PostgreSQL on database-1 | database-1 | primary, 1 streaming');
      expect(rows).toMatch(/\| web-1 \| there is no such unit \| not healthy \|/);
    } finally {
      step.remove();
    }
  });
});
