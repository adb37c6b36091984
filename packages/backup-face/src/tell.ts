import type { Declaration, MainContext } from '@perlstack/action';
import type { RetentionPlan, Stored, StoredFacts, Touched } from '@perlstack/backup';
import { type Removable, type Storage, StorageError } from '@perlstack/object-storage';

type Log = MainContext<Declaration>['log'];

/** As many as are named. */
const NAMED = 5;

const namesOf = (touched: readonly Touched[]): string =>
  touched
    .slice(0, NAMED)
    .map(({ key }) => key)
    .join(', ') + (touched.length > NAMED ? `, … (${touched.length})` : '');

/** Says what somebody did to objects of a bucket that keeps versions after they were stored; the first ones count. */
export function tellTouched(log: Log, touched: readonly Touched[]): void {
  const those = (how: Touched['how']): readonly Touched[] => touched.filter((one) => one.how === how);
  const [again, overwritten, removed] = [those('again'), those('overwritten'), those('removed')];
  if (overwritten.length > 0)
    log.warning(
      `Overwritten with another content: ${namesOf(overwritten)}. The first version is still there, and counts; but somebody has a ticket or a key who should not: look at who can reach the database servers, and renew the key of the bucket`,
    );
  if (removed.length > 0)
    log.warning(
      `Marked as removed, not by retention: ${namesOf(removed)}. The version is still there, and counts; renew the key of the bucket if you did not do this`,
    );
  if (again.length > 0)
    log.info(`Sent twice with the same content, as after an answer that was lost: ${namesOf(again)}`);
}

/** Says what retention could not remove. */
export async function tellLocked(log: Log, storage: Storage, locked: readonly Removable[]): Promise<void> {
  const [first] = locked;
  if (!first) return;
  const seen = await storage.head(first.key, first.version).catch((error: unknown) => {
    if (error instanceof StorageError) return null;
    throw error;
  });
  const count = `${locked.length} ${locked.length === 1 ? 'version' : 'versions'}`;
  if (seen?.lock)
    log.info(
      `Locked, and so not removed: ${count}, such as ${first.key} until ${seen.lock.until.toISOString()}`,
    );
  else log.warning(`${count} were not removed, such as ${first.key}: the key may not remove versions`);
}

/** Says which backups stay for no other reason than that they are locked. */
export function tellHeld(
  log: Log,
  backups: readonly Stored<StoredFacts & { readonly lockedUntil?: string | null | undefined }>[],
  { verdicts }: Pick<RetentionPlan, 'verdicts'>,
): void {
  for (const { id, reasons } of verdicts) {
    const until = backups.find(({ manifest }) => manifest.id === id)?.manifest.lockedUntil;
    if (reasons.length === 1 && reasons[0] === 'locked' && until)
      log.info(`Backup ${id} stays because it is locked until ${until}`);
  }
}
