import { segmentAt, segmentOf } from '@perlstack/postgres';
import type { Backup, BackupFacts, Catalogue } from '../catalogue.js';
import type { RetentionPlan } from '../retention.js';
import { bytesOf, type Retained } from '../backup.js';
import { timelineOf } from '../wal.js';

/**
 * The commands by which pgBackRest lets go what a plan does not keep: each backup by its label, those that build on
 * others first; then the log before the window. The last one counts full backups, as pgBackRest's own rule for the log
 * does, from the base of the window on; what an older backup needs for itself stays with it.
 *
 * @param labels of all backups in the repository, also those that are not sound: they count too
 */
export function expireCommands({ removed, window }: RetentionPlan, labels: readonly string[]): string[][] {
  const removals = [...removed].reverse().map((id) => ['expire', `--set=${id}`]);
  if (!window) return removals;
  const left = labels.filter((label) => label.endsWith('F') && !removed.includes(label));
  const fulls = left.filter((label) => label >= window.id).length;
  return [
    ...removals,
    ['expire', '--repo1-retention-archive-type=full', `--repo1-retention-archive=${Math.max(1, fulls)}`],
  ];
}

/** What of the log goes by these commands: all before the window but what a kept backup needs for itself. */
export function withoutNeeded(retained: Retained, { backups, wal }: Catalogue<BackupFacts>): Retained {
  const { plan } = retained;
  const kept = backups.filter(({ manifest }) => !plan.removed.includes(manifest.id));
  const segments = retained.segments.filter((name) => !kept.some((backup) => isNeeded(name, backup)));
  return { plan, segments, freedBytes: plan.freedBytes + bytesOf(wal, segments) };
}

function isNeeded(name: string, { manifest }: Backup<BackupFacts>): boolean {
  const { timeline, startLsn, stopLsn, segmentBytes } = manifest.wal;
  const segment = segmentOf(name, segmentBytes);
  return (
    timelineOf(name) === timeline &&
    segment >= segmentAt(startLsn, segmentBytes) &&
    segment <= segmentAt(stopLsn, segmentBytes)
  );
}
