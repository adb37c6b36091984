import { addressesOf, allot, release } from './allot.js';
import { balance, readHealth, unbalance } from './balance.js';
import { found, stamps, type Cloud } from './cloud.js';
import { badRequest } from './errors.js';
import { attach, chooseFirewall, detachAll, firewallsOn, firewallView } from './firewalls.js';
import type { Fields } from './fields.js';
import type { JsonObject } from './json.js';
import { NODEBALANCER_LABEL, otherLabels, readLabel, readTags } from './labels.js';
import type { EntityRef, Linode, NodeBalancer, NodeBalancerConfig, NodeBalancerNode } from './model.js';
import { networkOf, parseNetwork, within } from './networks.js';
import { configView, nodeView, readNode, readSettings, USUAL_SETTINGS } from './nodebalancer-config.js';
import { seatsOf } from './occupancy.js';
import type { Call, Route } from './router.js';
import { useTags } from './tagging.js';
import { Claims } from './vpc-interfaces.js';

const FILTERABLE = ['id', 'ipv4', 'label', 'region', 'tags'];
const READ = 'nodebalancers:read_only';
const WRITE = 'nodebalancers:read_write';
const BASE = '/nodebalancers';
const ONE = `${BASE}/:balancer`;
const CONFIGS = `${ONE}/configs`;
const CONFIG = `${CONFIGS}/:config`;
const NODES = `${CONFIG}/nodes`;

export const nodeBalancerRoutes: Route[] = [
  { method: 'GET', path: BASE, scopes: READ, handle: listBalancers },
  { method: 'POST', path: BASE, scopes: WRITE, handle: createBalancer },
  { method: 'GET', path: ONE, scopes: READ, handle: (call) => balancerView(balancerOf(call)) },
  { method: 'PUT', path: ONE, scopes: WRITE, handle: updateBalancer },
  { method: 'DELETE', path: ONE, scopes: WRITE, handle: deleteBalancer },
  { method: 'GET', path: `${ONE}/firewalls`, scopes: READ, handle: listFirewalls },
  { method: 'PUT', path: `${ONE}/firewalls`, scopes: WRITE, handle: updateFirewalls },
  { method: 'GET', path: `${ONE}/stats`, scopes: READ, limit: 'stats', handle: stats },
  { method: 'GET', path: `${ONE}/vpcs`, scopes: READ, handle: listShares },
  { method: 'GET', path: `${ONE}/vpcs/:share`, scopes: READ, handle: getShare },
  { method: 'GET', path: CONFIGS, scopes: READ, handle: listConfigs },
  { method: 'POST', path: CONFIGS, scopes: WRITE, handle: createConfig },
  { method: 'GET', path: CONFIG, scopes: READ, handle: getConfig },
  { method: 'PUT', path: CONFIG, scopes: WRITE, handle: updateConfig },
  { method: 'DELETE', path: CONFIG, scopes: WRITE, handle: deleteConfig },
  { method: 'POST', path: `${CONFIG}/rebuild`, scopes: WRITE, handle: rebuildConfig },
  { method: 'GET', path: NODES, scopes: READ, handle: listNodes },
  { method: 'POST', path: NODES, scopes: WRITE, handle: createNode },
  { method: 'GET', path: `${NODES}/:node`, scopes: READ, handle: getNode },
  { method: 'PUT', path: `${NODES}/:node`, scopes: WRITE, handle: updateNode },
  { method: 'DELETE', path: `${NODES}/:node`, scopes: WRITE, handle: deleteNode },
];

/** What the API shows of the NodeBalancers that have a Linode as a backend. */
export function balancersBehind(cloud: Cloud, linode: Linode): JsonObject[] {
  const inVpcs = seatsOf(linode).flatMap((seat) => seat.addresses.map(({ address }) => address));
  const own = [...addressesOf(cloud, linode).map(({ address }) => address), ...inVpcs];
  const serves = (node: NodeBalancerNode): boolean => own.includes(node.address.split(':')[0] ?? '');
  return [...cloud.nodeBalancers.values()]
    .filter((balancer) => balancer.configs.some((config) => config.nodes.some(serves)))
    .map(balancerView);
}

