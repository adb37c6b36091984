import {
  type Linode,
  LinodeApiError,
  type LinodeClient,
  type NewInterface,
  type NewLinode,
  realClock,
} from '@perlstack/linode';
import type { Handler, Handlers, StepContext } from '@perlstack/procedure';
import { fingerprint, generateKeyPair } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { lookup, type Lookup, required } from './lookup.js';
import { fingerprintTag } from './names.js';
import { makeOnce } from './once.js';
import { isOurLinode } from './read.js';
import type {
  AddTags,
  AssignPlacement,
  AttachFirewall,
  CreateLinode,
  DeleteLinode,
  StartLinode,
} from './steps.js';
import type { ProvisionTools } from './tools.js';
import { userData } from './user-data.js';

type LinodeStep = CreateLinode | StartLinode | AddTags | AttachFirewall | AssignPlacement | DeleteLinode;

/** What makes, starts, mends and removes Linodes. */
export function linodeHandlers(tools: ProvisionTools): Handlers<LinodeStep> {
  return {
    'create-linode': createLinode(tools),
    'start-linode': startLinode(tools),
    'add-tags': addTags(tools),
    'attach-firewall': attachFirewall(tools),
    'assign-placement': assignPlacement(tools),
    'delete-linode': deleteLinode(tools),
  };
}

function createLinode({
  client,
  stack,
  sshPublicKey,
  clock = realClock,
}: ProvisionTools): Handler<CreateLinode> {
  const find = lookup(client, stack.stack);
  return {
    check: async ({ label }) => (await find.linode(label)) !== undefined,
    run: async (step, { signal }) => {
      const request = await newLinode(find, step, sshPublicKey);
      const make = () => client.withSignal(signal).createLinode(request);
      const { id } = await makeOnce(() => find.linode(step.label), make, clock, signal);
      return `id ${id}`;
    },
  };
}

async function newLinode(find: Lookup, step: CreateLinode, sshPublicKey: string): Promise<NewLinode> {
  const [vpc, wall, group] = await Promise.all([
    find.vpc(step.vpc),
    find.firewall(step.firewall),
    step.placementGroup ? find.placementGroup(step.placementGroup) : undefined,
  ]);
  const subnet = required(
    vpc?.subnets.find(({ label }) => label === step.subnet),
    `The subnet ${step.subnet}`,
  );
  const firewall = required(wall, `The firewall ${step.firewall}`);
  const hostKey = generateKeyPair(step.hostname);
  const { label, region, type, image } = step;
  return {
    ...{ label, region, type, image, booted: true, interface_generation: 'linode' },
    // The fingerprint is in the same request as the key: whichever request took effect, they fit each other.
    tags: [...step.tags, fingerprintTag(fingerprint(hostKey.publicKey))],
    // The API asks for a way in for root; cloud-init then forbids it (disable_root).
    authorized_keys: [sshPublicKey.trim()],
    interfaces: interfacesOf(step, subnet.id, firewall.id),
    metadata: { user_data: userData({ hostname: step.hostname, authorizedKey: sshPublicKey, hostKey }) },
    ...(step.placementGroup ? { placement_group: { id: required(group, 'The placement group').id } } : {}),
  };
}

/** A public tier has an interface on either side; the others leave the VPC by a 1:1 NAT, where the firewall lets nobody in. */
function interfacesOf(step: CreateLinode, subnetId: number, firewallId: number): NewInterface[] {
  const address = { address: step.address, primary: true };
  if (!step.public) {
    const ipv4 = { addresses: [{ ...address, nat_1_1_address: 'auto' }] };
    return [{ firewall_id: firewallId, default_route: { ipv4: true }, vpc: { subnet_id: subnetId, ipv4 } }];
  }
  return [
    {
      firewall_id: firewallId,
      default_route: { ipv4: true, ipv6: true },
      public: { ipv4: { addresses: [{ address: 'auto', primary: true }] }, ipv6: {} },
    },
    { firewall_id: firewallId, vpc: { subnet_id: subnetId, ipv4: { addresses: [address] } } },
  ];
}

