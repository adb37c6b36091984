import type { Declaration, MainContext, Section } from '@perlstack/action';
import {
  type BackupKeys,
  drillWorry,
  type Held,
  lockBeyond,
  readAndClear,
  readDrills,
  removeStored,
  type RetentionPlan,
  type RetentionRules,
  type Stored,
  type StoredBackups,
  type StoredFacts,
  touchedOf,
  unreadIn,
  type Writing,
} from '@perlstack/backup';
import type { Storage } from '@perlstack/object-storage';
import { UserError } from '@perlstack/stack';
import { retentionTable, sizeOf } from './tables.js';
import { tellHeld, tellLocked, tellTouched } from './tell.js';

/** Backups of a kind that needs nothing beside them, such as dumps and snapshots: where they are, and what is said of them. */
export interface Standalone<M extends StoredFacts> {
  readonly storage: Storage;
  readonly keys: Pick<BackupKeys, 'bases' | 'manifest'> & { readonly drills: string };
  /** What one is called in a sentence. */
  readonly noun: 'backup' | 'dump';
  readonly read: () => Promise<StoredBackups<M>>;
  readonly retentionOf: (stored: StoredBackups<M>, rules: RetentionRules, now: Date) => RetentionPlan<Held>;
  readonly metricsOf: (
    stored: StoredBackups<M>,
    lastDrill: Date | null,
    now: Date,
  ) => Readonly<Record<string, number | null>>;
  readonly sections: (stored: StoredBackups<M>) => readonly Section[];
}

/** What it takes to tell of them. */
export type StandaloneTelling = Pick<MainContext<Declaration>, 'log' | 'reporter'> & {
  readonly output: (name: 'bytes' | 'metrics' | 'removed', value: unknown) => void;
};

/** Before a new one is made, by the holder of the lease: what an earlier run left goes. @returns what is there */
export function clearBefore<T extends Pick<StoredBackups<StoredFacts>, 'broken'>>(
  { log, reporter }: Pick<StandaloneTelling, 'log' | 'reporter'>,
  { storage, keys, read }: ReadKind<T>,
  { ways, stillHeld }: Writing,
  rules: RetentionRules,
): Promise<T> {
  return reporter.phase('Look into the bucket', async () => {
    const { stored, cleared } = await readAndClear({ storage, stillHeld }, keys, read);
    cleared.forEach((what) => log.notice(`Removed ${what}`));
    const unread = unreadIn(stored.broken);
    if (unread !== null) log.warning(unread);
    const beyond = lockBeyond(ways.lock, rules);
    if (beyond !== null) log.warning(beyond);
    return stored;
  });
}

/** Backups of whatever kind, as the bucket has them. */
export interface ReadKind<T> {
  readonly storage: Storage;
  readonly keys: Pick<BackupKeys, 'bases'>;
  readonly read: () => Promise<T>;
}

/**
 * Looks whether a new one is whole in the bucket, and only then lets go of what the rules no longer keep.
 *
 * @returns the new one as the bucket has it
 * @throws UserError where it is not whole; nothing was removed
 */
export async function retainStandalone<M extends StoredFacts>(
  telling: StandaloneTelling,
  kind: Standalone<M>,
  { stillHeld }: Pick<Writing, 'stillHeld'>,
  id: string,
  rules: RetentionRules,
): Promise<Stored<M>> {
  const { log, output, reporter } = telling;
  const { storage, keys, noun } = kind;
  const stored = await reporter.phase('Check', () => kind.read());
  const whole = stored.backups.find(({ manifest }) => manifest.id === id);
  // What is broken, or cannot be proven, takes nothing else with it.
  if (!whole) {
    const why = stored.broken.find((one) => one.id === id)?.why ?? 'it is not there';
    throw new UserError(`${nameOf(noun)} ${id} is not whole in the bucket: ${why}; nothing was removed`);
  }
  output('bytes', whole.manifest.object.size);
  const retention = kind.retentionOf(stored, rules, storage.now());
  const unread = unreadIn(stored.broken);
  const removed = unread === null ? retention.removed : [];
  await tellLocked(log, storage, await removeStored({ storage, stillHeld }, keys, stored.backups, removed));
  await tell(telling, kind, stored, { ...retention, removed });
  if (unread !== null) throw new UserError(`${nameOf(noun)} ${id} is whole. ${unread}`);
  log.info(`${stored.backups.length - retention.removed.length} ${noun}s are kept`);
  return whole;
}

/** Says what is there and what would go. @returns how many are there, in words, and what would go */
export async function planStandalone<M extends StoredFacts>(
  telling: StandaloneTelling,
  kind: Standalone<M>,
  rules: RetentionRules,
): Promise<{ readonly there: string; readonly removed: readonly string[] }> {
  const stored = await telling.reporter.phase('Look into the bucket', () => kind.read());
  const retention = kind.retentionOf(stored, rules, kind.storage.now());
  await tell(telling, kind, stored, retention);
  return { there: countOf(kind, stored), removed: retention.removed };
}

/** Says whether all that is there is whole. @throws UserError where it is not, or where there is nothing */
export async function verifyStandalone<M extends StoredFacts>(
  telling: StandaloneTelling,
  kind: Standalone<M>,
  rules: RetentionRules,
): Promise<void> {
  const { reporter } = telling;
  const stored = await reporter.phase('Look into the bucket', () => kind.read());
  await tell(telling, kind, stored, kind.retentionOf(stored, rules, kind.storage.now()));
  const [bad] = stored.broken;
  if (bad) throw new UserError(`${nameOf(kind.noun)} ${bad.id} is broken: ${bad.why}`);
  const last = stored.backups.at(-1)?.manifest;
  if (!last) throw new UserError(`The bucket has no whole ${kind.noun} of this stack; run mode "backup"`);
  reporter.verdict(`${countOf(kind, stored)}, the newest of ${last.finishedAt}.`);
}

/** Sets the figures, and shows what is there and what goes. */
async function tell<M extends StoredFacts>(
  { log, output, reporter }: StandaloneTelling,
  { storage, keys, noun, metricsOf, sections }: Standalone<M>,
  stored: StoredBackups<M>,
  retention: RetentionPlan<Held>,
): Promise<void> {
  const drills = await readDrills(storage, keys.drills);
  const worry = drillWorry(drills);
  if (worry !== null) log.warning(worry);
  output('metrics', metricsOf(stored, drills.good, storage.now()));
  output('removed', retention.removed);
  tellTouched(log, touchedOf(stored));
  tellHeld(log, stored.backups, retention);
  sections(stored).forEach((section) => reporter.section(section));
  const sum = `${retention.removed.length} ${noun}s go, ${sizeOf(retention.freedBytes)}.`;
  reporter.section(retentionTable(stored.backups, retention, sum));
}

const nameOf = (noun: string): string => noun.charAt(0).toUpperCase() + noun.slice(1);

const countOf = <M extends StoredFacts>({ noun }: Standalone<M>, { backups }: StoredBackups<M>): string =>
  `${backups.length} whole ${noun}${backups.length === 1 ? '' : 's'}`;
