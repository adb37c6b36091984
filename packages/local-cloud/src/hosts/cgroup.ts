import { access, mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '@perlstack/stack';

/** Where this machine's control groups are. */
export interface CgroupLayout {
  /** Mount point of the unified hierarchy (cgroup v2). */
  readonly unified: string;
  /** Mount point of v1's memory controller where v2 does not have it, else `null`. */
  readonly memoryV1: string | null;
  /** Whether `/sys/fs/cgroup` itself is v2, as systemd inside a host expects it. */
  readonly pure: boolean;
}

/** Reads the layout from the text of `/proc/self/mounts`. */
export function cgroupLayout(mounts: string): CgroupLayout {
  const entries = mounts.split('\n').map((line) => line.split(' '));
  const unified = entries.find(([, , type]) => type === 'cgroup2')?.[1];
  if (unified === undefined)
    throw new UserError('hosts need control groups v2, and no cgroup2 is mounted here');
  const memory = entries.find(
    ([, , type, options]) => type === 'cgroup' && options?.split(',').includes('memory'),
  );
  return { unified, memoryV1: memory?.[1] ?? null, pure: unified === '/sys/fs/cgroup' };
}

/** One host's, or one cloud's, control group in every hierarchy that matters. */
export interface Cgroup {
  /** Folder in the unified hierarchy. */
  readonly unified: string;
  /** Folder in v1's memory hierarchy, or `null`. */
  readonly memoryV1: string | null;
}

export async function machineCgroups(): Promise<CgroupLayout> {
  return cgroupLayout(await readFile('/proc/self/mounts', 'utf8'));
}

export function cgroupOf(layout: CgroupLayout, ...path: string[]): Cgroup {
  return {
    unified: join(layout.unified, ...path),
    memoryV1: layout.memoryV1 === null ? null : join(layout.memoryV1, ...path),
  };
}

/** Makes the group and hands the memory and process controllers down to it where the machine lets us. */
export async function createCgroup(group: Cgroup): Promise<void> {
  await mkdir(group.unified, { recursive: true });
  if (group.memoryV1 !== null) await mkdir(group.memoryV1, { recursive: true });
  for (const controller of ['memory', 'pids', 'cpu']) {
    await attempt(writeFile(join(group.unified, '..', 'cgroup.subtree_control'), `+${controller}`));
  }
}

/** Limits the group's memory; without effect where the machine has no memory controller. */
export async function limitMemory(group: Cgroup, mebibytes: number): Promise<void> {
  const bytes = String(mebibytes * 1024 * 1024);
  if (group.memoryV1 === null) return attempt(writeFile(join(group.unified, 'memory.max'), bytes));
  return attempt(writeFile(join(group.memoryV1, 'memory.limit_in_bytes'), bytes));
}

/** The folders whose `cgroup.procs` a process has to be written to. */
export function foldersOf(group: Cgroup): string[] {
  return group.memoryV1 === null ? [group.unified] : [group.unified, group.memoryV1];
}

/** Whether any process is in the group or below it. */
export async function isPopulated(group: Cgroup): Promise<boolean> {
  const events = await readFile(join(group.unified, 'cgroup.events'), 'utf8').catch(() => '');
  return events.includes('populated 1');
}

/** Stops or continues every process of the group, and waits until it is so. */
export async function setFrozen(group: Cgroup, frozen: boolean): Promise<void> {
  await writeFile(join(group.unified, 'cgroup.freeze'), frozen ? '1' : '0');
  const wanted = `frozen ${frozen ? 1 : 0}`;
  while (!(await readFile(join(group.unified, 'cgroup.events'), 'utf8')).includes(wanted)) await sleep(10);
}

/** Kills every process of the group with SIGKILL and waits until they are gone. */
export async function killCgroup(group: Cgroup): Promise<void> {
  while (await isPopulated(group)) {
    await writeFile(join(group.unified, 'cgroup.kill'), '1').catch(() => killEach(group.unified));
    await sleep(20);
  }
}

// Kernels before 5.14 have no `cgroup.kill`.
async function killEach(folder: string): Promise<void> {
  for (const pid of await processesOf(folder)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  for (const child of await childrenOf(folder)) await killEach(child);
}

/** The processes right in a group's folder; none when the folder is not there. */
export async function processesOf(folder: string): Promise<number[]> {
  const text = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean).map(Number);
}

async function childrenOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
}

/** Removes the group and the groups that a host made below it. */
export async function removeCgroup(group: Cgroup): Promise<void> {
  for (const folder of foldersOf(group)) await removeFolder(folder);
}

async function removeFolder(folder: string): Promise<void> {
  for (const child of await childrenOf(folder)) await removeFolder(child);
  // A group whose last process has just ended stays busy for a moment.
  for (let tries = 0; tries < 50 && (await exists(folder)); tries++) {
    await rmdir(folder).catch(() => sleep(20));
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function attempt(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined);
}
