import type { BalancerNode, BalancerPort, BalancerSpec } from '../driver.js';
import type { Cloud } from './cloud.js';
import { firewallSpec } from './firewall-rules.js';
import { macOf, publicPart, vpcPart } from './host-spec.js';
import type { NodeBalancer, NodeBalancerConfig, NodeBalancerNode } from './model.js';
import { networkOf, toAddress } from './networks.js';

/** Tells the driver of a NodeBalancer that is other than it was last told. */
export async function balance(cloud: Cloud, balancer: NodeBalancer): Promise<void> {
  const spec = balancerSpec(cloud, balancer);
  const text = JSON.stringify(spec);
  if (cloud.balanced.get(balancer.id) === text) return;
  cloud.balanced.set(balancer.id, text);
  try {
    await cloud.driver.setBalancer(balancer.id, spec);
  } catch (error) {
    cloud.balanced.delete(balancer.id);
    throw error;
  }
}

/** Has the driver remove a NodeBalancer. */
export async function unbalance(cloud: Cloud, { id }: NodeBalancer): Promise<void> {
  cloud.balanced.delete(id);
  await cloud.driver.setBalancer(id, null);
}

/** Asks the driver what the checks say of a NodeBalancer's nodes; what they say nothing of stays as it was. */
export async function readHealth(cloud: Cloud, { id, configs }: NodeBalancer): Promise<void> {
  const health = await cloud.driver.balancerNodes(id);
  for (const node of configs.flatMap(({ nodes }) => nodes)) node.status = health.get(node.id) ?? node.status;
}

/** What the driver is to make of a NodeBalancer. */
export function balancerSpec(cloud: Cloud, balancer: NodeBalancer): BalancerSpec {
  const { id, label, ipv4, vpcs, clientConnThrottle, configs } = balancer;
  const sources = vpcs.flatMap(({ ipv4Range }) => addressesIn(ipv4Range));
  const shares = vpcs.map((share) => ({
    ...{ id: share.id, mac: macOf(share.id), defaultRoute: false },
    ...vpcPart(cloud, share.subnet, addressesIn(share.ipv4Range)[0] ?? '', null),
  }));
  const wall = [...cloud.firewalls.values()].find(({ devices }) =>
    devices.some((device) => device.type === 'nodebalancer' && device.entity === id),
  );
  return {
    ...{ id, label, sources, throttle: clientConnThrottle, firewall: firewallSpec(wall) },
    interfaces: [{ id, mac: macOf(id), defaultRoute: true, ...publicPart(ipv4) }, ...shares],
    ports: configs.flatMap((config) => portOf(config) ?? []),
  };
}

/** So many addresses of its range does a NodeBalancer use at the most. */
const MOST_SOURCES = 4;

function addressesIn(range: string): string[] {
  const { first, last } = networkOf(range);
  const count = Math.min(last - first + 1, MOST_SOURCES);
  return Array.from({ length: count }, (_, index) => toAddress(first + index));
}

/** A port as the driver serves it; `null` for UDP, and for HTTPS, whose certificate is not kept. */
function portOf({ id, settings, nodes }: NodeBalancerConfig): BalancerPort | null {
  const { port, protocol } = settings;
  if (protocol !== 'tcp' && protocol !== 'http') return null;
  return {
    ...{ id, port, protocol },
    algorithm: oneOf(settings.algorithm, ['roundrobin', 'leastconn', 'source']),
    stickiness: oneOf(settings.stickiness, ['none', 'table', 'http_cookie']),
    proxyProtocol: oneOf(settings.proxyProtocol, ['none', 'v1', 'v2']),
    check: {
      kind: oneOf(settings.check, ['none', 'connection', 'http', 'http_body']),
      intervalSeconds: settings.checkInterval,
      timeoutSeconds: settings.checkTimeout,
      attempts: settings.checkAttempts,
      path: settings.checkPath,
      body: settings.checkBody,
      passive: settings.checkPassive,
    },
    nodes: nodes.map(nodeOf),
  };
}

function nodeOf({ id, address: text, weight, mode }: NodeBalancerNode): BalancerNode {
  const [address = '', port] = text.split(':');
  return {
    id,
    address,
    port: Number(port),
    weight,
    mode: oneOf(mode, ['accept', 'reject', 'drain', 'backup']),
  };
}

/** The first of what there is stands for whatever the driver doesn't know. */
function oneOf<T extends string>(text: string, known: readonly [T, ...T[]]): T {
  return known.find((one) => one === text) ?? known[0];
}
