import { parseLsn, segmentAt, segmentOf } from './lsn.js';
import type { DataSeen, PostgresSeen, ServerSeen } from './seen.js';

/** How a member stands to its primary. */
export type Standing =
  /** It has no data. */
  | { readonly kind: 'missing' }
  /** It receives what the primary writes, however far it lags. */
  | { readonly kind: 'streaming' }
  /**
   * It does not receive at the moment, and can when both are up: only time or a start is missing. `doubt` says why it
   * might not, where that shows only when it runs.
   */
  | { readonly kind: 'waiting'; readonly doubt?: string }
  /** WAL that it needs is gone; all that it has, the primary has too. */
  | { readonly kind: 'behind'; readonly why: string }
  /** It may hold what the primary has not: written on another timeline, or in another cluster. */
  | { readonly kind: 'diverged'; readonly why: string };

export interface Leader {
  readonly host: string;
  /** `null` while it is stopped: then little can be told. */
  readonly server: ServerSeen | null;
  readonly data: DataSeen | null;
}

/** A member that is to follow, with the name of its slot on the primary. */
export interface Follower {
  readonly host: string;
  readonly slot: string;
  readonly seen: PostgresSeen;
}

/** Tells a replica that only lags from one that has fallen behind or diverged. */
export function standingOf(follower: Follower, leader: Leader): Standing {
  const { data, server } = follower.seen;
  if (!data) return { kind: 'missing' };
  const other = leader.server?.systemIdentifier ?? leader.data?.systemIdentifier;
  if (other !== undefined && data.systemIdentifier !== other) {
    return { kind: 'diverged', why: `its data are of another cluster than those of ${leader.host}` };
  }
  if (!data.standby && server?.inRecovery !== true) {
    return {
      kind: 'diverged',
      why: `it was the primary before ${leader.host}, and may hold what that has not`,
    };
  }
  if (!leader.server) return { kind: 'waiting' };
  // From the primary, or from another replica of it.
  if (server?.receiver?.status === 'streaming' && server.timeline === leader.server.timeline) {
    return { kind: 'streaming' };
  }
  return (
    forked(follower.seen, leader.host, leader.server) ??
    starved(follower, leader.server) ?? { kind: 'waiting' }
  );
}

/** Beyond the point at which the primary's history left the replica's timeline. */
function forked(seen: PostgresSeen, leader: string, primary: ServerSeen): Standing | null {
  const place = seen.server ?? seen.data;
  if (!place || place.timeline === primary.timeline) return null;
  const end = primary.history.find(({ timeline }) => timeline === place.timeline);
  if (end && parseLsn(place.lsn) <= parseLsn(end.lsn)) return null;
  const why = end
    ? `it went on to ${place.lsn} on timeline ${place.timeline}, which ${leader} left at ${end.lsn}`
    : `its timeline ${place.timeline} is none of which ${leader} came`;
  return { kind: 'diverged', why };
}

/** The primary no longer has the WAL that comes next. */
function starved({ slot: name, seen: { server, data } }: Follower, primary: ServerSeen): Standing | null {
  const slot = primary.slots.find((candidate) => candidate.name === name);
  if (slot?.walStatus === 'lost') {
    return {
      kind: 'behind',
      why: `its slot ${name} is lost: more than max_slot_wal_keep_size was written since`,
    };
  }
  // Until it has replayed all that it has, its position tells nothing of what it needs.
  if (server) return server.atEnd ? gone(server.lsn, primary) : null;
  const kept = slot?.restartLsn ?? null;
  if (!data || kept === null || parseLsn(kept) <= parseLsn(data.lsn)) return null;
  return {
    kind: 'waiting',
    doubt: `it has all up to ${data.lsn} at least, and its slot keeps what is after ${kept}`,
  };
}

function gone(lsn: string, { segmentBytes, oldestWal }: ServerSeen): Standing | null {
  if (oldestWal === null || segmentAt(lsn, segmentBytes) >= segmentOf(oldestWal, segmentBytes)) return null;
  return { kind: 'behind', why: `it needs WAL from ${lsn} on, and the oldest that is left is ${oldestWal}` };
}
