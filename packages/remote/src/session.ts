import type { Host } from '@perlstack/stack';
import { type Config, NodeSSH } from 'node-ssh';
import type { Client } from 'ssh2';
import { attemptOf, type Attempt } from './failure.js';
import { describeKey, type PublicKey, type UsableKey } from './keys.js';
import { Standby } from './standby.js';

type Stream = NonNullable<Config['sock']>;

/** One live SSH connection, its host key verified. */
export interface Session {
  readonly client: Client;
  readonly standby: Standby;
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>;
  /** Ends it without a word, whether the other side still answers or not. */
  cut(): void;
  /** Opens a stream to another machine through this one. */
  forward(address: string, port: number): Promise<Stream>;
}

/** A handshake that failed; caught by the pool, never seen outside. */
export class AttemptError extends Error {
  readonly attempt: Attempt;

  constructor(attempt: Attempt) {
    super(attempt.kind);
    this.attempt = attempt;
  }
}

const KEEPALIVE_MS = 5_000;
const KEEPALIVE_MISSES = 3;

/**
 * One attempt to connect, directly or over a stream of the jump host.
 *
 * @throws AttemptError when it failed.
 */
export async function openSession(
  host: Host,
  key: UsableKey,
  jump: Session | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Session> {
  let denied: PublicKey | undefined;
  try {
    const sock = jump ? await streamThrough(jump, host, timeoutMs, signal) : undefined;
    const config: Config = {
      ...(sock ? { sock } : { host: host.ssh.address, port: host.ssh.port }),
      username: host.ssh.user,
      privateKey: key.privateKey,
      ...(key.passphrase === undefined ? {} : { passphrase: key.passphrase }),
      // The way in is known: to be told which ways there are would be one more round trip.
      authHandler: ['publickey'],
      readyTimeout: timeoutMs,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVE_MISSES,
      hostVerifier: (raw: Buffer) => {
        const offered = describeKey(raw);
        const accepted = host.ssh.hostKeys.includes(offered.fingerprint);
        if (!accepted) denied = offered;
        return accepted;
      },
    };
    return await handshake(config, signal);
  } catch (error) {
    throw new AttemptError(attemptOf(error, denied));
  }
}

/** A jump host's own patience with a host that is off is minutes, and it can't be told to stop. */
async function streamThrough(
  jump: Session,
  { ssh: { address, port } }: Host,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Stream> {
  const opening = jump.forward(address, port);
  const end = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const ended = new Promise<undefined>((resolve) => end.addEventListener('abort', () => resolve(undefined)));
  const stream = end.aborted ? undefined : await Promise.race([opening, ended]);
  if (stream) return stream;
  opening.then(
    (late) => late.destroy(),
    () => undefined,
  );
  throw silence();
}

const FORWARD_MS = 3000;
/** RFC 4254, 5.1 */
const ADMINISTRATIVELY_PROHIBITED = 1;

/**
 * Whether a jump host may be used as one. A host behind it that does not answer tells nothing of that.
 *
 * @returns why not; `null` when it may
 */
export async function whyNotForwarded(
  jump: Session,
  host: Host,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    (await streamThrough(jump, host, FORWARD_MS, signal)).destroy();
    return null;
  } catch (error) {
    const { reason } = error as { reason?: unknown };
    return reason === ADMINISTRATIVELY_PROHIBITED ? 'forwarding is prohibited' : null;
  }
}

/** What a socket of our own would have said in the end. */
function silence(): Error {
  return Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' });
}

async function handshake(config: Config, signal: AbortSignal): Promise<Session> {
  const ssh = new NodeSSH();
  const ready = ssh.connect(config);
  const client = ssh.connection;
  if (!client) await ready;
  if (!client) throw new Error('node-ssh connected without a connection');
  // Without a listener of ours, an error after the handshake would end the whole process.
  client.on('error', () => undefined);
  client.setNoDelay(true);
  let connected = false;
  client.once('connect', () => (connected = true));
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  const giveUp = (): void => cut(client);
  // A jump host whose way to the other machine broke ends one direction only. The library stops its keepalives then, and would
  // keep for ever what nobody answers any more.
  client.once('end', giveUp);
  signal.addEventListener('abort', giveUp);
  try {
    await ready;
  } catch (error) {
    giveUp();
    const timedOut = (error as { level?: unknown }).level === 'client-timeout';
    throw timedOut && !connected ? silence() : error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
  return {
    client,
    standby: new Standby(client),
    closed,
    cut: giveUp,
    forward: (address, port) => ssh.forwardOut('127.0.0.1', 0, address, port),
  };
}

/** Its own `destroy()` does nothing once it has said its farewell, and waits for the other side's for ever. */
function cut(client: Client): void {
  (client as unknown as { readonly _sock?: Stream })._sock?.destroy();
}
