import { setTimeout as sleep } from 'node:timers/promises';
import { REDIS, SENTINEL, type Member } from '@perlstack/configs';
import type { Remote } from '@perlstack/remote';
import { isSettling, type Seen } from './primary.js';
import { OBSERVE_SCRIPT } from './scripts.js';
import { readSeen } from './seen.js';

/** A failover takes 6 to 12 s, and its old primary some more to become a replica; twice that, in milliseconds. */
const SETTLE_MS = 40_000;
const PAUSE_MS = 1_000;

interface Cluster {
  readonly members: readonly Member[];
  /** The primary's name among the Sentinels. */
  readonly service: string;
}

/** What is there on all hosts of a cluster. A failover that is under way is waited for. Writes nothing. */
export async function look(remote: Remote, cluster: Cluster, signal?: AbortSignal): Promise<Seen> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const seen = await lookOnce(remote, cluster, signal);
    if (!isSettling(cluster.members, seen) || Date.now() > deadline) return seen;
    await sleep(PAUSE_MS, undefined, signal ? { signal } : {});
  }
}

async function lookOnce(remote: Remote, { members, service }: Cluster, signal?: AbortSignal): Promise<Seen> {
  const servers = [REDIS, SENTINEL].flatMap(({ liveFile, passwordFile, port, unit }) => [
    liveFile,
    passwordFile,
    String(port),
    unit,
  ]);
  const options = { name: 'asking Redis', sudo: true, timeoutMs: 60_000, ...(signal ? { signal } : {}) };
  const entries = members.map(async ({ host }) => {
    const { stdout } = await remote.script(host, OBSERVE_SCRIPT, [...servers, service], options);
    return [host, readSeen(host, stdout)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
