import type { Member } from '@perlstack/configs';
import type { HostSeen } from './seen.js';

export type Seen = Readonly<Record<string, HostSeen>>;

/** Who the primary is, by its address. */
export type Finding =
  /** It leads, or will as soon as it runs. */
  | { readonly kind: 'known'; readonly primary: string }
  /** There is no cluster yet: it is to be made here. */
  | { readonly kind: 'fresh'; readonly primary: string }
  /** Nobody can say: what is seen contradicts itself. */
  | { readonly kind: 'unclear'; readonly why: string };

/**
 * Asks the Sentinels first, then the running members, then what they wrote down, and only where nobody knows of any
 * primary takes the first member.
 */
export function findPrimary(members: readonly Member[], seen: Seen): Finding {
  const named = namedBySentinels(members, seen);
  if (named.length > 1)
    return unclear(`the Sentinels name different primaries: ${named.map(describeVote).join('; ')}`);
  const [vote] = named;
  const finding = vote ? byVote(members, seen, vote.address) : byMembers(members, seen);
  return finding.kind === 'known' ? doubted(members, seen, finding.primary) : finding;
}

const unclear = (why: string): Finding => ({ kind: 'unclear', why });
const known = (primary: string): Finding => ({ kind: 'known', primary });

interface Vote {
  readonly address: string;
  readonly name: string;
  readonly voters: readonly string[];
}

const describeVote = ({ name, voters }: Vote): string =>
  `${voters.join(', ')} ${voters.length === 1 ? 'names' : 'name'} ${name}`;

function namedBySentinels(members: readonly Member[], seen: Seen): Vote[] {
  const votes = new Map<string, string[]>();
  for (const { host } of members) {
    const address = seen[host]?.sentinel?.names;
    if (address) votes.set(address, [...(votes.get(address) ?? []), host]);
  }
  return [...votes].map(([address, voters]) => ({ address, voters, name: nameOf(members, address) }));
}

/** A host's name for a message, or the address where no host has it. */
export function nameOf(members: readonly Member[], address: string): string {
  return members.find((member) => member.address === address)?.host ?? address;
}

function byVote(members: readonly Member[], seen: Seen, address: string): Finding {
  if (members.some((member) => member.address === address)) return byMemory(members, seen, address);
  return unclear(`the Sentinels name ${address} as the primary, which is no cache host of this stack`);
}

function byMembers(members: readonly Member[], seen: Seen): Finding {
  const running = members.filter(({ host }) => seen[host]?.redis?.role === 'primary');
  if (running[0]) return known(running[0].address);
  const leading = members.filter(({ host }) => seen[host]?.liveFile?.follows === null);
  if (leading.length > 1)
    return unclear(`${listed(leading)} were each primary when they stopped; none of them runs`);
  if (leading[0]) return known(leading[0].address);
  const followed = [...new Set(members.flatMap(({ host }) => seen[host]?.liveFile?.follows ?? []))];
  if (followed.length > 1)
    return unclear(
      `the replicas follow different primaries: ${followed.map((one) => nameOf(members, one)).join(', ')}`,
    );
  const [first] = members;
  if (!first) return unclear('no cache host is known');
  return followed[0] === undefined
    ? { kind: 'fresh', primary: first.address }
    : byMemory(members, seen, followed[0]);
}

/** The primary is known by name; it may be that it has nothing of what it was. */
function byMemory(members: readonly Member[], seen: Seen, address: string): Finding {
  const own = members.find((member) => member.address === address);
  if (!own) return unclear(`the replicas follow ${address}, which is no cache host of this stack`);
  if (seen[own.host]?.liveFile) return known(address);
  const others = members.filter(
    ({ host }) => host !== own.host && seen[host]?.hasData && seen[host].liveFile,
  );
  if (others.length === 0) return { kind: 'fresh', primary: address };
  return unclear(
    `${own.host} is the primary but has lost its files, and made anew it would empty its replicas, which have the data (${listed(others)}): ` +
      'make one of them primary first (REPLICAOF NO ONE)',
  );
}

/** Whether the members themselves agree that it is the primary. */
function doubted(members: readonly Member[], seen: Seen, primary: string): Finding {
  const name = nameOf(members, primary);
  const own = seen[name]?.redis;
  if (own?.role === 'replica') {
    return unclear(
      `${name} is named as the primary, but is itself a replica of ${nameOf(members, own.follows ?? 'nobody')}`,
    );
  }
  const more = members.filter(
    ({ host, address }) => address !== primary && seen[host]?.redis?.role === 'primary',
  );
  if (more.length === 0) return known(primary);
  return unclear(`${name} and ${listed(more)} all take themselves for the primary`);
}

const listed = (members: readonly Member[]): string => members.map(({ host }) => host).join(' and ');

/** Whether a failover is under way, or what is seen may still become clear by one. */
export function isSettling(members: readonly Member[], seen: Seen): boolean {
  const sentinels = members.flatMap(({ host }) => seen[host]?.sentinel ?? []);
  // Without a majority of Sentinels none will come.
  if (sentinels.length * 2 <= members.length) return false;
  return findPrimary(members, seen).kind === 'unclear' || sentinels.some(({ failingOver }) => failingOver);
}
