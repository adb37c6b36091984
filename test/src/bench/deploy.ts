import { rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { startLoad } from '../load-handle.js';
import type { LoadConfig } from '../load-run.js';
import { openSite, type Site } from '../release-site.js';
import { installAnsible } from './ansible.js';
import { packArtifact } from './deploy/artifact.js';
import type { DeployRunOrder, DeployRunResult } from './deploy/deploy-run.js';
import { type Door, openDoor } from './deploy/door.js';
import { everywhere, floorOf, prepareHosts, PHASES, resetHosts } from './deploy/host-scripts.js';
import { metered } from './deploy/metered.js';
import { intervalsOf, ourIntervals, overheadOf } from './deploy/overhead.js';
import { type Metered, type RollOut, runAnsible, runCapistrano } from './deploy/peers.js';
import { bundled, installedTool } from './processes.js';
import { atMost, type BenchmarkReport, median, type Row } from './report.js';

const HOSTS = [3, 10, 50];
const ROUND_TRIPS_MS = [0, 50];
/** How long the application takes to load, beside Perl and Mojolicious themselves, in milliseconds. */
const BOOT_MS = 1_000;
/** The last look of a roll-out asks all hosts at once, and fifty share two processors. */
const LATENCY = '10s';
/** From so many hosts on they are light: two workers each. */
const LIGHT_FROM = 20;

const DEPLOY_RUN = fileURLToPath(new URL('deploy/deploy-run.js', import.meta.url));

const isLight = (hosts: number): boolean => hosts >= LIGHT_FROM;

/** Light enough for two processors that carry the hosts, the load and the tool: about 25 requests a second. */
const LOAD: Partial<LoadConfig> = {
  clients: { get: 3, post: 2, 'slow-get': 2, 'slow-post': 2, visit: 1 },
  slowMs: 1_000,
  thinkMs: [200, 300],
};

export interface DeployBenchOptions {
  /** How many app hosts to measure with, in turn. */
  readonly hosts?: readonly number[];
  /** What is added to the round trip between the runner and the hosts, in milliseconds, in turn. */
  readonly roundTripsMs?: readonly number[];
}

/**
 * A release rolled out over 3, 10 and 50 app hosts, with and without 50 ms of round trip between the runner and the hosts:
 * by us, by Debian's Ansible and by Debian's Capistrano, from the same state of the same hosts, by the same way in, under
 * the same load, in one run. Each uploads the same archive to every host, unpacks it, compiles the application on the first and links it, takes one server after the
 * other to the new release with a drain, a restart and a health check, and removes old releases.
 *
 * The peers take a server out of the web tier's upstream, wait until it is silent, restart, look at it until it is healthy
 * three times in a row, and put it back; what can be done on all hosts at once they do before and after. Ours boots beside
 * the old instance and switches a link.
 *
 * - `wall`: from the start of the tool's process to its end
 * - `floor`: the sum of each server's own restart and gate, by a script on the server with no load and no tool around it
 * - `overhead`: the wall time in which no host booted, gated, drained or stopped, by notes that the hosts make with their
 *   own clock (`overhead.ts`)
 *   its floor is what passes from the start of our process to the first answer of a host
 * - `runner CPU`: user and system time of the tool and of all that it started on the runner
 *
 * All hosts share this machine's processors. The fifty are light: real hosts as the others, but with two Starman workers,
 * and their floor is measured on every fifth of them. A request that meets a kept connection which a reload of nginx closes
 * is asked again, as browsers do; that is no failure, but it is printed.
 */
export async function benchDeploy({
  hosts = HOSTS,
  roundTripsMs = ROUND_TRIPS_MS,
}: DeployBenchOptions): Promise<BenchmarkReport> {
  const ansible = await installAnsible();
  const { stdout } = await installedTool(['cap', '--version'], 'capistrano');
  say(`peers: ansible-core ${ansible}, Capistrano ${/[\d.]+/.exec(stdout)?.[0] ?? 'unknown'}`);
  const measured: Measured[] = [];
  for (const count of hosts) measured.push(...(await measureSite(count, roundTripsMs)));
  return reportOf(measured);
}

type Tool = 'ours' | 'Ansible' | 'Capistrano';

interface Figures {
  readonly wall: number;
  readonly overhead: number;
  readonly cpu: number;
  /** From the start of the process to the first answer of a host, in seconds; known of ours. */
  readonly connected: number;
  readonly failed: number;
  readonly requests: number;
}

/** All tools on so many hosts with such a round trip. */
interface Measured {
  readonly hosts: number;
  readonly roundTripMs: number;
  readonly floor: number;
  readonly tools: Readonly<Record<Tool, Figures>>;
}

async function measureSite(hosts: number, roundTripsMs: readonly number[]): Promise<Measured[]> {
  const workers = isLight(hosts) ? 2 : 8;
  const start = performance.now();
  const site = await openSite(hosts, { image: 'linode/debian12', workers, latency: LATENCY });
  say(`${hosts} hosts: ready after ${seconds((performance.now() - start) / 1_000)}`);
  const artifact = await packArtifact(BOOT_MS);
  try {
    await prepareHosts(site);
    const near = await openDoor(site, 0);
    await runOurs(site, near, artifact, nextRelease());
    const floor = await floorOf(site, isLight(hosts) ? LIGHT_SAMPLE : 1);
    say(`${hosts} hosts: floor ${seconds(floor)}`);
    const measured: Measured[] = [];
    for (const roundTripMs of roundTripsMs) {
      measured.push({ hosts, roundTripMs, floor, tools: await measureTools(site, artifact, roundTripMs) });
    }
    return measured;
  } finally {
    await rm(artifact, { force: true });
    await site.close();
  }
}

/** Ours before, between and after the others, so that a machine whose speed drifts treats them alike. */
const ORDER: readonly Tool[] = ['ours', 'Ansible', 'ours', 'Capistrano', 'ours'];
const LIGHT_ORDER: readonly Tool[] = ['ours', 'Ansible', 'Capistrano'];
/** Of light hosts, one in so many is asked for its floor. */
const LIGHT_SAMPLE = 5;

async function measureTools(site: Site, artifact: string, roundTripMs: number): Promise<Measured['tools']> {
  const door = await openDoor(site, roundTripMs);
  try {
    const runs: Record<Tool, Figures[]> = { ours: [], Ansible: [], Capistrano: [] };
    const order = isLight(appHostsOf(site)) ? LIGHT_ORDER : ORDER;
    for (const tool of order) runs[tool].push(await measure(site, tool, roundTripMs, { door, artifact }));
    return { ours: middle(runs.ours), Ansible: middle(runs.Ansible), Capistrano: middle(runs.Capistrano) };
  } finally {
    door.close();
  }
}

const appHostsOf = ({ inventory }: Site): number =>
  inventory.hosts.filter(({ tier }) => tier === 'app').length;

/** The middle of each time; all requests. */
function middle(runs: readonly Figures[]): Figures {
  const of = (name: keyof Figures): number[] => runs.map((run) => run[name]);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    ...{ wall: median(of('wall')), overhead: median(of('overhead')), cpu: median(of('cpu')) },
    connected: median(of('connected')),
    ...{ failed: sum(of('failed')), requests: sum(of('requests')) },
  };
}

