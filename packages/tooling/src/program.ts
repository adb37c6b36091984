import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { UserError } from '@perlstack/stack';
import { ROOT } from './repository.js';

export interface Ended {
  readonly code: number;
  /** Standard output and standard error as they came, when they were collected. */
  readonly output: string;
}

const running = new Set<ChildProcess>();

/**
 * Runs a Node program in the checkout, under the Node that runs this one.
 * @param options.show passes the output on as it comes, to standard error; else it is collected.
 * @param options.signal kills the program.
 * @returns also when the program failed; a program that was ended by a signal has code 1.
 */
export function runNode(
  args: readonly string[],
  options: { show?: boolean; signal?: AbortSignal } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const target = options.show ? 2 : 'pipe';
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', target, target] });
    running.add(child);
    options.signal?.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => {
      running.delete(child);
      resolve({ code: code ?? 1, output });
    });
  });
}

/** Runs a task for every item, at most `width` at once; the results are in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  task: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Map<number, R>();
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results.set(index, await task(item));
  };
  await Promise.all(Array.from({ length: width }, worker));
  return items.map((_, index) => results.get(index) as R);
}

/**
 * Runs a verb: its result becomes the exit code; a user's fault is one line, one of ours keeps its stack.
 * A signal is passed on to the programs that it runs and ends the verb when they have ended.
 */
export async function verb(main: (signal: AbortSignal) => Promise<number>): Promise<void> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      interrupt.abort(name);
      for (const child of running) child.kill(name);
    });
  }
  try {
    process.exitCode = await main(interrupt.signal);
  } catch (thrown) {
    if (!interrupt.signal.aborted) console.error(thrown instanceof UserError ? thrown.message : thrown);
    process.exitCode = 1;
  }
  if (interrupt.signal.aborted)
    process.exitCode = 128 + constants.signals[interrupt.signal.reason as NodeJS.Signals];
}
