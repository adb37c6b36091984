import { setTimeout as sleep } from 'node:timers/promises';
import { LOCK_FILE, lockFound } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import { APPEND, type AuditEntry, lineOf } from './audit.js';
import { holderOf } from './observe.js';
import { hostScript } from './scripts.js';
import type { Site } from './site.js';
import type { Holder } from './world.js';

/** Who deploys: the same id for every attempt of one run, so that a second attempt takes its own lock over at once. */
export interface Owner {
  readonly id: string;
  /** Where the run can be looked at. */
  readonly url?: string;
  /** Who started it. */
  readonly actor?: string;
  /** The workflow's file, and the number of this run among its runs. */
  readonly workflow?: string;
  readonly number?: number;
}

/** The deploy lock, held: one file on one host, with a sign of life every few seconds. */
export interface Lease {
  /** What was there: no lock, our own from an earlier attempt, or somebody's that was abandoned. */
  readonly found: 'free' | 'ours' | 'abandoned';
  /** Whose abandoned lock was taken over, in words. */
  readonly remark: string | undefined;
  /** For how long, in milliseconds and at the least, nobody had held a lock there when it was taken: nobody changed anything. */
  readonly untouchedMs: number;
  /** Aborted when the lock is not ours any more, with the reason. */
  readonly lost: AbortSignal;
  /** @param note for the log of deploys on the lock's host: whoever takes the lock next finds it there */
  release(note?: AuditEntry): Promise<void>;
}

/** A script of the lock's, with its place in front. */
const lockScript = (site: Site, what: keyof typeof LOCK_FILE, before = ''): string =>
  hostScript(site, `${before}\nlock=$state/deploy.lock\n${LOCK_FILE[what]}`);

const LIMIT_MS = 20_000;

/** The lock is somebody else's. */
export class LockedError extends UserError {}

export interface Patience {
  /** How long to wait for a lock that somebody else holds, in milliseconds. */
  readonly waitMs: number;
  readonly signal?: AbortSignal;
  /** Told who is waited for, once for each. */
  readonly onWait?: (holder: string) => void;
}

/** Pause between two looks at a lock that is held. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Takes the deploy lock as soon as it is free.
 *
 * @throws UserError when it is still held when the time is up.
 */
export async function acquirePatiently(
  site: Site,
  owner: Owner,
  release: string,
  { waitMs, signal, onWait }: Patience,
): Promise<Lease> {
  const end = performance.now() + waitMs;
  for (let told = ''; ;) {
    try {
      return await acquire(site, owner, release);
    } catch (error) {
      if (!(error instanceof LockedError) || signal?.aborted || performance.now() >= end) throw error;
      const [who = ''] = error.message.split(', last sign of life');
      if (who !== told) onWait?.(who);
      told = who;
    }
    await sleep(LOOK_AGAIN_MS, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

/**
 * Takes the deploy lock of an application.
 *
 * @throws UserError when somebody else holds it: who, where to look, since when.
 */
export async function acquire(site: Site, owner: Owner, release: string): Promise<Lease> {
  const { app, lockHost, timings, remote } = site;
  const since = new Date().toISOString();
  const text = JSON.stringify({ owner: owner.id, url: owner.url ?? null, release, since });
  const args = [prefixOf(owner), String(Math.ceil(timings.leaseMs / 1_000))];
  const options = { sudo: true, timeoutMs: LIMIT_MS, name: 'deploy lock' };
  const { stdout } = await remote.script(lockHost, lockScript(site, 'take'), args, {
    ...options,
    input: text,
  });
  const { how, silentSeconds, text: before } = lockFound(stdout);
  const holder = holderOf(before, silentSeconds);
  if (how === 'held') throw new LockedError(refusal(app.name, lockHost, holder, timings.leaseMs));
  const lost = new AbortController();
  const stop = keepAlive(site, owner, lost);
  return {
    found: how,
    // Whole seconds, of which both may have been cut.
    untouchedMs: how === 'free' ? Math.max(0, silentSeconds - 1) * 1_000 : 0,
    remark: how === 'abandoned' ? `${overtaken(holder)} was taken over` : undefined,
    lost: lost.signal,
    release: async (note) => {
      stop();
      await releaseLock(site, owner, note);
    },
  };
}

/** Removes the lock of an owner, if it is still that owner's. */
export async function releaseLock(site: Site, owner: Owner, note?: AuditEntry): Promise<void> {
  const options = { sudo: true, timeoutMs: LIMIT_MS, name: 'deploy lock' };
  const script = lockScript(site, 'release', note && APPEND);
  const noted = { ...options, ...(note ? { input: lineOf(note) } : {}) };
  await site.remote.script(site.lockHost, script, [prefixOf(owner)], noted);
}

/** How every lock text of an owner begins; the closing quote keeps "run-1" from being taken for "run-12". */
const prefixOf = (owner: Owner): string => `{"owner":${JSON.stringify(owner.id)},`;

function keepAlive(site: Site, owner: Owner, lost: AbortController): () => void {
  const { heartbeatMs, leaseMs } = site.timings;
  let last = performance.now();
  let stopped = false;
  let timer: NodeJS.Timeout;
  const lose = (why: string): void =>
    lost.abort(new Error(`the deploy lock on ${site.lockHost} was lost: ${why}`));
  const beat = async (): Promise<void> => {
    try {
      const options = { sudo: true, timeoutMs: LIMIT_MS, okCodes: [0, 3], name: 'deploy lock' };
      const args = [prefixOf(owner)];
      const { code } = await site.remote.script(site.lockHost, lockScript(site, 'renew'), args, options);
      if (stopped) return;
      if (code === 3) return lose('another deploy took it over');
      last = performance.now();
    } catch (error) {
      if (stopped) return;
      // Before the others may take it, not after.
      if (performance.now() - last > leaseMs - heartbeatMs) return lose(messageOf(error));
    }
    if (!stopped) plan();
  };
  const plan = (): void => {
    timer = setTimeout(() => void beat(), heartbeatMs);
    timer.unref();
  };
  plan();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

function refusal(app: string, host: string, holder: Holder, leaseMs: number): string {
  const ttl = Math.ceil(leaseMs / 1_000);
  return (
    `another deploy of ${app} is under way: ${describe(holder)} holds the lock on ${host}, last sign of life ` +
    `${holder.silentSeconds} s ago. Nothing was changed; wait for it or cancel it (${ttl} s of silence free the lock)`
  );
}

const overtaken = (holder: Holder): string =>
  `the lock of ${describe(holder)}, silent for ${holder.silentSeconds} s,`;

const describe = ({ owner, url, release, since }: Holder): string =>
  `${owner}${url === null ? '' : ` (${url})`}, deploying ${release} since ${since},`.replace(/,$/, '');