const RUN: Readonly<Record<Tool, RollOut>> = {
  ours: runOurs,
  Ansible: runAnsible,
  Capistrano: runCapistrano,
};

async function measure(
  site: Site,
  tool: Tool,
  roundTripMs: number,
  { door, artifact }: { readonly door: Door; readonly artifact: string },
): Promise<Figures> {
  await resetHosts(site);
  const before = await servingOn(site);
  const load = startLoad({ ...LOAD, urls: [site.url], prefix: `load${(loads += 1)}` }, (argv) =>
    site.cloud.inInternet(argv),
  );
  try {
    const ran = await RUN[tool](site, door, artifact, nextRelease());
    const shown = await load.stop();
    const { lost, doubled } = await load.balance(await ordersOf(site));
    requireRolled(tool, before, await servingOn(site));
    const failed = shown.failed + lost.length + doubled.length;
    const { seconds: wall, cpuSeconds: cpu, connected = 0 } = ran;
    const figures = { wall, cpu, connected, requests: shown.requests, failed };
    const measured = { ...figures, overhead: await overheadOn(site, ran) };
    say(
      `${appHostsOf(site)} hosts, +${roundTripMs} ms, ${tool}: ${sentenceOf(measured)}, ` +
        `${shown.repeated} asked again; load average ${loadavg()[0]?.toFixed(1)}`,
    );
    for (const { kind, ms, fault } of shown.failures) say(`  ${kind} failed after ${ms} ms: ${fault}`);
    return measured;
  } finally {
    await load.close();
  }
}

const sentenceOf = ({ wall, overhead, cpu, failed, requests }: Figures): string =>
  `${seconds(wall)}, overhead ${seconds(overhead)}, CPU ${seconds(cpu)}, ${failed} of ${requests} requests failed`;

