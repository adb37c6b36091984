import type { Cloud } from './cloud.js';
import type { Fields } from './fields.js';
import type { JsonObject } from './json.js';
import type { NodeBalancer, NodeBalancerConfig, NodeBalancerNode, NodeBalancerSettings } from './model.js';
import { isAddress } from './networks.js';
import { seatsIn } from './occupancy.js';

const PROTOCOLS = ['http', 'https', 'tcp', 'udp'] as const;
const ALGORITHMS = ['roundrobin', 'leastconn', 'source', 'ring_hash'] as const;
const STICKINESS = ['none', 'table', 'http_cookie', 'session', 'source_ip'] as const;
const CHECKS = ['none', 'connection', 'http', 'http_body'] as const;
const MODES = ['accept', 'reject', 'drain', 'backup', 'none'] as const;

export const USUAL_SETTINGS: NodeBalancerSettings = {
  port: 80,
  protocol: 'http',
  algorithm: 'roundrobin',
  stickiness: 'none',
  check: 'none',
  checkInterval: 31,
  checkTimeout: 30,
  checkAttempts: 3,
  checkPath: '',
  checkBody: '',
  checkPassive: true,
  proxyProtocol: 'none',
  cipherSuite: 'recommended',
  udpCheckPort: 80,
  sslCommonName: '',
  sslFingerprint: '',
};

/** Reads the settings of a port; what is not sent stays as in `before`. */
export function readSettings(
  fields: Fields,
  before: NodeBalancerSettings,
  others: readonly NodeBalancerConfig[],
): NodeBalancerSettings {
  const settings = {
    ...before,
    port: fields.within('port', 1, 65_535) ?? before.port,
    protocol: fields.choice('protocol', PROTOCOLS) ?? before.protocol,
    algorithm: fields.choice('algorithm', ALGORITHMS) ?? before.algorithm,
    stickiness: fields.choice('stickiness', STICKINESS) ?? before.stickiness,
    check: fields.choice('check', CHECKS) ?? before.check,
    checkInterval: fields.within('check_interval', 2, 3600) ?? before.checkInterval,
    checkTimeout: fields.within('check_timeout', 1, 30) ?? before.checkTimeout,
    checkAttempts: fields.within('check_attempts', 1, 30) ?? before.checkAttempts,
    checkPath: fields.string('check_path') ?? before.checkPath,
    checkBody: fields.string('check_body') ?? before.checkBody,
    checkPassive: fields.boolean('check_passive') ?? before.checkPassive,
    proxyProtocol: fields.choice('proxy_protocol', ['none', 'v1', 'v2']) ?? before.proxyProtocol,
    cipherSuite: fields.choice('cipher_suite', ['recommended', 'legacy', 'none']) ?? before.cipherSuite,
    udpCheckPort: fields.within('udp_check_port', 1, 65_535) ?? before.udpCheckPort,
  };
  checkSettings(fields, settings, others);
  return settings;
}

function checkSettings(
  fields: Fields,
  settings: NodeBalancerSettings,
  others: readonly NodeBalancerConfig[],
): void {
  const asked = fields.has('check_interval') || fields.has('check_timeout');
  if (asked && settings.checkInterval <= settings.checkTimeout) {
    fields.fail('Must be greater than check_timeout', 'check_interval');
  }
  const needsPath = settings.check === 'http' || settings.check === 'http_body';
  if (needsPath && settings.checkPath === '') fields.fail('check_path is required', 'check_path');
  if (settings.check === 'http_body' && settings.checkBody === '')
    fields.fail('check_body is required', 'check_body');
  if (settings.proxyProtocol !== 'none' && settings.protocol !== 'tcp') {
    fields.fail('Proxy protocol requires the tcp protocol', 'proxy_protocol');
  }
  const secure = settings.protocol === 'https';
  for (const name of ['ssl_cert', 'ssl_key']) {
    if (secure && fields.string(name) === undefined && settings.sslCommonName === '')
      fields.fail(`${name} is required`, name);
  }
  if (secure)
    Object.assign(settings, { sslCommonName: 'localhost', sslFingerprint: '00:01:02:03:04:05:06:07' });
  const udp = (protocol: string): boolean => protocol === 'udp';
  const clash = others.some(
    (other) =>
      other.settings.port === settings.port && udp(other.settings.protocol) === udp(settings.protocol),
  );
  if (clash) fields.fail('Port must be unique', 'port');
}

