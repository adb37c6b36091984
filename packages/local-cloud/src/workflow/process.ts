import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long a process is left after each signal of a cancel, in milliseconds: GitHub's figures. */
export interface CancelGrace {
  readonly interruptMs: number;
  readonly terminateMs: number;
}
export const GITHUB_GRACE: CancelGrace = { interruptMs: 7_500, terminateMs: 2_500 };

export interface ProcessOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (line: string) => void;
  /** Aborted to cancel the process: SIGINT, then SIGTERM, then SIGKILL for it and all its descendants. */
  readonly cancel: AbortSignal;
  readonly grace: CancelGrace;
}

/** A process that has ended may have left a child that holds its output open. */
const DRAIN_MS = 1_000;

/**
 * Runs a process to its end and @returns its exit code (128 + n for a signal n).
 *
 * @throws Error when it can't be started
 */
export async function runProcess(argv: readonly string[], options: ProcessOptions): Promise<number> {
  const { cwd, env, onLine, cancel, grace } = options;
  const [command = '', ...args] = argv;
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const drained = Promise.all([eachLine(child.stdout, onLine), eachLine(child.stderr, onLine)]);
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? (SIGNALS[signal] ?? 0) : 0)));
  });
  const stop = (): void => void cancelProcess(child, ended, grace);
  if (cancel.aborted) stop();
  cancel.addEventListener('abort', stop);
  try {
    return await ended;
  } finally {
    cancel.removeEventListener('abort', stop);
    await Promise.race([drained, sleep(DRAIN_MS, undefined, { ref: false })]);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

const SIGNALS: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };

async function eachLine(stream: Readable, onLine: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) onLine(line);
}

async function cancelProcess(
  child: { readonly pid?: number | undefined; kill(signal: NodeJS.Signals): boolean },
  ended: Promise<unknown>,
  { interruptMs, terminateMs }: CancelGrace,
): Promise<void> {
  const done: Promise<boolean> = ended.then(
    () => true,
    () => true,
  );
  child.kill('SIGINT');
  if (await within(interruptMs, done)) return;
  child.kill('SIGTERM');
  if (await within(terminateMs, done)) return;
  if (child.pid !== undefined) killTree(child.pid);
}

async function within(milliseconds: number, done: Promise<boolean>): Promise<boolean> {
  const timeout = new AbortController();
  const late = sleep(milliseconds, false, { signal: timeout.signal }).catch(() => false);
  const result = await Promise.race([done, late]);
  timeout.abort();
  return result;
}

/** Kills a process and all its descendants, which would otherwise live on without a parent. */
function killTree(root: number): void {
  for (const pid of [root, ...descendants(root, parents())]) kill(pid);
}

/** Kills every process whose environment carries a mark: what the steps of a job left behind. */
export function killMarked(mark: string): number[] {
  const marked = processes().filter((pid) => read(`/proc/${pid}/environ`).split('\0').includes(mark));
  marked.forEach(kill);
  return marked;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

function descendants(root: number, parentOf: ReadonlyMap<number, number>): number[] {
  const children = [...parentOf].filter(([, parent]) => parent === root).map(([pid]) => pid);
  return children.flatMap((pid) => [pid, ...descendants(pid, parentOf)]);
}

function parents(): Map<number, number> {
  // The name in parentheses may itself hold spaces and parentheses.
  const parent = (pid: number): number => Number(/.*\) \S+ (\d+)/s.exec(read(`/proc/${pid}/stat`))?.[1]);
  return new Map(processes().map((pid) => [pid, parent(pid)]));
}

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
