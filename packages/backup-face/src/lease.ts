import { type Declaration, type MainContext, openSite, type PostContext, runUrl } from '@perlstack/action';
import {
  acquireHostLease,
  type BucketInputs,
  keysOf,
  type LeaseHost,
  openBucket,
  releaseHostLease,
  type Ways,
} from '@perlstack/backup';
import { acquireLease, type Lease, releaseLease, type Storage } from '@perlstack/object-storage';
import { connect } from '@perlstack/remote';
import { messageOf } from '@perlstack/stack';

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

/** Nothing else writes to the stack's part of the bucket meanwhile. Post has nothing to do where all came to its end. */
export async function underLease(
  { log, saveState }: Keeping,
  places: LeasePlaces,
  work: () => Promise<void>,
): Promise<void> {
  const options = { purpose: 'backup', owner: runUrl() ?? 'a terminal', ttlMs: LEASE_MS };
  const host = places.ways.lease === 'host' ? await places.host() : null;
  const lease =
    host === null
      ? await acquireLease(places.storage.uncancelled(), keysOf(places.stack).lease, options)
      : await acquireHostLease({ ...places, host }, options);
  saveState('lease', lease.holder.nonce);
  if (host !== null) saveState('lease-host', host);
  const timer = setInterval(() => renew(lease, log), LEASE_MS / 4);
  try {
    await work();
    saveState('upload', '');
  } finally {
    clearInterval(timer);
    await lease.release().then(
      () => saveState('lease', ''),
      (error: unknown) => log.info(`The lease ends by itself: ${messageOf(error)}`),
    );
  }
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
      const { key, id } = JSON.parse(upload) as { key: string; id: string };
      if ((await storage.uploads(key)).some((one) => one.id === id)) {
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
