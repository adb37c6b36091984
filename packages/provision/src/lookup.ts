import type { Firewall, Linode, LinodeClient, NodeBalancer, PlacementGroup, VPC } from '@perlstack/linode';
import { UserError } from '@perlstack/stack';
import { hasStackTags } from './names.js';
import { isOurLinode, isOurVpc } from './read.js';

/** Finds the things of one stack as they are now, by label; what has the label but is not the stack's is refused. */
export interface Lookup {
  linode(label: string): Promise<Linode | undefined>;
  vpc(label: string): Promise<VPC | undefined>;
  firewall(label: string): Promise<Firewall | undefined>;
  placementGroup(label: string): Promise<PlacementGroup | undefined>;
  balancer(label: string): Promise<NodeBalancer | undefined>;
}

export function lookup(client: LinodeClient, stack: string): Lookup {
  return {
    linode: async (label) =>
      ours('Linode', await client.linodes({ label }), label, (one) => isOurLinode(stack, one)),
    vpc: async (label) => ours('VPC', await client.vpcs({ label }), label, (one) => isOurVpc(stack, one)),
    firewall: async (label) =>
      ours('firewall', await client.firewalls({ label }), label, ({ tags }) => hasStackTags(stack, tags)),
    // A placement group has nothing but its label.
    placementGroup: async (label) =>
      ours('placement group', await client.placementGroups({ label }), label, () => true),
    balancer: async (label) =>
      ours('NodeBalancer', await client.nodeBalancers({ label }), label, ({ tags }) =>
        hasStackTags(stack, tags),
      ),
  };
}

function ours<T extends { id: number; label: string }>(
  what: string,
  found: readonly T[],
  label: string,
  isOurs: (one: T) => boolean,
): T | undefined {
  const one = found.find((candidate) => candidate.label === label);
  if (one && !isOurs(one)) {
    throw new UserError(
      `There is a ${what} "${label}" (id ${one.id}) that is not of this stack: rename it or remove it, then run again`,
    );
  }
  return one;
}

/** What a step before this one has made; without it the plan's order was broken. */
export function required<T>(one: T | undefined, what: string): T {
  if (one === undefined) throw new UserError(`${what} is gone: somebody removed it meanwhile. Run again`);
  return one;
}
