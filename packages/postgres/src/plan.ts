import type { PostgresSpec } from '@perlstack/configs';
import type { Change, Consent, EnginePlan, Intent, Member } from '@perlstack/engine';
import { findLead, type Lead } from './lead.js';
import { lacking } from './lacking.js';
import { orderRestarts } from './restarts.js';
import type { PostgresSeen } from './seen.js';
import { slotOf } from './sql.js';
import { type Standing, standingOf } from './standing.js';
import type { CloneStep, FollowStep, PostgresStep, SettleStep } from './step.js';

type PostgresMember = Member<PostgresSpec>;
type Plan = EnginePlan<PostgresStep>;

const NOTHING: Plan = { changes: [], before: [], after: [], order: [], refusals: [] };

const join = (plans: readonly Plan[]): Plan => ({
  changes: plans.flatMap(({ changes }) => changes),
  before: plans.flatMap(({ before }) => before),
  after: plans.flatMap(({ after }) => after),
  order: plans.flatMap(({ order }) => order),
  refusals: plans.flatMap(({ refusals }) => refusals),
});

/** All that the parts of a plan look at. */
interface Situation {
  readonly members: readonly PostgresMember[];
  readonly seen: Readonly<Record<string, PostgresSeen>>;
  readonly intents: Readonly<Record<string, Intent>>;
  readonly consent: Consent;
  readonly lead: Exclude<Lead, { kind: 'unknown' }>;
  readonly leader: PostgresMember;
}

/**
 * What makes the members one cluster: a primary, and replicas of it. Pure. It never changes who leads, and throws no
 * data away that was not named in the consent.
 */
export function plan(
  members: readonly PostgresMember[],
  seen: Readonly<Record<string, PostgresSeen>>,
  intents: Readonly<Record<string, Intent>>,
  consent: Consent,
): Plan {
  const unseen = members.find(({ host }) => !seen[host]);
  if (unseen) throw new Error(`${unseen.host}: PostgreSQL was not observed`);
  const lead = findLead(members, seen, consent.rebuild);
  if (lead.kind === 'unknown') return { ...NOTHING, refusals: lead.refusals };
  const leader = members.find(({ host }) => host === lead.host);
  if (!leader) throw new Error(`${lead.host} is no member`);
  const situation = { members, seen, intents, consent, lead, leader };
  const followers = members
    .filter((member) => member !== leader)
    .map((follower) => planFollower(situation, follower));
  const remade = followers.flatMap(({ before }) => before.map(({ host }) => host));
  return join([planLeader(situation), ...followers, planRestarts(situation, remade)]);
}

const idOf = ({ host, service }: PostgresMember, what: string): string => `${host}/${service}/${what}`;

function stepOf<K extends PostgresStep['kind']>(
  member: PostgresMember,
  what: K extends `postgresql-${infer W}` ? W : never,
  kind: K,
  title: string,
) {
  const { host, service } = member;
  return { id: idOf(member, what), kind, title: `${service}: ${title}`, host, service };
}

function changeOf({ host, service }: PostgresMember, target: string, what: string): Change {
  return { host, service, kind: 'data', target, what };
}

/** A new cluster where there is none, and on the primary what the cluster lacks. */
function planLeader({ members, seen, lead, leader }: Situation): Plan {
  const { spec, host } = leader;
  const roles = { ...stepOf(leader, 'roles', 'postgresql-roles', 'roles, databases and slots') };
  if (lead.kind === 'new') {
    const what = `new cluster of PostgreSQL ${spec.version}`;
    return {
      ...NOTHING,
      changes: [changeOf(leader, spec.dataDirectory, what)],
      before: [stepOf(leader, 'init', 'postgresql-init', what)],
      after: [roles],
      order: firstOf(leader, members),
    };
  }
  const server = seen[host]?.server;
  // What a stopped primary lacks shows when it runs.
  if (!server) return { ...NOTHING, after: [roles], order: firstOf(leader, members) };
  const missing = lacking(spec, host, server);
  return {
    ...NOTHING,
    changes: missing.map(({ target, what }) => changeOf(leader, target, what)),
    after: missing.length > 0 ? [roles] : [],
  };
}

/** A primary that is made or started goes before all that follow it. */
const firstOf = (leader: PostgresMember, members: readonly PostgresMember[]): Plan['order'] =>
  members.filter((member) => member !== leader).map(({ host }) => ({ first: leader.host, then: host }));

function standingIn({ seen, lead, leader }: Situation, { host }: PostgresMember): Standing {
  const own = seen[host];
  const leading = seen[leader.host];
  if (lead.kind === 'new' || !own) return { kind: 'missing' };
  return standingOf(
    { host, slot: slotOf(host), seen: own },
    { host: leader.host, server: leading?.server ?? null, data: leading?.data ?? null },
  );
}

function planFollower(situation: Situation, member: PostgresMember): Plan {
  const standing = standingIn(situation, member);
  switch (standing.kind) {
    case 'missing':
      return planClone(situation, member);
    case 'behind':
    case 'diverged':
      return planRebuild(situation, member, standing);
    case 'waiting':
      // Whoever allows it means this: found out by a start, it would be stopped again, and be in doubt as before.
      if (standing.doubt !== undefined && situation.consent.rebuild.includes(member.host)) {
        return planRebuild(situation, member, { kind: 'behind', why: standing.doubt });
      }
      return planFollow(situation, member, 'waiting');
    case 'streaming':
      return planFollow(situation, member, 'streaming');
  }
}

