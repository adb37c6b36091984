import { type MainContext, runUrl } from '@perlstack/action';
import { type Cluster, keysOf } from '@perlstack/backup';
import { acquireLease, type Lease, type Storage } from '@perlstack/object-storage';
import { messageOf } from '@perlstack/stack';
import type { declaration } from './declaration.js';

type Context = MainContext<typeof declaration>;

const LEASE_MS = 600_000;

/** Nothing else writes to the stack's part of the bucket meanwhile. */
export async function underLease(
  { log, saveState }: Context,
  storage: Storage,
  { stack }: Cluster,
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

function renew(lease: Lease, log: Context['log']): void {
  lease.renew().catch((error: unknown) => log.warning(`The lease could not be renewed: ${messageOf(error)}`));
}
