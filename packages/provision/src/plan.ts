import type { RuleSet } from '@perlstack/linode';
import { jumpTier, type StackFile, TIERS, type TierName } from '@perlstack/stack';
import { rulesFor, sameRules } from './access.js';
import { type Bill, billLines, billOf, entryLines } from './bill.js';
import { bucketLines, bucketSteps } from './bucket.js';
import { fault } from './catalogue.js';
import { deletions } from './destroy.js';
import { desiredEntry, ENTRY_SUBNET } from './entry.js';
import { departuresOf, entryRules, entrySteps } from './entry-plan.js';
import { type DesiredHost, type DesiredTier, layout } from './layout.js';
import {
  balancerLabel,
  entryTags,
  firewallLabel,
  linodeLabel,
  placementLabel,
  ROTATED_TAG,
  tierTags,
  vpcLabel,
} from './names.js';
import { notesOn } from './notes.js';
import type { Observed, ObservedLinode } from './observed.js';
import { describeType, dollars } from './prices.js';
import { type ProvisionStep, stepId } from './steps.js';

export interface ProvisionPlan {
  readonly stack: string;
  /** What is to be done, for `execute`; empty when everything is as the stack file wants it. */
  readonly steps: readonly ProvisionStep[];
  readonly bill: Bill;
  /** What a person should know but need not mend: single hosts, things left alone. One sentence each. */
  readonly notes: readonly string[];
}

/**
 * What has to be done so that Linode shows what the stack file wants. Pure.
 *
 * @throws UserError when it would cost more than the budget
 */
export function plan(file: StackFile, observed: Observed): ProvisionPlan {
  const { stack } = file;
  const tiers = layout(stack, (tier) => observed.linodes.filter((linode) => linode.tier === tier).length);
  const entry = desiredEntry(stack);
  const bill = billOf([
    ...billLines(tiers, observed.linodes, observed.catalogue),
    ...entryLines(entry?.label ?? null, observed.balancers, observed.catalogue),
    ...bucketLines(observed),
  ]);
  checkBudget(file, bill);
  const world: World = { file, observed, tiers };
  const steps = [
    ...networkSteps(world),
    ...tiers.flatMap((tier) => tierFirewallSteps(world, tier)),
    ...(entry ? firewallSteps(world, entry.label, entryRules(entry), entryTags(stack.stack)) : []),
    ...tiers.flatMap((tier) => placementSteps(world, tier)),
    ...tiers.flatMap((tier) => tier.hosts.flatMap((host) => hostSteps(world, tier, host))),
    ...entrySteps(stack, observed, tiers),
    ...bucketSteps(file, observed),
  ];
  const all = [...steps, ...surplusSteps(world, steps)];
  return { stack: stack.stack, steps: ordered(all), bill, notes: notesOn(file, observed, tiers) };
}

interface World {
  readonly file: StackFile;
  readonly observed: Observed;
  readonly tiers: readonly DesiredTier[];
}

/** Steps wait only for what the plan holds. */
function ordered(steps: readonly ProvisionStep[]): ProvisionStep[] {
  const ids = new Set(steps.map(({ id }) => id));
  return steps.map((step) => ({ ...step, after: (step.after ?? []).filter((id) => ids.has(id)) }));
}

function networkSteps({ file: { stack }, observed, tiers }: World): ProvisionStep[] {
  const label = vpcLabel(stack);
  const entry = desiredEntry(stack);
  const wanted = [
    ...tiers.map(({ tier, subnet }) => ({ label: tier, ipv4: subnet })),
    ...(entry ? [{ label: ENTRY_SUBNET, ipv4: entry.subnet }] : []),
  ];
  const { vpc } = observed;
  if (!vpc) {
    const title = `create VPC ${label} with ${wanted.length} subnets in ${stack.network.vpc}`;
    return [
      {
        id: stepId('create-vpc', label),
        kind: 'create-vpc',
        title,
        label,
        region: stack.region,
        subnets: wanted,
      },
    ];
  }
  return wanted
    .filter((subnet) => !vpc.subnets.some((existing) => existing.label === subnet.label))
    .map((subnet) => ({
      ...{ id: stepId('create-subnet', subnet.label), kind: 'create-subnet', vpc: label, ...subnet },
      title: `create subnet ${subnet.label}, ${subnet.ipv4}`,
    }));
}

