import type {
  Firewall,
  Linode,
  LinodeInterface,
  LinodeReader,
  NodeBalancer,
  NodeBalancerPort,
  PlacementGroup,
  VPC,
} from '@perlstack/linode';
import { TIERS } from '@perlstack/stack';
import { ENTRY_SUBNET } from './entry.js';
import {
  balancerLabel,
  firewallLabel,
  hasStackTags,
  parseLabel,
  placementLabel,
  stackTags,
  vpcDescription,
} from './names.js';
import type {
  ObservedBalancer,
  ObservedBalancerPort,
  ObservedFirewall,
  ObservedLinode,
  ObservedPlacementGroup,
  ObservedVpc,
  Resources,
  Stranger,
} from './observed.js';

export interface ReadOptions {
  /**
   * When to look for the NodeBalancer, for which the token needs a scope of its own: `always`, or only when its subnet is
   * there; it can't be without. Default: `if-traces`.
   */
  readonly balancers?: 'always' | 'if-traces';
  /** Called before it is looked for. */
  readonly beforeBalancers?: () => void;
}

/** Reads everything that has a name of the stack: its own, and strangers that must not be touched. */
export async function readResources(
  reader: LinodeReader,
  stack: string,
  { balancers: when = 'if-traces', beforeBalancers }: ReadOptions = {},
): Promise<Resources> {
  const [named, vpcs, walls, groups] = await Promise.all([
    reader.linodes({ '+or': [{ label: { '+contains': `${stack}-` } }, { tags: `stack:${stack}` }] }),
    reader.vpcs({ label: stack }),
    reader.firewalls({ '+or': [{ label: { '+contains': `${stack}-` } }, { tags: `stack:${stack}` }] }),
    reader.placementGroups({ label: { '+contains': `perlstack-${stack}-` } }),
  ]);
  const ours = named.filter((linode) => isOurLinode(stack, linode));
  const linodes = await Promise.all(ours.map((linode) => readLinode(reader, stack, linode)));
  const labels = [...TIERS.map((tier) => firewallLabel(stack, tier)), balancerLabel(stack)];
  const isOurWall = ({ label, tags }: Firewall): boolean =>
    labels.includes(label) && hasStackTags(stack, tags);
  const vpc = vpcs.find(({ label }) => label === stack);
  const hasTraces =
    vpc !== undefined && isOurVpc(stack, vpc) && vpc.subnets.some(({ label }) => label === ENTRY_SUBNET);
  const looks = when === 'always' || hasTraces;
  if (looks) beforeBalancers?.();
  const entry = looks ? await readBalancers(reader, stack) : { balancers: [], strangers: [] };
  return {
    balancers: entry.balancers,
    linodes: linodes.sort((a, b) => TIERS.indexOf(a.tier) - TIERS.indexOf(b.tier) || a.number - b.number),
    vpc: vpc && isOurVpc(stack, vpc) ? vpcOf(vpc) : null,
    firewalls: walls.filter(isOurWall).map(firewallOf),
    placementGroups: groups
      .filter(({ label }) => TIERS.some((tier) => placementLabel(stack, tier) === label))
      .map(groupOf),
    strangers: [
      ...entry.strangers,
      ...named
        .filter((linode) => !isOurLinode(stack, linode))
        .flatMap((linode) => linodeStranger(stack, linode)),
      ...walls.filter((wall) => !isOurWall(wall)).flatMap((wall) => wallStranger(stack, labels, wall)),
      ...(vpc && !isOurVpc(stack, vpc)
        ? [{ what: 'VPC', id: vpc.id, label: vpc.label, lacks: 'tags' } as const]
        : []),
    ],
  };
}

/** Whether a Linode is of the stack: both by its tags and by its label. */
export function isOurLinode(stack: string, { label, tags }: Pick<Linode, 'label' | 'tags'>): boolean {
  return hasStackTags(stack, tags) && parseLabel(stack, label) !== null;
}

export function isOurVpc(stack: string, { description }: Pick<VPC, 'description'>): boolean {
  return description === vpcDescription(stack);
}

function linodeStranger(stack: string, { id, label, tags }: Linode): Stranger[] {
  if (parseLabel(stack, label)) return [{ what: 'Linode', id, label, lacks: 'tags' }];
  return hasStackTags(stack, tags) ? [{ what: 'Linode', id, label, lacks: 'label' }] : [];
}

function wallStranger(stack: string, labels: readonly string[], { id, label, tags }: Firewall): Stranger[] {
  if (labels.includes(label)) return [{ what: 'firewall', id, label, lacks: 'tags' }];
  return stackTags(stack).every((tag) => tags.includes(tag))
    ? [{ what: 'firewall', id, label, lacks: 'label' }]
    : [];
}

