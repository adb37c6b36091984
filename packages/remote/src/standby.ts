import { randomBytes } from 'node:crypto';
import type { Client, ClientChannel } from 'ssh2';

/** What runs a program as root. */
export const AS_ROOT: readonly string[] = ['sudo', '-n', '--'];

/** A shell on an open channel that reads its command before it does anything. */
export interface Waiting {
  readonly channel: ClientChannel;
  /** With which it announces the number of its process group, once it has its command. */
  readonly marker: string;
}

/**
 * Reads a line with a number of bytes, those, and becomes the command that they are; what comes after is the command's own
 * input. The shell's `read` takes no byte beyond the line, and `head` none beyond the number. The process group is that of the
 * login shell, which sudo does not leave.
 */
export const waitingCommand = (marker: string, root: boolean): string =>
  `exec ${root ? `${AS_ROOT.join(' ')} ` : ''}sh -c 'IFS= read -r n && c=$(head -c "$n" && echo .) && echo ${marker}$0 >&2 && eval "\${c%.}"' $$`;

/** What a waiting shell is told. */
export const told = (command: string): string => `${Buffer.byteLength(command)}\n${command}`;

export const newMarker = (): string => `run-${randomBytes(6).toString('hex')}:`;

/**
 * Keeps a shell waiting on a connection for the next command. To open a channel and to start something on it are a round
 * trip each, and to become root takes longer than many a command; a shell that waits already takes one round trip for all.
 * For root's commands another one waits than for the user's own. Both end with their connection, at the end of their input.
 */
export class Standby {
  readonly #client: Client;
  readonly #waiting = new Map<boolean, Waiting>();
  readonly #opening = new Set<boolean>();
  /** A server that allows few channels, or ends idle ones, is not asked again. */
  #unwanted = false;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Begins to open one, if there is none. */
  prepare(root: boolean): void {
    if (this.#waiting.has(root) || this.#opening.has(root) || this.#unwanted) return;
    this.#opening.add(root);
    const marker = newMarker();
    try {
      this.#client.exec(waitingCommand(marker, root), (error, channel) => {
        this.#opening.delete(root);
        if (error) this.#unwanted = true;
        else this.#keep(root, { channel, marker });
      });
    } catch {
      // Not connected any more: whoever asks next is told so.
      this.#unwanted = true;
    }
  }

  /** @returns the one that waits; from then on it is the caller's */
  take(root: boolean): Waiting | undefined {
    const waiting = this.#waiting.get(root);
    this.#waiting.delete(root);
    return waiting;
  }

  /** Gives its places up: the server lets no more channels be opened. */
  drop(): void {
    this.#unwanted = true;
    for (const root of [false, true]) this.take(root)?.channel.end();
  }

  #keep(root: boolean, waiting: Waiting): void {
    if (this.#unwanted) return void waiting.channel.end();
    this.#waiting.set(root, waiting);
    // Nobody listens to it yet: a channel that ends unheard would never be closed.
    waiting.channel.once('exit', () => {
      if (this.#waiting.get(root) !== waiting) return;
      this.#unwanted = true;
      this.#waiting.delete(root);
      waiting.channel.destroy();
    });
  }
}
