import { spawn } from 'node:child_process';

export interface CommandOptions {
  /** Text for standard input. */
  readonly input?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Told of each line as it comes, of both streams. */
  readonly onLine?: (line: string) => void;
  /** Exit codes that are no failure; default `[0]`. */
  readonly okCodes?: readonly number[];
  /** Kills the command after so many milliseconds. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that ended with an exit code that the caller did not expect. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly result: CommandResult;

  constructor(argv: readonly string[], result: CommandResult) {
    const lastLines = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-3).join(' | ');
    super(`${argv.slice(0, 6).join(' ')}: exit code ${result.code}: ${lastLines}`);
    this.result = result;
  }
}

/** Calls `onLine` for each whole line of a stream that arrives in pieces. */
function lineSplitter(onLine: (line: string) => void): (piece: string) => void {
  let rest = '';
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  };
}

/**
 * Runs a command of the outer machine and waits for it.
 *
 * @throws {CommandError} on an exit code outside `okCodes` (a signal or a time limit counts as code -1).
 */
export async function command(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error('command: empty argv');
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.timeoutMs === undefined
      ? {}
      : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
  });
  let stdout = '';
  let stderr = '';
  const onLine = lineSplitter(options.onLine ?? (() => undefined));
  child.stdout.setEncoding('utf8').on('data', (piece: string) => ((stdout += piece), onLine(piece)));
  child.stderr.setEncoding('utf8').on('data', (piece: string) => ((stderr += piece), onLine(piece)));
  // A command that ends before it has read its input is judged by its exit code, not by the broken pipe.
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject).on('close', (exit) => resolve(exit ?? -1));
  });
  const result = { code, stdout, stderr };
  if (!(options.okCodes ?? [0]).includes(code)) throw new CommandError(argv, result);
  return result;
}
