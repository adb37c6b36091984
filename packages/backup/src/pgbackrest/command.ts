import { PassThrough } from 'node:stream';
import { asPostgres } from '@perlstack/postgres';
import { type Remote, RemoteError } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import type { Cluster } from '../cluster.js';
import { YIELDING } from '../send.js';
import { explain } from './explain.js';

export interface PgbackrestOptions {
  /** Told every line of its output as it comes. */
  readonly onLine?: (line: string) => void;
  /** In milliseconds; default: none. */
  readonly timeoutMs?: number;
  /** Users of the database come first. */
  readonly yielding?: boolean;
}

/** pgBackRest on one host, with the configuration that apply-configs laid there. */
export interface Pgbackrest {
  readonly host: string;
  /**
   * Runs a command for the stack's stanza.
   *
   * @returns its output
   * @throws UserError naming what is wrong, and what to do
   */
  readonly run: (words: readonly string[], options?: PgbackrestOptions) => Promise<string>;
}

/**
 * Runs a program that ends when the input does, which is when nobody is left who could want it: a runner that was killed
 * must not leave a copy behind that holds the lock. Bash, because it can wait for one of two.
 */
const WATCHED = `
"$@" < /dev/null & child=$!
exec 3<&0
{ cat <&3 > /dev/null; kill -TERM "$child" 2> /dev/null; } & watcher=$!
wait "$child"; code=$?
kill "$watcher" 2> /dev/null
exit "$code"
`;

const NOT_THERE = 127;

export function pgbackrestOn(
  remote: Remote,
  { stack }: Pick<Cluster, 'stack'>,
  host: string,
  signal: AbortSignal,
): Pgbackrest {
  return {
    host,
    run: async (words, { onLine, timeoutMs, yielding = false } = {}) => {
      const level = onLine ? 'detail' : 'off';
      const argv = [
        ...(yielding ? YIELDING : []),
        ...['bash', '-c', WATCHED, 'pgbackrest', 'pgbackrest', `--stanza=${stack}`],
        ...[`--log-level-console=${level}`, '--log-level-stderr=error', '--log-timestamp=n', ...words],
      ];
      try {
        const { stdout } = await remote.run(host, asPostgres(argv), {
          ...{ sudo: true, signal, name: 'pgbackrest', input: new PassThrough() },
          ...(onLine ? { onLine: (line, stream) => stream === 'stdout' && onLine(line) } : {}),
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
        });
        return stdout;
      } catch (error) {
        throw explained(error, host);
      }
    },
  };
}

/** An error of pgBackRest as the user is told it; any other as it is. */
export function explained(error: unknown, host: string): unknown {
  if (!(error instanceof RemoteError) || error.reason !== 'exit') return error;
  if (error.code === NOT_THERE)
    return new UserError(`${host}: pgBackRest is not installed; run apply-configs, then this again`);
  return new UserError(`${host}: ${explain(error.stderr || error.message)}`, { cause: error });
}
