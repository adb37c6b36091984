import { Readable, type Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ClientChannel } from 'ssh2';
import type { RemoteFailure } from './errors.js';
import { Announcement, Lines, Tail } from './output.js';
import { commandLine } from './quote.js';
import type { RunOptions } from './remote.js';
import { AS_ROOT, newMarker, type Standby, told } from './standby.js';

/** How a command ended: by itself with a code, or otherwise. */
export interface Ended {
  readonly code: number | null;
  readonly stopped: { readonly reason: RemoteFailure; readonly why: string } | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
}

/** The kernel refuses a longer single argument, and the whole command is one argument of the login shell. */
const MAX_COMMAND_BYTES = 120 * 1024;

/**
 * The line that is sent: it announces the number of its process group on standard error, so that the group can be
 * stopped, and then becomes the program.
 */
export const remoteCommand = (argv: readonly string[], sudo: boolean, marker: string): string =>
  `echo ${marker}$$ >&2; ${becoming(argv, sudo)}`;

/** What makes a shell the program. */
function becoming(argv: readonly string[], sudo: boolean): string {
  const line = `exec ${commandLine(sudo ? asRoot(argv) : argv)}`;
  if (Buffer.byteLength(line) > MAX_COMMAND_BYTES) {
    throw new Error(
      `${argv[0]}: the command is longer than ${MAX_COMMAND_BYTES} bytes: pass data on standard input`,
    );
  }
  return line;
}

/** Always by way of a shell: a host that lets its user run nothing else as root has one rule to check. */
function asRoot(argv: readonly string[]): string[] {
  const plain = argv[0] === 'sh' && argv[1] === '-c';
  return [...AS_ROOT, ...(plain ? argv : ['sh', '-c', 'exec "$0" "$@"', ...argv])];
}

/** The connection was gone before anything was asked of it. */
export class NotConnected extends Error {}

/** An open connection, and what waits on it for a command. */
export interface Line {
  readonly client: Client;
  readonly standby?: Standby;
}

/**
 * Runs a program on an open connection to its end.
 *
 * @throws NotConnected when nothing was started; Error when the input failed, after the program was stopped.
 */
export async function exec(
  line: Line,
  argv: readonly string[],
  options: RunOptions,
  maxOutputBytes: number,
): Promise<Ended> {
  const sudo = options.sudo ?? false;
  // As root it has been waiting already.
  const words = told(becoming(argv, false));
  const waiting = line.standby?.take(sudo);
  if (waiting) {
    line.standby?.prepare(sudo);
    return follow(line, waiting.channel, waiting.marker, options, maxOutputBytes, words);
  }
  const marker = newMarker();
  const command = remoteCommand(argv, sudo, marker);
  try {
    const opening = openChannel(line, command, (channel) => ({
      ended: follow(line, channel, marker, options, maxOutputBytes),
    }));
    line.standby?.prepare(sudo);
    const { ended } = await opening;
    return await ended;
  } catch (error) {
    if (error instanceof ChannelError) return notStarted(error.message);
    throw error;
  }
}

/** Feeds the program, listens to it and stops it when it has to, until its channel is closed. */
async function follow(
  line: Line,
  channel: ClientChannel,
  marker: string,
  options: RunOptions,
  maxOutputBytes: number,
  firstWords = '',
): Promise<Ended> {
  const output = collect(channel, marker, maxOutputBytes, options);
  const closed = new Promise<void>((resolve) => channel.once('close', () => resolve()));
  const stopper = new Stopper(line, channel, closed, options.sudo ?? false, () => output.pid());
  if (firstWords !== '') channel.write(firstWords);
  const inputFailure = feed(channel, options.input);
  const release = watch(stopper, options);
  void inputFailure.then((error) => {
    if (error) stopper.stop('cancelled', 'was stopped because its input failed');
  });
  await closed;
  await stopper.done();
  release();
  const failure = await inputFailure;
  if (options.input instanceof Readable) options.input.destroy();
  if (failure) throw failure;
  return output.ended(stopper.stopped);
}

/** No channel came about, so that nothing was run. */
class ChannelError extends Error {}

function notStarted(message: string): Ended {
  if (message === 'Not connected') throw new NotConnected(message);
  const why = `could not be started: ${message}`;
  return { code: null, stopped: { reason: 'lost', why }, stdout: '', stderr: '', truncated: false };
}

const CHANNEL_TRIES = 6;

/**
 * Opens a channel; a server that allows fewer than we ask for refuses some for a while, which ran nothing.
 *
 * @param attach called at once: a program's first words, and its exit code, can come in the same packet.
 */
async function openChannel<T extends object>(
  { client, standby }: Line,
  command: string,
  attach: (channel: ClientChannel) => T,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await new Promise<T>((resolve, reject) => {
        client.exec(command, (error, channel) => (error ? reject(error) : resolve(attach(channel))));
      });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const refused = message.includes('Channel open failure');
      if (!refused || attempt === CHANNEL_TRIES) throw new ChannelError(message);
      standby?.drop();
      await sleep(Math.random() * 100 * 2 ** attempt);
    }
  }
}

interface Collected {
  pid(): number | undefined;
  ended(stopped: Ended['stopped']): Ended;
}

