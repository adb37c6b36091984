import type { Member } from '@perlstack/configs';
import type { HostSeen } from './host-seen.js';

/** What is there on every cache host; of one that does not answer, nothing. */
export type TierSeen = Readonly<Record<string, HostSeen>>;

/** What a restore has to do yet. */
export interface TierPlan {
  /** Why nothing may be done, a sentence each. */
  readonly refusals: readonly string[];
  /** Whether the snapshot is yet to be loaded on the host that is to be primary. */
  readonly load: boolean;
  /** Hosts that are yet to become replicas of it. */
  readonly replicas: readonly string[];
  /** Whether the Sentinels are yet to be made to watch it. */
  readonly sentinels: boolean;
}

export interface TierWish {
  readonly members: readonly Member[];
  /** Whether Sentinels watch it. */
  readonly sentinels: boolean;
  /** The host that is to be primary. */
  readonly host: string;
  readonly backup: string;
  /** Hosts whose old data may be moved aside. */
  readonly replace: readonly string[];
}

/**
 * How the whole tier comes to a snapshot. Pure. What an unfinished run of the same snapshot did is known by its mark, and
 * taken up; any other Redis that runs, and any other data, are somebody's until they are given up.
 */
export function planTier({ members, sentinels, host, backup, replace }: TierWish, seen: TierSeen): TierPlan {
  const address = members.find((member) => member.host === host)?.address ?? '';
  const target = seen[host];
  const loaded = target?.mark?.backup === backup && target.mark.loaded && target.redis?.role === 'primary';
  const follows = (one: HostSeen | undefined): boolean =>
    loaded && one?.redis?.role === 'replica' && one.redis.follows === address;
  const made = members
    .map((member) => member.host)
    .filter((name) => (name === host ? !loaded : !follows(seen[name])));
  const refusals = members.flatMap((member) => {
    const one = seen[member.host];
    if (!one) return [silent(member.host)];
    if (!made.includes(member.host) || isOurs(one, backup, member.host === host ? null : address)) return [];
    return refuse(member.host, one, replace);
  });
  const watching = members.every((member) => seen[member.host]?.sentinel?.names === address);
  return {
    refusals,
    load: !loaded,
    replicas: made.filter((name) => name !== host),
    sentinels: sentinels && (made.length > 0 || !watching),
  };
}

const silent = (host: string): string =>
  `${host} does not answer: should it come back later, so would its old data; bring it back or replace it first`;

/**
 * Whether what is on a host is nobody's but that of an unfinished run, and may be done again. Where a failover came since,
 * or the snapshot was loaded already, others may have written to it.
 *
 * @param follows address of the primary that a replica was told of; `null` on the primary itself
 */
function isOurs({ mark, runs, redis }: HostSeen, backup: string, follows: string | null): boolean {
  if (mark?.backup !== backup || mark.loaded) return false;
  return !runs || redis === null || redis.follows === follows;
}

function refuse(host: string, seen: HostSeen, replace: readonly string[]): string[] {
  if (!seen.configured)
    return [
      `${host}: Redis is not set up there; run apply-configs first, then stop Redis on all cache hosts`,
    ];
  if (seen.runs) return [`${host}: Redis runs here: stop it first, if it is really to be replaced`];
  if (!seen.hasData || replace.includes(host)) return [];
  return [
    `${host}: /var/lib/redis is not empty: name this host in the input replace, and its data are moved aside`,
  ];
}
