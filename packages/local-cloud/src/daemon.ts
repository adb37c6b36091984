import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { UserError } from '@perlstack/stack';
import { FULL_TOKEN } from './api/index.js';
import { cloudFolder, isAlive, newCloudId, removeCloud, requireHosts, writePrivate } from './hosts/index.js';
import { openLocalCloud } from './local-cloud.js';

/** What others need to know of a cloud that a process of its own serves. */
export interface CloudService {
  readonly id: string;
  readonly pid: number;
  /** `LINODE_API_URL` inside the internet. */
  readonly apiUrl: string;
  /** A token of the simulated account with every scope. */
  readonly token: string;
  readonly internetNamespace: string;
}

const serviceFile = (id: string): string => join(cloudFolder(id), 'service.json');

/** The service of a cloud, or `undefined` when no process serves it. */
export async function readService(id: string): Promise<CloudService | undefined> {
  const text = await readFile(serviceFile(id), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as CloudService);
}

export interface ServeOptions {
  readonly id: string;
  /** When this process is gone, so is the cloud; without it the cloud stays until it is removed. */
  readonly ownerPid?: number;
  readonly timeScale?: number;
  readonly log: (line: string) => void;
}

/** Serves a cloud until the signal is aborted or its owner is gone, and removes it then. */
export async function serveCloud(options: ServeOptions, signal: AbortSignal): Promise<void> {
  const cloud = await openLocalCloud(options);
  try {
    const service: CloudService = {
      id: options.id,
      pid: process.pid,
      apiUrl: cloud.apiUrl,
      token: FULL_TOKEN.token,
      internetNamespace: cloud.hosts.internetNamespace,
    };
    await writePrivate(serviceFile(options.id), JSON.stringify(service));
    while (!signal.aborted && (options.ownerPid === undefined || isAlive(options.ownerPid))) {
      await sleep(500, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await cloud.close();
  }
}

export interface StartOptions {
  readonly id?: string;
  /** Leave the cloud up when this process ends. */
  readonly keep?: boolean;
  readonly timeScale?: number;
  readonly log: (line: string) => void;
}

/**
 * Starts a process that serves a new cloud, and waits until it answers.
 *
 * @param logFile where that process writes its log
 * @throws UserError where this machine can't run hosts, with the reason
 */
export async function startCloud(logFile: string, options: StartOptions): Promise<CloudService> {
  await requireHosts(options.log);
  const id = options.id ?? newCloudId();
  const owner = options.keep ? [] : ['--owner', String(process.pid)];
  const scale = options.timeScale === undefined ? [] : ['--time-scale', String(options.timeScale)];
  const log = openSync(logFile, 'a', 0o600);
  const program = fileURLToPath(new URL('../lib/cli.js', import.meta.url));
  const child = spawn(process.execPath, [program, 'serve', '--id', id, ...owner, ...scale], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  for (;;) {
    const service = await readService(id);
    if (service) return service;
    if (child.exitCode !== null) throw new UserError(`The local cloud did not start: ${lastLine(logFile)}`);
    await sleep(100);
  }
}

/** Removes a cloud, and ends the process that serves it. Removing it twice does no harm. */
export async function stopCloud(id: string): Promise<void> {
  const service = await readService(id);
  if (service && isAlive(service.pid)) {
    process.kill(service.pid, 'SIGTERM');
    for (let waited = 0; isAlive(service.pid) && waited < 30_000; waited += 100) await sleep(100);
  }
  await removeCloud(id);
}

function lastLine(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? 'it said nothing';
}