export function balancerView(balancer: NodeBalancer): JsonObject {
  return {
    id: balancer.id,
    label: balancer.label,
    region: balancer.region,
    type: balancer.type,
    hostname: `${balancer.ipv4.replaceAll('.', '-')}.ip.linodeusercontent.com`,
    ipv4: balancer.ipv4,
    ipv6: balancer.ipv6,
    frontend_address_type: 'public',
    frontend_vpc_subnet_id: null,
    ...stamps(balancer),
    client_conn_throttle: balancer.clientConnThrottle,
    client_udp_sess_throttle: balancer.clientUdpSessThrottle,
    lke_cluster: null,
    tags: balancer.tags,
    locks: [],
    transfer: { in: null, out: null, total: null },
  };
}

function listBalancers(call: Call): JsonObject {
  return call.list([...call.cloud.nodeBalancers.values()].map(balancerView), FILTERABLE);
}

async function createBalancer(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const region = body.requiredString('region');
  if (region !== '' && !cloud.offers(region, 'NodeBalancers')) body.fail('region is not valid', 'region');
  const label = readLabel(body, NODEBALANCER_LABEL, otherLabels(cloud.nodeBalancers.values()));
  const type = body.choice('type', ['common', 'premium', 'premium_40gb']) ?? 'common';
  const throttle = body.within('client_conn_throttle', 0, 20) ?? 0;
  const udpThrottle = body.within('client_udp_sess_throttle', 0, 20) ?? 0;
  const tags = readTags(body) ?? [];
  const firewall = chooseFirewall(cloud, body, 'nodebalancer');
  const vpcs = readShares(cloud, body, region);
  const configs = body.objects('configs') ?? [];
  body.check();
  const id = cloud.newId();
  const address = allot(cloud, region, true, null);
  const now = cloud.now();
  const balancer: NodeBalancer = {
    id,
    label: label ?? `balancer${id}`,
    region,
    type,
    ipv4: address.address,
    ipv6: `2001:db8:1bb::${(id % 0xffff).toString(16)}`,
    clientConnThrottle: throttle,
    clientUdpSessThrottle: udpThrottle,
    tags: useTags(cloud, tags),
    vpcs,
    configs: [],
    created: now,
    updated: now,
  };
  address.nodebalancer = id;
  try {
    for (const fields of configs) addConfig(cloud, balancer, fields);
    body.check();
  } catch (error) {
    release(cloud, address);
    throw error;
  }
  cloud.nodeBalancers.set(id, balancer);
  if (firewall !== undefined) attach(cloud, firewall, 'nodebalancer', id);
  await balance(cloud, balancer);
  cloud.notify('nodebalancer_create', balancerRef(balancer));
  return balancerView(balancer);
}

/** Only one VPC is possible; a /30 of its subnet is enough. */
function readShares(cloud: Cloud, body: Fields, region: string): NodeBalancer['vpcs'] {
  const entries = body.objects('vpcs') ?? [];
  if (entries.length > 1) body.fail('Only one VPC is supported', 'vpcs');
  const claims = new Claims(cloud);
  return entries.flatMap((fields) => {
    const place = cloud.subnet(fields.requiredInteger('subnet_id'));
    if (place === undefined) {
      fields.fail('Invalid subnet ID', 'subnet_id');
      return [];
    }
    const { subnet, vpc } = place;
    if (vpc.region !== region)
      fields.fail('The VPC must be in the same region as the NodeBalancer', 'subnet_id');
    const wanted = fields.string('ipv4_range');
    const given = wanted === undefined ? undefined : parseNetwork(wanted);
    if (wanted !== undefined && (given === undefined || !within(given, networkOf(subnet.ipv4)))) {
      fields.fail('Must be within the range of the subnet', 'ipv4_range');
      return [];
    }
    const range = claims.range(subnet, wanted ?? '/30', fields, 'ipv4_range');
    return [{ id: cloud.newId(), subnet: subnet.id, ipv4Range: range }];
  });
}

