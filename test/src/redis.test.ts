import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type ConfigBundle, REDIS, render, SENTINEL } from '@perlstack/configs';
import type { Consent, ConvergePlan } from '@perlstack/converge';
import { whyNoHosts } from '@perlstack/local-cloud';
import type { Outcome } from '@perlstack/procedure';
import { parseStack } from '@perlstack/stack';
import * as converging from './converging.js';
import { type HostsSite, openHosts } from './hosts-site.js';

// The first run builds the images.
jest.setTimeout(600_000);

const obstacle = await whyNoHosts();
const HOSTS = ['cache-1', 'cache-2', 'cache-3'] as const;
/** All that is allowed in one, so that every file and command on its way is proven to carry it. */
const PASSWORD = 'aZ09!#$%&()*+,-./:;<=>?@[\\]^_`{|}~';
const MIB = 1_048_576;

(obstacle === null ? describe : describe.skip).each([
  ['linode/debian13', 8],
  ['linode/debian12', 7],
] as const)(`Redis on %s${obstacle === null ? '' : ` (skipped: ${obstacle})`}`, (image, version) => {
  let site: HostsSite;
  /** What hangs on us alone is tried with one version: it takes its time. */
  const once = version === 8 ? it : undefined;

  const stackFile = (cache = ''): string => `
stack: shop
region: us-ord
image: ${image}
app: {}
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-nanode-1, count: 1 }
  cache: { type: g6-nanode-1, count: 3, ${cache} }
`;

  /** The cache's part of what is rendered, so that nothing else stands between the hosts. */
  const bundleOf = (cache = '', password = PASSWORD): ConfigBundle => {
    const { stack } = parseStack(stackFile(cache), 'perlstack.yml');
    const bundle = render(stack, site.inventory, { secrets: { REDIS_PASSWORD: password } });
    const hosts = bundle.hosts.map((host) => ({
      ...host,
      users: [],
      services: host.services.filter(({ name }) => name === 'redis' || name === 'sentinel'),
    }));
    return { ...bundle, hosts: hosts.filter(({ services }) => services.length > 0) };
  };

  const look = (bundle: ConfigBundle, consent: Partial<Consent> = {}): Promise<ConvergePlan> =>
    converging.look(site.remote, bundle, consent);

  const run = async (bundle: ConfigBundle, consent: Partial<Consent> = {}): Promise<Outcome> => {
    return (await converging.attempt(site.remote, bundle, consent)).outcome;
  };

  const converge = async (bundle: ConfigBundle, consent: Partial<Consent> = {}): Promise<Outcome> => {
    const outcome = await run(bundle, consent);
    expect(outcome.failures.map(({ step, error }) => `${step.id}: ${String(error)}`)).toEqual([]);
    return outcome;
  };

  const command = (host: string, file: string, port: number, text: string): Promise<string> =>
    site.ask(host, `{ cat ${file}; cat <<'REDIS'\n${text}\nREDIS\n} | redis-cli -p ${port} | tail -n +2`);
  const redis = (host: string, text: string): Promise<string> =>
    command(host, REDIS.passwordFile, REDIS.port, text);
  const sentinel = (host: string, text: string): Promise<string> =>
    command(host, SENTINEL.passwordFile, SENTINEL.port, text);
  const setting = async (host: string, name: string): Promise<string> =>
    (await redis(host, `CONFIG GET ${name}`)).split('\n')[1] ?? '';
  const replication = async (host: string, key: string): Promise<string> =>
    new RegExp(`^${key}:(.*?)\\r?$`, 'm').exec(await redis(host, 'INFO replication'))?.[1] ?? '';

  const addressOf = (host: string): string =>
    site.inventory.hosts.find(({ name }) => name === host)?.privateAddress ?? '';
  const named = async (host: string): Promise<string> =>
    (await sentinel(host, 'SENTINEL GET-MASTER-ADDR-BY-NAME shop')).split('\n')[0] ?? '';
  const primary = async (): Promise<string> => {
    const address = await named('cache-1').catch(() => named('cache-2'));
    return HOSTS.find((host) => addressOf(host) === address) ?? address;
  };

  const eventually = async (ask: () => Promise<unknown>, wanted: unknown): Promise<void> => {
    let answer: unknown;
    for (let tries = 0; tries < 120; tries += 1) {
      answer = await ask().catch(String);
      if (JSON.stringify(answer) === JSON.stringify(wanted)) return;
      await sleep(500);
    }
    expect(answer).toEqual(wanted);
  };

  /** The id of one connection before and after some seconds: another one when it was closed meanwhile. */
  const held = async (host: string): Promise<string[]> => {
    const commands = `cat ${REDIS.passwordFile}; echo CLIENT ID; sleep 8; echo CLIENT ID`;
    return (await site.ask(host, `{ ${commands}; } | redis-cli`)).split('\n').slice(1);
  };

  /** Writes to whom Sentinel names, until it is stopped; gives what was acknowledged and is not there. */
  const writer = async (host: string): Promise<() => Promise<{ acknowledged: number; lost: number }>> => {
    const at = `{ cat ${SENTINEL.passwordFile}; echo SENTINEL GET-MASTER-ADDR-BY-NAME shop; } | redis-cli -p ${SENTINEL.port} | sed -n 2p`;
    const write = `{ cat ${REDIS.passwordFile}; echo "SADD acked $n"; } | redis-cli -h $(${at}) | tail -n 1`;
    await site.ask(
      host,
      `rm -f /run/stop /run/acked; : > /run/acked; cat > /run/writer <<'SH'
n=0
while [ ! -e /run/stop ]; do n=$((n + 1)); if [ "$(${write})" = 1 ]; then echo $n >> /run/acked; fi; done
SH
systemd-run --quiet --unit=writer sh /run/writer`,
    );
    return async () => {
      await site.ask(host, 'touch /run/stop; while systemctl is-active --quiet writer; do sleep 0.1; done');
      const there = new Set((await redis(await primary(), 'SMEMBERS acked')).split('\n'));
      const acknowledged = (await site.ask(host, 'cat /run/acked')).split('\n');
      return {
        acknowledged: acknowledged.length,
        lost: acknowledged.filter((one) => !there.has(one)).length,
      };
    };
  };

  const starts = (unit: string): Promise<string[]> =>
    Promise.all(
      HOSTS.map((host) =>
        site.ask(host, `systemctl show -p ExecMainStartTimestampMonotonic --value ${unit}`),
      ),
    );
  const reloads = (unit: string): Promise<string[]> =>
    Promise.all(HOSTS.map((host) => site.ask(host, `journalctl -u ${unit} -o cat | grep -c ^Reloaded || :`)));
  const history = async (): Promise<unknown> => [
    await starts(REDIS.unit),
    await starts(SENTINEL.unit),
    await reloads(REDIS.unit),
    await reloads(SENTINEL.unit),
  ];

  /** One primary, all others follow it, and every Sentinel says so. */
  const expectCluster = async (leader: string): Promise<void> => {
    const replicas = HOSTS.filter((host) => host !== leader);
    await eventually(() => replication(leader, 'role'), 'master');
    for (const host of replicas) {
      await eventually(() => replication(host, 'master_link_status'), 'up');
      expect(await replication(host, 'master_host')).toBe(addressOf(leader));
    }
    for (const host of HOSTS) {
      await eventually(() => named(host), addressOf(leader));
      await eventually(
        () => sentinel(host, 'SENTINEL CKQUORUM shop').then((said) => said.slice(0, 22)),
        'OK 3 usable Sentinels.',
      );
    }
    await eventually(() => redis(leader, 'SET mark yes\nWAIT 2 5000'), 'OK\n2');
  };

  const unchanged = async (bundle: ConfigBundle): Promise<void> => {
    const before = await history();
    expect(await look(bundle)).toEqual({ steps: [], changes: [], refusals: [] });
    expect(await history()).toEqual(before);
  };

  beforeAll(async () => {
    site = await openHosts(stackFile());
  });
  afterAll(() => site?.close());

  once?.('takes back a first run that fails at its end, so that the next one finds bare hosts', async () => {
    const bundle = bundleOf();
    const last = bundle.hosts.at(-1)?.services.find(({ name }) => name === 'sentinel');
    last?.probe.push(['false']);
    const outcome = await run(bundle);
    expect(outcome.state).toBe('failed');
    expect(outcome.undoFailures).toEqual([]);
    for (const host of HOSTS) {
      const units = `systemctl is-active ${REDIS.unit} ${SENTINEL.unit} || :`;
      expect(await site.ask(host, `ls -A /var/lib/redis; ${units}`)).toMatch(
        /^(appendonlydir\n)?inactive\ninactive$/,
      );
    }
    const { changes, refusals } = await look(bundleOf());
    expect(refusals).toEqual([]);
    expect(changes.filter(({ kind }) => kind === 'data').map(({ what }) => what)).toContain(
      'to be made primary',
    );
  });

  it('comes up on bare hosts: a primary, its replicas, and Sentinels that can agree', async () => {
    const outcome = await converge(bundleOf());
    expect(JSON.stringify(outcome)).not.toContain(JSON.stringify(PASSWORD).slice(1, -1));
    expect(await site.ask('cache-1', 'redis-server --version')).toContain(`v=${version}.`);
    await expectCluster('cache-1');
    expect(await replication('cache-1', 'connected_slaves')).toBe('2');
    expect(await redis('cache-3', 'GET mark')).toBe('yes');
    // With its own configuration and no other: that is, with a password from the start; and once in the run that was taken back.
    const started = await site.ask('cache-2', `journalctl -u ${REDIS.unit} -o cat | grep -c ^Started`);
    expect(started).toBe(once ? '2' : '1');
  });

  it('lets nobody in without the password', async () => {
    const from = (host: string, port: number, text: string): Promise<string> =>
      site.ask(host, `redis-cli -h ${addressOf('cache-1')} -p ${port} ${text} 2>&1 || :`);
    expect(await from('cache-2', REDIS.port, 'GET mark')).toContain('NOAUTH');
    expect(await from('cache-2', SENTINEL.port, 'SENTINEL MASTERS')).toContain('NOAUTH');
    expect(
      await site.ask('cache-1', `stat -c '%a %U %G' ${REDIS.passwordFile} ${REDIS.folder}/users.acl`),
    ).toBe('600 root root\n640 root redis');
  });

  it('changes nothing the second time', () => unchanged(bundleOf()));

  it('brings a memory limit into force without a restart, and keeps it over one', async () => {
    const bundle = bundleOf('memory: 200MiB');
    const before = await starts(REDIS.unit);
    const connection = held('cache-1');
    await converge(bundle);
    const [first, second] = await connection;
    expect(second).toBe(first);
    for (const host of HOSTS) expect(await setting(host, 'maxmemory')).toBe(String(200 * MIB));
    expect(await starts(REDIS.unit)).toEqual(before);
    await site.ask('cache-3', `systemctl restart ${REDIS.unit}`);
    expect(await setting('cache-3', 'maxmemory')).toBe(String(200 * MIB));
    await expectCluster('cache-1');
    await unchanged(bundle);
  });

  it('lets a rendered setting win over what Redis wrote down, when it starts', async () => {
    await redis('cache-3', 'CONFIG SET maxmemory 50mb\nCONFIG REWRITE');
    await site.ask('cache-3', `systemctl restart ${REDIS.unit}`);
    expect(await setting('cache-3', 'maxmemory')).toBe(String(200 * MIB));
    await expectCluster('cache-1');
  });

  it('goes from one kind of persistence to another without losing the data', async () => {
    await redis('cache-1', 'SET kept yes');
    for (const kind of ['rdb', 'both', 'aof']) {
      await converge(bundleOf(`memory: 200MiB, persistence: ${kind}`));
      for (const host of HOSTS) {
        expect(await setting(host, 'appendonly')).toBe(kind === 'rdb' ? 'no' : 'yes');
        expect(await setting(host, 'save')).toBe(kind === 'aof' ? '' : '3600 1 300 100 60 10000');
      }
      // As it would be after a crash: nothing is saved on the way out.
      await site.ask(
        'cache-1',
        `before=$(systemctl show -p MainPID --value ${REDIS.unit})
         systemctl kill -s KILL ${REDIS.unit}
         for try in $(seq 300); do
           now=$(systemctl show -p MainPID --value ${REDIS.unit})
           [ "$now" = 0 ] || [ "$now" = "$before" ] || ! systemctl is-active --quiet ${REDIS.unit} || exit 0
           sleep 0.1
         done
         exit 1`,
      );
      await eventually(() => redis('cache-1', 'GET kept'), 'yes');
      await expectCluster('cache-1');
    }
  });

  once?.(
    'gives the old form of the data up when the new one is there, also where another save is under way',
    async () => {
      const leader = await primary();
      const folder = '/var/lib/redis';
      const slowly = (micros: number): Promise<string> =>
        redis(leader, `CONFIG SET rdb-key-save-delay ${micros}`);
      await redis(leader, "EVAL \"for i = 1, 50 do redis.call('SET', 'slow:' .. i, i) end\" 0");
      await slowly(40_000);
      await redis(leader, 'BGSAVE\nSET late yes');
      const off = `until printf 'CONFIG GET appendonly\n' | cat ${REDIS.passwordFile} - | redis-cli | grep -qx no; do sleep 0.05; done`;
      const seen = site.ask(
        leader,
        `timeout 120 sh -c "${off}"; grep -c late ${folder}/dump.rdb; ls ${folder} | grep -c temp || :`,
      );
      await converge(bundleOf('memory: 200MiB, persistence: rdb'));
      expect(await seen).toBe('1\n0');
      await slowly(0);
      await redis(leader, "EVAL \"for i = 1, 50 do redis.call('DEL', 'slow:' .. i) end\" 0");
      await converge(bundleOf('memory: 200MiB'));
    },
  );

  it('restarts also while Redis writes its first file and does not want to end', async () => {
    const slow = "EVAL \"for i = 1, 100 do redis.call('SET', 'slow:' .. i, i) end\" 0";
    const leader = await primary();
    await redis(leader, `${slow}\nWAIT 2 5000`);
    const host = HOSTS.find((one) => one !== leader) ?? '';
    const words = ['rdb-key-save-delay 100000', 'appendonly no', 'appendonly yes'];
    const commands = words.map((word) => `echo CONFIG SET ${word}`).join('; ');
    // In one go: ten seconds later Redis would end.
    const said = await site.ask(
      host,
      `{ cat ${REDIS.passwordFile}; ${commands}; } | redis-cli > /dev/null; systemctl restart ${REDIS.unit}; journalctl -q -u ${REDIS.unit} --since -5min`,
    );
    expect(said).toContain("Writing initial AOF, can't exit");
    await eventually(() => replication(host, 'master_link_status'), 'up');
    expect(await setting(host, 'rdb-key-save-delay')).toBe('0');
    await redis(leader, slow.replace("'SET'", "'DEL'").replace(', i)', ')'));
  });

  once?.('is not stopped by a password that a killed run left on a host', async () => {
    const line = await site.ask('cache-2', `cat ${REDIS.passwordFile}`);
    await site.ask('cache-2', `printf 'AUTH "yet to come"\\n' > ${REDIS.passwordFile}`);
    expect((await look(bundleOf('memory: 200MiB'))).refusals).toEqual([]);
    await site.ask('cache-2', `cat > ${REDIS.passwordFile} <<'AUTH'\n${line}\nAUTH`);
    await unchanged(bundleOf('memory: 200MiB'));
  });

  once?.('takes a new password without a restart', async () => {
    const before = await starts(REDIS.unit);
    const bundle = bundleOf('memory: 200MiB', 'another');
    await converge(bundle);
    expect(await site.ask('cache-1', `printf 'AUTH another\nGET kept\n' | redis-cli`)).toBe('OK\nyes');
    await expectCluster('cache-1');
    expect(await starts(REDIS.unit)).toEqual(before);
    await site.ask('cache-3', `systemctl restart ${REDIS.unit} ${SENTINEL.unit}`);
    await expectCluster('cache-1');
    await converge(bundleOf('memory: 200MiB'));
    await expectCluster('cache-1');
  });

  once?.each(['redis', 'sentinel'])('leaves %s as it was when a settings file is broken', async (name) => {
    const bundle = bundleOf('memory: 200MiB');
    const before = await history();
    for (const file of filesOf(bundle, name, 'settings.conf')) {
      file.content +=
        name === 'redis' ? 'maxmemory-samples "many"\n' : 'sentinel down-after-milliseconds shop "soon"\n';
    }
    const outcome = await run(bundle);
    expect(outcome.state).toBe('failed');
    expect(String(outcome.failures[0]?.error)).toMatch(
      /not valid, and the old one stays in force: .*(many|soon)/,
    );
    expect(await history()).toEqual(before);
    await unchanged(bundleOf('memory: 200MiB'));
  });

  it('restarts Redis only with consent, the primary last, and loses no write', async () => {
    const bundle = bundleOf('memory: 200MiB');
    for (const file of filesOf(bundle, 'redis', 'start.conf')) {
      file.content = file.content.replace('tcp-backlog "511"', 'tcp-backlog "512"');
    }
    const before = await history();
    const { refusals, steps } = await look(bundle);
    expect(steps).toEqual([]);
    expect(refusals.join()).toMatch(/cache-1.*redis/);
    expect(await history()).toEqual(before);

    const stop = await writer('cache-3');
    const outcome = await converge(bundle, { restart: true });
    const done = outcome.events.filter(({ state }) => state === 'done').map(({ step }) => step.id);
    expect(done.indexOf('cache-1/redis/handover')).toBeGreaterThan(done.indexOf('cache-3/redis/follow'));
    expect(done.indexOf('cache-1/redis/apply')).toBeGreaterThan(done.indexOf('cache-1/redis/handover'));
    const leader = await primary();
    expect(leader).not.toBe('cache-1');
    await expectCluster(leader);
    const { acknowledged, lost } = await stop();
    expect(acknowledged).toBeGreaterThan(20);
    expect(lost).toBe(0);
    for (const host of HOSTS) expect(await setting(host, 'tcp-backlog')).toBe('512');
    await unchanged(bundle);
    await converge(bundleOf('memory: 200MiB'), { restart: true });
  });

  once?.('restarts Sentinels one by one and asks nobody', async () => {
    const bundle = bundleOf('memory: 200MiB');
    for (const file of filesOf(bundle, 'sentinel', 'start.conf')) file.content += 'tcp-backlog "300"\n';
    const leader = await primary();
    const [redisBefore, before] = [await starts(REDIS.unit), await starts(SENTINEL.unit)];
    const outcome = await converge(bundle);
    const order = outcome.events.filter(
      ({ state, step }) => state === 'done' && step.id.includes('/sentinel/'),
    );
    expect(order.map(({ step }) => step.id)).toEqual(
      HOSTS.flatMap((host) => [`${host}/sentinel/apply`, `${host}/sentinel/quorum`]),
    );
    expect(await starts(REDIS.unit)).toEqual(redisBefore);
    expect((await starts(SENTINEL.unit)).filter((one, at) => one === before[at])).toEqual([]);
    await expectCluster(leader);
    await converge(bundleOf('memory: 200MiB'));
  });

  once?.('leaves alone what a failover decided', async () => {
    const bundle = bundleOf('memory: 200MiB');
    const old = await primary();
    await expectCluster(old);
    await site.ask(old, `systemctl kill -s KILL ${REDIS.unit}; systemctl stop ${REDIS.unit}`);
    await eventually(async () => (await primary()) !== old, true);
    const leader = await primary();
    // A setting reaches the others, and the old primary comes back as a replica of the new one.
    await converge(bundle);
    await expectCluster(leader);
    await unchanged(bundle);
    await converge(bundleOf('memory: 210MiB'));
    await expectCluster(leader);
    expect(await setting(old, 'maxmemory')).toBe(String(210 * MIB));
  });

  it('makes a host anew as a replica of the live primary', async () => {
    const bundle = bundleOf('memory: 210MiB');
    const leader = await primary();
    await redis(leader, 'SET anew yes');
    // The old first host, whichever role it has: it must not come back as an empty primary.
    await wipe(leader);
    await eventually(
      async () =>
        (await Promise.all(HOSTS.filter((host) => host !== leader).map(named))).every(
          (address) => address !== addressOf(leader),
        ),
      true,
    );
    await converge(bundle);
    const [next] = await Promise.all(
      HOSTS.filter((host) => host !== leader)
        .slice(0, 1)
        .map(named),
    );
    const successor = HOSTS.find((host) => addressOf(host) === next) ?? '';
    await expectCluster(successor);
    expect(await redis(leader, 'GET anew')).toBe('yes');
    await unchanged(bundle);
  });

  once?.('does not let an empty primary come back before a replica has taken its place', async () => {
    await converge(bundleOf('memory: 210MiB, persistence: none'), { restart: true });
    const leader = await primary();
    await expectCluster(leader);
    await redis(leader, 'SET remembered yes\nWAIT 2 5000');
    await site.ask(leader, `systemctl kill -s KILL ${REDIS.unit}`);
    await eventually(async () => (await primary()) !== leader, true);
    const next = await primary();
    await expectCluster(next);
    for (const host of HOSTS) expect(await redis(host, 'GET remembered')).toBe('yes');
    await converge(bundleOf('memory: 210MiB'), { restart: true });
  });

  once?.('refuses to choose between two primaries', async () => {
    const leader = await primary();
    const other = HOSTS.find((host) => host !== leader) ?? '';
    // With no Sentinel left to put it right.
    await Promise.all(HOSTS.map((host) => site.ask(host, `systemctl stop ${SENTINEL.unit}`)));
    await redis(other, 'REPLICAOF NO ONE');
    const { steps, refusals } = await look(bundleOf('memory: 220MiB'));
    expect(steps).toEqual([]);
    expect(refusals.join()).toMatch(new RegExp(`(${leader} and ${other}|${other} and ${leader}).*primary`));
    expect(await replication(other, 'role')).toBe('master');
    await redis(other, `REPLICAOF ${addressOf(leader)} ${REDIS.port}`);
    await Promise.all(HOSTS.map((host) => site.ask(host, `systemctl start ${SENTINEL.unit}`)));
    await expectCluster(leader);
  });

  /** As a host that was rebuilt: nothing of Redis, nothing of ours. */
  const wipe = (host: string): Promise<string> =>
    site.ask(
      host,
      `systemctl kill -s KILL ${REDIS.unit} ${SENTINEL.unit}; systemctl stop ${REDIS.unit} ${SENTINEL.unit}
       DEBIAN_FRONTEND=noninteractive apt-get purge -y -q redis-server redis-sentinel redis-tools > /dev/null
       rm -rf /var/lib/redis /etc/redis /etc/perlstack /usr/local/lib/perlstack /var/lib/perlstack /etc/systemd/system/redis-*.service.d
       systemctl daemon-reload`,
    );
});

function filesOf(bundle: ConfigBundle, service: string, name: string) {
  return bundle.hosts.flatMap(({ services }) =>
    services
      .filter((one) => one.name === service)
      .flatMap(({ files }) => files.filter(({ path }) => path.endsWith(`/${name}`))),
  );
}
