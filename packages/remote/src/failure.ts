import type { Host } from '@perlstack/stack';
import { type ConnectError, incompatible, keyRefused, unreachable, wrongHostKey } from './errors.js';
import type { PublicKey } from './keys.js';

/** What a failed attempt to connect shows of its cause. */
export type Attempt =
  /** Nobody answered, or the network or name does not exist. */
  | { readonly kind: 'unreachable'; readonly cause: string }
  /** The server closed the connection before or during the handshake: it is busy, or just starting. */
  | { readonly kind: 'lost'; readonly cause: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'wrong-host-key'; readonly offered: PublicKey }
  | { readonly kind: 'incompatible'; readonly cause: string };

/** Reads the error that ssh2 or a socket gave for a failed attempt; `denied` is the host key that was turned down. */
export function attemptOf(error: unknown, denied: PublicKey | undefined): Attempt {
  if (denied) return { kind: 'wrong-host-key', offered: denied };
  const { level, code, message } = error as { level?: string; code?: unknown; message: string };
  if (level === 'client-authentication') return { kind: 'refused' };
  if (LOST.test(message) || code === 'ECONNRESET' || code === 'EPIPE')
    return { kind: 'lost', cause: message };
  if (level === 'handshake') return { kind: 'incompatible', cause: message };
  return { kind: 'unreachable', cause: plainCause(code, message) };
}

const LOST =
  /before handshake|No response from server|Timed out while waiting for handshake|Connection closed/i;

const PLAIN_CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name cannot be looked up',
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to its network',
  ETIMEDOUT: 'no answer',
};

function plainCause(code: unknown, message: string): string {
  const plain = typeof code === 'string' ? PLAIN_CAUSES[code] : undefined;
  return plain ?? message.replace('(SSH) Channel open failure: ', 'the jump host says: ');
}

/** How patient somebody is who connects. */
export interface Patience {
  /** How long a host may take to boot, in milliseconds. */
  readonly waitMs: number;
  /** How long one handshake may take, in milliseconds. */
  readonly handshakeTimeoutMs: number;
}

/** How far the attempts at one host have come. */
export interface History {
  /** Attempts so far that ended as `lost`. */
  readonly lost: number;
  /** Milliseconds since the first attempt, and since the first refusal of the key. */
  readonly elapsedMs: number;
  readonly refusedMs: number;
}

const LOST_TRIES = 8;
/** A host that is silent until a handshake's time is up is asked once more, and not eight times. */
const LOST_HANDSHAKES = 1.5;
const FIRST_PAUSE_MS = 150;
const LONGEST_PAUSE_MS = 2000;
/** While a host boots, its accounts stay closed for a moment after sshd answers. */
const REFUSED_GRACE_MS = 30_000;

/**
 * How long to pause before the next attempt, in milliseconds; `null` when there is to be none.
 *
 * @param random in [0, 1): spreads many clients that lost the race for a busy server.
 */
export function pauseBeforeRetry(
  attempt: Attempt,
  history: History,
  { waitMs, handshakeTimeoutMs }: Patience,
  random: number,
): number | null {
  const pause = Math.round(
    (0.5 + random / 2) * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** history.lost),
  );
  const booting = history.elapsedMs < waitMs;
  switch (attempt.kind) {
    case 'lost':
      return (history.lost < LOST_TRIES && history.elapsedMs < LOST_HANDSHAKES * handshakeTimeoutMs) ||
        booting
        ? pause
        : null;
    case 'unreachable':
      return booting ? Math.round((0.5 + random / 2) * LONGEST_PAUSE_MS) : null;
    case 'refused':
      return booting && history.refusedMs < REFUSED_GRACE_MS
        ? Math.round((0.5 + random / 2) * LONGEST_PAUSE_MS)
        : null;
    case 'wrong-host-key':
    case 'incompatible':
      return null;
  }
}

/** What the user reads when no attempt is left. */
export function connectError(host: Host, key: PublicKey, attempt: Attempt, elapsedMs: number): ConnectError {
  switch (attempt.kind) {
    case 'wrong-host-key':
      return wrongHostKey(host, attempt.offered);
    case 'refused':
      return keyRefused(host, key);
    case 'incompatible':
      return incompatible(host, attempt.cause);
    case 'lost':
    case 'unreachable':
      return unreachable(host, attempt.cause, elapsedMs);
  }
}

/** An attempt on one line, for whoever watches. */
export function describeAttempt(attempt: Attempt): string {
  switch (attempt.kind) {
    case 'refused':
      return 'its accounts are not open yet';
    case 'wrong-host-key':
      return 'wrong host key';
    default:
      return attempt.cause;
  }
}
