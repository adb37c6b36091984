import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { gate, type GateOptions, parseProbes, type Places, probesOf, type Verdict } from '@perlstack/health';
import { whyNoHosts } from '@perlstack/local-cloud';
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
    expect(verdict).toMatchObject({ passed: true });
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

  beforeAll(async () => {
    site = await StackSite.open(STACK);
    await site.converge(site.bundle());
    await site.deploy('r1');
    const packages = 'apt-get install -y -qq prometheus prometheus-node-exporter >/dev/null 2>&1';
    const ca = await readFile(join(site.hosts.folder, 'ca.crt'), 'utf8');
    await site.hosts.ask('web-1', `DEBIAN_FRONTEND=noninteractive ${packages}; systemctl start prometheus`);
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
    // By name, as a visitor comes: to HTTPS, with a certificate that the host believes.
    await site.hosts.ask('web-1', `echo '${web} ${DOMAIN}' >>/etc/hosts`);
    await expectOpen(`- { http: "http://${DOMAIN}/", from: web-1, redirects: 1 }`);
    await expectClosed(
      `- { http: "http://${web}/healthz", from: web-1, json: { pointer: /a } }`,
      /without \/a in its JSON$/,
    );
    await expectClosed(`- { http: "http://${web}/healthz", from: web-1, status: 204 }`, /: 200 in/);
  });

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
    await expectClosed(`- { tls: "${place}", servername: ${DOMAIN}, days: 0, from: app-1 }`, /: /);
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
    await until('- { redis: replica, on: cache-3 }', /link down/);
    await site.hosts.cloud.faults.restoreLink('shop-cache-1');
  });

  it('Prometheus: a query and its threshold', async () => {
    const up = (threshold: string, query = 'up{job=\\"prometheus\\"}'): string =>
      `- { prometheus: "http://127.0.0.1:9090", query: "${query}", threshold: "${threshold}", from: web-1 }`;
    await expectOpen(up('== 1'));
    await expectClosed(up('> 1'), /1 is not > 1$/);
    await expectClosed(up('>= 0', 'nothing_at_all'), /the query has no series$/);
    await expectClosed(up('>= 0', 'sum('), /400 in/);
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
      probes:
        '- { postgres: any, on: database, connections: 90% }\n- { unit: nginx.service, on: web }\n- { unit: no.service, on: web }',
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
      expect(JSON.parse(verdict ?? '')).toMatchObject({ passed: true, evidence: { length: 4 } });
      expect(step.runnerFile('STEP_SUMMARY')).toContain('PostgreSQL on database-1');
      expect(step.runnerFile('STEP_SUMMARY')).toContain('not healthy');
    } finally {
      step.remove();
    }
  });
});