export function configView(balancer: NodeBalancer, config: NodeBalancerConfig): JsonObject {
  const { settings } = config;
  const secure = settings.protocol === 'https';
  return {
    id: config.id,
    port: settings.port,
    protocol: settings.protocol,
    algorithm: settings.algorithm,
    stickiness: settings.stickiness,
    check: settings.check,
    check_interval: settings.checkInterval,
    check_timeout: settings.checkTimeout,
    check_attempts: settings.checkAttempts,
    check_path: settings.checkPath,
    check_body: settings.checkBody,
    check_passive: settings.checkPassive,
    proxy_protocol: settings.proxyProtocol,
    cipher_suite: settings.cipherSuite,
    nodebalancer_id: balancer.id,
    ssl_commonname: settings.sslCommonName,
    ssl_fingerprint: settings.sslFingerprint,
    ssl_cert: secure ? '<REDACTED>' : null,
    ssl_key: secure ? '<REDACTED>' : null,
    nodes_status: nodesStatus(config),
    udp_check_port: settings.udpCheckPort,
    udp_session_timeout: 16,
  };
}

/** A node that was not checked yet counts as down. */
function nodesStatus({ nodes }: NodeBalancerConfig): JsonObject {
  const up = nodes.filter(({ status }) => status === 'UP').length;
  return { up, down: nodes.length - up };
}

/** Reads a node; `before` is the one that changes. */
export function readNode(
  cloud: Cloud,
  balancer: NodeBalancer,
  fields: Fields,
  before?: NodeBalancerNode,
): NodeBalancerNode {
  const address = fields.string('address') ?? before?.address;
  const label = fields.string('label') ?? before?.label;
  if (address === undefined) fields.fail('address is required', 'address');
  if (label === undefined) fields.fail('label is required', 'label');
  else if (label.length < 3 || label.length > 32) fields.fail('Length must be 3-32 characters', 'label');
  if (address !== undefined && fields.has('address')) checkBackend(cloud, balancer, fields, address);
  return {
    id: before?.id ?? cloud.newId(),
    address: address ?? '',
    label: label ?? '',
    weight: fields.within('weight', 1, 255) ?? before?.weight ?? 100,
    mode: fields.choice('mode', MODES) ?? before?.mode ?? 'accept',
    vpcConfig: readVpcConfig(balancer, fields) ?? before?.vpcConfig ?? null,
    status: address === before?.address ? (before?.status ?? 'Unknown') : 'Unknown',
  };
}

function readVpcConfig(balancer: NodeBalancer, fields: Fields): number | undefined {
  const subnet = fields.integer('subnet_id');
  if (subnet === undefined) return undefined;
  const share = balancer.vpcs.find((one) => one.subnet === subnet);
  if (share === undefined) fields.fail('The NodeBalancer is not configured for this subnet', 'subnet_id');
  return share?.id;
}

/** Backends are reached by private addresses or through a VPC, never by public ones. */
function checkBackend(cloud: Cloud, balancer: NodeBalancer, fields: Fields, text: string): void {
  const [address, port] = text.split(':');
  if (address === undefined || !isAddress(address) || !/^\d+$/.test(port ?? '')) {
    return fields.fail('Must be an IPv4 address and a port', 'address');
  }
  const subnet = fields.integer('subnet_id');
  if (subnet !== undefined) {
    if (!isInVpc(cloud, subnet, address)) fields.fail('This address is not allowed.', 'address');
    return;
  }
  const known = cloud.addresses.get(address);
  const wrongRegion = known !== undefined && known.region !== balancer.region;
  if (known?.public === true || wrongRegion) fields.fail('This address is not allowed.', 'address');
}

/**
 * Whether a Linode has the address in the VPC of a subnet. The subnet is the NodeBalancer's own; that its nodes may be in
 * another one of the VPC is how Linode's Kubernetes controller is set up to use it, no record shows it.
 */
function isInVpc(cloud: Cloud, subnet: number, address: string): boolean {
  const subnets = cloud.subnet(subnet)?.vpc.subnets ?? [];
  const seats = subnets.flatMap(({ id }) => seatsIn(cloud, id));
  return seats.some((seat) => seat.addresses.some((one) => one.address === address));
}

export function nodeView(
  balancer: NodeBalancer,
  config: NodeBalancerConfig,
  node: NodeBalancerNode,
): JsonObject {
  return {
    id: node.id,
    address: node.address,
    label: node.label,
    status: node.status,
    weight: node.weight,
    mode: node.mode,
    config_id: config.id,
    nodebalancer_id: balancer.id,
    vpc_config_id: node.vpcConfig,
  };
}
