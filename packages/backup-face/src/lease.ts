import { type Declaration, type MainContext, openSite, type PostContext, runUrl } from '@perlstack/action';
import { type BucketInputs, keysOf, openBucket } from '@perlstack/backup';
import { acquireLease, type Lease, releaseLease, type Storage } from '@perlstack/object-storage';
import { messageOf } from '@perlstack/stack';

/** What it takes to tell post of a lease or an upload. */
export type Keeping = Pick<MainContext<Declaration>, 'log' | 'saveState'>;

const LEASE_MS = 600_000;

/** Nothing else writes to the stack's part of the bucket meanwhile. */
export async function underLease(
  { log, saveState }: Keeping,
  storage: Storage,
  stack: string,
  work: () => Promise<void>,
): Promise<void> {
  const lease = await acquireLease(storage.uncancelled(), keysOf(stack).lease, {
    ...{ purpose: 'backup', owner: runUrl() ?? 'a terminal', ttlMs: LEASE_MS },
  });
  saveState('lease', lease.holder.nonce);
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
type GivenInputs = BucketInputs & { readonly 'stack-file': string; readonly inventory: string };

/** What a cancelled or killed run left in the bucket: an upload, and the lease. */
export async function cleanUpBucket(
  inputs: GivenInputs,
  { state, log }: Pick<PostContext<Declaration>, 'state' | 'log'>,
): Promise<void> {
  const [upload, nonce] = [state('upload'), state('lease')];
  if (upload === undefined && nonce === undefined) return;
  const site = openSite(inputs);
  const storage = openBucket(site.file.stack, inputs);
  try {
    if (upload !== undefined) {
      const { key, id } = JSON.parse(upload) as { key: string; id: string };
      if ((await storage.uploads(key)).some((one) => one.id === id)) {
        await storage.openUpload(key, id).abort();
        log.info(`The unfinished upload of ${key} was ended`);
      }
    }
    if (nonce !== undefined) await releaseLease(storage, keysOf(site.file.stack.stack).lease, nonce);
  } finally {
    storage.close();
  }
}
