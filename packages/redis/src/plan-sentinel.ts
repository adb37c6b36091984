import type { SentinelSpec } from '@perlstack/configs';
import type { EnginePlan, Intent, Member } from '@perlstack/engine';
import { chain, refusalOf } from './plan-redis.js';
import { findPrimary, nameOf, type Seen } from './primary.js';
import type { SentinelQuorumStep, SentinelSeedStep, SentinelStep } from './step.js';

type SentinelMember = Member<SentinelSpec>;

const NOTHING: EnginePlan<never> = { changes: [], before: [], after: [], order: [], refusals: [] };

/** What it takes to make the Sentinels that are missing; those that restart do so one by one. Pure. */
export function planSentinel(
  members: readonly SentinelMember[],
  seen: Seen,
  intents: Readonly<Record<string, Intent>>,
): EnginePlan<SentinelStep> {
  const [first] = members;
  if (!first) return NOTHING;
  const watched = first.spec.watched;
  const missing = members.filter(({ host }) => !seen[host]?.sentinelFile);
  const finding = findPrimary(watched, seen);
  if (finding.kind === 'unclear') {
    return { ...NOTHING, refusals: missing.length > 0 ? [refusalOf(finding.why)] : [] };
  }
  const leader = nameOf(watched, finding.primary);
  const due = (host: string) => intents[host]?.due ?? null;
  const restarting = members.filter(({ host }) => due(host) === 'restart').map(({ host }) => host);
  const touched = members.filter(
    (member) => due(member.host) === 'start' || due(member.host) === 'restart' || missing.includes(member),
  );
  return {
    changes: missing.map(({ host, service }) => {
      return { host, service, kind: 'data', target: 'Sentinel', what: `to be made, watching ${leader}` };
    }),
    before: missing.map((member) => seedStep(member, finding.primary, finding.kind === 'fresh', leader)),
    after: touched.map(quorumStep),
    order: chain(restarting),
    refusals: [],
  };
}

function seedStep(
  { host, service }: SentinelMember,
  primary: string,
  fresh: boolean,
  leader: string,
): SentinelSeedStep {
  return {
    id: `${host}/${service}/seed`,
    kind: 'sentinel-seed',
    title: `${service}: watch ${leader}`,
    ...{ host, service, primary, fresh },
  };
}

function quorumStep({ host, service }: SentinelMember): SentinelQuorumStep {
  return {
    id: `${host}/${service}/quorum`,
    kind: 'sentinel-quorum',
    title: `${service}: find the others`,
    host,
    service,
  };
}
