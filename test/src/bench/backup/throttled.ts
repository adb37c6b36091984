import { backUp } from './backups.js';
import type { Ground } from './ground.js';
import { pgbench } from './wal.js';

/** Of what leaves the host, in MiB a second: a third of what a backup takes by itself, or less. */
const ASKED = 8;
const MIB = 2 ** 20;

export interface Throttled {
  readonly asked: number;
  readonly measured: number;
  /** Transactions a second of pgbench meanwhile. */
  readonly transactions: number;
}

/** A backup that is told how much it may take, while pgbench writes as fast as it can. */
export async function measureThrottled(ground: Ground): Promise<Throttled> {
  const backup = backUp(ground, { 'max-rate': String(ASKED) });
  // One that fails is to be heard of when pgbench has ended.
  backup.catch(() => undefined);
  const transactions = await pgbench(ground);
  const { size, copySeconds } = await backup;
  return { asked: ASKED, measured: size / MIB / copySeconds, transactions };
}
