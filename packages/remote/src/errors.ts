import { type Host, UserError } from '@perlstack/stack';
import type { PublicKey } from './keys.js';

/** Why a command on a host did not end as it should. */
export type RemoteFailure = 'exit' | 'signal' | 'timeout' | 'cancelled' | 'lost';

/** A command that was run on a host and failed. The message names host and program, never arguments or input. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
  readonly host: string;
  /** The program's name, or the name given to the script. */
  readonly command: string;
  readonly reason: RemoteFailure;
  /** Exit code; `null` when the command did not come to its own end. */
  readonly code: number | null;
  /** The end of what it wrote to standard output and standard error. */
  readonly stdout: string;
  readonly stderr: string;

  constructor(details: {
    host: string;
    command: string;
    reason: RemoteFailure;
    why: string;
    code?: number | null;
    stdout?: string;
    stderr?: string;
  }) {
    const tail = lastLines(details.stderr ?? '');
    super(`${details.host}: ${details.command} ${details.why}${tail ? `: ${tail}` : ''}`);
    this.host = details.host;
    this.command = details.command;
    this.reason = details.reason;
    this.code = details.code ?? null;
    this.stdout = details.stdout ?? '';
    this.stderr = details.stderr ?? '';
  }
}

const MESSAGE_LINES = 5;
const MESSAGE_LENGTH = 1000;

/** The last lines of an output on one line, short enough for a message. */
function lastLines(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  const joined = lines
    .filter((line) => line !== '')
    .slice(-MESSAGE_LINES)
    .join(' | ');
  return joined.length > MESSAGE_LENGTH ? `…${joined.slice(-MESSAGE_LENGTH)}` : joined;
}

/** Why no connection came about. */
export type ConnectFailure = 'unreachable' | 'refused' | 'wrong-host-key' | 'incompatible';

/** No connection to a host: the user's to mend. */
export class ConnectError extends UserError {
  readonly host: string;
  readonly reason: ConnectFailure;

  constructor(host: string, reason: ConnectFailure, message: string) {
    super(message);
    this.host = host;
    this.reason = reason;
  }
}

export function wrongHostKey(host: Host, offered: PublicKey): ConnectError {
  const accepted = host.ssh.hostKeys.join(' or ');
  return new ConnectError(
    host.name,
    'wrong-host-key',
    `${place(host)} shows the wrong host key: it offered ${offered.type} ${offered.fingerprint}, but the inventory ` +
      `accepts only ${accepted}. Nothing was sent to it. If the host was rebuilt, put its new fingerprint into ` +
      'ssh.hostKeys of the inventory; otherwise somebody may be answering in its place.',
  );
}

export function keyRefused(host: Host, key: PublicKey): ConnectError {
  return new ConnectError(
    host.name,
    'refused',
    `the SSH key does not fit: ${place(host)} refused ${key.type} ${key.fingerprint} for user "${host.ssh.user}". ` +
      `Give the private key of this stack, or add its public key to ~${host.ssh.user}/.ssh/authorized_keys there.`,
  );
}

export function unreachable(host: Host, cause: string, waitedMs: number): ConnectError {
  const waited = waitedMs >= 1000 ? ` for ${Math.round(waitedMs / 1000)} s` : '';
  return new ConnectError(
    host.name,
    'unreachable',
    `${place(host)} cannot be reached${waited}: ${cause}. Check that it runs, and that its firewall lets ` +
      `${host.ssh.via ? `"${host.ssh.via}"` : 'this machine'} in on port ${host.ssh.port}.`,
  );
}

export function incompatible(host: Host, cause: string): ConnectError {
  return new ConnectError(
    host.name,
    'incompatible',
    `${place(host)}: the SSH handshake failed: ${cause}. Compare the algorithms that its sshd allows (sshd -T) ` +
      'with curve25519-sha256, ssh-ed25519 and aes-gcm or aes-ctr.',
  );
}

function place(host: Host): string {
  const via = host.ssh.via ? ` through ${host.ssh.via}` : '';
  return `${host.name} (${host.ssh.address} port ${host.ssh.port}${via})`;
}
