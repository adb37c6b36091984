import type { Cloud } from '../cloud.js';
import { isObject, type Json } from '../json.js';
import { USUAL_SETTINGS } from '../nodebalancer-config.js';
import { allot } from '../allot.js';
import { barePath, type Exchange } from './recording.js';

/** Makes what a conversation takes for granted: things of the account that were made before the record began. */
export function seed(cloud: Cloud, ids: Map<number, number>, exchange: Exchange): void {
  if (exchange.status >= 400) return;
  for (const id of firewallIds(exchange.request)) if (!ids.has(id)) ids.set(id, seedFirewall(cloud));
  for (const region of regionIds(exchange.request)) seedRegion(cloud, region);
  if (exchange.n === 0 && barePath(exchange.path) === '/networking/reserved/ips')
    seedReserved(cloud, exchange.response);
  const [first, balancer, second, config] = barePath(exchange.path).split('/').slice(1);
  if (first !== 'nodebalancers' || second !== 'configs' || config === undefined) return;
  if (!ids.has(Number(balancer))) seedBalancer(cloud, ids, Number(balancer), Number(config));
}

/** Newest interfaces name theirs deep inside. */
function firewallIds(value: Json | undefined): number[] {
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap(firewallIds);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    key === 'firewall_id' && typeof part === 'number' && part > 0 ? [part] : firewallIds(part),
  );
}

function regionIds(value: Json | undefined): string[] {
  const region = isObject(value) ? value['region'] : undefined;
  return typeof region === 'string' ? [region] : [];
}

/** What was listed before anything was made must have been there. */
function seedReserved(cloud: Cloud, response: Json | undefined): void {
  const listed = isObject(response) ? response['data'] : undefined;
  for (const one of Array.isArray(listed) ? (listed as readonly Json[]) : []) {
    const region = isObject(one) ? one['region'] : undefined;
    if (typeof region === 'string') allot(cloud, region, true, null).reserved = true;
  }
}

function seedFirewall(cloud: Cloud): number {
  const id = cloud.newId();
  cloud.firewalls.set(id, {
    id,
    label: `seed-${id}`,
    status: 'enabled',
    tags: [],
    rules: { inbound: [], inboundPolicy: 'ACCEPT', outbound: [], outboundPolicy: 'ACCEPT' },
    version: 1,
    history: [],
    devices: [],
    created: cloud.now(),
    updated: cloud.now(),
  });
  return id;
}

/** Some records come from regions that the public never sees. */
function seedRegion(cloud: Cloud, id: string): void {
  const model = cloud.region('us-ord');
  if (cloud.region(id) === undefined && model !== undefined) cloud.regions.push({ ...model, id });
}

function seedBalancer(
  cloud: Cloud,
  ids: Map<number, number>,
  recorded: number,
  recordedConfig: number,
): void {
  const id = cloud.newId();
  const config = cloud.newId();
  const address = allot(cloud, 'ap-west', true, null);
  address.nodebalancer = id;
  cloud.nodeBalancers.set(id, {
    id,
    label: `seed-${id}`,
    region: 'ap-west',
    type: 'common',
    ipv4: address.address,
    ipv6: '2001:db8::1',
    clientConnThrottle: 0,
    clientUdpSessThrottle: 0,
    tags: [],
    vpcs: [],
    configs: [{ id: config, settings: USUAL_SETTINGS, nodes: [] }],
    created: cloud.now(),
    updated: cloud.now(),
  });
  ids.set(recorded, id);
  ids.set(recordedConfig, config);
}
