import { type Lane, liveOthers } from './lanes.js';
import type { FinishStep } from './steps.js';
import type { AppHostState } from './world.js';

/** What is kept on a host. */
export interface Keep {
  readonly release: string;
  /** How many releases stay on a host. */
  readonly keepReleases: number;
}

/** What is left to do on a host once the roll-out has held: nothing where it was done before. */
export function finishOf(keep: Keep, { host, done, from }: Lane): FinishStep[] {
  const stop = liveOthers(host, keep.release);
  const remove = [...host.partials, ...outdated(host, keep, from, stop)];
  if (done && stop.length === 0 && remove.length === 0) return [];
  const title = stop.length === 0 ? 'clean up' : `stop ${stop.join(', ')}`;
  const id = `${host.host}/finish`;
  return [{ id, kind: 'finish', host: host.host, title, release: keep.release, stop, remove }];
}

/**
 * Releases beyond `keepReleases`, oldest first out. Never one that serves, served before or has an instance. Failed ones do
 * not count, so that a row of failures does not push out the last good one; they go when they are older than all that stay.
 */
function outdated(host: AppHostState, keep: Keep, from: string | null, live: readonly string[]): string[] {
  const protectedIds = new Set([keep.release, host.serving, host.current, from, ...live]);
  const newestFirst = [...host.releases].sort((a, b) => b.unpackedAt - a.unpackedAt);
  const others = newestFirst.filter(({ id }) => !protectedIds.has(id));
  const ids = new Set([...host.releases.map(({ id }) => id), keep.release]);
  const kept = [...ids].filter((id) => protectedIds.has(id)).length;
  const room = Math.max(0, keep.keepReleases - kept);
  const sound = others.filter(({ bad }) => !bad);
  const failed = others.filter(({ bad }) => bad);
  const oldest = sound.slice(0, room).at(-1)?.unpackedAt;
  const stale = failed.filter(
    ({ unpackedAt }, index) => index >= keep.keepReleases || (oldest !== undefined && unpackedAt < oldest),
  );
  return [...sound.slice(room), ...stale].map(({ id }) => id);
}