function tierFirewallSteps(world: World, { tier, firewall: label }: DesiredTier): ProvisionStep[] {
  const { stack } = world.file;
  return firewallSteps(world, label, rulesFor(stack, tier), tierTags(stack.stack, tier));
}

function firewallSteps(
  { observed }: World,
  label: string,
  rules: RuleSet,
  tags: readonly string[],
): ProvisionStep[] {
  const existing = observed.firewalls.find((wall) => wall.label === label);
  if (!existing) {
    const title = `create firewall ${label}: ${rules.inbound.length} ways in, all else dropped`;
    return [{ id: stepId('create-firewall', label), kind: 'create-firewall', title, label, tags, rules }];
  }
  if (existing.enabled && sameRules(existing.rules, rules)) return [];
  const title = `firewall ${label}: ${existing.enabled ? 'replace its rules' : 'enable it, set its rules'}`;
  return [{ id: stepId('repair-firewall', label), kind: 'repair-firewall', title, label, rules }];
}

function placementSteps(
  { file: { stack }, observed }: World,
  { placement: label }: DesiredTier,
): ProvisionStep[] {
  if (!label || observed.placementGroups.some((group) => group.label === label)) return [];
  const title = `create placement group ${label}: hosts apart from each other`;
  return [
    {
      id: stepId('create-placement-group', label),
      kind: 'create-placement-group',
      title,
      label,
      region: stack.region,
    },
  ];
}

/** The group of a host, unless the region's groups hold no more. */
function groupOf({ observed }: World, { placement }: DesiredTier, { number }: DesiredHost): string | null {
  return number <= observed.catalogue.region.placementLimit ? placement : null;
}

function hostSteps(world: World, tier: DesiredTier, host: DesiredHost): ProvisionStep[] {
  const existing = world.observed.linodes.find(({ label }) => label === host.label);
  return [
    ...(existing ? repairSteps(world, tier, host, existing) : [createStep(world, tier, host)]),
    ...(existing?.status === 'running' ? [] : [startStep(host)]),
    ...(existing?.tags.includes(ROTATED_TAG) ? [] : [rotateStep(world, tier, host)]),
  ];
}

function createStep(world: World, tier: DesiredTier, host: DesiredHost): ProvisionStep {
  const { stack } = world.file;
  const type = world.observed.catalogue.types.find(({ id }) => id === tier.type);
  const group = groupOf(world, tier, host);
  const needs = [
    stepId('create-vpc', vpcLabel(stack)),
    stepId('create-subnet', tier.tier),
    stepId('create-firewall', tier.firewall),
    ...(group ? [stepId('create-placement-group', group)] : []),
  ];
  return {
    ...{ id: stepId('create-linode', host.label), kind: 'create-linode', host: host.name, after: needs },
    title: `create ${host.label}: ${type ? describeType(type) : tier.type}, ${host.address}`,
    ...{ label: host.label, hostname: host.name, region: stack.region, type: tier.type, image: stack.image },
    ...{
      tags: tierTags(stack.stack, tier.tier),
      public: tier.public,
      vpc: vpcLabel(stack),
      subnet: tier.tier,
    },
    ...{ address: host.address, firewall: tier.firewall, placementGroup: group },
  };
}

function startStep({ label, name }: DesiredHost): ProvisionStep {
  const after = [stepId('create-linode', label)];
  return {
    id: stepId('start-linode', label),
    kind: 'start-linode',
    host: name,
    after,
    title: 'wait until it runs',
    label,
  };
}

function rotateStep(
  { file: { stack }, tiers }: World,
  tier: DesiredTier,
  { label, name }: DesiredHost,
): ProvisionStep {
  const via = tier.public ? null : jumpLabel(stack.stack, jumpTier(stack), tiers);
  const after = [stepId('start-linode', label), ...(via ? [stepId('rotate-host-key', via)] : [])];
  const title = 'first connection, new host key';
  return {
    id: stepId('rotate-host-key', label),
    kind: 'rotate-host-key',
    host: name,
    after,
    title,
    label,
    via,
  };
}

function jumpLabel(stack: string, tier: TierName | null, tiers: readonly DesiredTier[]): string | null {
  return tier && tiers.some((one) => one.tier === tier) ? linodeLabel(stack, tier, 1) : null;
}