async function overheadOn(site: Site, { seconds: wall, settled }: Metered): Promise<number> {
  const noted = intervalsOf(await everywhere(site, `cat ${PHASES}`));
  return overheadOf(wall, settled ? ourIntervals(noted, settled) : noted);
}

/** The release that gets each app host's requests. */
const servingOn = async (site: Site): Promise<string[]> =>
  Object.values(await everywhere(site, 'basename "$(readlink /srv/shop/current.sock)" .sock', ['app']));

/** A tool that leaves a host behind is not measured. */
function requireRolled(tool: Tool, before: readonly string[], after: readonly string[]): void {
  const [release = ''] = after;
  if (before.includes(release) || after.some((one) => one !== release))
    throw new Error(
      `${tool} left hosts with other releases: ${after.join(', ')}; before: ${before.join(', ')}`,
    );
}

let loads = 0;

async function ordersOf(site: Site): Promise<string[]> {
  const journals = await everywhere(site, 'cat /run/shop/orders.log || true', ['app']);
  return Object.values(journals).flatMap((journal) => journal.split('\n'));
}

/** As Capistrano names its releases, so that each tool's clean-up knows the others'. */
function nextRelease(): string {
  return new Date().toISOString().replace(/\D/g, '').slice(0, 14);
}

async function runOurs(site: Site, door: Door, artifact: string, release: string): Promise<Metered> {
  const { stack, keyFile, inventory } = site;
  const hosts = inventory.hosts.map((host) =>
    host.name === door.host.name ? { ...host, ssh: { ...host.ssh, ...addressOf(door) } } : host,
  );
  const order: DeployRunOrder = { stack, keyFile, release, artifact, inventory: { ...inventory, hosts } };
  const argv = site.cloud.inInternet([process.execPath, await bundled(DEPLOY_RUN)]);
  const ran = await metered(argv, { input: JSON.stringify(order), env: { PATH: process.env['PATH'] } });
  const { result, settled, commands, connections, connectedMs, timeline } = JSON.parse(
    ran.stdout,
  ) as DeployRunResult;
  if (result.outcome !== 'succeeded') throw new Error(`ours: ${result.outcome}: ${result.reason}`);
  const parts = Object.entries(timeline).map(([part, ms]) => `${part} ${ms}`);
  say(
    `  ours, ms: connected ${connectedMs.toFixed(0)}; ${parts.join(', ')}; ${connections} connections, ${commands} commands`,
  );
  return { ...ran, settled, connected: connectedMs / 1_000 };
}

const addressOf = ({ address, port }: Door) => ({ address, port });

function reportOf(measured: readonly Measured[]): BenchmarkReport {
  const ratios = (of: (one: Measured) => number): number => Math.max(...measured.map(of));
  const overhead = (tool: Tool) => ratios(({ tools }) => tools.ours.overhead / tools[tool].overhead);
  return {
    rows: measured.flatMap(rowsOf),
    goals: [
      atMost('failed requests, ours', 0, sumOf(measured, 'ours')),
      atMost(
        'failed requests, Ansible and Capistrano',
        0,
        sumOf(measured, 'Ansible') + sumOf(measured, 'Capistrano'),
      ),
      atMost(
        'wall time, times the floor',
        1.25,
        ratios(({ tools, floor }) => tools.ours.wall / floor),
      ),
      atMost("overhead, of Ansible's", 1 / 20, overhead('Ansible')),
      atMost("overhead, of Capistrano's", 1 / 10, overhead('Capistrano')),
    ],
  };
}

const sumOf = (measured: readonly Measured[], tool: Tool): number =>
  measured.reduce((sum, { tools }) => sum + tools[tool].failed, 0);

function rowsOf({ hosts, roundTripMs, floor, tools }: Measured): Row[] {
  const { ours } = tools;
  const title = `${hosts} hosts, +${roundTripMs} ms`;
  const beside = (tool: Tool): Row[] => {
    const peer = tools[tool];
    const row = (what: string, unit: string, figure: keyof Figures): Row => ({
      ...{ name: `${title}: ${what}, peer ${tool}`, unit },
      ...{ ours: ours[figure], peer: peer[figure] },
    });
    return [
      row('wall', 's', 'wall'),
      { ...row('overhead', 's', 'overhead'), floor: ours.connected },
      row('runner CPU', 's', 'cpu'),
      row('failed requests', `of ${ours.requests} and ${peer.requests}`, 'failed'),
    ];
  };
  return [
    { name: `${title}: wall`, unit: 's', ours: ours.wall, floor },
    ...beside('Ansible'),
    ...beside('Capistrano'),
  ];
}

const seconds = (value: number): string => `${value.toFixed(2)} s`;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
