import { setTimeout as sleep } from 'node:timers/promises';
import { REDIS, SENTINEL, type Member } from '@perlstack/configs';
import { ConnectError, type Remote, RemoteError } from '@perlstack/remote';
import { isSettling, type Seen } from './primary.js';
import { OBSERVE_SCRIPT } from './scripts.js';
import { readSeen } from './seen.js';

/** A failover takes 6 to 12 s, and its old primary some more to become a replica; twice that, in milliseconds. */
const SETTLE_MS = 40_000;
const PAUSE_MS = 1_000;

export interface RedisCluster {
  readonly members: readonly Member[];
  /** The primary's name among the Sentinels. */
  readonly service: string;
}

export interface LookOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told of a host that does not answer; it is left out then. */
  readonly onSilent?: (host: string, fault: string) => void;
  /** How long a failover that is under way is waited for, in milliseconds. */
  readonly settleMs?: number;
}

/**
 * What is there on all hosts of a cluster. A failover that is under way is waited for. Writes nothing.
 *
 * @throws as `Remote.script` where a host does not answer, unless somebody is to be told of it
 */
export async function look(
  remote: Remote,
  cluster: RedisCluster,
  { signal, onSilent, settleMs = SETTLE_MS }: LookOptions = {},
): Promise<Seen> {
  const deadline = Date.now() + settleMs;
  for (;;) {
    const silent = new Map<string, string>();
    const note = (host: string, fault: string): void => void silent.set(host, fault);
    const seen = await lookOnce(remote, cluster, { signal, ...(onSilent ? { onSilent: note } : {}) });
    if (!isSettling(cluster.members, seen) || Date.now() >= deadline) {
      silent.forEach((fault, host) => onSilent?.(host, fault));
      return seen;
    }
    await sleep(PAUSE_MS, undefined, signal ? { signal } : {});
  }
}

async function lookOnce(
  remote: Remote,
  { members, service }: RedisCluster,
  { signal, onSilent }: LookOptions,
): Promise<Seen> {
  const servers = [REDIS, SENTINEL].flatMap(({ liveFile, passwordFile, port, unit }) => [
    liveFile,
    passwordFile,
    String(port),
    unit,
  ]);
  const options = { name: 'asking Redis', sudo: true, timeoutMs: 60_000, ...(signal ? { signal } : {}) };
  const entries = members.map(async ({ host }) => {
    try {
      const { stdout } = await remote.script(host, OBSERVE_SCRIPT, [...servers, service], options);
      return [[host, readSeen(host, stdout)] as const];
    } catch (error) {
      if (!onSilent || signal?.aborted || !(error instanceof RemoteError || error instanceof ConnectError))
        throw error;
      onSilent(host, error.message);
      return [];
    }
  });
  return Object.fromEntries((await Promise.all(entries)).flat());
}
