import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  annotationsOf,
  type CancelGrace,
  cloudFolder,
  FULL_TOKEN,
  type GitHubApi,
  type LocalCloud,
  logOf,
  openLocalCloud,
  type OutputLine,
  type Permissions,
  pullRequestPayload,
  type Repository,
  startGitHub,
  startRelay,
  whyNoHosts,
  type WorkflowRun,
} from '@perlstack/local-cloud';
import { generateKeyPair, publicKeyOf } from '@perlstack/remote';
import { type Inventory, InventorySchema } from '@perlstack/stack';
import { type LoadHandle, startLoad } from './load-handle.js';
import {
  outputsOf,
  PROJECT,
  type Proposal,
  REPOSITORY,
  type Surroundings,
  UserRepository,
} from './user-repository.js';

jest.setTimeout(300_000);

const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

const STACK = `stack: shop
region: us-ord
app:
  packages: [libmojolicious-perl]
  health: { path: /healthz, body: ok, latency: 5s, successes: 2, timeout: 60s, release: /version }
  static: { root: public, paths: [/assets, /css, /images, /js] }
  drainTimeout: 20s
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-standard-1, count: 2 }
`;
const HOSTS = ['web-1', 'app-1', 'app-2'];
/** A run that hangs is cancelled before its test ends, so that it says where it stood and holds nobody up. */
const LONGEST_RUN_MS = 240_000;
/** Where GitHub's API answers inside the internet of the cloud. */
const GITHUB_PORT = 8081;
const EXAMPLES = readdirSync(path.join(PROJECT, 'workflows-examples'));

