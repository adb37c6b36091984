import type { Readable, Writable } from 'node:stream';
import type { PublicKey } from './keys.js';

export interface RunOptions {
  /** Standard input; none means an empty one. Secrets go this way, never through arguments. */
  readonly input?: string | Buffer | Readable;
  /**
   * Gets standard output byte by byte, at the speed at which it takes it, and its end; the result and `onLine` have none of it then.
   * Whether it was all of it is only known when the command has succeeded. Closed early, the rest is thrown away.
   */
  readonly output?: Writable;
  /** Run as root, by `sudo -n`. */
  readonly sudo?: boolean;
  /** Time limit from the start of the command, in milliseconds; then it is stopped as by `signal`. Default: none. */
  readonly timeoutMs?: number;
  /** Cancels: the command's process group gets TERM, then KILL. */
  readonly signal?: AbortSignal;
  /** Called for every line as it comes, without its newline. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Exit codes that are no failure; default `[0]`. */
  readonly okCodes?: readonly number[];
  /** What messages call the command; default: the program's name. */
  readonly name?: string;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** True when an output was longer than `maxOutputBytes`: then only its end is here. */
  readonly truncated: boolean;
}

export interface UploadTarget {
  /** Absolute path; its folder exists. */
  readonly path: string;
  /** Such as `0o644`. */
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
}

/** What a remote has done so far, for tests and benchmarks. */
export interface Counters {
  /** SSH connections that were opened, jump hosts included. */
  readonly connections: number;
  /** Handshakes that were lost and tried again. */
  readonly retries: number;
  /** Commands that were started, uploads included. */
  readonly commands: number;
}

/** The hosts of one inventory over SSH: one verified connection a host, opened at its first use and reused. */
export interface Remote {
  /**
   * Runs a program with exactly these arguments.
   *
   * @throws RemoteError on an exit code outside `okCodes`, a time limit, a cancel, or a connection lost meanwhile;
   *   ConnectError (a UserError) when the host cannot be reached, refuses the key, or shows a wrong host key.
   */
  run(host: string, argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /**
   * Runs a text as `sh -c script NAME args…`; it is text without secrets, data comes on standard input.
   * Errors as for `run`.
   */
  script(host: string, script: string, args?: readonly string[], options?: RunOptions): Promise<RunResult>;
  /**
   * Puts a file in place atomically (temporary file of mode 0600 in the same folder, fsync, owner, mode, rename). A
   * content that does not come to its end leaves the old file as it was. A stream flows at the speed of the line.
   */
  upload(
    host: string,
    target: UploadTarget,
    content: Buffer | Readable,
    options?: Pick<RunOptions, 'sudo' | 'signal' | 'timeoutMs'>,
  ): Promise<void>;
  /** Begins to connect to hosts, so that the first command to each need not wait for it. What fails, fails again then. */
  warm(hosts: readonly string[], options?: Pick<RunOptions, 'sudo'>): void;
  /**
   * Makes sure that a host lets one in: new handshakes, jump hosts' included, and a command by way of them; a jump host
   * must also let one through. The connections in use are left alone.
   *
   * @throws as `run`
   */
  reach(host: string, options?: Pick<RunOptions, 'sudo'>): Promise<void>;
  /** The public host keys in a host's /etc/ssh, read over the verified connection. */
  hostKeys(host: string): Promise<PublicKey[]>;
  counters(): Counters;
  /** Closes every connection, commands under way included; the remote is of no use afterwards. */
  close(): Promise<void>;
}

export interface RemoteOptions {
  /** How long to wait for a host that is still booting, in milliseconds; default 0: it is up or it is an error. */
  readonly waitMs?: number;
  /** Limit for one handshake, in milliseconds; default 10,000. A host that is silent for so long is asked once more. */
  readonly handshakeTimeoutMs?: number;
  /** How much of each output of a command is kept, in bytes; default 16 MiB. */
  readonly maxOutputBytes?: number;
  /** Told when a handshake was lost or a booting host is tried again: `web-1: connection refused, trying again`. */
  readonly onRetry?: (message: string) => void;
}
