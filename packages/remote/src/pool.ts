import { setTimeout as sleep } from 'node:timers/promises';
import { type Host, type Inventory, UserError } from '@perlstack/stack';
import pLimit, { type LimitFunction } from 'p-limit';
import { ConnectError } from './errors.js';
import { NotConnected } from './exec.js';
import {
  type Attempt,
  connectError,
  describeAttempt,
  type History,
  type Patience,
  pauseBeforeRetry,
} from './failure.js';
import type { UsableKey } from './keys.js';
import { AttemptError, openSession, type Session, whyNotForwarded } from './session.js';

/** sshd (MaxStartups 10:30:100) drops connections at random when more than ten are in their handshake. */
const HANDSHAKES = 8;
/** sshd (MaxSessions 10) refuses more channels on one connection; two wait for a command, two are left for stopping one. */
const CHANNELS = 6;
/** A server that was just told to reload may turn away who comes in that moment. */
const NEW_WAIT_MS = 4000;

/** A host's place in the pool: its live connection, or the attempt to make one. */
interface Slot {
  readonly session: Promise<Session>;
  readonly channels: LimitFunction;
}

export interface PoolOptions extends Patience {
  readonly onRetry: (message: string) => void;
}

/** One connection a host, opened when it is first needed and again when it was lost. */
export class Pool {
  readonly #hosts: ReadonlyMap<string, Host>;
  readonly #key: UsableKey;
  readonly #options: PoolOptions;
  readonly #handshakes = pLimit(HANDSHAKES);
  readonly #slots = new Map<string, Slot>();
  /** Hosts that are gone through instead of another one, which was out of reach. */
  readonly #detours = new Map<string, string>();
  readonly #closing = new AbortController();
  connections = 0;
  retries = 0;

  constructor(inventory: Inventory, key: UsableKey, options: PoolOptions) {
    this.#hosts = new Map(inventory.hosts.map((host) => [host.name, host]));
    this.#key = key;
    this.#options = options;
    for (const host of inventory.hosts) this.#assertJumps(host);
  }

