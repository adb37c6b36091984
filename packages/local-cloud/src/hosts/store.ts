import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BalancerRecord, HostRecord } from './record.js';
import { isCloudId } from './names.js';

/** What is kept of a cloud beside its hosts. */
export interface CloudRecord {
  readonly id: string;
  /** Process that made it; it may be gone. */
  readonly ownerPid: number;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** Folder of all clouds of this machine: `PERLSTACK_STATE`, else `/var/lib/perlstack`, then `clouds`. */
export function cloudsDir(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['PERLSTACK_STATE'] ?? '/var/lib/perlstack', 'clouds');
}

/** Folder of one cloud; only root may look into it. */
export function cloudFolder(id: string): string {
  return join(cloudsDir(), id);
}

/** Paths inside a cloud's folder. */
export interface CloudPaths {
  readonly dir: string;
  readonly record: string;
  readonly hosts: string;
  readonly balancers: string;
  readonly metadata: string;
  readonly metadataServer: string;
  readonly log: string;
}

export function pathsOf(dir: string): CloudPaths {
  return {
    dir,
    record: join(dir, 'cloud.json'),
    hosts: join(dir, 'hosts'),
    balancers: join(dir, 'balancers'),
    metadata: join(dir, 'metadata'),
    metadataServer: join(dir, 'metadata-server.pl'),
    log: join(dir, 'services.log'),
  };
}

/** Paths inside a host's folder. */
export interface HostPaths {
  readonly dir: string;
  readonly record: string;
  readonly upper: string;
  readonly work: string;
  readonly root: string;
  readonly console: string;
}

export function hostPathsOf(cloud: CloudPaths, hostId: number): HostPaths {
  const dir = join(cloud.hosts, String(hostId));
  return {
    dir,
    record: join(dir, 'host.json'),
    upper: join(dir, 'upper'),
    work: join(dir, 'work'),
    root: join(dir, 'root'),
    console: join(dir, 'console.log'),
  };
}

/** Paths inside a NodeBalancer's folder. Those of sockets have to be short: the kernel takes 107 characters. */
export interface BalancerPaths {
  readonly dir: string;
  readonly record: string;
  readonly config: string;
  /** The next configuration, until HAProxy has found nothing wrong with it. */
  readonly candidate: string;
  readonly socket: string;
  readonly master: string;
  readonly state: string;
  readonly log: string;
}

export function balancerPathsOf(cloud: CloudPaths, id: number): BalancerPaths {
  const dir = join(cloud.balancers, String(id));
  return {
    dir,
    record: join(dir, 'balancer.json'),
    config: join(dir, 'haproxy.cfg'),
    candidate: join(dir, 'candidate.cfg'),
    socket: join(dir, 'stats.sock'),
    master: join(dir, 'master.sock'),
    state: join(dir, 'servers.state'),
    log: join(dir, 'haproxy.log'),
  };
}

/** Writes a file as a whole or not at all; only root may read it, for a host's user data holds keys. */
export async function writePrivate(path: string, content: string): Promise<void> {
  await writeFile(`${path}.new`, content, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function makeCloudDir(paths: CloudPaths): Promise<void> {
  for (const folder of [paths.dir, paths.hosts, paths.balancers, paths.metadata])
    await mkdir(folder, { recursive: true, mode: 0o700 });
}

export async function readCloud(dir: string): Promise<CloudRecord | null> {
  return readJson<CloudRecord>(pathsOf(dir).record);
}

/** All clouds on this machine that were made and not removed, whoever made them. */
export async function listClouds(): Promise<CloudRecord[]> {
  const names = await readdir(cloudsDir()).catch(() => []);
  const records = await Promise.all(
    names.filter(isCloudId).map((name) => readCloud(join(cloudsDir(), name))),
  );
  return records.filter((record) => record !== null);
}

export async function readHosts(paths: CloudPaths): Promise<HostRecord[]> {
  return readRecords(paths.hosts, (id) => hostPathsOf(paths, id).record);
}

export async function readBalancers(paths: CloudPaths): Promise<BalancerRecord[]> {
  return readRecords(paths.balancers, (id) => balancerPathsOf(paths, id).record);
}

async function readRecords<R extends HostRecord | BalancerRecord>(
  folder: string,
  fileOf: (id: number) => string,
): Promise<R[]> {
  const names = await readdir(folder).catch(() => []);
  const records = await Promise.all(names.map((name) => readJson<R>(fileOf(Number(name)))));
  return records.filter((record) => record !== null).sort((a, b) => a.spec.id - b.spec.id);
}

async function readJson<T>(path: string): Promise<T | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as T);
}

export async function removeDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}