/** What drifted on a Linode that exists: tags, firewalls on its interfaces, its placement group. */
function repairSteps(
  world: World,
  tier: DesiredTier,
  host: DesiredHost,
  linode: ObservedLinode,
): ProvisionStep[] {
  const { label, name } = host;
  const tags = tierTags(world.file.stack.stack, tier.tier).filter((tag) => !linode.tags.includes(tag));
  const wall = world.observed.firewalls.find((one) => one.label === tier.firewall);
  const group = groupOf(world, tier, host);
  return [
    ...(tags.length > 0 ? [tagStep(host, tags)] : []),
    ...linode.interfaces
      .filter(({ id }) => !wall?.interfaces.includes(id))
      .map(({ kind }) => attachStep(tier, host, kind)),
    ...(group && linode.placementGroup === null
      ? [
          {
            ...({
              id: stepId('assign-placement', label),
              kind: 'assign-placement',
              host: name,
              label,
              placementGroup: group,
            } as const),
            after: [stepId('create-placement-group', group), stepId('start-linode', label)],
            title: `into placement group ${group}`,
          },
        ]
      : []),
  ];
}

function tagStep({ label, name }: DesiredHost, tags: readonly string[]): ProvisionStep {
  return {
    id: stepId('add-tags', label),
    kind: 'add-tags',
    host: name,
    title: `add tags ${tags.join(', ')}`,
    label,
    tags,
  };
}

function attachStep(
  { firewall }: DesiredTier,
  { label, name }: DesiredHost,
  kind: 'public' | 'vpc',
): ProvisionStep {
  return {
    ...{
      id: `${stepId('attach-firewall', label)}/${kind}`,
      kind: 'attach-firewall',
      host: name,
      label,
      firewall,
    },
    ...{ interface: kind, after: [stepId('create-firewall', firewall)] },
    title: `${kind} interface under firewall ${firewall}`,
  };
}

/** Removes what the file wants no more: hosts above the count, and all that is left of what has no place in it now. */
function surplusSteps(
  { file: { stack }, observed, tiers }: World,
  before: readonly ProvisionStep[],
): ProvisionStep[] {
  const wanted = new Set(tiers.flatMap(({ hosts }) => hosts.map(({ label }) => label)));
  const gone = TIERS.filter((tier) => !tiers.some((one) => one.tier === tier));
  const entry = desiredEntry(stack);
  const subnets: readonly string[] = [...gone, ...(entry ? [] : [ENTRY_SUBNET])];
  const walls = [
    ...gone.map((tier) => firewallLabel(stack.stack, tier)),
    ...(entry ? [] : [balancerLabel(stack.stack)]),
  ];
  const groups = gone.map((tier) => placementLabel(stack.stack, tier));
  const { steps } = deletions(
    stack.stack,
    {
      ...observed,
      linodes: observed.linodes.filter(({ label }) => !wanted.has(label)),
      firewalls: observed.firewalls.filter(({ label }) => walls.includes(label)),
      placementGroups: observed.placementGroups.filter(({ label }) => groups.includes(label)),
      balancers: entry ? [] : observed.balancers,
      vpc: observed.vpc && {
        ...observed.vpc,
        subnets: observed.vpc.subnets.filter(({ label }) => subnets.includes(label)),
      },
    },
    'keep-vpc',
  );
  return steps.map((step) =>
    step.kind === 'delete-linode' ? { ...step, after: departuresOf(before, step.host ?? '') } : step,
  );
}

function checkBudget(file: StackFile, bill: Bill): void {
  const limit = file.stack.budget?.monthly;
  if (limit === undefined || bill.after <= limit) return;
  const lines = bill.lines.filter(({ change }) => change !== 'delete');
  const kinds = [...new Set(lines.map(({ tier, type }) => `${tier} ${type}`))];
  const rows = kinds.map((kind) => {
    const same = lines.filter(({ tier, type }) => `${tier} ${type}` === kind);
    return `${same.length} x ${kind} ${dollars(billOf(same).after)}`;
  });
  throw fault(
    file,
    ['budget', 'monthly'],
    `the stack would cost ${dollars(bill.after)} a month (${rows.join(', ')}), ${dollars(bill.after - limit)} more than the budget of ${dollars(limit)}`,
  );
}