/** The examples, each run as a new user's repository runs it, one after the other against one cloud. */
describeHosts(`the example workflows${obstacle === null ? '' : ` (${obstacle})`}`, () => {
  const { privateKey } = generateKeyPair('workflow');
  const secrets: Record<string, string> = {
    LINODE_TOKEN: FULL_TOKEN.token,
    LINODE_READ_TOKEN: FULL_TOKEN.token,
    SSH_PRIVATE_KEY: privateKey,
  };
  // The lines that every key begins with are no secret.
  const common = generateKeyPair().privateKey.split('\n');
  const secretLines = [FULL_TOKEN.token, ...privateKey.split('\n').filter((line) => !common.includes(line))];
  const vars: Record<string, string> = {};
  const runs: WorkflowRun[] = [];
  const executed = new Set<string>();

  let cloud: LocalCloud;
  let github: GitHubApi;
  let remote: Repository;
  let relay: { kill(): unknown } | undefined;
  let repository: UserRepository;
  let inventory: Inventory;
  let serving = '';
  let load: LoadHandle | undefined;
  let foreign: Record<string, string[]>;

  beforeAll(async () => {
    cloud = await openLocalCloud();
    repository = await UserRepository.create();
    serving = await repository.commit({ release: 'version-1' }, STACK);
    const socket = path.join(cloudFolder(cloud.hosts.id), 'github.sock');
    github = await startGitHub({ path: socket });
    remote = github.addRepository(REPOSITORY, repository.folder);
    relay = await startRelay(cloud.hosts, socket, GITHUB_PORT);
  }, 300_000);
  afterAll(async () => {
    await load?.close();
    relay?.kill();
    await github?.close();
    await repository?.remove();
    await cloud?.close();
  }, 60_000);

  type Moment = Pick<Surroundings, 'signal' | 'onOutput' | 'cancelGrace' | 'trigger'>;

  async function runExample(
    file: string,
    inputs: Record<string, string> = {},
    moment?: Moment,
  ): Promise<WorkflowRun> {
    cloud.api.requests.length = 0;
    executed.add(file);
    const late = AbortSignal.timeout(LONGEST_RUN_MS);
    const around = {
      apiUrl: cloud.apiUrl,
      ...{ secrets, vars },
      processPrefix: cloud.hosts.inInternet([]),
      github: {
        apiUrl: `http://127.0.0.1:${GITHUB_PORT}`,
        jobToken: (permissions: Permissions) => github.issueToken(REPOSITORY, permissions),
      },
      ...moment,
      signal: AbortSignal.any([late, ...(moment?.signal ? [moment.signal] : [])]),
    };
    const run = await repository.run(file, around, inputs);
    if (late.aborted) {
      throw new Error(`${file} took longer than ${LONGEST_RUN_MS / 1000} s: ${logOf(run).slice(-4_000)}`);
    }
    runs.push(run);
    return run;
  }

  /** That it succeeded, or else why not. */
  function expectSuccess(run: WorkflowRun): void {
    const errors = annotationsOf(run).filter(({ level }) => level === 'error');
    expect({ conclusion: run.conclusion, errors }).toEqual({ conclusion: 'success', errors: [] });
  }

  /** Each with its states, the first first. */
  const deployments = (): string[][] =>
    remote.deployments.map(({ environment, statuses }) => [
      environment,
      ...statuses.map(({ state }) => state),
    ]);

  const writes = (): string[] =>
    cloud.api.requests
      .filter(({ method }) => method !== 'GET')
      .map(({ method, path: what }) => `${method} ${what}`);

  /** The labels of everything that the account owns. */
  function census(): Record<string, string[]> {
    const { linodes, vpcs, firewalls, placementGroups } = cloud.api.state;
    const labels = (of: Map<unknown, { label: string }>): string[] =>
      [...of.values()].map(({ label }) => label).sort();
    return {
      ...{ linodes: labels(linodes), vpcs: labels(vpcs) },
      ...{ firewalls: labels(firewalls), placementGroups: labels(placementGroups) },
    };
  }

  /** Makes something at the API, as somebody else would by its web face. */
  async function make(resource: string, body: object): Promise<void> {
    const answer = await new Promise<{ status: number; body: unknown }>((resolve, reject) => {
      const socketPath = cloud.api.url.replace(/^unix:/, '');
      const headers = { Authorization: `Bearer ${FULL_TOKEN.token}`, 'Content-Type': 'application/json' };
      request({ socketPath, path: `/v4/${resource}`, method: 'POST', headers }, (response) => {
        json(response).then(
          (content) => resolve({ status: response.statusCode ?? 0, body: content }),
          reject,
        );
      })
        .on('error', reject)
        .end(JSON.stringify(body));
    });
    expect(answer).toMatchObject({ status: 200 });
  }

  async function visit(url: string): Promise<string> {
    const [command = '', ...args] = cloud.hosts.inInternet([
      'curl',
      '--silent',
      '--show-error',
      '--fail',
      url,
    ]);
    return (await promisify(execFile)(command, args)).stdout.trim();
  }

  const site = (): string => `http://${inventory.hosts.find(({ tier }) => tier === 'web')?.publicAddress}`;

  async function ask(host: string, script: string): Promise<string> {
    return (await cloud.hosts.exec(`shop-${host}`, ['sh', '-c', script])).stdout.trim();
  }

  /** One release on every host and to every visitor, one instance of it, no lock. */
  async function expectServing(release: string): Promise<void> {
    expect(await visit(`${site()}/version`)).toBe(release);
    for (const host of ['app-1', 'app-2']) {
      expect(await ask(host, 'readlink /srv/shop/current /srv/shop/current.sock')).toBe(
        `releases/${release}\n/run/shop/${release}.sock`,
      );
      const units = "systemctl list-units --plain --no-legend --full 'shop@*' | cut -d ' ' -f 1";
      expect(await ask(host, units)).toBe(`shop@${release}.service`);
      expect(await ask(host, 'ls /var/lib/perlstack/shop/deploy.lock 2>/dev/null || true')).toBe('');
    }
  }

  it('plan.yml says what would be made, and changes nothing', async () => {
    const run = await runExample('plan.yml');
    expectSuccess(run);
    expect(outputsNamed(run, 'Plan')).toMatchObject({ changed: 'true', 'monthly-cost': '29' });
    expect(writes()).toEqual([]);
    expect(census()).toEqual({ linodes: [], vpcs: [], firewalls: [], placementGroups: [] });
  });

  it('deploy.yml makes the servers, configures them, and rolls the commit out', async () => {
    await makeForeign(make);
    foreign = census();
    const run = await runExample('deploy.yml');
    expectSuccess(run);
    inventory = InventorySchema.parse(JSON.parse(outputsOf(run, 'provision')['inventory'] ?? '{}'));
    expect(inventory.hosts.map(({ name }) => name)).toEqual(HOSTS);
    expect(outputsOf(run, 'deploy')).toMatchObject({ outcome: 'succeeded', release: serving });
    expect(deployments()).toEqual([['production', 'in_progress', 'success']]);
    await expectServing(serving);
  });

  it('deploy.yml has nothing to do for the same commit', async () => {
    const [before] = runs.slice(-1);
    const run = await runExample('deploy.yml');
    expectSuccess(run);
    expect(outputsOf(run, 'provision')).toMatchObject({ changed: 'false', plan: '[]' });
    expect(outputsNamed(run, 'Render')['digest']).toBe(outputsNamed(before, 'Render')['digest']);
    expect(outputsNamed(run, 'Render')['digest']).toMatch(/^[0-9a-f]{64}$/);
    expect(outputsNamed(run, 'Configure')).toMatchObject({ changed: 'false' });
    expect(outputsOf(run, 'deploy')).toMatchObject({ outcome: 'nothing-to-do', release: serving });
    expect(deployments()).toHaveLength(1);
    expect(writes()).toEqual([]);
    await expectServing(serving);
  });

  describe('plan.yml, in a pull request', () => {
    const payloadOf = ({ base, head }: Proposal): Record<string, unknown> => {
      const tip = (ref: string, sha: string) => ({ ref, sha, repository: REPOSITORY });
      return pullRequestPayload(remote, remote.open(tip('main', base), tip('fresher-files', head)));
    };
    const inPull = (payload: Record<string, unknown>) => ({ trigger: { event: 'pull_request', payload } });

    it('comments what changes on the servers, once', async () => {
      const stack = STACK.replace('root: public,', 'root: public, expires: 7d,');
      const payload = payloadOf(await repository.propose('fresher-files', stack));
      const first = await runExample('plan.yml', {}, inPull(payload));
      expectSuccess(first);
      expect(outputsNamed(first, 'Compare')).toMatchObject({ changed: 'true' });
      expectSuccess(await runExample('plan.yml', {}, inPull(payload)));
      repository.returnToMain();
      expect(remote.comments).toHaveLength(1);
      expect(remote.comments[0]?.body).toMatch(/^\+ *expires 7d;$/m);
      expect(writes()).toEqual([]);
    });

    it('is not run for a fork', async () => {
      const { base, head } = await repository.propose('from-a-fork', `${STACK}# changed\n`);
      const tip = { ref: 'main', sha: base, repository: REPOSITORY };
      const pull = remote.open(tip, { ref: 'from-a-fork', sha: head, repository: 'mallory/shop' });
      const run = await runExample('plan.yml', {}, inPull(pullRequestPayload(remote, pull)));
      repository.returnToMain();
      expect(run.jobs.map(({ conclusion }) => conclusion)).toEqual(['skipped']);
      expect(cloud.api.requests).toEqual([]);
    });
  });

  describe('configs.yml', () => {
    const EDITED = '/etc/nginx/nginx.conf';
    const scheduled = { trigger: { event: 'schedule' } };
    const configured = (run: WorkflowRun) => outputsOf(run, 'configure');

    it('finds every morning that all is as it should be', async () => {
      const run = await runExample('configs.yml', {}, scheduled);
      expectSuccess(run);
      expect(configured(run)).toMatchObject({ changed: 'false', drift: '[]', restarts: '[]' });
    });

    it('or tells what somebody changed, and leaves it', async () => {
      await ask('web-1', `echo '# by hand' >> ${EDITED}`);
      const run = await runExample('configs.yml', {}, scheduled);
      expect(run.conclusion).toBe('failure');
      expect(JSON.parse(configured(run)['drift'] ?? '')).toMatchObject([{ host: 'web-1', path: EDITED }]);
      expect(annotationsOf(run).map(({ message }) => message)).toContainEqual(
        expect.stringContaining(EDITED),
      );
      expect(
        run.jobs
          .flatMap((job) => job.steps)
          .map(({ summary }) => summary)
          .join(''),
      ).toContain('# by hand');
      expect(await ask('web-1', `tail -1 ${EDITED}`)).toBe('# by hand');
    });

    it('puts it back when that is asked for', async () => {
      const inputs = { mode: 'apply', drift: 'restore' };
      expectSuccess(await runExample('configs.yml', inputs));
      expect(await ask('web-1', `tail -1 ${EDITED}`)).not.toBe('# by hand');
      const run = await runExample('configs.yml', {}, scheduled);
      expectSuccess(run);
      expect(configured(run)).toMatchObject({ changed: 'false', drift: '[]' });
    });
  });

  describe('deploy.yml, cancelled after the first switch, under load', () => {
    beforeAll(async () => {
      const clients = { get: 6, post: 4, 'slow-get': 3, 'slow-post': 3 };
      load = startLoad({ urls: [site()], clients }, (argv) => cloud.hosts.inInternet(argv));
    });
    afterAll(async () => {
      await load?.close();
      load = undefined;
    });

    async function expectUnnoticed(mark: string): Promise<void> {
      if (!load) throw new Error('The load was not started');
      const { requests, failed, failures } = await load.since(mark);
      expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
      expect(requests).toBeGreaterThan(50);
    }

    it.each<[string, CancelGrace, 'main' | 'post']>([
      // As long as it takes: what GitHub leaves it is enough where nothing else keeps the machine busy.
      ['the step itself puts everything back', { interruptMs: 60_000, terminateMs: 1_000 }, 'main'],
      ['its post does, when the step is killed', { interruptMs: 20, terminateMs: 20 }, 'post'],
    ])('%s', async (mark, cancelGrace, phase) => {
      await repository.commit({ release: mark }, STACK);
      await load?.mark(mark);
      const cancel = new AbortController();
      const onOutput = ({ step, text }: OutputLine): void => {
        if (step === 'Deploy' && /^app-\d · switch.*done/.test(text)) cancel.abort();
      };
      const run = await runExample('deploy.yml', {}, { signal: cancel.signal, onOutput, cancelGrace });
      expect([cancel.signal.aborted, run.conclusion]).toEqual([true, 'cancelled']);
      const steps = run.jobs.flatMap((job) => job.steps);
      expect(steps.find(({ name }) => name === 'Gate')?.conclusion).toBe('skipped');
      const deploying = steps.filter(({ id }) => id === 'deploy');
      expect(deploying.map((step) => [step.phase, step.outcome])).toEqual([
        ['main', 'cancelled'],
        ['post', 'success'],
      ]);
      const undoing = deploying.filter(({ log }) => /^app-\d · switch.*: put back/m.test(log));
      expect(undoing.map((step) => step.phase)).toEqual([phase]);
      const errors = deploying.flatMap((step) => step.annotations).filter(({ level }) => level === 'error');
      expect(errors.map(({ message }) => message)).toEqual(['The operation was canceled.']);
      expect(deployments().at(-1)).toEqual(['production', 'in_progress', 'error']);
      await expectServing(serving);
      await expectUnnoticed(mark);
    });
  });

  it('rollback.yml goes back to the release before, and no further than that', async () => {
    const before = serving;
    serving = await repository.commit({ release: 'to-be-regretted' }, STACK);
    expectSuccess(await runExample('deploy.yml'));
    await expectServing(serving);
    const run = await runExample('rollback.yml');
    expectSuccess(run);
    expect(outputsOf(run, 'rollback')).toMatchObject({
      outcome: 'succeeded',
      release: before,
      previous: serving,
    });
    serving = before;
    expect(deployments().slice(-2)).toEqual([
      ['production', 'in_progress', 'success', 'inactive'],
      ['production', 'in_progress', 'success'],
    ]);
    expect(writes()).toEqual([]);
    await expectServing(serving);
  });

  it('repair.yml brings a server that lost its releases to the one that serves', async () => {
    await ask(
      'app-2',
      `systemctl disable --now 'shop@${serving}' && rm -r /srv/shop/releases/* /srv/shop/current*`,
    );
    const run = await runExample('repair.yml', {}, { trigger: { event: 'schedule' } });
    expectSuccess(run);
    expect(outputsOf(run, 'repair')).toMatchObject({ outcome: 'succeeded', release: serving });
    expect(writes()).toEqual([]);
    await expectServing(serving);
  });

  describe('backup.yml, restore.yml and redis-backup.yml, when the stack has got a database and a cache', () => {
    const DATABASE = 'shop-database-1';
    const WITH_DATABASE = `${STACK.replace('[libmojolicious-perl]', '[libmojolicious-perl, libdbd-pg-perl, libredis-perl]')}  database: { type: g6-standard-1, count: 2 }
  cache: { type: g6-nanode-1, count: 1, failover: manual }
backups: { bucket: shop-backups }
`;
    let backup = '';
    let snapshot = '';

    /** At the console, as a person would who lost something. */
    async function sql(query: string): Promise<string> {
      const argv = ['runuser', '-u', 'postgres', '--', 'psql', '-XAtqd', 'shop', '-c', query];
      return (await cloud.hosts.exec(DATABASE, argv)).stdout.trim();
    }

    beforeAll(async () => {
      const { endpoint, accessKeyId, secretAccessKey, region } = await cloud.hosts.startObjectStorage();
      Object.assign(secrets, {
        ...{ DATABASE_PASSWORD: 'of-the-database', REPLICATION_PASSWORD: 'of-the-replicas' },
        REDIS_PASSWORD: 'of-the-cache',
        ...{ OBJECT_STORAGE_ACCESS_KEY: accessKeyId, OBJECT_STORAGE_SECRET_KEY: secretAccessKey },
      });
      vars['OBJECT_STORAGE_ENDPOINT'] = endpoint;
      const [program = '', ...args] = cloud.hosts.inInternet([
        ...['curl', '--silent', '--fail', '--request', 'PUT', '--user', `${accessKeyId}:${secretAccessKey}`],
        ...['--aws-sigv4', `aws:amz:${region}:s3`, '--header', 'x-amz-content-sha256: UNSIGNED-PAYLOAD'],
        `${endpoint}/shop-backups`,
      ]);
      await promisify(execFile)(program, args);
      secretLines.push(secretAccessKey);
    }, 300_000);

    it('deploy.yml adds them', async () => {
      serving = await repository.commit({ release: 'with-a-database' }, WITH_DATABASE);
      expectSuccess(await runExample('deploy.yml'));
      await expectServing(serving);
      expect([...cloud.api.state.buckets.keys()]).toEqual(['us-ord/shop-backups']);
      const pair = (await cloud.hosts.exec(DATABASE, ['age-keygen'])).stdout;
      vars['AGE_RECIPIENT'] = /age1\w+/.exec(pair)?.[0] ?? '';
      secrets['AGE_IDENTITY'] = /AGE-SECRET-KEY-1\w+/.exec(pair)?.[0] ?? '';
      secretLines.push(secrets['AGE_IDENTITY']);
    });

    it('backup.yml copies it at night, under write load, and proves the copy', async () => {
      await sql('CREATE TABLE invoices AS SELECT n AS id FROM generate_series(1, 20000) AS n');
      vars['BACKUP_ASSERTIONS'] = 'shop: SELECT count(*) >= 20000 FROM invoices';
      const writing = cloud.hosts.exec(DATABASE, [
        ...['runuser', '-u', 'postgres', '--', 'sh', '-c'],
        'for n in $(seq 40); do psql -Xqd shop -c "INSERT INTO invoices SELECT generate_series(1, 100)"; sleep 0.1; done',
      ]);
      const run = await runExample('backup.yml', {}, { trigger: { event: 'schedule' } });
      await writing;
      expectSuccess(run);
      expect(writes()).toEqual([]);
      const made = outputsOf(run, 'backup');
      backup = made['backup'] ?? '';
      expect(made).toMatchObject({ source: 'database-2', removed: '[]' });
      expect(outputsOf(run, 'drill')).toMatchObject({ backup, faults: '[]' });
    });

    it('restore.yml says what it would do, and answers what was before a mistake', async () => {
      const before = await sql(
        'SELECT to_char(clock_timestamp() AT TIME ZONE \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')',
      );
      await sql('DROP TABLE invoices');
      await sql('SELECT pg_switch_wal()');
      const planned = await runExample('restore.yml', { mode: 'plan', target: before });
      expectSuccess(planned);
      expect(outputsOf(planned, 'restore')).toMatchObject({ backup });
      await untilArchived();
      const assertions = 'shop: SELECT count(*) = 24000 FROM invoices';
      const run = await runExample('restore.yml', { mode: 'drill', target: before, assertions });
      expectSuccess(run);
      expect(outputsOf(run, 'restore')).toMatchObject({ backup, faults: '[]' });
    });

    /** At the console, as a person would. */
    async function redis(commands: string): Promise<string> {
      const script = '{ cat /etc/perlstack/redis/auth; cat; } | redis-cli | tail -n +2';
      const options = { input: `${commands}\n` };
      return (await cloud.hosts.exec('shop-cache-1', ['sh', '-c', script], options)).stdout.trim();
    }

    it('redis-backup.yml copies the cache at night, and proves the copy', async () => {
      await redis('SET config:version 42');
      vars['REDIS_BACKUP_ASSERTIONS'] = '0: GET config:version = 42';
      const run = await runExample('redis-backup.yml', {}, { trigger: { event: 'schedule' } });
      expectSuccess(run);
      expect(writes()).toEqual([]);
      const made = outputsOf(run, 'backup');
      snapshot = made['backup'] ?? '';
      expect(made).toMatchObject({ source: 'cache-1', removed: '[]' });
      expect(outputsOf(run, 'restore')).toMatchObject({ backup: snapshot, faults: '[]' });
    });

    it('redis-backup.yml brings it back by button', async () => {
      await redis('FLUSHALL');
      const refused = await runExample('redis-backup.yml', { mode: 'primary', replace: 'cache-1' });
      expect(refused.conclusion).toBe('failure');
      expect(annotationsOf(refused).map(({ message }) => message)).toContainEqual(
        expect.stringContaining('cache-1: Redis runs here: stop it first'),
      );
      await cloud.hosts.exec('shop-cache-1', ['systemctl', 'stop', 'redis-server']);
      const run = await runExample('redis-backup.yml', { mode: 'primary', replace: 'cache-1' });
      expectSuccess(run);
      expect(outputsOf(run, 'restore')).toMatchObject({ backup: snapshot });
      expect(await redis('GET config:version')).toBe('42');
    });

    async function untilArchived(): Promise<void> {
      const waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'";
      const limit = performance.now() + 60_000;
      while ((await sql(waiting)) !== '0' && performance.now() < limit) await sleep(200);
    }
  });

  it('leaves no secret in logs, outputs, summaries and on the runner', async () => {
    for (const run of runs) {
      const said = [
        logOf(run),
        JSON.stringify(run),
        ...annotationsOf(run).map(({ message }) => message),
      ].join('\n');
      for (const line of secretLines) expect(said).not.toContain(line);
      // The runner masks what it knows: nobody even tried to print one.
      expect(said).not.toContain('***');
    }
    expect(await filesOfRuns(['stack: shop'])).not.toEqual([]);
    expect(await filesOfRuns(secretLines)).toEqual([]);
  });

  it('leaves no secret on the servers, nor with Linode', async () => {
    const [, publicKey = ''] = publicKeyOf({ privateKey }).split(' ');
    for (const host of HOSTS) {
      expect(await filesOnHost(host, [publicKey])).toContain('/home/deploy/.ssh/authorized_keys');
      expect(await filesOnHost(host, secretLines)).toEqual([]);
    }
    const state = JSON.stringify([...cloud.api.state.linodes.values()]);
    expect(state).toContain(publicKey);
    for (const line of secretLines) expect(state).not.toContain(line);
  });

  const GREP = ['grep', '--recursive', '--files-with-matches', '--text', '--fixed-strings', '--no-messages'];

  /** The files of the runs' workspaces, temporary and home folders that hold any of these texts. */
  async function filesOfRuns(texts: readonly string[]): Promise<string[]> {
    const patterns = path.join(repository.folder, '.git', 'patterns');
    await writeFile(patterns, `${texts.join('\n')}\n`);
    const [command = '', ...args] = [
      ...GREP,
      `--file=${patterns}`,
      path.join(repository.folder, '.git/perlstack-runs'),
    ];
    const found = await promisify(execFile)(command, args).catch((error: { stdout: string }) => error);
    return found.stdout.split('\n').filter(Boolean);
  }

  async function filesOnHost(host: string, texts: readonly string[]): Promise<string[]> {
    const folders = [
      '/etc',
      '/var',
      '/root',
      '/home',
      '/tmp',
      '/srv',
      '/run/perlstack',
      '/run/shop',
      '/dev/shm',
    ];
    const argv = [...GREP, '--devices=skip', '--file=-', ...folders];
    // 2: some folder is not there, or a file went away.
    const options = { input: `${texts.join('\n')}\n`, okCodes: [0, 1, 2] };
    return (await cloud.hosts.exec(`shop-${host}`, argv, options)).stdout.split('\n').filter(Boolean);
  }

  it('destroy.yml removes nothing when another name is typed', async () => {
    const before = census();
    const run = await runExample('destroy.yml', { stack: 'shops' });
    expect(run.conclusion).toBe('failure');
    expect(cloud.api.requests).toEqual([]);
    expect(census()).toEqual(before);
    await expectServing(serving);
  });

  it('destroy.yml removes exactly what deploy.yml made', async () => {
    const run = await runExample('destroy.yml', { stack: 'shop' });
    expectSuccess(run);
    expect(outputsNamed(run, 'Destroy')).toMatchObject({ changed: 'true', 'monthly-cost': '5' });
    expect(census()).toEqual(foreign);
    await untilOff();
  });

  /** Linode answers before the machines are gone. */
  async function untilOff(): Promise<void> {
    const limit = performance.now() + 60_000;
    while ((await cloud.hosts.hosts()).length > 0 && performance.now() < limit) await sleep(200);
    expect(await cloud.hosts.hosts()).toEqual([]);
  }

  it('destroy.yml has nothing to do the second time', async () => {
    const run = await runExample('destroy.yml', { stack: 'shop' });
    expectSuccess(run);
    expect(outputsNamed(run, 'Destroy')).toMatchObject({ changed: 'false', plan: '[]' });
    expect(writes()).toEqual([]);
  });

  it('are all run here', () => {
    expect([...executed].sort()).toEqual(EXAMPLES.sort());
  });
});

