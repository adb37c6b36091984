import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { terminalTable } from '@perlstack/action';
import { deploy, type DeployResult, type Strategy } from '@perlstack/release';
import { packShop } from '../shop.js';
import { DOMAIN, StackSite } from '../stack-site.js';
import { type H2Counts, type H2Order, KINDS } from './methods-load.js';
import { atMost, type BenchmarkReport, type Row } from './report.js';

const ROLLS = 4;

const STACK = `
stack: shop
region: us-ord
app:
  domains: [${DOMAIN}]
  workers: 24
  workerMemory: 32MiB
  packages: [libmojolicious-perl]
  health: { path: /healthz, body: ok, latency: 5s, successes: 3, timeout: 60s, release: /version }
  drainTimeout: 20s
tiers:
  web: { type: g6-nanode-1, count: 1, tls: { files: true } }
  app: { type: g6-standard-1, count: 2 }
`;

interface Measured {
  readonly strategy: Strategy;
  readonly counts: Readonly<Record<string, H2Counts>>;
  /** Seconds that a server took, without what was done on all of them at once. */
  readonly perServer: number;
  readonly cut: number;
  readonly lost: number;
  readonly doubled: number;
}

/**
 * The two ways to put a new release in the place of the old one, under real systemd, behind TLS and HTTP/2, with visitors who keep
 * their connection, wait long, read an answer that comes piece by piece, or send a body slowly: which loses what, and how
 * long a server takes. Two app hosts and one web host; the application takes a second to load.
 */
export async function benchMethods(): Promise<BenchmarkReport> {
  const site = await StackSite.open(STACK);
  try {
    await site.converge(site.bundle());
    await site.deploy('first');
    const measured: Measured[] = [];
    for (const strategy of ['socket', 'drain'] as const) measured.push(await measure(site, strategy));
    process.stdout.write(`${tableOf(measured)}\n\n`);
    for (const { strategy, counts } of measured) {
      for (const [kind, { faults }] of Object.entries(counts)) {
        if (faults.length > 0) process.stdout.write(`${strategy}, ${kind}: ${faults.join('; ')}\n`);
      }
    }
    return reportOf(measured);
  } finally {
    await site.close();
  }
}

async function measure(site: StackSite, strategy: Strategy): Promise<Measured> {
  const load = startLoad(site, strategy);
  await sleep(3_000);
  const results: DeployResult[] = [];
  for (let number = 1; number <= ROLLS; number += 1) {
    results.push(await roll(site, strategy, `${strategy}-${number}`));
    await sleep(1_000);
  }
  const { counts, acknowledged } = await load.stop();
  const journal = await orders(site);
  const times = new Map<string, number>();
  for (const id of journal) times.set(id, (times.get(id) ?? 0) + 1);
  const servers = results.flatMap((result) => result.servers);
  const serial = servers.map(
    (one) => one.switchMs + one.gateMs + one.drainMs + (strategy === 'drain' ? one.bootMs : 0),
  );
  return {
    ...{ strategy, counts },
    perServer: serial.reduce((sum, ms) => sum + ms, 0) / serial.length / 1_000,
    cut: servers.reduce((sum, { cut }) => sum + cut, 0),
    lost: acknowledged.filter((id) => POSTS.test(id) && !times.has(id)).length,
    doubled: [...times].filter(([id, count]) => count > 1 && id.startsWith(`${strategy}-`)).length,
  };
}

/** Ids of clients that post: of the kinds in their order, the second, the fourth and the sixth. */
const POSTS = /^\w+-(?:1\d|3\d|5\d)-/;

async function roll({ hosts }: StackSite, strategy: Strategy, release: string): Promise<DeployResult> {
  const { stack, inventory, remote, folder } = hosts;
  const path = await packShop({ release, bootMs: 1_000, directory: folder });
  const result = await deploy({
    ...{ stack, inventory, remote, release, strategy },
    ...{ artifact: { path }, owner: { id: 'bench' } },
  });
  if (result.outcome !== 'succeeded') throw new Error(`${release}: ${result.outcome}: ${result.reason}`);
  return result;
}

async function orders({ hosts }: StackSite): Promise<string[]> {
  const names = hosts.inventory.hosts.filter(({ tier }) => tier === 'app').map(({ name }) => name);
  const journals = await Promise.all(
    names.map((name) => hosts.ask(name, 'cat /run/shop/orders.log || true')),
  );
  return journals.flatMap((journal) => journal.split('\n').filter(Boolean));
}

function startLoad({ hosts }: StackSite, prefix: string) {
  const web = hosts.inventory.hosts.find(({ tier }) => tier === 'web');
  const order: H2Order = {
    url: `https://${web?.publicAddress}`,
    ...{ host: DOMAIN, ca: join(hosts.folder, 'ca.crt'), prefix },
  };
  const program = fileURLToPath(new URL('methods-load.js', import.meta.url));
  const [command = '', ...args] = hosts.cloud.inInternet([process.execPath, program, JSON.stringify(order)]);
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  return {
    stop: async () => {
      child.stdin.end('stop\n');
      const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      return JSON.parse(said) as { counts: Record<string, H2Counts>; acknowledged: string[] };
    },
  };
}

function tableOf(measured: readonly Measured[]): string {
  const rows = measured.map(({ strategy, counts, perServer, cut, lost, doubled }) => [
    strategy,
    ...KINDS.map(
      (kind) => `${counts[kind]?.failed ?? 0} of ${(counts[kind]?.ok ?? 0) + (counts[kind]?.failed ?? 0)}`,
    ),
    cut,
    lost,
    doubled,
    `${perServer.toFixed(1)} s`,
  ]);
  const titles = ['Failed by strategy', ...KINDS, 'cut', 'lost POSTs', 'doubled', 'a server'];
  return terminalTable(titles, rows, ['l', ...titles.slice(1).map((): 'r' => 'r')]);
}

function reportOf(measured: readonly Measured[]): BenchmarkReport {
  const failedOf = ({ counts }: Measured): number =>
    Object.values(counts).reduce((sum, { failed }) => sum + failed, 0);
  const requestsOf = ({ counts }: Measured): number =>
    Object.values(counts).reduce((sum, { ok, failed }) => sum + ok + failed, 0);
  const rows = measured.flatMap((one): Row[] => [
    { name: `${one.strategy}: requests`, unit: 'count', ours: requestsOf(one) },
    { name: `${one.strategy}: failed`, unit: 'count', ours: failedOf(one) },
    { name: `${one.strategy}: a server, one after the other`, unit: 's', ours: one.perServer },
  ]);
  const goals = measured.flatMap((one) => [
    atMost(`${one.strategy}: failed requests`, 0, failedOf(one)),
    atMost(`${one.strategy}: lost POSTs`, 0, one.lost),
    atMost(`${one.strategy}: POSTs carried out twice`, 0, one.doubled),
  ]);
  return { rows, goals };
}
