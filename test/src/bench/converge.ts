import { fileURLToPath } from 'node:url';
import { type ConfigBundle, render, requiredSecrets } from '@perlstack/configs';
import { observe, plan } from '@perlstack/converge';
import type { Host } from '@perlstack/stack';
import { type HostsSite, openHosts } from '../hosts-site.js';
import { installAnsible, prepareAnsible } from './ansible.js';
import type { ConvergeOrder, ConvergeResult } from './converge-run.js';
import { type Ran, timed } from './processes.js';
import type { RenderResult } from './render-run.js';
import { atMost, type BenchmarkReport, median } from './report.js';

const RUNS = 5;
/** Of Ansible, which takes its time. */
const PEER_RUNS = 3;

// Debian 12: its Python is one that the Ansible of Debian 12 as well as that of Debian 13 can use.
const STACK = `
stack: shop
region: us-ord
image: linode/debian12
app: { workers: 4 }
tiers:
  web: { type: g6-nanode-1, count: 2 }
  app: { type: g6-standard-1, count: 3 }
  database: { type: g6-standard-1, count: 2 }
  cache: { type: g6-nanode-1, count: 3 }
`;

/**
 * Ten hosts made what one stack file says: by us, and by Debian's Ansible, which gets the same accounts, packages,
 * files, checkers, units and reloads from the same rendered configuration. Each tool gets fresh hosts for its first
 * converge, and finds nothing to do on the hosts that we made complete.
 *
 * Ours does more the first time: it makes the PostgreSQL cluster and its replica, the roles, the Redis replicas and
 * the Sentinels, proves that new connections are let in, and checks before it changes anything. Ansible does not start
 * what needs those clusters. Both run as processes where a runner would, on the network's outside, and reach private
 * hosts through a public one; Ansible's connections stay from run to run, ours are new each time.
 */
export async function benchConverge(): Promise<BenchmarkReport> {
  const rendered = await renderLarge();
  const version = await installAnsible();
  process.stdout.write(`peer: ansible-core ${version}\n`);
  const { first, still } = await withSite(measureBoth);
  const peerFirst = await withSite(measurePeerFirst);
  return {
    rows: [
      { name: 'first converge of ten fresh hosts', unit: 's', ours: first, peer: peerFirst },
      { name: 'converge without a change', unit: 's', ...still },
      { name: `render ${rendered.hosts} hosts (${rendered.files} files)`, unit: 'ms', ours: rendered.ms },
      { name: `render ${rendered.hosts} hosts: peak memory`, unit: 'MiB', ours: rendered.peakMiB },
    ],
    goals: [
      atMost("converge without a change, of Ansible's time", 0.2, still.ours / still.peer),
      atMost('render 1,000 hosts, ms', 1_000, rendered.ms),
      atMost('render 1,000 hosts, MiB', 256, rendered.peakMiB),
    ],
  };
}

async function withSite<T>(work: (site: HostsSite) => Promise<T>): Promise<T> {
  const site = await openHosts(STACK);
  try {
    return await work(site);
  } finally {
    await site.close();
  }
}

interface Still {
  readonly ours: number;
  readonly peer: number;
  /** New connections to all hosts and one command on each. */
  readonly floor: number;
}

async function measureBoth(site: HostsSite): Promise<{ first: number; still: Still }> {
  const { seconds: first } = await runOurs(site, 'converge');
  const ours: number[] = [];
  const floor: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const { seconds, steps } = await runOurs(site, 'converge');
    if (steps > 0) throw new Error(`a converge without a change had ${steps} steps`);
    ours.push(seconds);
    floor.push((await runOurs(site, 'touch')).seconds);
  }
  const peer = await measurePeerStill(site);
  return { first, still: { ours: median(ours), peer, floor: median(floor) } };
}

/** Ansible on hosts that are complete: it must find them so, or it is not asked for the same. */
async function measurePeerStill(site: HostsSite): Promise<number> {
  const ansible = await prepareAnsible(site, bundleOf(site), { engines: true });
  // The first run opens its connections and installs what its modules need.
  await ansible.run();
  const seconds: number[] = [];
  for (let run = 0; run < PEER_RUNS; run += 1) {
    const { changed, ok, seconds: took } = await ansible.run();
    if (changed > 0 || ok === 0)
      throw new Error(`Ansible changed ${changed} of ${ok} on hosts that were complete`);
    seconds.push(took);
  }
  return median(seconds);
}

/** @returns seconds of the first play on fresh hosts, after which no file, account or folder may differ for us. */
async function measurePeerFirst(site: HostsSite): Promise<number> {
  const bundle = bundleOf(site);
  const ansible = await prepareAnsible(site, bundle, { engines: false });
  const { seconds } = await ansible.run();
  const { changes } = plan(bundle, await observe(site.remote, bundle));
  const kinds = ['package', 'user', 'directory', 'file', 'remove', 'preset'];
  const missed = changes.filter(({ kind }) => kinds.includes(kind));
  if (missed.length > 0) throw new Error(`Ansible left undone: ${JSON.stringify(missed.slice(0, 5))}`);
  return seconds;
}

const secretsOf = ({ stack }: HostsSite): Record<string, string> =>
  Object.fromEntries(
    requiredSecrets(stack).map(({ name }) => [name, `${name.toLowerCase()}-of-the-benchmark`]),
  );

function bundleOf(site: HostsSite): ConfigBundle {
  const inventory = { ...site.inventory, hosts: site.inventory.hosts.map(direct) };
  return render(site.stack, inventory, { secrets: secretsOf(site) });
}

/** Reached without the tunnels of the tests: the processes run where the addresses are. */
const direct = (host: Host): Host =>
  host.publicAddress === null
    ? host
    : { ...host, ssh: { ...host.ssh, address: host.publicAddress, port: 22 } };

async function runOurs(site: HostsSite, what: ConvergeOrder['what']): Promise<Ran & ConvergeResult> {
  const order: ConvergeOrder = {
    ...{ stack: site.stack, secrets: secretsOf(site), keyFile: site.keyFile, what },
    inventory: { ...site.inventory, hosts: site.inventory.hosts.map(direct) },
  };
  const argv = site.cloud.inInternet([process.execPath, programOf('converge-run')]);
  const ran = await timed(argv, { input: JSON.stringify(order), env: PLAIN });
  return { ...ran, ...(JSON.parse(ran.stdout) as ConvergeResult) };
}

async function renderLarge(): Promise<RenderResult> {
  const { stdout } = await timed([process.execPath, programOf('render-run')], { env: PLAIN });
  return JSON.parse(stdout) as RenderResult;
}

/** Compiled, so that no loader's work is counted. */
const programOf = (name: string): string =>
  fileURLToPath(new URL(`../../lib/bench/${name}.js`, import.meta.url));
const PLAIN: NodeJS.ProcessEnv = { PATH: process.env['PATH'] };
