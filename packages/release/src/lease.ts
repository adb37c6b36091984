import { setTimeout as sleep } from 'node:timers/promises';
import { LOCK_FILE, lockFound } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import { APPEND, type AuditEntry, lineOf } from './audit.js';
import { holderOf } from './observe.js';
import { hostScript } from './scripts.js';
import { lockHostsAfter, type Site } from './site.js';
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
  /** The commit that it deploys, in full. */
  readonly commit?: string;
}

/** The deploy lock, held: one file on one host, with a sign of life every few seconds. */
export interface Lease {
  /** What was there: no lock, our own from an earlier attempt, or somebody's that was abandoned. */
  readonly found: 'free' | 'ours' | 'abandoned';
  /** Whose abandoned lock was taken over, in words. */
  readonly remark: string | undefined;
  /** For how long, in milliseconds and at the least, nobody had held a lock there when it was taken: nobody changed anything. */
  readonly untouchedMs: number;
  /** The host that keeps it now. Where that one falls silent, the next by name that can be reached keeps it from then on. */
  readonly host: string;
  /** Aborted when the lock is not ours any more, or may soon be somebody else's, with the reason. */
  readonly lost: AbortSignal;
  /** @param note for the log of deploys on the lock's host: whoever takes the lock next finds it there */
  release(note?: AuditEntry): Promise<void>;
}

/** A script of the lock's, with its place in front. */
const lockScript = (site: Site, what: keyof typeof LOCK_FILE, before = ''): string =>
  hostScript(site, `${before}\nlock=$state/deploy.lock\n${LOCK_FILE[what]}`);

const LIMIT_MS = 20_000;

/** The lock is somebody else's. */
export class LockedError extends UserError {
  /** The host that keeps it. */
  readonly host: string;
  /** Whose it is, in words. */
  readonly holder: string;

  constructor(app: string, host: string, holder: Holder, leaseMs: number) {
    const who = `another deploy of ${app} is under way: ${describe(holder)} holds the lock on ${host}`;
    const ttl = Math.ceil(leaseMs / 1_000);
    super(
      `${who}, last sign of life ${holder.silentSeconds} s ago. Nothing was changed; wait for it or cancel it (${ttl} s of silence ` +
        'free the lock)',
    );
    this.host = host;
    this.holder = who;
  }
}