function cloneStep(
  member: PostgresMember,
  { leader, intents }: Situation,
  replaces: CloneStep['replaces'],
): CloneStep {
  const title = replaces === 'nothing' ? `copy from ${leader.host}` : `make anew from ${leader.host}`;
  return {
    ...stepOf(member, 'clone', 'postgresql-clone', title),
    from: leader.host,
    replaces,
    starts: (intents[member.host]?.due ?? null) === null,
  };
}

const restartStep = (member: PostgresMember) =>
  stepOf(member, 'restart', 'postgresql-restart', 'restart, for settings that were changed before');

/** Settings of a running member that an earlier change of its files left waiting for a restart. */
function pendingOf({ seen, intents }: Situation, { host }: PostgresMember): readonly string[] {
  return intents[host]?.due === 'restart' ? [] : (seen[host]?.server?.pendingRestart ?? []);
}

function followStep(member: PostgresMember, { leader }: Situation): FollowStep {
  return { ...stepOf(member, 'follow', 'postgresql-follow', `follow ${leader.host}`), from: leader.host };
}

function planClone(situation: Situation, member: PostgresMember): Plan {
  const { leader, seen } = situation;
  const others = seen[member.host]?.otherVersions ?? [];
  if (others.length > 0) {
    const why = `${member.host} holds a cluster of PostgreSQL ${others.join(', ')}: move it away first`;
    return { ...NOTHING, refusals: [why] };
  }
  return {
    ...NOTHING,
    changes: [changeOf(member, 'replica', `to be made from ${leader.host}`)],
    before: [cloneStep(member, situation, 'nothing')],
    after: [followStep(member, situation)],
    order: [{ first: leader.host, then: member.host }],
  };
}

function planRebuild(
  situation: Situation,
  member: PostgresMember,
  { kind, why }: Extract<Standing, { why: string }>,
): Plan {
  const { leader, consent } = situation;
  const { host } = member;
  const what = kind === 'behind' ? 'fell behind' : 'diverged';
  const changes = [changeOf(member, 'replica', `${what}, to be made anew from ${leader.host}: ${why}`)];
  if (!consent.rebuild.includes(host)) {
    const refusal =
      `${host}: its copy of the data ${what} and can't follow ${leader.host} any more: ${why}. ` +
      `Allow it to be made anew from ${leader.host} (allow-rebuild: ${host})`;
    return { ...NOTHING, changes, refusals: [refusal] };
  }
  return {
    ...NOTHING,
    changes,
    before: [cloneStep(member, situation, kind)],
    after: [followStep(member, situation)],
    order: [{ first: leader.host, then: host }],
  };
}

/** One that can follow by itself is at the most restarted, and waited for. */
function planFollow(situation: Situation, member: PostgresMember, standing: 'waiting' | 'streaming'): Plan {
  const { leader, seen, intents } = situation;
  const due = intents[member.host]?.due ?? null;
  const pending = pendingOf(situation, member);
  const restart = pending.length > 0 && situation.consent.restart;
  if (standing === 'streaming' && due !== 'restart' && !restart) {
    return { ...NOTHING, changes: pendingChanges(member, pending) };
  }
  const idle = standing === 'waiting' && due === null && seen[leader.host]?.server;
  return {
    ...NOTHING,
    changes: [
      ...pendingChanges(member, pending),
      ...(idle ? [changeOf(member, 'replica', `does not stream from ${leader.host}: to be waited for`)] : []),
    ],
    after: [...(restart ? [restartStep(member)] : []), followStep(member, situation)],
    order: due === 'start' ? [{ first: leader.host, then: member.host }] : [],
  };
}

/** Restarts one after the other, and the primary's own that an earlier change of files has left due. */
function planRestarts(situation: Situation, remade: readonly string[]): Plan {
  const { members, seen, intents, consent, leader, lead } = situation;
  if (lead.kind !== 'running') return NOTHING;
  const due = members.filter((member) => {
    if (remade.includes(member.host)) return false;
    const pending = consent.restart && pendingOf(situation, member).length > 0;
    return pending || intents[member.host]?.due === 'restart';
  });
  const dueHosts = due.map(({ host }) => host);
  const { hosts, contrary } = orderRestarts(dueHosts, leader.host, seen, intents);
  if (contrary) return { ...NOTHING, refusals: [contraryLimits(contrary)] };
  const pending = pendingOf(situation, leader);
  // Those that follow now lose their connection when the primary restarts, and take a while to come back.
  const settling = dueHosts.includes(leader.host)
    ? members.filter((member) => member !== leader && standingIn(situation, member).kind === 'streaming')
    : [];
  return {
    ...NOTHING,
    changes: pendingChanges(leader, pending),
    after: [
      ...(pending.length > 0 && consent.restart ? [restartStep(leader)] : []),
      ...(settling.length > 0
        ? [
            settleStep(
              leader,
              settling.map(({ host }) => host),
            ),
          ]
        : []),
    ],
    order: hosts.slice(1).map((then, at) => ({ first: hosts[at] ?? then, then })),
  };
}

function settleStep(leader: PostgresMember, replicas: readonly string[]): SettleStep {
  const title = `wait until ${replicas.join(' and ')} follow again`;
  return { ...stepOf(leader, 'settle', 'postgresql-settle', title), replicas };
}

function pendingChanges(member: PostgresMember, settings: readonly string[]): Change[] {
  if (settings.length === 0) return [];
  return [changeOf(member, member.spec.unit, `restart due for ${settings.join(', ')}`)];
}

const contraryLimits = ({
  rising,
  sinking,
}: {
  rising: readonly string[];
  sinking: readonly string[];
}): string =>
  `PostgreSQL: ${rising.join(', ')} rises while ${sinking.join(', ')} sinks, and there is no order of restarts in ` +
  'which the replicas keep running: change them in two runs, those that rise first';
