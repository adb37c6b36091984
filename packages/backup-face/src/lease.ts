import { type Declaration, type MainContext, openSite, type PostContext, runUrl } from '@perlstack/action';
import {
  acquireHostLease,
  type BucketInputs,
  keysOf,
  type LeaseHost,
  openBucket,
  releaseHostLease,
  renewHostLease,
  RESTORE_LEASES,
  type Ways,
  type Writing,
} from '@perlstack/backup';
import {
  acquireLease,
  type Lease,
  releaseLease,
  type Storage,
  StorageError,
} from '@perlstack/object-storage';
import { connect } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';

/** What it takes to tell post of a lease or an upload. */
export type Keeping = Pick<MainContext<Declaration>, 'log' | 'saveState'>;

const LEASE_MS = 600_000;

/** Where runs tell each other that they are at work: in the bucket, or on the host whose data it holds. */
export interface LeasePlaces extends Pick<LeaseHost, 'remote' | 'stack'> {
  readonly storage: Storage;
  /** Asked for where the bucket can hold no lease. */
  readonly host: () => Promise<string>;
  readonly ways: Pick<Ways, 'lease'>;
}

/**
 * Nothing else writes to the stack's part of the bucket meanwhile. Post has nothing to do where all came to its end.
 *
 * @param work is given what tells whether the lease is still there: a run of which nothing was heard for long may have lost it
 */
export async function underLease(
  { log, saveState }: Keeping,
  places: LeasePlaces,
  work: (stillHeld: Writing['stillHeld']) => Promise<void>,
): Promise<void> {
  const options = { purpose: 'backup', owner: runUrl() ?? 'a terminal', ttlMs: LEASE_MS };
  const host = places.ways.lease === 'host' ? await places.host() : null;
  const lease =
    host === null
      ? await acquireLease(places.storage.uncancelled(), keysOf(places.stack).lease, options)
      : await acquireHostLease({ ...places, host }, options);
  saveState('lease', lease.holder.nonce);
  if (host !== null) saveState('lease-host', host);
  await holding({ log, saveState }, lease, async (held) => {
    await work(held);
    saveState('upload', '');
  });
}

/**
 * Nothing else restores into a running server meanwhile: of two, each would take the other's unfinished databases for its own.
 *
 * @param work is given what tells whether the lease is still there
 */
export async function underRestoreLease<T>(
  { log, saveState }: Keeping,
  place: LeaseHost,
  work: (stillHeld: Writing['stillHeld']) => Promise<T>,
): Promise<T> {
  const options = { purpose: 'restore', owner: runUrl() ?? 'a terminal', ttlMs: LEASE_MS };
  const lease = await acquireHostLease(place, options, RESTORE_LEASES);
  saveState('lease', lease.holder.nonce);
  return holding({ log, saveState }, lease, work);
}

/** For post: what a killed restore left goes by `work`, unless another one is at work by now. */
export async function afterRestoreLease(
  place: LeaseHost,
  nonce: string,
  work: () => Promise<void>,
): Promise<void> {
  if (!(await renewHostLease(place, nonce, RESTORE_LEASES))) return;
  await work();
  await releaseHostLease(place, nonce, RESTORE_LEASES);
}

/** Keeps a lease as long as the work takes, and gives it back. */
async function holding<T>(
  { log, saveState }: Keeping,
  lease: Lease,
  work: (stillHeld: Writing['stillHeld']) => Promise<T>,
): Promise<T> {
  const timer = setInterval(() => renew(lease, log), LEASE_MS / 4);
  try {
    return await work((otherwise) => stillHeld(lease, otherwise));
  } finally {
    clearInterval(timer);
    await lease.release().then(
      () => saveState('lease', ''),
      (error: unknown) => log.info(`The lease ends by itself: ${messageOf(error)}`),
    );
  }
}

/** @param otherwise what it means that somebody else has it @throws UserError where that is so */
export async function stillHeld(lease: Lease, otherwise: string): Promise<void> {
  await lease.renew().catch((error: unknown) => {
    if (!(error instanceof StorageError && error.kind === 'exists')) throw error;
    throw new UserError(
      `Another run has taken the lease over, because nothing was heard of this one for ${LEASE_MS / 60_000} minutes: ${otherwise}. ${messageOf(error)}`,
    );
  });
}

function renew(lease: Lease, log: Keeping['log']): void {
  lease.renew().catch((error: unknown) => log.warning(`The lease could not be renewed: ${messageOf(error)}`));
}

/** What post is given of the inputs. */
type GivenInputs = BucketInputs & {
  readonly 'stack-file': string;
  readonly inventory: string;
  readonly 'ssh-private-key': string;
};

/** What a cancelled or killed run left: an upload, and the lease. */
export async function cleanUpBucket(
  inputs: GivenInputs,
  { state, log }: Pick<PostContext<Declaration>, 'state' | 'log'>,
): Promise<void> {
  const [upload, nonce, host] = [state('upload'), state('lease'), state('lease-host')];
  if (upload === undefined && nonce === undefined) return;
  const site = openSite(inputs);
  const { stack } = site.file.stack;
  const storage = openBucket(site.file.stack, inputs);
  const remote = connect(site.inventory, { privateKey: inputs['ssh-private-key'] });
  try {
    if (upload !== undefined) {
      // No other run has this key: all uploads of it are its own.
      for (const { key, id } of (await storage.uploads(upload)).filter((one) => one.key === upload)) {
        await storage.openUpload(key, id).abort();
        log.info(`The unfinished upload of ${key} was ended`);
      }
    }
    if (nonce === undefined) return;
    if (host === undefined) await releaseLease(storage, keysOf(stack).lease, nonce);
    else await releaseHostLease({ remote, host, stack }, nonce);
  } finally {
    storage.close();
    await remote.close();
  }
}
