import type { Storage } from '@perlstack/object-storage';

/** What a drill of anything says. */
export interface DrillNote {
  readonly backup: string;
  /** ISO 8601 */
  readonly startedAt: string;
  /** None: the backup is proven. */
  readonly faults: readonly string[];
}

const stamp = (at: string): string => at.replaceAll(/[-:]|\.\d+/g, '');

/**
 * Keeps what a drill found in the bucket, where backups and restores look for it.
 *
 * @param folder of such notes
 * @param run the page of the run
 */
export async function noteDrill(
  storage: Storage,
  folder: string,
  report: DrillNote,
  run: string | null,
): Promise<void> {
  await storage.put(`${folder}${stamp(report.startedAt)}.json`, `${JSON.stringify({ ...report, run })}\n`);
}

/** When drills ended, by the storage's clock. */
export interface DrillsSeen {
  /** The last one that proved its backup; `null`: none. */
  readonly good: Date | null;
  /** One that failed after it; `null`: none. */
  readonly failed: Date | null;
}

/** Looks for the last drill that proved anything: one that failed is none, and is told apart. */
export async function readDrills(
  storage: Pick<Storage, 'list' | 'get'>,
  folder: string,
): Promise<DrillsSeen> {
  let failed: Date | null = null;
  for (const { key, modified } of (await storage.list(folder)).reverse().slice(0, MOST_READ)) {
    const note = noteIn((await storage.get(key))?.content);
    if (note?.faults.length === 0) return { good: modified, failed };
    failed ??= modified;
  }
  return { good: null, failed };
}

/** Says that the last drill failed; `null`: it did not. */
export function drillWorry({ good, failed }: DrillsSeen): string | null {
  if (!failed) return null;
  const proven = good
    ? `the last one that proved a backup was ${good.toISOString()}`
    : 'none proved a backup yet';
  return `The last drill, ${failed.toISOString()}, failed; ${proven}: see its run`;
}

/** A backup is drilled in the night that made it, or not much later; more are not read for it. */
const MOST_READ = 30;

/** Whether a drill that began after a backup's end found it good. */
export async function isProven(
  storage: Storage,
  folder: string,
  { id, finishedAt }: { readonly id: string; readonly finishedAt: string },
): Promise<boolean> {
  const since = `${folder}${stamp(finishedAt)}`;
  const later = (await storage.list(folder)).filter(({ key }) => key >= since).slice(0, MOST_READ);
  for (const { key } of later) {
    const note = noteIn((await storage.get(key))?.content);
    if (note?.backup === id && note.faults.length === 0) return true;
  }
  return false;
}

function noteIn(content: Buffer | undefined): DrillNote | null {
  try {
    const note = JSON.parse(content?.toString() ?? '') as Partial<DrillNote>;
    return Array.isArray(note.faults) ? (note as DrillNote) : null;
  } catch {
    return null;
  }
}
