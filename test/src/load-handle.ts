import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { balance, type OrderBalance, type Window } from './load-ledger.js';
import type { LoadConfig } from './load-run.js';

export type Shown = Window & {
  readonly inFlight: number;
  /** Requests since the start that were asked again. */
  readonly repeated: number;
};

/** A running load generator. */
export interface LoadHandle {
  mark(name: string): Promise<void>;
  since(name: string): Promise<Shown>;
  snapshot(): Promise<Shown>;
  stop(): Promise<Shown>;
  /** @param journal all lines of all hosts' order journals */
  balance(journal: readonly string[]): Promise<OrderBalance>;
  /** Ends the process. */
  close(): Promise<void>;
}

/**
 * Starts a load generator.
 *
 * @param wrap makes the argv that starts a program where the load belongs, such as in a network namespace
 */
export function startLoad(
  config: Partial<LoadConfig> & { readonly urls: readonly string[] },
  wrap: (argv: readonly string[]) => readonly string[] = (argv) => argv,
): LoadHandle {
  const program = fileURLToPath(new URL('../lib/load.js', import.meta.url));
  const [command = '', ...args] = wrap([process.execPath, program, JSON.stringify(config)]);
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting: ((line: string) => void)[] = [];
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`The load generator ended with exit code ${code}`)));
  });
  failed.catch(() => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line));
  const ask = async <T>(command: object): Promise<T> => {
    const answer = new Promise<string>((resolve) => waiting.push(resolve));
    child.stdin.write(`${JSON.stringify(command)}\n`);
    return JSON.parse(await Promise.race([answer, failed])) as T;
  };
  return {
    mark: async (name) => void (await ask({ do: 'mark', name })),
    since: (name) => ask({ do: 'since', name }),
    snapshot: () => ask({ do: 'snapshot' }),
    stop: () => ask({ do: 'stop' }),
    balance: async (journal) => balance(await ask({ do: 'account' }), journal),
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}
