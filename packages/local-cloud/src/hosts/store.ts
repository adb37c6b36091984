import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostRecord } from './record.js';
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
  readonly metadata: string;
  readonly metadataServer: string;
  readonly log: string;
}

export function pathsOf(dir: string): CloudPaths {
  return {
    dir,
    record: join(dir, 'cloud.json'),
    hosts: join(dir, 'hosts'),
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

/** Writes a file as a whole or not at all; only root may read it, for a host's user data holds keys. */
export async function writePrivate(path: string, content: string): Promise<void> {
  await writeFile(`${path}.new`, content, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function makeCloudDir(paths: CloudPaths): Promise<void> {
  for (const folder of [paths.dir, paths.hosts, paths.metadata])
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
  const names = await readdir(paths.hosts).catch(() => []);
  const records = await Promise.all(
    names.map((name) => readJson<HostRecord>(hostPathsOf(paths, Number(name)).record)),
  );
  return records.filter((record) => record !== null).sort((a, b) => a.spec.id - b.spec.id);
}

async function readJson<T>(path: string): Promise<T | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as T);
}

export async function removeDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}