function collect(
  channel: ClientChannel,
  marker: string,
  maxOutputBytes: number,
  { onLine, output }: Pick<RunOptions, 'onLine' | 'output'>,
): Collected {
  const keep = (stream: 'stdout' | 'stderr') => {
    const tail = new Tail(maxOutputBytes);
    const lines = onLine ? new Lines((line) => onLine(line, stream)) : undefined;
    const add = (chunk: Buffer): void => {
      tail.add(chunk);
      lines?.add(chunk);
    };
    return { tail, lines, add };
  };
  const stdout = keep('stdout');
  const stderr = keep('stderr');
  const announcement = new Announcement(marker, stderr.add);
  let code: number | null = null;
  let killedBy: string | null = null;
  if (output) hand(channel, output);
  else channel.on('data', stdout.add);
  channel.stderr.on('data', (chunk: Buffer) => announcement.add(chunk));
  channel.on('exit', (exitCode: number | null, signal?: string) => {
    code = exitCode;
    killedBy = signal ?? null;
  });
  return {
    pid: () => announcement.pid,
    ended: (stopped) => {
      announcement.end();
      stdout.lines?.end();
      stderr.lines?.end();
      return {
        code,
        stopped: stopped ?? (code === null ? notEnded(killedBy) : null),
        stdout: stdout.tail.text(),
        stderr: stderr.tail.text(),
        truncated: stdout.tail.truncated || stderr.tail.truncated,
      };
    },
  };
}

/** Hands standard output on. A channel whose output nobody takes would never close. */
function hand(channel: ClientChannel, output: Writable): void {
  channel.pipe(output);
  output.on('error', () => undefined);
  output.on('close', () => channel.resume());
}

function notEnded(killedBy: string | null): NonNullable<Ended['stopped']> {
  if (killedBy) return { reason: 'signal', why: `was ended by the signal ${killedBy}` };
  return {
    reason: 'lost',
    why: 'was under way when the connection was lost; whether it finished is not known',
  };
}

/** Writes the input to the channel. @returns what failed in reading the input; undefined when nothing did. */
function feed(channel: ClientChannel, input: RunOptions['input']): Promise<Error | undefined> {
  // A program may end without reading all of its input; that is no failure.
  channel.on('error', () => undefined);
  if (!(input instanceof Readable)) {
    channel.end(input);
    return Promise.resolve(undefined);
  }
  return new Promise((resolve) => {
    input.on('error', resolve);
    input.on('end', () => resolve(undefined));
    input.on('close', () => resolve(new Error('The input was closed before its end')));
    channel.on('close', () => resolve(undefined));
    // Unlike `pipeline`, `pipe` leaves the channel open when the input fails: the program must not take the end of a
    // broken input for the end of all of it.
    if (input.destroyed) resolve(input.errored ?? new Error('The input was closed before it was read'));
    else input.pipe(channel);
  });
}

/** Stops the command at its time limit and on cancel. @returns what ends the watch. */
function watch(stopper: Stopper, options: RunOptions): () => void {
  const { timeoutMs, signal } = options;
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => stopper.stop('timeout', `did not finish within ${timeoutMs / 1000} s and was stopped`),
          timeoutMs,
        );
  const cancel = (): void => stopper.stop('cancelled', 'was cancelled');
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted) cancel();
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
  };
}

/** A cancelled run has 7.5 s before it is killed itself, so the steps together stay well below that. */
const TERM_GRACE_MS = 2500;
const KILL_GRACE_MS = 1500;

/** Ends a command under way: TERM to its process group, then KILL, then the channel is closed whatever happens. */
class Stopper {
  readonly #line: Line;
  readonly #channel: ClientChannel;
  readonly #closed: Promise<unknown>;
  readonly #sudo: boolean;
  readonly #pid: () => number | undefined;
  #work: Promise<void> | undefined;
  stopped: Ended['stopped'] = null;

  constructor(
    line: Line,
    channel: ClientChannel,
    closed: Promise<unknown>,
    sudo: boolean,
    pid: () => number | undefined,
  ) {
    this.#line = line;
    this.#channel = channel;
    this.#closed = closed;
    this.#sudo = sudo;
    this.#pid = pid;
  }

  stop(reason: RemoteFailure, why: string): void {
    if (this.stopped) return;
    this.stopped = { reason, why };
    this.#work = this.#end().catch(() => undefined);
  }

  /** Resolves when nothing more is under way to stop the command. */
  async done(): Promise<void> {
    await this.#work;
  }

  async #end(): Promise<void> {
    for (const [signal, graceMs] of [
      ['TERM', TERM_GRACE_MS],
      ['KILL', KILL_GRACE_MS],
    ] as const) {
      // Not awaited: on a dead connection the answer never comes.
      void this.#send(signal).catch(() => undefined);
      if (await within(this.#closed, graceMs)) return;
    }
    this.#channel.destroy();
    // A dead connection never confirms the end of a channel; whoever waits for it must not hang.
    if (!(await within(this.#closed, KILL_GRACE_MS))) this.#channel.emit('close');
  }

  async #send(signal: 'TERM' | 'KILL'): Promise<void> {
    const pid = await this.#announced();
    if (pid === undefined) return this.#channel.signal(signal);
    // The shell's own kill: a small host has no program of that name.
    const argv = ['sh', '-c', `kill -s ${signal} -- -${pid}`];
    const line = commandLine(this.#sudo ? [...AS_ROOT, ...argv] : argv);
    await openChannel(this.#line, line, (killer) => {
      killer.resume();
      killer.stderr.resume();
      return killer.end();
    });
  }

  /** A command that was started a moment ago has not announced itself yet. */
  async #announced(): Promise<number | undefined> {
    for (let tries = 0; this.#pid() === undefined && tries < 20; tries++) await sleep(25);
    return this.#pid();
  }
}

/** Whether a promise settles within a time. */
async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
  const result = await Promise.race([promise.then(() => true), late]);
  timer.abort();
  return result;
}
