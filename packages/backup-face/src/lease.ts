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
export interface LeasePlaces extends LeaseHost {
  readonly storage: Storage;
  readonly ways: Pick<Ways, 'lease'>;
}

/** Nothing else writes to the stack's part of the bucket meanwhile. */
export async function underLease(
  { log, saveState }: Keeping,
  places: LeasePlaces,
  work: () => Promise<void>,
): Promise<void> {
  const options = { purpose: 'backup', owner: runUrl() ?? 'a terminal', ttlMs: LEASE_MS };
  const onHost = places.ways.lease === 'host';
  const lease = onHost
    ? await acquireHostLease(places, options)
    : await acquireLease(places.storage.uncancelled(), keysOf(places.stack).lease, options);
  saveState('lease', lease.holder.nonce);
  if (onHost) saveState('lease-host', places.host);
  const timer = setInterval(() => renew(lease, log), LEASE_MS / 4);
  try {
    await work();
  } finally {
    clearInterval(timer);
    await lease
      .release()
      .catch((error: unknown) => log.info(`The lease ends by itself: ${messageOf(error)}`));
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