function updateBalancer(call: Call): JsonObject {
  const { cloud, body } = call;
  const balancer = balancerOf(call);
  const label = readLabel(body, NODEBALANCER_LABEL, otherLabels(cloud.nodeBalancers.values(), balancer.id));
  const throttle = body.within('client_conn_throttle', 0, 20);
  const udpThrottle = body.within('client_udp_sess_throttle', 0, 20);
  const tags = readTags(body);
  body.check();
  balancer.label = label ?? balancer.label;
  balancer.clientConnThrottle = throttle ?? balancer.clientConnThrottle;
  balancer.clientUdpSessThrottle = udpThrottle ?? balancer.clientUdpSessThrottle;
  if (tags !== undefined) balancer.tags = useTags(cloud, tags);
  balancer.updated = cloud.now();
  return balancerView(balancer);
}

async function deleteBalancer(call: Call): Promise<JsonObject> {
  const { cloud } = call;
  const balancer = balancerOf(call);
  await unbalance(cloud, balancer);
  detachAll(cloud, 'nodebalancer', balancer.id);
  const address = cloud.addresses.get(balancer.ipv4);
  if (address !== undefined) release(cloud, address);
  cloud.nodeBalancers.delete(balancer.id);
  cloud.notify('nodebalancer_delete', balancerRef(balancer));
  return {};
}

function listFirewalls(call: Call): JsonObject {
  const { cloud } = call;
  const firewalls = firewallsOn(cloud, 'nodebalancer', balancerOf(call).id);
  return call.list(
    firewalls.map((firewall) => firewallView(cloud, firewall)),
    ['created', 'id', 'label', 'tags', 'updated'],
  );
}

/** Replaces the firewall: there may be one. */
async function updateFirewalls(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const balancer = balancerOf(call);
  const ids = body.integers('firewall_ids') ?? [];
  const firewalls = ids.flatMap((id) => cloud.firewalls.get(id) ?? []);
  if (!body.has('firewall_ids')) body.fail('firewall_ids is required', 'firewall_ids');
  if (firewalls.length < ids.length) body.fail('Invalid firewall ID', 'firewall_ids');
  if (ids.length > 1) body.fail('Only one firewall is supported', 'firewall_ids');
  body.check();
  detachAll(cloud, 'nodebalancer', balancer.id);
  for (const firewall of firewalls) attach(cloud, firewall, 'nodebalancer', balancer.id);
  await balance(cloud, balancer);
  return listFirewalls(call);
}

function stats(call: Call): never {
  balancerOf(call);
  throw badRequest('Stats are unavailable at this time.');
}

function listShares(call: Call): JsonObject {
  const balancer = balancerOf(call);
  return call.list(
    balancer.vpcs.map((share) => shareView(call.cloud, balancer, share)),
    [],
  );
}

function getShare(call: Call): JsonObject {
  const balancer = balancerOf(call);
  const id = call.id('share');
  return shareView(call.cloud, balancer, found(balancer.vpcs.find((share) => share.id === id)));
}

function shareView(cloud: Cloud, balancer: NodeBalancer, share: NodeBalancer['vpcs'][number]): JsonObject {
  return {
    id: share.id,
    nodebalancer_id: balancer.id,
    vpc_id: cloud.subnet(share.subnet)?.vpc.id ?? null,
    subnet_id: share.subnet,
    ipv4_range: share.ipv4Range,
  };
}

async function listConfigs(call: Call): Promise<JsonObject> {
  const balancer = balancerOf(call);
  await readHealth(call.cloud, balancer);
  return call.list(
    balancer.configs.map((config) => configView(balancer, config)),
    ['id', 'port'],
  );
}

async function getConfig(call: Call): Promise<JsonObject> {
  const balancer = balancerOf(call);
  await readHealth(call.cloud, balancer);
  return configView(balancer, configOf(call, balancer));
}

async function createConfig(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const balancer = balancerOf(call);
  const config = addConfig(cloud, balancer, body);
  cloud.notify('nodebalancer_config_create', balancerRef(balancer));
  await balance(cloud, balancer);
  return configView(balancer, config);
}

function addConfig(cloud: Cloud, balancer: NodeBalancer, fields: Fields): NodeBalancerConfig {
  const settings = readSettings(fields, USUAL_SETTINGS, balancer.configs);
  const nodes = (fields.objects('nodes') ?? []).map((node) => readNode(cloud, balancer, node));
  fields.check();
  const config = { id: cloud.newId(), settings, nodes };
  balancer.configs.push(config);
  return config;
}

