import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { postgresLayout } from '@perlstack/configs';
import { BackupSite } from '../../backup-site.js';
import { makeCertificate, trustScript } from '../../gateway-certificate.js';
import { makeRunner, type Runner } from './runner.js';

export const HOST = 'database-1';
export const DATABASE = 'shop';
export const LAYOUT = postgresLayout(17);

// Nothing is encrypted: pgBackRest would do it in another way, with a key that the host has.
export const STACK = `
stack: shop
region: us-ord
app: {}
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-nanode-1, count: 1 }
  database: { type: g6-standard-2, count: 1 }
backups: { bucket: shop-backups, encrypt: false }
`;
/** On a disk: the backups of all runs and the log are more than a machine's memory should have to hold. */
const STORAGE = { store: 'file', sizeMiB: 20_480 } as const;

/** What a piece of work took: seconds on the clock, and of processors. */
export interface Usage {
  readonly seconds: number;
  readonly hostCpu: number;
  readonly gatewayCpu: number;
}

/** A database host, a gateway that speaks TLS as pgBackRest wants it, and a runner. */
export interface Ground {
  readonly site: BackupSite;
  readonly runner: Runner;
  readonly endpoint: string;
  /** Runs a script of bash on the database host as root, as a service; throws when it fails. */
  readonly host: (script: string, timeoutS?: number) => Promise<string>;
  readonly measure: <T>(work: () => Promise<T>) => Promise<Usage & { readonly result: T }>;
  readonly close: () => Promise<void>;
}

export async function openGround(): Promise<Ground> {
  const folder = await mkdtemp(path.join(tmpdir(), 'backup-bench-'));
  const closing = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).reverse()) await one();
  };
  try {
    const certificate = await makeCertificate(folder);
    const site = await BackupSite.open(STACK, { ...STORAGE, pem: certificate.pem });
    closing.push(() => site.close());
    const runner = await makeRunner(site.hosts.cloud, folder, certificate.file);
    return { ...groundOf(site, runner, await trust(site, certificate.text)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function groundOf(site: BackupSite, runner: Runner, host: Ground['host']): Omit<Ground, 'close'> {
  const { tlsEndpoint } = site.storage;
  if (tlsEndpoint === null) throw new Error('the gateway has no certificate');
  const cpu = async (): Promise<number[]> => {
    const usage = /^usage_usec (\d+)$/m.exec(await host(`cat ${CGROUP}/cpu.stat`))?.[1];
    return [Number(usage) / 1e6, await site.storage.cpuSeconds()];
  };
  return {
    ...{ site, runner, host, endpoint: tlsEndpoint },
    measure: async (work) => {
      // What earlier work left to be written is not this one's.
      await host('sync');
      const before = await cpu();
      const start = performance.now();
      const result = await work();
      const seconds = (performance.now() - start) / 1_000;
      const [hostCpu, gatewayCpu] = (await cpu()).map((after, at) => after - (before[at] ?? 0));
      return { result, seconds, hostCpu: hostCpu ?? Number.NaN, gatewayCpu: gatewayCpu ?? Number.NaN };
    },
  };
}

/** From the console, and yet in the host's own control group, whose limits and figures count. */
const AS_SERVICE = [
  ...['systemd-run', '--quiet', '--wait', '--pipe', '--collect'],
  // No program of the script may read the rest of it.
  ...['bash', '-euo', 'pipefail', '-c', 'script=$(cat); exec < /dev/null; eval "$script"'],
];

/** Where a host sees its own control group. */
const CGROUP = '$(findmnt -n -t cgroup2 -o TARGET | head -n 1)';

/** Has the database host know the gateway. @returns what runs commands there */
async function trust({ hosts }: BackupSite, certificate: string): Promise<Ground['host']> {
  const label = `${hosts.stack.stack}-${HOST}`;
  const host: Ground['host'] = async (script, timeoutS = 300) => {
    const options = { input: script, timeoutMs: timeoutS * 1_000 };
    return (await hosts.cloud.exec(label, AS_SERVICE, options)).stdout.trim();
  };
  await host(trustScript(certificate));
  return host;
}
