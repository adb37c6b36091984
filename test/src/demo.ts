import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  annotationsOf,
  cloudFolder,
  type CloudService,
  command,
  FULL_TOKEN,
  MemoryDriver,
  openHostCloud,
  startApi,
  startCloud,
  stopCloud,
  whyNoHosts,
  type WorkflowRun,
} from '@perlstack/local-cloud';
import type { DeployResult } from '@perlstack/release';
import { generateKeyPair } from '@perlstack/remote';
import { formatDuration, type Inventory, InventorySchema, messageOf, UserError } from '@perlstack/stack';
import { type DemoReport, type DeployReport, EXPECTED, reportOf, tablesOf } from './demo-report.js';
import { Screen } from './demo-screen.js';
import type { Proofs } from './demo-topology.js';
import { type LoadHandle, startLoad } from './load-handle.js';
import { FULL_SPEED } from './load-run.js';
import type { Fault } from './shop.js';
import { type Ask, executedOrders, provePostgres, proveRedis, readOnStandby } from './stack-proofs.js';
import { outputsOf, type Surroundings, UserRepository } from './user-repository.js';

/** How long the load goes on before and after a deploy, so that its after-effects are counted with it. */
const SETTLE_MS = 5_000;

/** The name under which visitors know the site. */
const DOMAIN = 'shop.example.com';

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const screen = new Screen(print);

interface Options {
  readonly report?: string;
  readonly keep: boolean;
}

/** The whole demo on real hosts. */
class Demo {
  readonly #cloud: CloudService;
  readonly #repository: UserRepository;
  readonly #around: Surroundings;
  readonly #phases: { name: string; seconds: number }[] = [];
  readonly #deploys: DeployReport[] = [];
  #load: LoadHandle | undefined;

  constructor(cloud: CloudService, repository: UserRepository, privateKey: string, signal: AbortSignal) {
    this.#cloud = cloud;
    this.#repository = repository;
    this.#around = {
      apiUrl: cloud.apiUrl,
      secrets: { LINODE_TOKEN: cloud.token, SSH_PRIVATE_KEY: privateKey, ...passwords() },
      processPrefix: ['ip', 'netns', 'exec', cloud.internetNamespace],
      onOutput: (line) => screen.show(line),
      signal,
    };
  }

  async run(): Promise<DemoReport> {
    try {
      const inventory = await this.#firstDeploy();
      await this.#deployUnderLoad('a new version', 'none');
      await this.#deployUnderLoad('a version that fails once it serves', 'unhealthy-later');
      return await this.#report(inventory);
    } finally {
      await this.#load?.close();
    }
  }

  /** Provisions, configures and deploys; visitors come as soon as somebody answers. */
  async #firstDeploy(): Promise<Inventory> {
    const run = await this.#deploy('the first version, on servers yet to be made', 'none');
    const inventory = InventorySchema.parse(JSON.parse(outputsOf(run, 'provision')['inventory'] ?? '{}'));
    const urls = inventory.hosts
      .filter(({ tier }) => tier === 'web')
      .map((host) => `http://${host.publicAddress}`);
    this.#load = startLoad({ urls, ...FULL_SPEED }, (argv) => [
      'ip',
      'netns',
      'exec',
      this.#cloud.internetNamespace,
      ...argv,
    ]);
    await this.#load.mark('deploy-1');
    await sleep(SETTLE_MS);
    await this.#record(run, 'deploy-1');
    return inventory;
  }

  async #deployUnderLoad(what: string, fault: Fault): Promise<void> {
    const mark = `deploy-${this.#deploys.length + 1}`;
    await this.#running().mark(mark);
    await sleep(SETTLE_MS);
    const run = await this.#deploy(what, fault);
    await sleep(SETTLE_MS);
    await this.#record(run, mark);
  }

  #running(): LoadHandle {
    if (!this.#load) throw new Error('The load was not started');
    return this.#load;
  }

  async #deploy(what: string, fault: Fault): Promise<WorkflowRun> {
    const number = this.#deploys.length + 1;
    const release = await this.#repository.commit({ release: `version-${number}`, fault, bootMs: 1_000 });
    print(`\n=== Deploy ${number}: ${what} (commit ${release}) ===`);
    const run = await this.#repository.run('deploy.yml', this.#around);
    const expected = EXPECTED[number - 1] === 'succeeded' ? 'success' : 'failure';
    if (run.conclusion !== expected)
      throw new UserError(`The workflow ended with ${run.conclusion}${faultsOf(run)}`);
    for (const { name, seconds } of run.jobs.flatMap((job) => job.steps)) {
      this.#phases.push({ name: `deploy ${number}: ${name}`, seconds });
    }
    return run;
  }

  async #record(run: WorkflowRun, mark: string): Promise<void> {
    const outputs = outputsOf(run, 'deploy');
    const result = JSON.parse(outputs['result'] ?? '{}') as DeployResult;
    const { requests, failed, failures } = await this.#running().since(mark);
    failures.forEach((failure) => print(`FAILED ${JSON.stringify(failure)}`));
    this.#deploys.push({
      release: result.release,
      outcome: result.outcome,
      seconds: result.seconds,
      irreducibleSeconds: result.irreducibleSeconds,
      requests,
      failed,
      servers: result.servers.map(({ name, seconds }) => ({ name, seconds })),
    });
  }

  /** What the systems say at the end, asked at their consoles. */
  async #report(inventory: Inventory): Promise<DemoReport> {
    const load = this.#running();
    const total = await load.stop();
    const cloud = await openHostCloud(this.#cloud.id);
    const ask: Ask = async (host, script) => {
      const { stdout } = await cloud.exec(`${inventory.stack}-${host}`, ['sh', '-c', script]);
      return stdout.trim();
    };
    const proofs = await this.#prove(inventory, ask);
    const { primary, standbys } = proofs.postgres;
    const orders = await load.balance(await executedOrders(ask, primary));
    const replicated = await load.balance(await executedOrders(ask, standbys[0]?.host ?? primary));
    return reportOf({
      inventory,
      deploys: this.#deploys,
      phases: this.#phases,
      total,
      orders,
      replicated,
      proofs,
    });
  }

  async #prove(inventory: Inventory, ask: Ask): Promise<Proofs> {
    const postgres = await provePostgres(ask, inventory);
    const hosts = inventory.hosts.filter(({ tier }) => tier === 'web');
    const answers = hosts.map(async ({ name, publicAddress }): Promise<[string, string]> => [
      name,
      await this.#fromInternet([
        'curl',
        '-sSf',
        '-m',
        '10',
        '-H',
        `Host: ${DOMAIN}`,
        `http://${publicAddress}/version`,
      ]),
    ]);
    return {
      postgres,
      marker: await readOnStandby(ask, postgres),
      redis: await proveRedis(ask, inventory, inventory.stack),
      answers: Object.fromEntries(await Promise.all(answers)),
      nginx: (await ask('web-1', 'nginx -v 2>&1')).replace(/^.*\//, ''),
      starman: await ask('app-1', "dpkg-query -W -f '${Version}' starman | cut -d - -f 1"),
    };
  }

  async #fromInternet(argv: readonly string[]): Promise<string> {
    const prefix = ['ip', 'netns', 'exec', this.#cloud.internetNamespace];
    return (await command([...prefix, ...argv])).stdout.trim();
  }
}

