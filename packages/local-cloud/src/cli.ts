import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf, UserError } from '@perlstack/stack';
import { readService, serveCloud, startCloud, stopCloud } from './daemon.js';
import { cloudFolder, findClouds, openHostCloud } from './hosts/index.js';
import { sshArgv } from './ssh.js';

const USAGE = `npm run cloud -- up [ID]            a local cloud that stays until it is removed
npm run cloud -- status             the clouds on this machine and their hosts
npm run cloud -- ssh HOST           a shell on a host by SSH, as the runner reaches it
npm run cloud -- console HOST       a root shell at a host's console, whatever its network does
npm run cloud -- down [ID]          removes a cloud, or all of them`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function up(id: string | undefined): Promise<number> {
  const logFile = join(tmpdir(), `perlstack-cloud-${process.pid}.log`);
  const service = await startCloud(logFile, { keep: true, log: print, ...(id === undefined ? {} : { id }) });
  howToUse(service.id, service.internetNamespace, service.apiUrl, service.token);
  return 0;
}

function howToUse(id: string, namespace: string, apiUrl: string, token: string): void {
  print(`Cloud ${id} is up. Its API and its hosts answer inside the network namespace ${namespace}:`);
  print(`  ip netns exec ${namespace} env LINODE_API_URL=${apiUrl} LINODE_TOKEN=${token} bash`);
  print(`Remove it with: npm run cloud -- down ${id}`);
}

async function status(): Promise<number> {
  const clouds = await findClouds();
  if (clouds.length === 0) print('There is no local cloud on this machine.');
  for (const cloud of clouds) {
    const served = (await readService(cloud.id)) ? 'API up' : 'no API';
    print(`${cloud.id} (since ${cloud.createdAt}, ${served})`);
    for (const host of cloud.hosts)
      print(`  ${host.label}  ${host.running ? 'on ' : 'off'}  ${host.addresses.join(' ')}`);
  }
  return 0;
}

async function down(id: string | undefined): Promise<number> {
  const ids = id === undefined ? (await findClouds()).map((cloud) => cloud.id) : [id];
  for (const one of ids) {
    await stopCloud(one);
    print(`Cloud ${one} is removed.`);
  }
  if (ids.length === 0) print('There is no local cloud on this machine.');
  return 0;
}

/** The one cloud with a host of that name, and the host's label: `web-1` finds `shop-web-1`. */
async function find(host: string): Promise<{ cloud: string; label: string }> {
  const all = (await findClouds()).flatMap(({ id, hosts }) =>
    hosts.map(({ label }) => ({ cloud: id, label })),
  );
  const found = all.filter(({ label }) => label === host || label.endsWith(`-${host}`));
  if (found.length === 1 && found[0]) return found[0];
  const number = found.length === 0 ? 'No' : 'More than one';
  throw new UserError(`${number} host of a local cloud is called ${host}; see: npm run cloud -- status`);
}

async function openShell(name: string, by: 'ssh' | 'console'): Promise<number> {
  const { cloud: id, label: host } = await find(name);
  const cloud = await openHostCloud(id);
  if (by === 'console') return interactive(await cloud.consoleArgv(host));
  const key = join(cloudFolder(cloud.id), 'ssh-key');
  if (!existsSync(key))
    throw new UserError(
      `Nobody left an SSH key for cloud ${cloud.id}; use: npm run cloud -- console ${host}`,
    );
  return interactive(await sshArgv(cloud, host, key));
}

async function interactive([file = '', ...args]: readonly string[]): Promise<number> {
  const child = spawn(file, args, { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function serve(options: { id?: string; owner?: string; 'time-scale'?: string }): Promise<number> {
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => abort.abort());
  const { id, owner, 'time-scale': scale } = options;
  if (id === undefined) throw new UserError('serve: --id is missing');
  await serveCloud(
    {
      id,
      log: print,
      ...(owner === undefined ? {} : { ownerPid: Number(owner) }),
      ...(scale === undefined ? {} : { timeScale: Number(scale) }),
    },
    abort.signal,
  );
  return 0;
}

type Values = Parameters<typeof serve>[0];

const VERBS: Readonly<Record<string, (word: string | undefined, values: Values) => Promise<number>>> = {
  up: (id) => up(id),
  down: (id) => down(id),
  status: () => status(),
  ssh: (host) => openShell(named(host), 'ssh'),
  console: (host) => openShell(named(host), 'console'),
  serve: (_word, values) => serve(values),
  help: () => help(),
};

function named(host: string | undefined): string {
  if (host !== undefined) return host;
  throw new UserError('Which host? See: npm run cloud -- status');
}

async function help(): Promise<number> {
  print(USAGE);
  return 0;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      id: { type: 'string' },
      owner: { type: 'string' },
      'time-scale': { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const [verb = 'help', word] = values.help ? [] : positionals;
  const perform = VERBS[verb];
  if (perform) return perform(word, values);
  print(USAGE);
  return 2;
}

// A reader such as `head` may have seen enough.
process.stdout.on('error', () => process.exit());
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(
    `${error instanceof UserError ? messageOf(error) : ((error as Error).stack ?? messageOf(error))}\n`,
  );
  process.exitCode = 1;
}
