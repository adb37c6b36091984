import { type Bill, billLines, billOf, entryLines } from './bill.js';
import { bucketLines, staysNote } from './bucket.js';
import { hostName } from './names.js';
import type {
  Catalogue,
  Observed,
  ObservedFirewall,
  ObservedPlacementGroup,
  ObservedSubnet,
  Resources,
} from './observed.js';
import { type ProvisionStep, stepId } from './steps.js';

export interface DestroyPlan {
  readonly stack: string;
  readonly steps: readonly ProvisionStep[];
  readonly bill: Bill;
  /** What is left alone, and why. One sentence each. */
  readonly notes: readonly string[];
}

/** What removes exactly that which was made for a stack; whatever lacks its tags or its label is left alone. Pure. */
export function planDestroy(
  stack: string,
  resources: Resources & Pick<Observed, 'bucket'>,
  catalogue: Pick<Catalogue, 'types' | 'balancerMonthly'>,
): DestroyPlan {
  const { steps, notes } = deletions(stack, resources, 'delete-vpc');
  const bill = billOf([
    ...billLines([], resources.linodes, catalogue),
    ...entryLines(null, resources.balancers, catalogue),
    ...bucketLines(resources),
  ]);
  const strangers = resources.strangers.map(({ what, label, id, lacks }) => {
    return `${what} "${label}" (id ${id}) is left alone: it has not the ${lacks} of this stack.`;
  });
  return { stack, steps, bill, notes: [...strangers, ...notes, ...staysNote(resources)] };
}

interface Deletions {
  readonly steps: ProvisionStep[];
  readonly notes: string[];
}

/** Steps that delete the resources given, each after what stands on it; nothing that others use is deleted. */
export function deletions(
  stack: string,
  resources: Resources,
  vpcFate: 'delete-vpc' | 'keep-vpc',
): Deletions {
  const ours = new Set(resources.linodes.map(({ id }) => id));
  const going = resources.balancers.map(({ id }) => id);
  const after = [
    ...resources.linodes.map(({ label }) => stepId('delete-linode', label)),
    ...resources.balancers.map(({ label }) => stepId('delete-balancer', label)),
  ];
  const shared = (members: readonly number[]): boolean => members.some((id) => !ours.has(id));
  const walls = resources.firewalls.filter((wall) => !isShared(wall, resources));
  const groups = resources.placementGroups.filter(({ members }) => !shared(members));
  const subnets = resources.vpc?.subnets ?? [];
  const busy = subnets.filter(
    ({ linodes, balancers, others }) =>
      others > 0 || shared(linodes) || balancers.some((id) => !going.includes(id)),
  );
  const wholeVpc = vpcFate === 'delete-vpc' && busy.length === 0;
  return {
    steps: [
      ...balancerSteps(resources),
      ...linodeSteps(resources),
      ...walls.map(({ label }): ProvisionStep => ({
        ...removal('delete-firewall', label, `delete firewall ${label}`),
        after,
      })),
      ...groups.map(({ label }): ProvisionStep => ({
        ...removal('delete-placement-group', label, `delete placement group ${label}`),
        after,
      })),
      ...(wholeVpc
        ? vpcStep(resources, after)
        : subnetSteps(
            stack,
            subnets.filter((subnet) => !busy.includes(subnet)),
            after,
          )),
    ],
    notes: notesOn(resources, walls, groups, busy),
  };
}

function removal<K extends 'delete-firewall' | 'delete-placement-group' | 'delete-vpc'>(
  kind: K,
  label: string,
  title: string,
) {
  return { id: stepId(kind, label), kind, label, title };
}

function balancerSteps({ balancers }: Resources): ProvisionStep[] {
  return balancers.map(({ id: balancerId, label, ipv4 }) => ({
    ...{ id: stepId('delete-balancer', label), kind: 'delete-balancer', label, balancerId },
    title: `delete NodeBalancer ${label} with its address ${ipv4}`,
  }));
}

function linodeSteps({ linodes }: Resources): ProvisionStep[] {
  return linodes.map(({ id: linodeId, label, tier, number }) => ({
    ...{
      id: stepId('delete-linode', label),
      kind: 'delete-linode',
      host: hostName(tier, number),
      label,
      linodeId,
    },
    title: `delete ${label} with its disks`,
  }));
}

function vpcStep({ vpc }: Resources, after: readonly string[]): ProvisionStep[] {
  return vpc
    ? [{ ...removal('delete-vpc', vpc.label, `delete VPC ${vpc.label} and its subnets`), after }]
    : [];
}

function subnetSteps(
  vpc: string,
  subnets: readonly ObservedSubnet[],
  after: readonly string[],
): ProvisionStep[] {
  return subnets.map(({ label }) => ({
    ...{ id: stepId('delete-subnet', label), kind: 'delete-subnet', vpc, label, after },
    title: `delete subnet ${label}`,
  }));
}

/** A firewall that guards anything but interfaces of the Linodes and NodeBalancers that go. */
function isShared(wall: ObservedFirewall, { linodes, balancers }: Resources): boolean {
  const going = linodes.flatMap((linode) => linode.interfaces.map(({ id }) => id));
  const goingBalancers = balancers.map(({ id }) => id);
  return (
    wall.others.length > 0 ||
    wall.interfaces.some((id) => !going.includes(id)) ||
    wall.balancers.some((id) => !goingBalancers.includes(id))
  );
}

function notesOn(
  resources: Resources,
  walls: readonly ObservedFirewall[],
  groups: readonly ObservedPlacementGroup[],
  busy: readonly ObservedSubnet[],
): string[] {
  const keptWalls = resources.firewalls.filter((wall) => !walls.includes(wall));
  const keptGroups = resources.placementGroups.filter((group) => !groups.includes(group));
  return [
    ...keptWalls.map(({ label }) => `Firewall ${label} stays: it guards things that are not of this stack.`),
    ...keptGroups.map(
      ({ label }) => `Placement group ${label} stays: Linodes are in it that are not of this stack.`,
    ),
    ...busy.map(
      ({ label }) => `Subnet ${label} and its VPC stay: things are in it that are not of this stack.`,
    ),
  ];
}