/** For the roles and caches of a cloud that lives as long as the demo. */
function passwords(): Record<string, string> {
  const names = ['DATABASE_PASSWORD', 'REPLICATION_PASSWORD', 'REDIS_PASSWORD'];
  return Object.fromEntries(names.map((name) => [name, randomBytes(18).toString('hex')]));
}

function faultsOf(run: WorkflowRun): string {
  const faults = annotationsOf(run).filter(({ level }) => level === 'error');
  return faults.map(({ message }) => `\n  ${message}`).join('');
}

async function onHosts(options: Options, signal: AbortSignal): Promise<number> {
  const started = performance.now();
  const folder = mkdtempSync(path.join(tmpdir(), 'perlstack-demo-'));
  print('Starting the local cloud: an API as Linode has it, in front of real Debian hosts on this machine.');
  const cloud = await startCloud(path.join(folder, 'cloud.log'), {
    keep: options.keep,
    log: (line) => print(`  ${line}`),
  });
  const repository = await UserRepository.create();
  try {
    const { privateKey } = generateKeyPair('perlstack demo');
    writeFileSync(path.join(cloudFolder(cloud.id), 'ssh-key'), privateKey, { mode: 0o600 });
    const report = await new Demo(cloud, repository, privateKey, signal).run();
    print(`\n${tablesOf(report)}`);
    print(`\nThe demo took ${formatDuration(performance.now() - started)}.`);
    if (options.report !== undefined) writeReport(options.report, report);
    return report.goals.every(({ met }) => met) ? 0 : 1;
  } finally {
    await repository.remove();
    if (options.keep) printHowToReach(cloud);
    else await stopCloud(cloud.id);
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeReport(folder: string, report: DemoReport): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
}

function printHowToReach({ id, internetNamespace, apiUrl, token }: CloudService): void {
  print(`\nThe cloud ${id} stays up:`);
  print('  npm run cloud -- status');
  print('  npm run cloud -- ssh web-1');
  print(`  ip netns exec ${internetNamespace} env LINODE_API_URL=${apiUrl} LINODE_TOKEN=${token} bash`);
  print(`  npm run cloud -- down ${id}`);
}

/** What can be shown without hosts: the plan and its price, against the API in memory. */
async function inMemory(reason: string, signal: AbortSignal): Promise<number> {
  print(`${reason}.\nSo this shows the plan and its price, against the API in memory.`);
  const api = await startApi({ driver: new MemoryDriver() });
  const repository = await UserRepository.create();
  try {
    await repository.commit({ release: 'version-1' });
    const secrets = { LINODE_READ_TOKEN: FULL_TOKEN.token };
    const run = await repository.run('plan.yml', {
      apiUrl: api.url,
      secrets,
      onOutput: (line) => screen.show(line),
      signal,
    });
    return run.conclusion === 'success' ? 0 : 1;
  } finally {
    await repository.remove();
    await api.close();
  }
}

async function main(signal: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    options: { report: { type: 'string' }, keep: { type: 'boolean', default: false } },
  });
  const reason = await whyNoHosts();
  return reason === null ? onHosts(values, signal) : inMemory(reason, signal);
}

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());
try {
  process.exitCode = await main(stop.signal);
} catch (error) {
  const fault = error instanceof UserError ? error.message : ((error as Error).stack ?? messageOf(error));
  print(stop.signal.aborted ? '\nStopped.' : `\n${fault}`);
  process.exitCode = stop.signal.aborted ? 130 : 1;
}
