import { randomUUID } from 'node:crypto';
import {
  type Holder,
  type Lease,
  leaseHeld,
  type LeaseOptions,
  StorageError,
} from '@perlstack/object-storage';
import { LOCK_FILE, lockFound, quote, type Remote, type RunOptions } from '@perlstack/remote';

/** Where a lease is where the bucket can hold none. */
export interface LeaseHost {
  readonly remote: Pick<Remote, 'script'>;
  readonly host: string;
  readonly stack: string;
}

const FOLDER = '/var/lib/perlstack/backup';
/** Where restores into a running server tell each other on its host that they are at work. */
export const RESTORE_LEASES = '/var/lib/perlstack/restore';
const OPTIONS: RunOptions = { sudo: true, timeoutMs: 20_000, name: 'lease' };

const script = ({ stack }: LeaseHost, what: keyof typeof LOCK_FILE, folder: string): string =>
  `set -eu\numask 022\nlock=${quote(`${folder}/${stack}.lock`)}\n${LOCK_FILE[what]}`;

/** How the text of a lease begins. */
const beginningOf = (nonce: string): string => `{"nonce":${JSON.stringify(nonce)},`;

/**
 * Takes a lease on a host, for buckets in which no write hangs on a condition: of several runs that ask one gets it, as long as
 * they ask the same host. Times are told by silence, which the host measures.
 *
 * @param folder on the host
 * @throws StorageError (`exists`) naming who holds it, since when and how long
 */
export async function acquireHostLease(
  place: LeaseHost,
  { purpose, owner, ttlMs }: LeaseOptions,
  folder = FOLDER,
): Promise<Lease> {
  const { remote, host } = place;
  const nonce = randomUUID();
  const since = new Date().toISOString();
  const until = (silentMs = 0): string => new Date(Date.now() - silentMs + ttlMs).toISOString();
  const input = JSON.stringify({ nonce, purpose, owner, since });
  const args = [beginningOf(nonce), String(Math.ceil(ttlMs / 1_000))];
  const { stdout } = await remote.script(host, script(place, 'take', folder), args, { ...OPTIONS, input });
  const { how, silentSeconds, text } = lockFound(stdout);
  if (how === 'held') throw leaseHeld(holderIn(text, until(silentSeconds * 1_000)));
  let holder: Holder = { nonce, purpose, owner, since, until: until() };
  return {
    get holder() {
      return holder;
    },
    renew: async () => {
      if (!(await renewHostLease(place, nonce, folder)))
        throw new StorageError('exists', `Somebody else has taken the lease on ${host} over`);
      holder = { ...holder, until: until() };
    },
    release: () => releaseHostLease(place, nonce, folder),
  };
}

/** Of a text that another version of this wrote, or nobody, it is said that somebody holds the lease. */
function holderIn(text: string, until: string): Holder | null {
  try {
    const { nonce, purpose, owner, since } = JSON.parse(text) as Partial<Holder>;
    if (nonce === undefined || purpose === undefined || owner === undefined || since === undefined)
      return null;
    return { nonce, purpose, owner, since, until };
  } catch {
    return null;
  }
}

/** Gives a sign of life of a lease on a host. @returns whether it is still held, and by nobody else */
export async function renewHostLease(place: LeaseHost, nonce: string, folder = FOLDER): Promise<boolean> {
  const options = { ...OPTIONS, okCodes: [0, 3] };
  const renew = script(place, 'renew', folder);
  return (await place.remote.script(place.host, renew, [beginningOf(nonce)], options)).code === 0;
}

/** Gives a lease on a host back, also one that another process of the same run took; one that somebody else holds stays. */
export async function releaseHostLease(place: LeaseHost, nonce: string, folder = FOLDER): Promise<void> {
  await place.remote.script(place.host, script(place, 'release', folder), [beginningOf(nonce)], OPTIONS);
}
