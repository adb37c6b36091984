import type { RedisSpec } from '@perlstack/configs';
import type { Change, Consent, Due, EnginePlan, Intent, Member } from '@perlstack/engine';
import { findPrimary, nameOf, type Finding, type Seen } from './primary.js';
import type { RedisFollowStep, RedisHandoverStep, RedisSeedStep, RedisStep } from './step.js';

type RedisMember = Member<RedisSpec>;
type Intents = Readonly<Record<string, Intent>>;
type Settled = Exclude<Finding, { kind: 'unclear' }>;

const NOTHING: EnginePlan<never> = { changes: [], before: [], after: [], order: [], refusals: [] };

/** What it takes to make the members that are missing, and in which order those that change may be touched. Pure. */
export function planRedis(
  members: readonly RedisMember[],
  seen: Seen,
  intents: Intents,
  consent: Consent,
): EnginePlan<RedisStep> {
  const [first] = members;
  if (!first) return NOTHING;
  const all = first.spec.members;
  const finding = findPrimary(all, seen);
  if (finding.kind === 'unclear') return { ...NOTHING, refusals: [refusalOf(finding.why)] };
  const leader = nameOf(all, finding.primary);
  const due = (host: string): Due => intents[host]?.due ?? null;
  const missing = members.filter(({ host }) => !seen[host]?.liveFile);
  const refusals = missing.flatMap((member) => refuseLoss(member, seen, leader, consent));
  if (refusals.length > 0) return { ...NOTHING, refusals };

  const handsOver = due(leader) === 'restart' && canHandOver(first, seen, leader);
  const follows = members.filter(({ host }) => {
    const touched = due(host) === 'start' || due(host) === 'restart' || !seen[host]?.liveFile;
    return touched && (host !== leader || handsOver);
  });
  const replicas = follows.filter(({ host }) => host !== leader).map(followStep);
  const handovers = members.filter(({ host }) => handsOver && host === leader);
  return {
    changes: missing.map((member) => changeOf(member, leader)),
    before: [
      ...missing.map((member) => seedStep(member, finding, leader)),
      ...handovers.map((member) => handoverStep(member, replicas)),
    ],
    after: follows.map(followStep),
    order: orderOf(members, leader, due),
    refusals: [],
  };
}

export function refusalOf(why: string): string {
  return `cache: nobody can say which host is the primary: ${why}. Nothing was changed; bring the hosts to agree, then run again`;
}

function refuseLoss({ host }: RedisMember, seen: Seen, leader: string, consent: Consent): string[] {
  if (host === leader || !seen[host]?.hasData || consent.rebuild.includes(host)) return [];
  return [
    `${host}: /var/lib/redis holds data of an earlier Redis, which as a replica of ${leader} it would throw away; move it away, ` +
      `or name ${host} in allow-rebuild`,
  ];
}

function changeOf({ host, service }: RedisMember, leader: string): Change {
  const what = host === leader ? 'to be made primary' : `to be made a replica of ${leader}`;
  return { host, service, kind: 'data', target: 'Redis', what };
}

function seedStep({ host, service }: RedisMember, { primary, kind }: Settled, leader: string): RedisSeedStep {
  const own = host === leader;
  return {
    id: `${host}/${service}/seed`,
    kind: 'redis-seed',
    title: own ? `${service}: make the primary` : `${service}: make a replica of ${leader}`,
    ...{ host, service, primary: own ? null : primary, fresh: kind === 'fresh' },
  };
}

function followStep({ host, service }: RedisMember): RedisFollowStep {
  return {
    id: `${host}/${service}/follow`,
    kind: 'redis-follow',
    title: `${service}: follow the primary`,
    host,
    service,
  };
}

/** Not before the replicas are through with what they have to do: one of them takes over. */
function handoverStep(
  { host, service }: RedisMember,
  replicas: readonly RedisFollowStep[],
): RedisHandoverStep {
  return {
    id: `${host}/${service}/handover`,
    kind: 'redis-handover',
    title: `${service}: hand the primary's role over`,
    ...{ host, service, after: replicas.map(({ id }) => id) },
  };
}

/** With Sentinels, and a replica that could take over. */
function canHandOver({ spec }: RedisMember, seen: Seen, leader: string): boolean {
  if (spec.sentinels.length === 0 || seen[leader]?.redis?.role !== 'primary') return false;
  return spec.members.some(
    ({ host }) => seen[host]?.redis?.role === 'replica' && seen[host].redis.link === 'up',
  );
}

/** A replica finds its primary there; but where all restart, the primary is last, and the replicas go one by one. */
function orderOf(
  members: readonly RedisMember[],
  leader: string,
  due: (host: string) => Due,
): EnginePlan<RedisStep>['order'] {
  const replicas = members.map(({ host }) => host).filter((host) => host !== leader && due(host) !== null);
  const hasToGo = due(leader) !== null;
  if (due(leader) !== 'restart') {
    const restarting = replicas.filter((host) => due(host) === 'restart');
    return [...(hasToGo ? replicas.map((then) => ({ first: leader, then })) : []), ...chain(restarting)];
  }
  return chain([...replicas, leader]);
}

/** Each before the next. */
export function chain(hosts: readonly string[]): { first: string; then: string }[] {
  return hosts.slice(1).map((then, at) => ({ first: hosts[at] ?? then, then }));
}