  /** Does something on a host's connection, when one of its channels is free. */
  async use<T>(name: string, work: (session: Session) => Promise<T>): Promise<T> {
    const { channels } = this.#slot(name);
    return channels(async () => {
      const session = await this.#slot(name).session;
      try {
        return await work(session);
      } catch (error) {
        if (!(error instanceof NotConnected)) throw error;
        // It ended without our having noticed; nothing was asked of it yet, so a new one may be.
        await farewell(session);
        return work(await this.#slot(name).session);
      }
    });
  }

  /** Does something on connections of its own, for which it is let in anew, by the jump hosts too. */
  async useNew<T>(name: string, work: (session: Session) => Promise<T>): Promise<T> {
    const host = this.#host(name);
    const through = async (jump?: Session): Promise<T> => {
      const session = await this.#connect(host, NEW_WAIT_MS, jump);
      try {
        return await work(session);
      } finally {
        await farewell(session);
      }
    };
    return host.ssh.via === null ? through() : this.useNew(host.ssh.via, through);
  }

  /** @throws ConnectError when a jump host does not let one through to the hosts behind it */
  async assertForwards(name: string, session: Session): Promise<void> {
    const behind = [...this.#hosts.values()].find(({ ssh }) => ssh.via === name);
    if (!behind) return;
    const cause = await whyNotForwarded(session, behind, this.#closing.signal);
    if (cause === null) return;
    throw connectError(
      behind,
      this.#key.publicKey,
      { kind: 'unreachable', cause: `${name} says: ${cause}` },
      0,
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const slots = [...this.#slots];
    const isBehind = ([name]: [string, Slot]): boolean => this.#hosts.get(name)?.ssh.via !== null;
    // The hosts behind a jump host come first, as their farewell goes through it; nobody waits for the answers in between.
    const ordered = [...slots.filter(isBehind), ...slots.filter((slot) => !isBehind(slot))];
    await Promise.all(ordered.map(([, slot]) => slot.session.then(farewell, () => undefined)));
  }

  #host(name: string): Host {
    if (this.#closing.signal.aborted) throw new Error(`${name}: the remote is closed`);
    const host = this.#hosts.get(name);
    if (host) return host;
    throw new Error(`"${name}" is no host of this inventory: ${[...this.#hosts.keys()].join(', ')}`);
  }

  #slot(name: string): Slot {
    const host = this.#host(name);
    const known = this.#slots.get(name);
    if (known) return known;
    const slot: Slot = {
      session: this.#connect(host, this.#options.waitMs),
      channels: pLimit(CHANNELS),
    };
    this.#slots.set(name, slot);
    const forget = (): void => {
      if (this.#slots.get(name) === slot) this.#slots.delete(name);
    };
    slot.session.then(({ closed }) => closed.then(forget), forget);
    return slot;
  }

  async #connect(host: Host, waitMs: number, jump?: Session): Promise<Session> {
    const start = Date.now();
    let lost = 0;
    let refusedAt: number | undefined;
    for (;;) {
      const attempt = await this.#attempt(host, jump);
      if (!('kind' in attempt)) return attempt;
      const now = Date.now();
      if (attempt.kind === 'refused') refusedAt ??= now;
      const history: History = { lost, elapsedMs: now - start, refusedMs: now - (refusedAt ?? now) };
      const pause = this.#closing.signal.aborted
        ? null
        : pauseBeforeRetry(attempt, history, { ...this.#options, waitMs }, Math.random());
      if (pause === null) throw connectError(host, this.#key.publicKey, attempt, history.elapsedMs);
      if (attempt.kind === 'lost') lost++;
      this.retries++;
      this.#options.onRetry(`${host.name}: ${describeAttempt(attempt)}, trying again`);
      await sleep(pause, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** One handshake, when it is its turn; the connection to the jump host comes before and takes its own turn. */
  async #attempt(host: Host, through?: Session): Promise<Session | Attempt> {
    const jump = through ?? (await this.#jump(host));
    try {
      const session = await this.#handshakes(() =>
        openSession(host, this.#key, jump, this.#options.handshakeTimeoutMs, this.#closing.signal),
      );
      this.connections++;
      if (this.#closing.signal.aborted) await farewell(session);
      return session;
    } catch (error) {
      if (error instanceof AttemptError) return error.attempt;
      throw error;
    }
  }

  /**
   * The connection to the host through which SSH goes. When that one is gone, another of its tier is as good: a host must
   * not be out of reach, half way through a change, because the one in front of it died.
   */
  async #jump({ ssh: { via } }: Host): Promise<Session | undefined> {
    if (via === null) return undefined;
    try {
      return await this.#slot(this.#detours.get(via) ?? via).session;
    } catch (error) {
      if (!(error instanceof ConnectError) || error.reason !== 'unreachable') throw error;
      for (const name of this.#twinsOf(via)) {
        const session = await this.#slot(name).session.catch(() => undefined);
        // From now on at once: each host behind it would else wait for the dead one anew.
        if (session) this.#detours.set(via, name);
        if (session) return session;
      }
      throw error;
    }
  }

  #twinsOf(name: string): string[] {
    const { tier } = this.#host(name);
    const twins = [...this.#hosts.values()].filter((host) => host.tier === tier && host.ssh.via === null);
    return twins.map((host) => host.name).filter((twin) => twin !== name);
  }

  #assertJumps(host: Host): void {
    const path = [host.name];
    for (let via = host.ssh.via; via !== null; via = this.#hosts.get(via)?.ssh.via ?? null) {
      if (!this.#hosts.has(via)) {
        throw new UserError(
          `inventory: ${path.at(-1)}.ssh.via names "${via}", which is no host of the inventory`,
        );
      }
      if (path.includes(via)) {
        throw new UserError(`inventory: ssh.via goes round in a circle: ${[...path, via].join(' → ')}`);
      }
      path.push(via);
    }
  }
}

const FAREWELL_MS = 1000;

/** Ends a connection in good order, or without order where the other side does not take part. */
async function farewell(session: Session): Promise<void> {
  session.client.end();
  const timer = setTimeout(() => session.cut(), FAREWELL_MS);
  await session.closed;
  clearTimeout(timer);
}
