import { randomUUID } from 'node:crypto';
import { StorageError } from './errors.js';
import type { Storage } from './storage.js';

/** Who holds a lease, as its object says. */
export interface Holder {
  readonly nonce: string;
  /** What is being done: `backup`, `restore`. */
  readonly purpose: string;
  /** The page of the run, or the name of the machine. */
  readonly owner: string;
  /** By the storage's clock. */
  readonly since: string;
  readonly until: string;
}

export interface Lease {
  readonly holder: Holder;
  /** Holds it for another span. @throws StorageError (`exists`) when somebody else has taken it over */
  renew(): Promise<void>;
  /** Gives it back, by a last write: storages make no deletion depend on a condition. */
  release(): Promise<void>;
}

export interface LeaseOptions {
  readonly purpose: string;
  readonly owner: string;
  /** After this span without a renewal others may take it over, in milliseconds. */
  readonly ttlMs: number;
}

/** The storage tells the time in whole seconds. */
const CLOCK_PRECISION_MS = 2_000;

/**
 * Takes a lease: an object that is written only where it is as it was seen, so that of several one wins. Times are the
 * storage's, because clocks of runners differ.
 *
 * @throws StorageError (`exists`) naming who holds it, since when and how long
 */
export async function acquireLease(storage: Storage, key: string, options: LeaseOptions): Promise<Lease> {
  const [skew, seen] = await Promise.all([storage.clockSkewMs(), storage.get(key)]);
  const now = (): number => Date.now() + skew;
  const span = (): Pick<Holder, 'until'> => ({ until: new Date(now() + options.ttlMs).toISOString() });
  const before = seen && holderIn(seen.content);
  if (before && Date.parse(before.until) + CLOCK_PRECISION_MS > now()) throw leaseHeld(before);
  let holder: Holder = {
    nonce: randomUUID(),
    purpose: options.purpose,
    owner: options.owner,
    since: new Date(now()).toISOString(),
    ...span(),
  };
  const put = (next: Holder, etag: string | null): Promise<{ readonly etag: string }> =>
    storage.put(key, JSON.stringify(next), etag === null ? { ifNoneMatch: '*' } : { ifMatch: etag });
  const write = async (next: Holder, etag: string | null): Promise<string> => {
    const written = await put(next, etag).catch(async (error: unknown) => {
      const there = await storage.get(key);
      const owner = there && holderIn(there.content);
      // A try whose answer was lost may have won: this one, or a renewal before, of which nothing was known then.
      if (there && owner?.nonce === next.nonce)
        return owner.until === next.until ? there : put(next, there.etag);
      if (error instanceof StorageError && error.kind === 'exists') throw leaseHeld(owner);
      throw error;
    });
    holder = next;
    return written.etag;
  };
  let etag = await write(holder, seen?.etag ?? null);
  return {
    get holder() {
      return holder;
    },
    renew: async () => {
      etag = await write({ ...holder, ...span() }, etag);
    },
    release: async () => {
      etag = await write({ ...holder, until: new Date(0).toISOString() }, etag);
    },
  };
}

function holderIn(content: Buffer): Holder | null {
  try {
    const holder = JSON.parse(content.toString()) as Partial<Holder>;
    return typeof holder.until === 'string' && typeof holder.nonce === 'string' ? (holder as Holder) : null;
  } catch {
    return null;
  }
}

/** What is said to who asks for a lease that somebody else holds. */
export function leaseHeld(holder: Holder | null): StorageError {
  if (!holder)
    return new StorageError('exists', 'Somebody else took the lease at the same moment; run this again');
  const { purpose, owner, since, until } = holder;
  return new StorageError(
    'exists',
    `A ${purpose} is under way since ${since} (${owner}): wait for it to end; if it was killed, its lease ends at ${until}`,
  );
}

/**
 * Gives back a lease that another process of the same run took and could not give back; one that somebody else holds by
 * now stays theirs.
 */
export async function releaseLease(storage: Storage, key: string, nonce: string): Promise<void> {
  const seen = await storage.get(key);
  const holder = seen && holderIn(seen.content);
  if (!seen || holder?.nonce !== nonce) return;
  const released: Holder = { ...holder, until: new Date(0).toISOString() };
  await storage.put(key, JSON.stringify(released), { ifMatch: seen.etag }).catch((error: unknown) => {
    if (!(error instanceof StorageError && error.kind === 'exists')) throw error;
  });
}
