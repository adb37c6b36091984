import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Ran, timed } from '../processes.js';

let groups = 0;

/**
 * Runs a program to its end and counts the CPU time of all that it started, in seconds: in a control group of its own,
 * so that what it leaves running in the background (SSH connections that stay) counts too, and ends with it.
 */
export async function metered(
  argv: readonly string[],
  options: Parameters<typeof timed>[1] = {},
): Promise<Ran & { readonly cpuSeconds: number }> {
  groups += 1;
  const group = path.join(await unifiedRoot(), `bench-${process.pid}-${groups}`);
  await mkdir(group);
  try {
    const enter = ['sh', '-euc', 'echo $$ >"$0/cgroup.procs"; exec "$@"', group];
    const ran = await timed([...enter, ...argv], options);
    return { ...ran, cpuSeconds: await usageOf(group) };
  } finally {
    await removeGroup(group);
  }
}

async function usageOf(group: string): Promise<number> {
  const text = await readFile(path.join(group, 'cpu.stat'), 'utf8');
  return Number(/^usage_usec (\d+)$/m.exec(text)?.[1]) / 1e6;
}

async function removeGroup(group: string): Promise<void> {
  await writeFile(path.join(group, 'cgroup.kill'), '1');
  for (;;) {
    const left = await readFile(path.join(group, 'cgroup.procs'), 'utf8');
    if (left === '') break;
    await sleep(20);
  }
  await rmdir(group);
}

/** Where this machine's control groups of version 2 are. */
async function unifiedRoot(): Promise<string> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  const root = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1];
  if (root === undefined) throw new Error('CPU time is counted by control groups v2, and none are mounted');
  return root;
}
