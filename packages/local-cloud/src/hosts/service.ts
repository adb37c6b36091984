import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cgroup, foldersOf, processesOf } from './cgroup.js';

// Joins the groups, then becomes the program: no moment passes in which it is outside of them.
const JOIN =
  'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs"; shift; n=$((n - 1)); done; exec "$@"';

/** An argv that runs another inside control groups. */
export function inCgroup(group: Cgroup, argv: readonly string[]): string[] {
  const folders = foldersOf(group);
  return ['sh', '-euc', JOIN, 'sh', String(folders.length), ...folders, ...argv];
}

/**
 * Starts a program that outlives this process, and waits until it is in its control group; what it prints is appended to `logFile`. Its life is watched and ended
 * through its control group, never by a process id that may have come to mean another program.
 *
 * @returns whether the program has ended, for as long as this process lives
 */
export async function startDetached(
  group: Cgroup,
  argv: readonly string[],
  logFile: string,
): Promise<() => boolean> {
  const [file = '', ...args] = inCgroup(group, argv);
  const log = await open(logFile, 'a', 0o600);
  try {
    const child = spawn(file, args, { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/' });
    await once(child, 'spawn');
    child.unref();
    const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
    while (!hasEnded() && !(await processesOf(group.unified)).includes(child.pid ?? 0)) await sleep(5);
    return hasEnded;
  } finally {
    await log.close();
  }
}
