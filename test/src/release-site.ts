import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { render } from '@perlstack/configs';
import { hostsOf, type Stack } from '@perlstack/stack';
import { converge } from './converging.js';
import type { DeployOrder } from './deploy-process.js';
import { type HostsSite, openHosts } from './hosts-site.js';

/** On an app host: a lock that it keeps looks as if its owner had been silent for longer than a lease lasts. */
export const AGE_LOCK = 'touch -c -d "-2 minutes" /var/lib/perlstack/shop/deploy.lock';

/** A web host and app hosts, configured for the sample shop. */
export interface Site extends HostsSite {
  /** Text of the stack file. */
  readonly stackFile: string;
  /** What a visitor in the internet opens: the first web host, and all of them. */
  readonly url: string;
  readonly urls: readonly string[];
  /** A path in `folder` for the journal of a new deploy. */
  journal(): string;
  /** Runs a deploy as a process; resolves when it has ended, by itself or by its own SIGKILL. */
  process(
    order: Omit<DeployOrder, 'stack' | 'inventory' | 'keyFile'> & { readonly stack?: Stack },
  ): Promise<{ killed: boolean; output: string }>;
  /** The lines of the order journals of all app hosts. */
  orders(): Promise<string[]>;
}

/** What a site may have otherwise. */
export interface SiteOptions {
  /** How many web hosts; default one. */
  readonly web?: number;
  readonly image?: string;
  /** Builds modules on a host with this tool. */
  readonly build?: 'carton';
  /** Of Starman, on each app host; each loads the whole application, which is most of what a deploy costs here. */
  readonly workers?: number;
  /** The slowest answer that is still healthy, such as `2s`. */
  readonly latency?: string;
}

const stackFile = (
  app: number,
  { image = 'linode/debian13', workers = 8, latency = '2s', web = 1, build }: SiteOptions,
): string => `
stack: shop
region: us-ord
image: ${image}
app:
  workers: ${workers}
  workerMemory: 32MiB
  packages: [libmojolicious-perl]
  health: { path: /healthz, body: ok, latency: ${latency}, successes: 3, timeout: 15s, release: /version }
  drainTimeout: 20s
  keepReleases: 3
  build: { with: ${build ?? 'none'} }
tiers:
  web: { type: g6-nanode-1, count: ${web} }
  app: { type: g6-standard-1, count: ${app} }
`;

/** @param app how many app hosts */
export async function openSite(app: number, options: SiteOptions = {}): Promise<Site> {
  const text = stackFile(app, options);
  const site = await openHosts(text);
  try {
    await configure(site);
    return siteOf(site, text);
  } catch (error) {
    await site.close();
    throw error;
  }
}

function siteOf(base: HostsSite, text: string): Site {
  const { inventory, stack, keyFile, folder } = base;
  let journals = 0;
  const urls = hostsOf(inventory, 'web').map(({ publicAddress }) => `http://${publicAddress}`);
  return {
    ...base,
    stackFile: text,
    url: urls[0] ?? '',
    urls,
    journal: () => join(folder, `journal-${(journals += 1)}`),
    process: (order) => runProcess({ stack, ...order, inventory, keyFile }),
    orders: async () => {
      const hosts = inventory.hosts.filter(({ tier }) => tier === 'app');
      const journals = await Promise.all(
        hosts.map(({ name }) => base.ask(name, 'cat /run/shop/orders.log || true')),
      );
      return journals.flatMap((journal) => journal.split('\n'));
    },
  };
}

async function runProcess(order: DeployOrder): Promise<{ killed: boolean; output: string }> {
  const program = fileURLToPath(new URL('../lib/deploy-process.js', import.meta.url));
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(process.execPath, [program, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { killed: child.signalCode === 'SIGKILL', output: output + errors };
}

/** Everything that a deploy expects of a host, by the way that users go. */
const configure = ({ remote, stack, inventory }: HostsSite): Promise<unknown> =>
  converge(remote, render(stack, inventory));
