import { type LinodeClient, type NodeBalancer, type NodeBalancerPort, realClock } from '@perlstack/linode';
import type { Handler, Handlers } from '@perlstack/procedure';
import { sameSettings } from './entry-plan.js';
import { lookup, type Lookup, required } from './lookup.js';
import { makeOnce } from './once.js';
import type {
  AddBalancerNode,
  CreateBalancer,
  DeleteBalancer,
  DeleteBalancerPort,
  RemoveBalancerNode,
  RepairBalancer,
  SetBalancerPort,
} from './steps.js';
import type { ProvisionTools } from './tools.js';

type EntryStep =
  | CreateBalancer
  | RepairBalancer
  | SetBalancerPort
  | DeleteBalancerPort
  | AddBalancerNode
  | RemoveBalancerNode
  | DeleteBalancer;

/** What makes, mends and removes the NodeBalancer in front of the web hosts. */
export function entryHandlers(tools: ProvisionTools): Handlers<EntryStep> {
  return {
    'create-balancer': createBalancer(tools),
    'repair-balancer': repairBalancer(tools),
    'set-balancer-port': setPort(tools),
    'delete-balancer-port': deletePort(tools),
    'add-balancer-node': addNode(tools),
    'remove-balancer-node': removeNode(tools),
    'delete-balancer': deleteBalancer(tools),
  };
}

function createBalancer({ client, stack, clock = realClock }: ProvisionTools): Handler<CreateBalancer> {
  const find = lookup(client, stack.stack);
  return {
    check: async ({ label }) => (await find.balancer(label)) !== undefined,
    run: async (step, { signal }) => {
      const { label, region, tags, range } = step;
      const subnet_id = await subnetId(find, step);
      const firewall_id = required(await find.firewall(step.firewall), `The firewall ${step.firewall}`).id;
      const vpcs = [{ subnet_id, ipv4_range: range }];
      const make = () =>
        client.withSignal(signal).createNodeBalancer({ label, region, tags, vpcs, firewall_id });
      const { ipv4 } = await makeOnce(() => find.balancer(label), make, clock, signal);
      return ipv4;
    },
  };
}

async function subnetId(find: Lookup, { vpc, subnet }: { vpc: string; subnet: string }): Promise<number> {
  const found = (await find.vpc(vpc))?.subnets.find(({ label }) => label === subnet);
  return required(found, `The subnet ${subnet}`).id;
}

function repairBalancer({ client, stack }: ProvisionTools): Handler<RepairBalancer> {
  const find = lookup(client, stack.stack);
  const state = async ({ label, tags, firewall }: RepairBalancer) => {
    const balancer = required(await find.balancer(label), `The NodeBalancer ${label}`);
    const wall = required(await find.firewall(firewall), `The firewall ${firewall}`);
    const guarded = wall.entities.some(({ type, id }) => type === 'nodebalancer' && id === balancer.id);
    return { balancer, wall, guarded, missing: tags.filter((tag) => !balancer.tags.includes(tag)) };
  };
  return {
    check: async (step) => {
      const { guarded, missing } = await state(step);
      return guarded && missing.length === 0;
    },
    run: async (step) => {
      const { balancer, wall, guarded, missing } = await state(step);
      if (missing.length > 0) {
        await client.updateNodeBalancer(balancer.id, { tags: [...balancer.tags, ...missing] });
      }
      if (!guarded) await client.guardNodeBalancer(balancer.id, wall.id);
    },
  };
}

interface FoundPort {
  readonly balancer: NodeBalancer;
  readonly port: NodeBalancerPort | undefined;
}

async function findPort(
  client: LinodeClient,
  find: Lookup,
  step: { readonly balancer: string; readonly port: number },
): Promise<FoundPort> {
  const balancer = required(await find.balancer(step.balancer), `The NodeBalancer ${step.balancer}`);
  const ports = await client.nodeBalancerPorts(balancer.id);
  return { balancer, port: ports.find(({ port }) => port === step.port) };
}

function setPort({ client, stack, clock = realClock }: ProvisionTools): Handler<SetBalancerPort> {
  const find = lookup(client, stack.stack);
  return {
    check: async (step) => {
      const { port } = await findPort(client, find, step);
      return port !== undefined && sameSettings(port, step.settings);
    },
    run: async (step, { signal }) => {
      const { balancer, port } = await findPort(client, find, step);
      if (port) {
        await client.updateNodeBalancerPort(balancer.id, port.id, step.settings);
        return;
      }
      const wanted = { port: step.port, ...step.settings };
      const make = () => client.withSignal(signal).createNodeBalancerPort(balancer.id, wanted);
      await makeOnce(async () => (await findPort(client, find, step)).port, make, clock, signal);
    },
  };
}

function deletePort({ client, stack }: ProvisionTools): Handler<DeleteBalancerPort> {
  const find = lookup(client, stack.stack);
  return {
    check: async (step) => (await findPort(client, find, step)).port === undefined,
    run: async (step) => {
      const { balancer, port } = await findPort(client, find, step);
      if (port) await client.deleteNodeBalancerPort(balancer.id, port.id);
    },
  };
}

/** A node of a port, by its address: names of nodes are for people only. */
async function findNode(
  client: LinodeClient,
  find: Lookup,
  step: { readonly balancer: string; readonly port: number; readonly address: string },
) {
  const { balancer, port } = await findPort(client, find, step);
  const nodes = port ? await client.balancerNodes(balancer.id, port.id) : [];
  return { balancer, port, node: nodes.find(({ address }) => address === step.address) };
}

function addNode({ client, stack, clock = realClock }: ProvisionTools): Handler<AddBalancerNode> {
  const find = lookup(client, stack.stack);
  const found = async (step: AddBalancerNode) => (await findNode(client, find, step)).node;
  return {
    check: async (step) => (await found(step)) !== undefined,
    run: async (step, { signal }) => {
      const { balancer, port } = await findPort(client, find, step);
      const { id } = required(port, `Port ${step.port} of the NodeBalancer ${step.balancer}`);
      const subnet_id = await subnetId(find, step);
      const node = { address: step.address, label: step.node, mode: 'accept', subnet_id } as const;
      const make = () => client.withSignal(signal).createBalancerNode(balancer.id, id, node);
      await makeOnce(() => found(step), make, clock, signal);
    },
  };
}

function removeNode({ client, stack }: ProvisionTools): Handler<RemoveBalancerNode> {
  const find = lookup(client, stack.stack);
  return {
    check: async (step) => (await findNode(client, find, step)).node === undefined,
    run: async (step) => {
      const { balancer, port, node } = await findNode(client, find, step);
      if (port && node) await client.deleteBalancerNode(balancer.id, port.id, node.id);
    },
  };
}

function deleteBalancer({ client, stack }: ProvisionTools): Handler<DeleteBalancer> {
  const find = lookup(client, stack.stack);
  return {
    check: async ({ label, balancerId }) => (await find.balancer(label))?.id !== balancerId,
    run: async ({ label, balancerId }) => {
      const balancer = await find.balancer(label);
      if (balancer?.id === balancerId) await client.deleteNodeBalancer(balancerId);
    },
  };
}
