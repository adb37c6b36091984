import { setTimeout as sleep } from 'node:timers/promises';
import type { Journal, StepEvent } from '@perlstack/procedure';
import { messageOf, UserError } from '@perlstack/stack';
import { appendAudit, type AuditEntry } from './audit.js';
import {
  acquirePatiently,
  clearOthers,
  type Lease,
  LockedError,
  type Owner,
  type Patience,
} from './lease.js';
import { isOutOfReach } from './observe.js';
import { lockHosts, type Site } from './site.js';
import type { LockStep } from './steps.js';
import type { Observed } from './world.js';

export const LOCK: LockStep = { id: 'lock', kind: 'lock', title: 'deploy lock' };

/** Who asks for the deploy lock, for what, and how patiently. */
export interface LockRequest<Seen> {
  readonly site: Site;
  readonly owner: Owner;
  /** What the lock says of the release. */
  readonly release: string;
  /** How long to wait in all for locks that others hold, in milliseconds. */
  readonly waitMs: number;
  /** How many hosts that may keep the lock may be out of reach. */
  readonly maxMissing: number;
  readonly journal: Journal;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: StepEvent) => void) | undefined;
  /** Told what the user should know. */
  readonly note: (remark: string) => void;
  /** Looks at the hosts. */
  readonly look: () => Promise<Seen>;
}

/** The lock is held, and nobody else holds one on another host. */
export interface Locked<Seen> {
  /** The lock's host is the one that keeps it. */
  readonly site: Site;
  readonly lease: Lease;
  /** What the hosts show since. */
  readonly seen: Seen;
}

type Looked = Pick<Observed, 'locks'>;

/**
 * Takes the lock, and looks at the hosts with it in hand. Where somebody holds one on another host, ours is given back while that
 * one is waited for: two that wait for one another with a lock in hand would both wait in vain.
 *
 * @throws LockedError when somebody still holds one when the time is up, whichever host keeps it
 */
export async function lockAlone<Seen extends Looked>(request: LockRequest<Seen>): Promise<Locked<Seen>> {
  const end = performance.now() + request.waitMs;
  for (;;) {
    const turn = await tryOnce(request, end);
    if (!(turn instanceof LockedError)) return turn;
    await waitThere(request, turn, end);
  }
}

/** @returns who holds a lock on another host, where somebody does */
async function tryOnce<Seen extends Looked>(
  request: LockRequest<Seen>,
  end: number,
): Promise<Locked<Seen> | LockedError> {
  const { owner, release, journal, note, look } = request;
  const early = lookEarly(request);
  const { site, lease } = await takeOnAny(request, end);
  try {
    const seen = await (stillTrue(early, site, lease) ? early.seen : look());
    const others = seen.locks.map(({ host }) => host).filter((host) => host !== lease.host);
    await clearOthers(site, owner, release, others);
    if (lease.remark !== undefined) note(lease.remark);
    return { site, lease, seen };
  } catch (error) {
    await unlock(site, lease, null, journal, note);
    if (error instanceof LockedError) return error;
    throw error;
  }
}

/** Waits until a host's lock is free, which clears away what was abandoned there. */
async function waitThere(request: LockRequest<unknown>, { host }: LockedError, end: number): Promise<void> {
  const { site, owner, release } = request;
  try {
    const lease = await acquirePatiently({ ...site, lockHost: host }, owner, release, patience(request, end));
    await lease.release();
  } catch (error) {
    // The next look finds a host that is gone by now.
    if (!isOutOfReach(error) || performance.now() >= end) throw error;
  }
}

const patience = ({ signal, onEvent, note }: LockRequest<unknown>, end: number): Patience => ({
  waitMs: end - performance.now(),
  ...(signal ? { signal } : {}),
  onWait: (who) => onEvent?.({ step: LOCK, state: 'progress', at: Date.now(), message: `waiting: ${who}` }),
  onMove: note,
});

/** What the hosts showed while the lock was asked for. */
interface EarlyLook<Seen> {
  readonly seen: Promise<Seen>;
  readonly lockHost: string;
  /** By `performance.now()`. */
  readonly began: number;
}

/** Looks at the hosts beside the taking of the lock: one after the other, each would cost the way to them. */
function lookEarly<Seen>({ site, look }: LockRequest<Seen>): EarlyLook<Seen> {
  const began = performance.now();
  const seen = look();
  // Where the lock is refused, nobody asks what was seen.
  seen.catch(() => undefined);
  return { seen, lockHost: site.lockHost, began };
}

/** What was seen before the lock was held is true where nobody else has held it since the first look began. */
const stillTrue = ({ lockHost, began }: EarlyLook<unknown>, site: Site, { untouchedMs }: Lease): boolean =>
  site.lockHost === lockHost && untouchedMs > performance.now() - began;

/**
 * Takes the lock on the host that keeps it. Where that one is gone and hosts may be missing, the next one by name keeps it,
 * once a lease on the first would have been lost to whoever held it, or would have moved to where it is seen.
 */
async function takeOnAny(
  request: LockRequest<unknown>,
  end: number,
): Promise<Pick<Locked<unknown>, 'site' | 'lease'>> {
  const { site, owner, release, maxMissing, journal, signal, note } = request;
  const candidates = lockHosts(site);
  journal.append({ step: LOCK, state: 'started' });
  for (const [missing, lockHost] of candidates.entries()) {
    try {
      const at = { ...site, lockHost };
      const lease = await acquirePatiently(at, owner, release, patience(request, end));
      if (missing > 0) await sleep(site.timings.leaseMs, undefined, signal ? { signal } : {});
      return { site: at, lease };
    } catch (error) {
      if (isOutOfReach(error) && missing < Math.min(maxMissing, candidates.length - 1)) {
        note(
          `${lockHost}, which keeps the deploy lock, is out of reach: ${candidates[missing + 1]} keeps it`,
        );
        continue;
      }
      // Refused, or not reached at all: there is no lock of ours. After any other failure there may be one.
      if (error instanceof UserError) journal.append({ step: LOCK, state: 'undone' });
      throw error;
    }
  }
  throw new Error('a site has at least one app host');
}

/** What the log on these hosts is to say of a run at its end. */
export interface Closing {
  readonly hosts: readonly string[];
  readonly entry: AuditEntry;
}

/**
 * Notes how the run ended, and gives the lock back. A lock that cannot be removed frees itself: no reason to call a deploy failed
 * that was not.
 */
export async function unlock(
  site: Site,
  lease: Lease,
  closing: Closing | null,
  journal: Journal,
  note: (remark: string) => void,
): Promise<void> {
  const keeper = lease.host;
  const hosts = closing?.hosts ?? [];
  const entry = hosts.includes(keeper) ? closing?.entry : undefined;
  const others = hosts.filter((host) => host !== keeper);
  try {
    await Promise.all([lease.release(entry), ...(closing ? [appendAudit(site, others, closing.entry)] : [])]);
    journal.append({ step: LOCK, state: 'undone' });
  } catch (error) {
    note(`the deploy lock is left to expire: ${messageOf(error)}`);
  }
}