export interface Patience {
  /** How long to wait for a lock that somebody else holds, in milliseconds. */
  readonly waitMs: number;
  readonly signal?: AbortSignal;
  /** Told who is waited for, once for each. */
  readonly onWait?: (holder: string) => void;
  /** Told when the lock's host fell silent and another one keeps it. */
  readonly onMove?: (remark: string) => void;
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
  { waitMs, signal, onWait, onMove }: Patience,
): Promise<Lease> {
  const end = performance.now() + waitMs;
  for (let told = ''; ;) {
    try {
      return await acquire(site, owner, release, onMove);
    } catch (error) {
      if (!(error instanceof LockedError) || signal?.aborted || performance.now() >= end) throw error;
      if (error.holder !== told) onWait?.(error.holder);
      told = error.holder;
    }
    await sleep(LOOK_AGAIN_MS, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

/**
 * Takes the deploy lock of an application.
 *
 * @param onMove told when its host fell silent and another one keeps it
 * @throws LockedError when somebody else holds it: who, where to look, since when.
 */
export async function acquire(
  site: Site,
  owner: Owner,
  release: string,
  onMove?: (remark: string) => void,
): Promise<Lease> {
  const began = performance.now();
  const { how, silentSeconds, holder } = await take(site, owner, release);
  const kept = keepAlive(site, owner, release, began, onMove);
  return {
    found: how,
    // Whole seconds, of which both may have been cut.
    untouchedMs: how === 'free' ? Math.max(0, silentSeconds - 1) * 1_000 : 0,
    remark: how === 'abandoned' ? `${overtaken(holder)} was taken over` : undefined,
    lost: kept.lost,
    get host() {
      return kept.host();
    },
    release: async (note) => {
      const former = kept.stop();
      await Promise.all([
        releaseLock(on(site, kept.host()), owner, note),
        ...former.map((host) => giveBack(on(site, host), owner)),
      ]);
    },
  };
}

/**
 * Clears away what is left of abandoned locks on other hosts than the one that keeps ours: nobody is to believe in them later.
 *
 * @param hosts on which there was a lock
 * @throws LockedError when somebody holds one of them: a run whose host fell silent goes on with the lock of the next
 */
export async function clearOthers(
  site: Site,
  owner: Owner,
  release: string,
  hosts: readonly string[],
): Promise<void> {
  for (const host of hosts) {
    await take(on(site, host), owner, release);
    await releaseLock(on(site, host), owner);
  }
}

interface Taken {
  readonly how: Lease['found'];
  readonly silentSeconds: number;
  /** Of what was there. */
  readonly holder: Holder;
}

/** Takes the lock on the host that is to keep it. @throws LockedError when somebody else holds it there */
async function take(site: Site, owner: Owner, release: string): Promise<Taken> {
  const { app, lockHost, timings, remote } = site;
  const since = new Date().toISOString();
  const { id, actor = null, url = null } = owner;
  const input = JSON.stringify({ owner: id, actor, url, release, since });
  const args = [prefixOf(owner), String(Math.ceil(timings.leaseMs / 1_000))];
  const options = { sudo: true, timeoutMs: LIMIT_MS, name: 'deploy lock', input };
  const { stdout } = await remote.script(lockHost, lockScript(site, 'take'), args, options);
  const { how, silentSeconds, text } = lockFound(stdout);
  const holder = holderOf(text, silentSeconds);
  if (how === 'held') throw new LockedError(app.name, lockHost, holder, timings.leaseMs);
  return { how, silentSeconds, holder };
}

/** Removes the lock of an owner, if it is still that owner's. */
export async function releaseLock(
  site: Site,
  owner: Owner,
  note?: AuditEntry,
  signal?: AbortSignal,
): Promise<void> {
  const options = { sudo: true, timeoutMs: LIMIT_MS, name: 'deploy lock', ...(signal ? { signal } : {}) };
  const script = lockScript(site, 'release', note && APPEND);
  const noted = { ...options, ...(note ? { input: lineOf(note) } : {}) };
  await site.remote.script(site.lockHost, script, [prefixOf(owner)], noted);
}

/** A host that fell silent may be back; it is not waited for. */
const giveBack = (site: Site, owner: Owner): Promise<void> =>
  releaseLock(site, owner, undefined, AbortSignal.timeout(FAREWELL_MS)).catch(() => undefined);

const FAREWELL_MS = 3_000;

/** The same site, its lock kept by another host. */
const on = (site: Site, lockHost: string): Site => ({ ...site, lockHost });

/** How every lock text of an owner begins; the closing quote keeps "run-1" from being taken for "run-12". */
const prefixOf = (owner: Owner): string => `{"owner":${JSON.stringify(owner.id)},`;

const SILENT = 'it did not answer';

interface Kept {
  readonly lost: AbortSignal;
  host(): string;
  /** @returns hosts that fell silent, on which a lock of ours may still lie */
  stop(): readonly string[];
}

/**
 * Gives signs of life, and goes by the runner's own clock, whatever hangs: after half a lease without a sign that came through
 * the next host keeps the lock as well, long before anybody may take the one on the silent host over; and where there is no
 * such host, the lock counts as lost a heartbeat before the others may take it, not after.
 *
 * @param began when the script that took the lock was sent off, by `performance.now()`
 */
function keepAlive(
  site: Site,
  owner: Owner,
  release: string,
  began: number,
  onMove?: (remark: string) => void,
): Kept {
  const { heartbeatMs, leaseMs } = site.timings;
  const lost = new AbortController();
  const former: string[] = [];
  const timers: Partial<Record<'beat' | 'move' | 'end', NodeJS.Timeout>> = {};
  let host = site.lockHost;
  let trouble = SILENT;
  let stopped = false;
  const at = (name: keyof typeof timers, time: number, act: () => unknown): void => {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(act, Math.max(0, time - performance.now())).unref();
  };
  const stop = (): readonly string[] => {
    stopped = true;
    for (const timer of Object.values(timers)) clearTimeout(timer);
    return former;
  };
  const lose = (why: string): void => {
    stop();
    lost.abort(new Error(`the deploy lock on ${host} was lost: ${why}`));
  };
  /** A sign of life that was sent off at this time has come through. */
  const lives = (since: number): void => {
    trouble = SILENT;
    at('beat', performance.now() + heartbeatMs, () => void beat(host));
    at('move', since + leaseMs / 2, () => void move());
    at('end', since + leaseMs - heartbeatMs, () => lose(trouble));
  };
  const beat = async (to: string): Promise<void> => {
    const since = performance.now();
    const answer = await renew(on(site, to), owner).catch(messageOf);
    if (stopped || to !== host) return;
    if (answer === 'gone') return lose('another deploy took it over');
    if (answer === 'ours') return lives(since);
    trouble = answer;
    at('beat', performance.now() + heartbeatMs, () => void beat(to));
  };
  const move = async (): Promise<void> => {
    for (const next of lockHostsAfter(site, host)) {
      const since = performance.now();
      try {
        await take(on(site, next), owner, release);
      } catch (error) {
        // Whoever keeps a lock there could not reach ours either: he is at work as soon as ours is lost.
        if (error instanceof LockedError) trouble = messageOf(error);
        if (stopped || error instanceof LockedError) return;
        continue;
      }
      if (stopped) return giveBack(on(site, next), owner);
      onMove?.(`${host}, which kept the deploy lock, fell silent: ${next} keeps it`);
      former.push(host);
      host = next;
      return lives(since);
    }
  };
  lives(began);
  return { lost: lost.signal, host: () => host, stop };
}

/** Gives a sign of life. */
async function renew(site: Site, owner: Owner): Promise<'ours' | 'gone'> {
  const options = { sudo: true, timeoutMs: LIMIT_MS, okCodes: [0, 3], name: 'deploy lock' };
  const script = lockScript(site, 'renew');
  const { code } = await site.remote.script(site.lockHost, script, [prefixOf(owner)], options);
  return code === 3 ? 'gone' : 'ours';
}

const overtaken = (holder: Holder): string =>
  `the lock of ${describe(holder)}, silent for ${holder.silentSeconds} s,`;

const describe = ({ owner, actor, url, release, since }: Holder): string => {
  const who = [owner, ...(actor === null ? [] : [`of ${actor}`]), ...(url === null ? [] : [`(${url})`])];
  return `${who.join(' ')}, deploying ${release} since ${since}`;
};
