import { realClock } from '@perlstack/linode';
import type { Handlers } from '@perlstack/procedure';
import { sameRules } from './access.js';
import { lookup, required } from './lookup.js';
import { vpcDescription } from './names.js';
import { makeOnce } from './once.js';
import type {
  CreateFirewall,
  CreatePlacementGroup,
  CreateSubnet,
  CreateVpc,
  DeleteFirewall,
  DeletePlacementGroup,
  DeleteSubnet,
  DeleteVpc,
  RepairFirewall,
} from './steps.js';
import type { ProvisionTools } from './tools.js';

type NetworkStep =
  | CreateVpc
  | CreateSubnet
  | CreateFirewall
  | RepairFirewall
  | CreatePlacementGroup
  | DeleteFirewall
  | DeletePlacementGroup
  | DeleteSubnet
  | DeleteVpc;

/** What makes, mends and removes the network of a stack. */
export function networkHandlers(tools: ProvisionTools): Handlers<NetworkStep> {
  return { ...creations(tools), 'repair-firewall': repairFirewall(tools), ...removals(tools) };
}

function creations({ client, stack, clock = realClock }: ProvisionTools) {
  const find = lookup(client, stack.stack);
  return {
    'create-vpc': {
      check: async ({ label }) => (await find.vpc(label)) !== undefined,
      run: async ({ label, region, subnets }, { signal }) => {
        const description = vpcDescription(stack.stack);
        const make = () =>
          client.withSignal(signal).createVpc({ label, region, description, subnets: [...subnets] });
        await makeOnce(() => find.vpc(label), make, clock, signal);
      },
    },
    'create-subnet': {
      check: async ({ vpc, label }) =>
        (await find.vpc(vpc))?.subnets.some((one) => one.label === label) ?? false,
      run: async ({ vpc: vpcLabel, label, ipv4 }, { signal }) => {
        const vpc = async () => required(await find.vpc(vpcLabel), `The VPC ${vpcLabel}`);
        const subnet = async () => (await vpc()).subnets.find((one) => one.label === label);
        const make = async () => client.withSignal(signal).createSubnet((await vpc()).id, { label, ipv4 });
        await makeOnce(subnet, make, clock, signal);
      },
    },
    'create-firewall': {
      check: async ({ label }) => (await find.firewall(label)) !== undefined,
      run: async ({ label, tags, rules }, { signal }) => {
        const make = () => client.withSignal(signal).createFirewall({ label, tags, rules });
        await makeOnce(() => find.firewall(label), make, clock, signal);
      },
    },
    'create-placement-group': {
      check: async ({ label }) => (await find.placementGroup(label)) !== undefined,
      run: async ({ label, region }, { signal }) => {
        const kind = {
          placement_group_type: 'anti_affinity:local',
          placement_group_policy: 'flexible',
        } as const;
        const make = () => client.withSignal(signal).createPlacementGroup({ label, region, ...kind });
        await makeOnce(() => find.placementGroup(label), make, clock, signal);
      },
    },
  } satisfies Partial<Handlers<NetworkStep>>;
}

function repairFirewall({ client, stack }: ProvisionTools): Handlers<RepairFirewall>['repair-firewall'] {
  const find = lookup(client, stack.stack);
  return {
    check: async ({ label, rules }) => {
      const wall = await find.firewall(label);
      if (!wall || wall.status !== 'enabled') return false;
      const { inbound, outbound } = wall.rules;
      return sameRules({ ...wall.rules, inbound: inbound ?? [], outbound: outbound ?? [] }, rules);
    },
    run: async ({ label, rules }) => {
      const wall = required(await find.firewall(label), `The firewall ${label}`);
      await client.replaceRules(wall.id, rules);
      if (wall.status !== 'enabled') await client.updateFirewall(wall.id, { status: 'enabled' });
    },
  };
}

function removals({ client, stack, clock = realClock }: ProvisionTools) {
  const find = lookup(client, stack.stack);
  return {
    'delete-firewall': {
      check: async ({ label }) => (await find.firewall(label)) === undefined,
      run: async ({ label }) => {
        const wall = await find.firewall(label);
        if (wall) await client.deleteFirewall(wall.id);
      },
    },
    'delete-placement-group': {
      check: async ({ label }) => (await find.placementGroup(label)) === undefined,
      run: async ({ label }) => {
        const group = await find.placementGroup(label);
        if (group) await client.deletePlacementGroup(group.id);
      },
    },
    'delete-subnet': {
      check: async ({ vpc, label }) => !(await find.vpc(vpc))?.subnets.some((one) => one.label === label),
      run: async ({ vpc: vpcLabel, label }, { signal }) => {
        const vpc = await untilEmpty(async () => find.vpc(vpcLabel), [label], clock, signal);
        const subnet = vpc?.subnets.find((one) => one.label === label);
        if (vpc && subnet) await client.deleteSubnet(vpc.id, subnet.id);
      },
    },
    'delete-vpc': {
      check: async ({ label }) => (await find.vpc(label)) === undefined,
      run: async ({ label }, { signal }) => {
        const vpc = await untilEmpty(() => find.vpc(label), null, clock, signal);
        if (vpc) await client.deleteVpc(vpc.id);
      },
    },
  } satisfies Partial<Handlers<NetworkStep>>;
}

type FoundVpc = Awaited<ReturnType<ReturnType<typeof lookup>['vpc']>>;

/** The VPC, as soon as nobody is in its subnets: a Linode that was deleted leaves them a little later. */
async function untilEmpty(
  find: () => Promise<FoundVpc>,
  labels: readonly string[] | null,
  clock: NonNullable<ProvisionTools['clock']>,
  signal: AbortSignal,
): Promise<FoundVpc> {
  for (let attempt = 1; ; attempt += 1) {
    const vpc = await find();
    const busy = vpc?.subnets.some((one) => (labels?.includes(one.label) ?? true) && one.linodes.length > 0);
    // Who is still there after a minute stays; the API's own refusal says so.
    if (!busy || attempt === 20) return vpc;
    await clock.sleep(3_000, signal);
  }
}
