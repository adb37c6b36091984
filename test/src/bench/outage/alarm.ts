import type { BackupSite } from '../../backup-site.js';
import { repeat } from './repeat.js';

/** What a look at the backups said while the bucket was away. */
export interface Alarm {
  /** Seconds into the outage at which the look began whose run was the first to fail; `null`: none did. */
  readonly failed: number | null;
  /** The same of the one that was the first to warn of the log that waits. */
  readonly warned: number | null;
  /** What that one said. */
  readonly words: string | null;
}

const WARNING = /^::warning.*?::(.* segments of the log wait on .*)$/m;
const EVERY_MS = 60_000;

/** Runs the action's mode `verify` every minute, as a schedule does, until it is stopped. */
export function watchAlarms(site: BackupSite): () => Promise<Alarm> {
  const start = performance.now();
  let alarm: Alarm = { failed: null, warned: null, words: null };
  const stop = repeat(EVERY_MS, async () => {
    const at = (performance.now() - start) / 1_000;
    const { code, output } = await site.backup({ mode: 'verify' });
    const words = WARNING.exec(output)?.[1] ?? null;
    alarm = {
      failed: alarm.failed ?? (code === 0 ? null : at),
      warned: alarm.warned ?? (words === null ? null : at),
      words: alarm.words ?? words,
    };
  });
  return async () => {
    await stop();
    return alarm;
  };
}