async function updateConfig(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const balancer = balancerOf(call);
  const config = configOf(call, balancer);
  const settings = readSettings(body, config.settings, others(balancer, config));
  body.check();
  config.settings = settings;
  cloud.notify('nodebalancer_config_update', balancerRef(balancer));
  await balance(cloud, balancer);
  return configView(balancer, config);
}

/** Settings and nodes at once; nodes that are not named by their id are replaced. */
async function rebuildConfig(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const balancer = balancerOf(call);
  const config = configOf(call, balancer);
  const settings = readSettings(body, config.settings, others(balancer, config));
  const nodes = (body.objects('nodes') ?? []).map((fields) => {
    const id = fields.integer('id');
    return readNode(
      cloud,
      balancer,
      fields,
      config.nodes.find((node) => node.id === id),
    );
  });
  body.check();
  config.settings = settings;
  config.nodes = nodes;
  cloud.notify('nodebalancer_config_update', balancerRef(balancer));
  await balance(cloud, balancer);
  return configView(balancer, config);
}

async function deleteConfig(call: Call): Promise<JsonObject> {
  const { cloud } = call;
  const balancer = balancerOf(call);
  balancer.configs.splice(balancer.configs.indexOf(configOf(call, balancer)), 1);
  cloud.notify('nodebalancer_config_delete', balancerRef(balancer));
  await balance(cloud, balancer);
  return {};
}

async function listNodes(call: Call): Promise<JsonObject> {
  const balancer = balancerOf(call);
  await readHealth(call.cloud, balancer);
  const config = configOf(call, balancer);
  return call.list(
    config.nodes.map((node) => nodeView(balancer, config, node)),
    ['id', 'label', 'address'],
  );
}

async function getNode(call: Call): Promise<JsonObject> {
  const balancer = balancerOf(call);
  await readHealth(call.cloud, balancer);
  const config = configOf(call, balancer);
  return nodeView(balancer, config, nodeOf(call, config));
}

async function createNode(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const balancer = balancerOf(call);
  const config = configOf(call, balancer);
  const node = readNode(cloud, balancer, body);
  body.check();
  config.nodes.push(node);
  cloud.notify('nodebalancer_node_create', balancerRef(balancer));
  await balance(cloud, balancer);
  return nodeView(balancer, config, node);
}

async function updateNode(call: Call): Promise<JsonObject> {
  const { cloud, body } = call;
  const balancer = balancerOf(call);
  const config = configOf(call, balancer);
  const before = nodeOf(call, config);
  const node = readNode(cloud, balancer, body, before);
  body.check();
  config.nodes = config.nodes.map((one) => (one === before ? node : one));
  cloud.notify('nodebalancer_node_update', balancerRef(balancer));
  await balance(cloud, balancer);
  return nodeView(balancer, config, node);
}

async function deleteNode(call: Call): Promise<JsonObject> {
  const { cloud } = call;
  const balancer = balancerOf(call);
  const config = configOf(call, balancer);
  const node = nodeOf(call, config);
  config.nodes = config.nodes.filter((one) => one !== node);
  cloud.notify('nodebalancer_node_delete', balancerRef(balancer));
  await balance(cloud, balancer);
  return {};
}

function others(balancer: NodeBalancer, config: NodeBalancerConfig): NodeBalancerConfig[] {
  return balancer.configs.filter((other) => other !== config);
}

function balancerOf(call: Call): NodeBalancer {
  return found(call.cloud.nodeBalancers.get(call.id('balancer')));
}

function configOf(call: Call, balancer: NodeBalancer): NodeBalancerConfig {
  const id = call.id('config');
  return found(balancer.configs.find((config) => config.id === id));
}

function nodeOf(call: Call, config: NodeBalancerConfig): NodeBalancerNode {
  const id = call.id('node');
  return found(config.nodes.find((node) => node.id === id));
}

function balancerRef(balancer: NodeBalancer): EntityRef {
  return {
    id: balancer.id,
    type: 'nodebalancer',
    label: balancer.label,
    url: `/v4/nodebalancers/${balancer.id}`,
  };
}