/** The outputs of a step by its name: the examples give an id only to steps that others refer to. */
function outputsNamed(run: WorkflowRun | undefined, name: string): Readonly<Record<string, string>> {
  const steps = run?.jobs.flatMap((job) => job.steps) ?? [];
  return steps.find((step) => step.name === name && step.phase === 'main')?.outputs ?? {};
}

/** Things of others that look like the stack's: each lacks one of the marks. */
async function makeForeign(make: (resource: string, body: object) => Promise<void>): Promise<void> {
  const tags = ['perlstack', 'stack:shop'];
  const linode = { region: 'us-ord', type: 'g6-nanode-1', interface_generation: 'linode', interfaces: [] };
  const rules = { inbound: [], outbound: [], inbound_policy: 'DROP', outbound_policy: 'ACCEPT' };
  await make('linode/instances', { ...linode, label: 'shop-worker-1', tags });
  await make('linode/instances', { ...linode, label: 'shop-app-9', tags: [] });
  await make('linode/instances', { ...linode, label: 'workshop-app-1', tags: ['stack:shop'] });
  await make('networking/firewalls', { label: 'shop-office', rules, tags });
  await make('networking/firewalls', { label: 'office', rules, tags: [] });
  await make('vpcs', { label: 'shop-office', region: 'us-ord', description: 'perlstack stack:shop' });
  await make('placement/groups', {
    ...{ label: 'shop-app', region: 'us-ord' },
    ...{ placement_group_type: 'anti_affinity:local', placement_group_policy: 'flexible' },
  });
}
