import { randomBytes } from 'node:crypto';
import type { Client, ClientChannel } from 'ssh2';

/** A shell on an open channel that reads its command before it does anything. */
export interface Waiting {
  readonly channel: ClientChannel;
  /** With which it announces the number of its process group, once it has its command. */
  readonly marker: string;
}

/**
 * Reads a line with a number of bytes, those, and becomes the command that they are; what comes after is the command's own
 * input. The shell's `read` takes no byte beyond the line, and `head` none beyond the number.
 */
export const waitingCommand = (marker: string): string =>
  `exec sh -c 'IFS= read -r n && c=$(head -c "$n" && echo .) && echo ${marker}$$ >&2 && eval "\${c%.}"'`;

/** What a waiting shell is told. */
export const told = (command: string): string => `${Buffer.byteLength(command)}\n${command}`;

export const newMarker = (): string => `run-${randomBytes(6).toString('hex')}:`;

/**
 * Keeps one shell waiting on a connection for the next command. To open a channel and to start something on it are a round
 * trip each; a shell that waits already takes one for all. It ends with its connection, at the end of its input.
 */
export class Standby {
  readonly #client: Client;
  #waiting: Waiting | undefined;
  #opening = false;
  /** A server that allows few channels, or ends idle ones, is not asked again. */
  #unwanted = false;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Begins to open one, if there is none. */
  prepare(): void {
    if (this.#waiting || this.#opening || this.#unwanted) return;
    this.#opening = true;
    const marker = newMarker();
    try {
      this.#client.exec(waitingCommand(marker), (error, channel) => {
        this.#opening = false;
        if (error) this.#unwanted = true;
        else this.#keep({ channel, marker });
      });
    } catch {
      // Not connected any more: whoever asks next is told so.
      this.#unwanted = true;
    }
  }

  /** @returns the one that waits; from then on it is the caller's */
  take(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  /** Gives its place up: the server lets no more channels be opened. */
  drop(): void {
    this.#unwanted = true;
    this.take()?.channel.end();
  }

  #keep(waiting: Waiting): void {
    if (this.#unwanted) return void waiting.channel.end();
    this.#waiting = waiting;
    // Nobody listens to it yet: a channel that ends unheard would never be closed.
    waiting.channel.once('exit', () => {
      if (this.#waiting !== waiting) return;
      this.#unwanted = true;
      this.#waiting = undefined;
      waiting.channel.destroy();
    });
  }
}