function startLinode({ client, stack, clock = realClock }: ProvisionTools): Handler<StartLinode> {
  const find = lookup(client, stack.stack);
  return {
    check: async ({ label }) => (await find.linode(label))?.status === 'running',
    run: async ({ label }, context) => {
      const linode = required(await find.linode(label), label);
      await atRest(client, linode, context);
      if ((await client.linode(linode.id)).status === 'offline') {
        await client.withSignal(context.signal).bootLinode(linode.id);
        await client.waitForLinode(linode.id, waitOptions(context));
      }
      // The status follows the events, a little later.
      for (let look = 1; (await client.linode(linode.id)).status !== 'running'; look += 1) {
        if (look === 20)
          throw new UserError(
            `${label} is ${(await client.linode(linode.id)).status}, not running: look at it in the Cloud Manager`,
          );
        await clock.sleep(3_000, context.signal);
      }
    },
  };
}

/** A new Linode is at rest when it was created and booted; the second is announced before the first has ended. */
async function atRest(client: LinodeClient, { id, status }: Linode, context: StepContext): Promise<void> {
  const actions = status === 'provisioning' ? { actions: ['linode_create', 'linode_boot'] } : {};
  await client.waitForLinode(id, { ...waitOptions(context), ...actions });
}

const waitOptions = (context: StepContext) => ({
  signal: context.signal,
  onProgress: (message: string) => context.progress(message),
});

function addTags({ client, stack }: ProvisionTools): Handler<AddTags> {
  const find = lookup(client, stack.stack);
  const missing = (linode: Linode, tags: readonly string[]) =>
    tags.filter((tag) => !linode.tags.includes(tag));
  return {
    check: async ({ label, tags }) => missing(required(await find.linode(label), label), tags).length === 0,
    run: async ({ label, tags }) => {
      const linode = required(await find.linode(label), label);
      await client.updateLinode(linode.id, { tags: [...linode.tags, ...missing(linode, tags)] });
    },
  };
}

function attachFirewall({ client, stack, clock = realClock }: ProvisionTools): Handler<AttachFirewall> {
  const find = lookup(client, stack.stack);
  const target = async (step: AttachFirewall) => {
    const linode = required(await find.linode(step.label), step.label);
    const interfaces = await client.interfaces(linode.id);
    const one = required(
      interfaces.find((candidate) => candidate[step.interface]),
      `The ${step.interface} interface of ${step.label}`,
    );
    return {
      interfaceId: one.id,
      wall: required(await find.firewall(step.firewall), `The firewall ${step.firewall}`),
    };
  };
  const attached = async (step: AttachFirewall) => {
    const { interfaceId, wall } = await target(step);
    return (
      wall.entities.some(({ type, id }) => type === 'linode_interface' && id === interfaceId) || undefined
    );
  };
  return {
    check: async (step) => (await attached(step)) === true,
    run: async (step, { signal }) => {
      const { interfaceId, wall } = await target(step);
      const make = async () => {
        await client.attachFirewall(wall.id, interfaceId);
        return true as const;
      };
      await makeOnce(() => attached(step), make, clock, signal);
    },
  };
}

function assignPlacement({ client, stack, clock = realClock }: ProvisionTools): Handler<AssignPlacement> {
  const find = lookup(client, stack.stack);
  const assigned = async ({ label, placementGroup }: AssignPlacement) =>
    required(await find.linode(label), label).placement_group?.label === placementGroup || undefined;
  return {
    check: async (step) => (await assigned(step)) === true,
    run: async (step, { signal }) => {
      const linode = required(await find.linode(step.label), step.label);
      const group = required(
        await find.placementGroup(step.placementGroup),
        `The placement group ${step.placementGroup}`,
      );
      const make = async () => {
        await client.withSignal(signal).assignPlacement(group.id, linode.id);
        return true as const;
      };
      await makeOnce(() => assigned(step), make, clock, signal);
    },
  };
}

function deleteLinode({ client, stack, clock = realClock }: ProvisionTools): Handler<DeleteLinode> {
  const find = lookup(client, stack.stack);
  return {
    check: async ({ label, linodeId }) => (await find.linode(label))?.id !== linodeId,
    run: async ({ label, linodeId }, { signal }) => {
      const linode = await client.linode(linodeId).catch(gone);
      // Tags and label once more: the plan may be old.
      if (linode && (linode.label !== label || !isOurLinode(stack.stack, linode))) {
        throw new UserError(
          `Linode ${linodeId} has no longer the tags and the label of ${label}: it is left alone. Plan anew`,
        );
      }
      if (linode) await client.withSignal(signal).deleteLinode(linodeId);
      for (let look = 1; look <= 60 && (await client.linode(linodeId).catch(gone)); look += 1) {
        await clock.sleep(2_000, signal);
      }
    },
  };
}

function gone(error: unknown): undefined {
  if (!(error instanceof LinodeApiError && error.status === 404)) throw error;
}