/** A Linode of the stack with its interfaces. */
export async function readLinode(
  reader: LinodeReader,
  stack: string,
  linode: Linode,
): Promise<ObservedLinode> {
  return linodeOf(stack, linode, await reader.interfaces(linode.id));
}

function linodeOf(stack: string, linode: Linode, interfaces: readonly LinodeInterface[]): ObservedLinode {
  const place = parseLabel(stack, linode.label);
  if (!place) throw new Error(`${linode.label} is no label of the stack ${stack}`);
  const { id, label, tags, status, type, region, image, specs } = linode;
  return {
    ...{ id, label, ...place, tags, status, type, region, image },
    memoryMiB: specs.memory,
    vcpus: specs.vcpus,
    diskMiB: specs.disk,
    placementGroup: linode.placement_group?.id ?? null,
    interfaces: interfaces.flatMap((one) =>
      one.public ? { id: one.id, kind: 'public' } : one.vpc ? { id: one.id, kind: 'vpc' } : [],
    ),
    publicAddress: primary(interfaces.find((one) => one.public)?.public?.ipv4.addresses),
    privateAddress: primary(interfaces.find((one) => one.vpc)?.vpc?.ipv4?.addresses),
  };
}

function primary(addresses: readonly { address: string; primary: boolean }[] | undefined): string | null {
  return (addresses?.find((one) => one.primary) ?? addresses?.[0])?.address ?? null;
}

function vpcOf({ id, label, region, subnets }: VPC): ObservedVpc {
  return {
    ...{ id, label, region },
    subnets: subnets.map((subnet) => ({
      id: subnet.id,
      label: subnet.label,
      ipv4: subnet.ipv4 ?? '',
      linodes: subnet.linodes.map((linode) => linode.id),
      balancers: subnet.nodebalancers.map((balancer) => balancer.id),
      others: (subnet as { databases?: unknown[] }).databases?.length ?? 0,
    })),
  };
}

function firewallOf({ id, label, status, rules, entities }: Firewall): ObservedFirewall {
  const { inbound, outbound, inbound_policy, outbound_policy } = rules;
  const onInterfaces = entities.filter(({ type }) => type === 'linode_interface');
  const onBalancers = entities.filter(({ type }) => type === 'nodebalancer');
  return {
    ...{ id, label, enabled: status === 'enabled' },
    rules: { inbound: inbound ?? [], outbound: outbound ?? [], inbound_policy, outbound_policy },
    interfaces: onInterfaces.map((entity) => entity.id),
    balancers: onBalancers.map((entity) => entity.id),
    others: entities
      .filter((entity) => !onInterfaces.includes(entity) && !onBalancers.includes(entity))
      .map((entity) => `${entity.type} ${entity.label ?? entity.id}`),
  };
}

function groupOf({ id, label, region, members }: PlacementGroup): ObservedPlacementGroup {
  return { id, label, region, members: members.map(({ linode_id }) => linode_id) };
}

async function readBalancers(
  reader: LinodeReader,
  stack: string,
): Promise<Pick<Resources, 'balancers' | 'strangers'>> {
  const label = balancerLabel(stack);
  const named = await reader.nodeBalancers({ '+or': [{ label }, { tags: `stack:${stack}` }] });
  const isOurs = (one: NodeBalancer): boolean => one.label === label && hasStackTags(stack, one.tags);
  const strangers = named.filter((one) => !isOurs(one)).flatMap((one) => balancerStranger(stack, one));
  const balancers = await Promise.all(named.filter(isOurs).map((one) => readBalancer(reader, one)));
  return { balancers, strangers };
}

function balancerStranger(stack: string, { id, label, tags }: NodeBalancer): Stranger[] {
  if (label === balancerLabel(stack)) return [{ what: 'NodeBalancer', id, label, lacks: 'tags' }];
  return hasStackTags(stack, tags) ? [{ what: 'NodeBalancer', id, label, lacks: 'label' }] : [];
}

async function readBalancer(
  reader: LinodeReader,
  { id, label, region, tags, ipv4 }: NodeBalancer,
): Promise<ObservedBalancer> {
  const ports = await reader.nodeBalancerPorts(id);
  return {
    id,
    label,
    region,
    tags,
    ipv4,
    ports: await Promise.all(ports.map((port) => readPort(reader, id, port))),
  };
}

async function readPort(
  reader: LinodeReader,
  balancer: number,
  config: NodeBalancerPort,
): Promise<ObservedBalancerPort> {
  const { protocol, algorithm, proxy_protocol, check, check_interval, check_timeout, check_attempts } =
    config;
  const nodes = await reader.balancerNodes(balancer, config.id);
  return {
    port: config.port,
    settings: { protocol, algorithm, proxy_protocol, check, check_interval, check_timeout, check_attempts },
    nodes: nodes.map(({ label, address, mode }) => ({ label, address, mode })),
  };
}
