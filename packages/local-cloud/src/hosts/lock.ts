import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Holds an exclusive lock on a file while `work` runs; other processes wait for it. The lock is held by a `flock`
 * child whose standard input is a pipe of ours, so it is released by the kernel however this process ends.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('flock', ['--exclusive', file, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  try {
    await Promise.race([once(holder.stdout, 'data'), ended.then(() => Promise.reject(lockFailed(file)))]);
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

function lockFailed(file: string): Error {
  return new Error(`${file}: flock ended before the lock was held`);
}
