import type { RuleSet, TcpPortSettings } from '@perlstack/linode';
import type { Stack } from '@perlstack/stack';
import { type DesiredEntry, desiredEntry, ENTRY_PORTS, ENTRY_SUBNET, PORT_SETTINGS } from './entry.js';
import type { DesiredHost, DesiredTier } from './layout.js';
import { entryTags, isWebHost, vpcLabel } from './names.js';
import type { Observed, ObservedBalancer, ObservedBalancerPort } from './observed.js';
import { dollars } from './prices.js';
import { type ProvisionStep, stepId } from './steps.js';

/** What the plan of the entry is made from. */
interface Entry {
  readonly stack: Stack;
  readonly wanted: DesiredEntry;
  readonly balancer: ObservedBalancer | undefined;
  readonly hosts: readonly DesiredHost[];
}

/** The rules of the NodeBalancer's own firewall: its ports to anybody. Without one it might get the account's usual one. */
export function entryRules({ ports }: DesiredEntry): RuleSet {
  return {
    inbound: [
      {
        action: 'ACCEPT',
        protocol: 'TCP',
        ports: ports.join(','),
        addresses: { ipv4: ['0.0.0.0/0'], ipv6: ['::/0'] },
        label: 'visitors',
        description: 'HTTP and HTTPS',
      },
    ],
    inbound_policy: 'DROP',
    outbound: [],
    outbound_policy: 'ACCEPT',
  };
}

/** What has to be done for the NodeBalancer in front of the web hosts; its firewall and its subnet are there by then. */
export function entrySteps(stack: Stack, observed: Observed, tiers: readonly DesiredTier[]): ProvisionStep[] {
  const wanted = desiredEntry(stack);
  if (!wanted) return [];
  const hosts = tiers.find(({ tier }) => tier === 'web')?.hosts ?? [];
  const balancer = observed.balancers.find(({ label }) => label === wanted.label);
  const entry = { stack, wanted, balancer, hosts };
  return [
    ...(balancer ? repairSteps(entry, balancer, observed) : [createStep(entry, observed)]),
    ...wanted.ports.flatMap((port) => portSteps(entry, port)),
    ...surplusPorts(entry).map((port) => deletePort(entry, port)),
  ];
}

/** Ids of the steps that take a host out of the NodeBalancer. */
export function departuresOf(steps: readonly ProvisionStep[], host: string): string[] {
  return steps
    .filter((step) => step.kind === 'remove-balancer-node' && step.node === host)
    .map(({ id }) => id);
}

function createStep({ stack, wanted }: Entry, { catalogue }: Observed): ProvisionStep {
  const { label, range, ports } = wanted;
  const price = dollars(catalogue.balancerMonthly);
  return {
    ...{ id: stepId('create-balancer', label), kind: 'create-balancer', label, region: stack.region },
    title: `create NodeBalancer ${label}: ports ${ports.join(', ')}, from ${range}, ${price} a month`,
    ...{ tags: entryTags(stack.stack), vpc: vpcLabel(stack), subnet: ENTRY_SUBNET, range, firewall: label },
    after: [
      stepId('create-vpc', vpcLabel(stack)),
      stepId('create-subnet', ENTRY_SUBNET),
      stepId('create-firewall', label),
    ],
  };
}

/** What drifted on a NodeBalancer that exists: its tags, its firewall. */
function repairSteps(
  { stack, wanted: { label } }: Entry,
  { id, tags: has }: ObservedBalancer,
  { firewalls }: Observed,
): ProvisionStep[] {
  const tags = entryTags(stack.stack).filter((tag) => !has.includes(tag));
  const guarded = firewalls.some((wall) => wall.label === label && wall.balancers.includes(id));
  const what = [
    ...(tags.length > 0 ? [`add tags ${tags.join(', ')}`] : []),
    ...(guarded ? [] : [`firewall ${label}`]),
  ];
  if (what.length === 0) return [];
  const after = [stepId('create-firewall', label)];
  return [
    {
      ...{
        id: stepId('repair-balancer', label),
        kind: 'repair-balancer',
        label,
        tags,
        firewall: label,
        after,
      },
      title: `NodeBalancer ${label}: ${what.join('; ')}`,
    },
  ];
}

function portSteps(entry: Entry, port: number): ProvisionStep[] {
  const existing = entry.balancer?.ports.find((one) => one.port === port);
  const addresses = entry.hosts.map(({ address }) => `${address}:${port}`);
  const missing = entry.hosts.filter(
    ({ address }) => !existing?.nodes.some((node) => node.address === `${address}:${port}`),
  );
  const surplus = (existing?.nodes ?? []).filter(
    ({ address, label }) => isWebHost(label) && !addresses.includes(address),
  );
  return [
    ...(existing && sameSettings(existing.settings, PORT_SETTINGS) ? [] : [setPort(entry, port, existing)]),
    ...missing.map((host) => addNode(entry, port, host)),
    ...surplus.map(({ label, address }) => removeNode(entry, port, label, address)),
  ];
}

/** Whether a port does what it is told to; what the API says beyond that does not matter. */
export function sameSettings(has: ObservedBalancerPort['settings'], wanted: TcpPortSettings): boolean {
  return Object.entries(wanted).every(([name, value]) => has[name as keyof TcpPortSettings] === value);
}

const portId = ({ wanted }: Entry, port: number): string =>
  stepId('set-balancer-port', `${wanted.label}:${port}`);

function setPort(entry: Entry, port: number, existing: ObservedBalancerPort | undefined): ProvisionStep {
  const { label } = entry.wanted;
  return {
    ...{ id: portId(entry, port), kind: 'set-balancer-port', balancer: label, port, settings: PORT_SETTINGS },
    title: `NodeBalancer ${label}: ${existing ? 'put the settings of port' : 'listen on port'} ${port}${existing ? ' back' : ''}`,
    after: [stepId('create-balancer', label)],
  };
}

function addNode(entry: Entry, port: number, { name, label, address }: DesiredHost): ProvisionStep {
  const balancer = entry.wanted.label;
  return {
    ...{
      id: stepId('add-balancer-node', `${balancer}:${port}:${name}`),
      kind: 'add-balancer-node',
      host: name,
    },
    ...{
      balancer,
      port,
      node: name,
      address: `${address}:${port}`,
      vpc: vpcLabel(entry.stack),
      subnet: ENTRY_SUBNET,
    },
    title: `behind NodeBalancer ${balancer}, port ${port}`,
    // The API takes an address only when a Linode has it.
    after: [portId(entry, port), stepId('create-linode', label)],
  };
}

function removeNode(entry: Entry, port: number, node: string, address: string): ProvisionStep {
  const balancer = entry.wanted.label;
  return {
    ...{ id: stepId('remove-balancer-node', `${balancer}:${port}:${node}`), kind: 'remove-balancer-node' },
    ...{ balancer, port, node, address },
    title: `take ${node} out of NodeBalancer ${balancer}, port ${port}`,
  };
}

/** Ports that were the stack's and are no more: HTTPS, when it was given up. */
function surplusPorts({ balancer, wanted }: Entry): number[] {
  const ports = (balancer?.ports ?? []).map(({ port }) => port);
  return ports.filter((port) => ENTRY_PORTS.includes(port) && !wanted.ports.includes(port));
}

function deletePort({ wanted: { label } }: Entry, port: number): ProvisionStep {
  return {
    ...{ id: stepId('delete-balancer-port', `${label}:${port}`), kind: 'delete-balancer-port' },
    ...{ balancer: label, port, title: `NodeBalancer ${label}: listen on port ${port} no more` },
  };
}
