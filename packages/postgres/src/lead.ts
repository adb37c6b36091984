import type { PostgresSpec } from '@perlstack/configs';
import type { Member } from '@perlstack/engine';
import type { PostgresSeen } from './seen.js';

/** Who of the members leads. */
export type Lead =
  /** There is no cluster yet; this member is to be its first primary. */
  | { readonly kind: 'new'; readonly host: string }
  /** It takes writes. */
  | { readonly kind: 'running'; readonly host: string }
  /** It would, if it ran. */
  | { readonly kind: 'stopped'; readonly host: string }
  /** Nobody can tell, or nothing may be done. */
  | { readonly kind: 'unknown'; readonly refusals: readonly string[] };

type Seen = Readonly<Record<string, PostgresSeen>>;

const names = (hosts: readonly string[]): string => hosts.join(' and ');
const unknown = (...refusals: string[]): Lead => ({ kind: 'unknown', refusals });

/**
 * Finds the primary by what the members are, never by their places in the list: whoever took over keeps the lead.
 * With no member that takes writes, it is the only one that would if it were started.
 *
 * @param rebuild hosts whose data may be thrown away, and which therefore can't lead where another does.
 */
export function findLead(
  members: readonly Member<PostgresSpec>[],
  seen: Seen,
  rebuild: readonly string[],
): Lead {
  const hosts = members.map(({ host }) => host);
  const writable = hosts.filter((host) => seen[host]?.server?.inRecovery === false);
  if (writable.length > 1) return unknown(twoPrimaries(writable));
  const silent = hosts.filter((host) => seen[host]?.silence != null && seen[host]?.data?.standby !== true);
  if (silent.length > 0)
    return unknown(...silent.map((host) => silentMember(host, seen[host]?.silence ?? '')));
  const [leader] = writable;
  return leader === undefined ? findStopped(hosts, seen, rebuild) : { kind: 'running', host: leader };
}

/** Nobody takes writes: who would, if it were started? */
function findStopped(hosts: readonly string[], seen: Seen, rebuild: readonly string[]): Lead {
  const withData = hosts.filter((host) => seen[host]?.data);
  const [first] = hosts;
  if (withData.length === 0 && first !== undefined) return newCluster(first, hosts, seen);
  const primaries = withData.filter((host) => seen[host]?.data?.standby === false);
  const candidates = primaries.filter((host) => !rebuild.includes(host));
  const [candidate] = candidates;
  if (candidate === undefined) return unknown(noPrimary(withData));
  if (candidates.length > 1) return unknown(manyStopped(candidates));
  const ahead = withData.filter((host) => timelineOf(seen[host]) > timelineOf(seen[candidate]));
  if (ahead.length > 0) return unknown(staleCandidate(candidate, ahead));
  return { kind: 'stopped', host: candidate };
}

function newCluster(first: string, hosts: readonly string[], seen: Seen): Lead {
  const others = hosts.flatMap((host) =>
    (seen[host]?.otherVersions ?? []).map((version) => otherVersion(host, version)),
  );
  return others.length > 0 ? { kind: 'unknown', refusals: others } : { kind: 'new', host: first };
}

const timelineOf = (member: PostgresSeen | undefined): number =>
  Math.max(member?.server?.timeline ?? 0, member?.data?.timeline ?? 0);

const twoPrimaries = (hosts: readonly string[]): string =>
  `${names(hosts)} both take writes: two primaries, whose data grow apart. Find out which one the application uses, ` +
  'stop PostgreSQL on the other, and allow that one to be made anew (allow-rebuild)';

const silentMember = (host: string, why: string): string =>
  `${host}: PostgreSQL runs and does not answer: ${why || 'no reason given'}. Look at its log in ` +
  '/var/log/postgresql, wait until it has recovered, and run this again';

const noPrimary = (hosts: readonly string[]): string =>
  `${names(hosts)}: no member would take writes, all are replicas: start the old primary again, or promote the ` +
  'replica that is to lead (pg_ctl promote)';

const manyStopped = (hosts: readonly string[]): string =>
  `${names(hosts)} were primaries once and are stopped: start the one that took writes last, and allow the others to ` +
  'be made anew (allow-rebuild)';

const staleCandidate = (host: string, ahead: readonly string[]): string =>
  `${host} was the primary before ${names(ahead)} took over, and is the only one that would take writes: starting it ` +
  `would undo the failover. Promote ${names(ahead)}, and allow ${host} to be made anew (allow-rebuild)`;

const otherVersion = (host: string, version: number): string =>
  `${host} holds a cluster of PostgreSQL ${version}; this version makes no upgrade between major versions: dump and ` +
  'restore it, or write that version into the stack file';
