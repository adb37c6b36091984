import type { Member } from '@perlstack/configs';
import { findPrimary, nameOf, type Seen } from '@perlstack/redis';
import { UserError } from '@perlstack/stack';

/** Whose data a snapshot is of. */
export interface RedisSource {
  readonly host: string;
  readonly role: 'primary' | 'replica';
  readonly primary: string;
  /** How far it is behind its primary, in bytes of the replication stream. */
  readonly lagBytes: number;
  readonly why: string;
}

/** A replica further behind than this is no good copy of the primary. */
const MOST_LAG_BYTES = 16 * 1024 * 1024;

/**
 * Whom to take a snapshot from: a replica whose link is up and that is not far behind, because it has no users to disturb;
 * else the primary.
 *
 * @param wanted a host's name, `primary`, or `auto`
 * @throws UserError when there is no primary, or more than one, or the wanted one will not do
 */
export function chooseRedisSource(members: readonly Member[], seen: Seen, wanted: string): RedisSource {
  const primary = runningPrimary(members, seen);
  const ofPrimary = (why: string): RedisSource => ({
    ...{ host: primary.host, role: 'primary', primary: primary.host, lagBytes: 0, why },
  });
  const replicas = members.flatMap((member) => replicaOf(member, seen, primary));
  if (wanted === 'primary' || wanted === primary.host) return ofPrimary('asked for');
  if (wanted !== 'auto') {
    const asked = replicas.find(({ host }) => host === wanted);
    if (asked) return { ...asked, why: 'asked for' };
    throw new UserError(
      `Input "source": ${wanted} is not a replica whose link is up and that is less than 16 MiB behind; leave it out to take the best one`,
    );
  }
  const [best] = replicas.sort((one, other) => one.lagBytes - other.lagBytes);
  return best ?? ofPrimary('no replica is near enough to the primary');
}

interface Primary extends Member {
  readonly offset: number;
}

function runningPrimary(members: readonly Member[], seen: Seen): Primary {
  const finding = findPrimary(members, seen);
  if (finding.kind === 'unclear')
    throw new UserError(
      `cache: nobody can say which host is the primary: ${finding.why}; bring the hosts to agree, then run again`,
    );
  const member = members.find(({ address }) => address === finding.primary);
  const redis = seen[member?.host ?? '']?.redis;
  if (member && redis?.role === 'primary') return { ...member, offset: redis.offset };
  throw new UserError(
    `cache: ${nameOf(members, finding.primary)} is the primary, and its Redis does not answer: bring it back, or let another one take its place, before anything is backed up`,
  );
}

function replicaOf({ host }: Member, seen: Seen, primary: Primary): RedisSource[] {
  const redis = seen[host]?.redis;
  if (redis?.role !== 'replica' || redis.link !== 'up' || redis.follows !== primary.address) return [];
  // Hosts are asked one after the other: one that was asked later may seem to be ahead.
  const lagBytes = Math.max(0, primary.offset - redis.offset);
  if (lagBytes > MOST_LAG_BYTES) return [];
  const why = 'a replica, which has no users to disturb';
  return [{ host, role: 'replica', primary: primary.host, lagBytes, why }];
}
