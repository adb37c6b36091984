import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeHealth } from '../driver.js';
import { FULL_TOKEN, type LinodeApi, MemoryDriver, startApi } from './index.js';

/** A driver that knows what nobody here can: which nodes answer. */
class CheckingDriver extends MemoryDriver {
  readonly health = new Map<number, NodeHealth>();

  override async balancerNodes(): Promise<ReadonlyMap<number, NodeHealth>> {
    return this.health;
  }
}

let driver: CheckingDriver;
let api: LinodeApi;
beforeEach(async () => {
  driver = new CheckingDriver();
  api = await startApi({ driver });
});
afterEach(() => api.close());

interface Thing {
  readonly id: number;
  readonly [key: string]: unknown;
}

async function call(method: string, path: string, body?: object): Promise<{ status: number; body: Thing }> {
  const answer = await fetch(`${api.url}/v4beta${path}`, {
    method,
    headers: { Authorization: `Bearer ${FULL_TOKEN.token}`, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Thing };
}

async function make(path: string, body: object): Promise<Thing> {
  const answer = await call('POST', path, body);
  expect(answer).toMatchObject({ status: 200 });
  return answer.body;
}

interface Site {
  readonly web: number;
  readonly entry: number;
}

/** A VPC with a Linode at 10.0.0.2 in one subnet, and another subnet for a NodeBalancer. */
async function makeSite(): Promise<Site> {
  const subnets = [
    { label: 'web', ipv4: '10.0.0.0/24' },
    { label: 'entry', ipv4: '10.0.5.0/24' },
  ];
  const vpc = await make('/vpcs', { label: 'shop', region: 'us-ord', subnets });
  const [web, entry] = (vpc['subnets'] as readonly Thing[]).map(({ id }) => id);
  const ipv4 = { addresses: [{ address: '10.0.0.2', primary: true }] };
  await make('/linode/instances', {
    ...{
      label: 'web-1',
      region: 'us-ord',
      type: 'g6-nanode-1',
      interface_generation: 'linode',
      booted: false,
    },
    interfaces: [{ firewall_id: -1, vpc: { subnet_id: web, ipv4 } }],
  });
  return { web: web ?? 0, entry: entry ?? 0 };
}

async function makeBalancer({ entry }: Site, firewall_id = -1): Promise<Thing> {
  const vpcs = [{ subnet_id: entry, ipv4_range: '10.0.5.4/30' }];
  return make('/nodebalancers', { label: 'entry', region: 'us-ord', vpcs, firewall_id });
}

const PORT = {
  ...{ port: 80, protocol: 'tcp', proxy_protocol: 'v2', check: 'connection' },
  ...{ check_interval: 3, check_timeout: 2, check_attempts: 2 },
};

describe('what the driver is told of a NodeBalancer', () => {
  it('is its addresses, its ports and its nodes, after each change', async () => {
    const site = await makeSite();
    const { id, ipv4 } = await makeBalancer(site);
    expect(driver.balancers.get(id)).toMatchObject({
      interfaces: [
        { kind: 'public', ipv4, defaultRoute: true },
        { kind: 'vpc', ipv4: '10.0.5.4', prefix: 24, gateway: '10.0.5.1', subnetId: site.entry },
      ],
      sources: ['10.0.5.4', '10.0.5.5', '10.0.5.6', '10.0.5.7'],
      ports: [],
    });
    const port = await make(`/nodebalancers/${id}/configs`, PORT);
    const nodes = `/nodebalancers/${id}/configs/${port.id}/nodes`;
    const node = await make(nodes, { address: '10.0.0.2:80', label: 'web-1', subnet_id: site.entry });
    await call('PUT', `${nodes}/${node.id}`, { mode: 'drain' });
    expect(driver.balancers.get(id)?.ports).toMatchObject([
      {
        port: 80,
        proxyProtocol: 'v2',
        nodes: [{ id: node.id, address: '10.0.0.2', port: 80, mode: 'drain' }],
      },
    ]);
    await call('DELETE', `${nodes}/${node.id}`);
    expect(driver.balancers.get(id)?.ports[0]?.nodes).toEqual([]);
    await call('DELETE', `/nodebalancers/${id}`);
    expect(driver.balancers.size).toBe(0);
  });

  it('leaves out the ports that nobody serves here', async () => {
    const { id } = await makeBalancer(await makeSite());
    await make(`/nodebalancers/${id}/configs`, { port: 53, protocol: 'udp' });
    expect(driver.balancers.get(id)?.ports).toEqual([]);
  });

  it('is its firewall, whoever changes it', async () => {
    const wall = (ports: string) => ({
      ...{ inbound_policy: 'DROP', outbound_policy: 'ACCEPT', outbound: [] },
      inbound: [
        { action: 'ACCEPT', protocol: 'TCP', ports, addresses: { ipv4: ['0.0.0.0/0'] }, label: 'visitors' },
      ],
    });
    const one = await make('/networking/firewalls', { label: 'one', rules: wall('80') });
    const two = await make('/networking/firewalls', { label: 'two', rules: wall('443') });
    const { id } = await makeBalancer(await makeSite(), one.id);
    const ports = () => driver.balancers.get(id)?.firewall?.inbound.map((rule) => rule.ports);
    expect(ports()).toEqual(['80']);
    await call('PUT', `/networking/firewalls/${one.id}/rules`, wall('80,8080'));
    expect(ports()).toEqual(['80,8080']);
    const put = await call('PUT', `/nodebalancers/${id}/firewalls`, { firewall_ids: [two.id] });
    expect(put.body).toMatchObject({ data: [{ id: two.id }], results: 1 });
    expect(ports()).toEqual(['443']);
    await call('PUT', `/nodebalancers/${id}/firewalls`, { firewall_ids: [] });
    expect(driver.balancers.get(id)?.firewall).toBeNull();
  });
});

describe('what the API says of nodes', () => {
  it('is what the checks say, and Unknown before them', async () => {
    const site = await makeSite();
    const { id } = await makeBalancer(site);
    const port = await make(`/nodebalancers/${id}/configs`, PORT);
    const nodes = `/nodebalancers/${id}/configs/${port.id}/nodes`;
    const node = await make(nodes, { address: '10.0.0.2:80', label: 'web-1', subnet_id: site.entry });
    const look = async () => [
      (await call('GET', nodes)).body['data'],
      (await call('GET', `/nodebalancers/${id}/configs/${port.id}`)).body['nodes_status'],
    ];
    expect(await look()).toMatchObject([[{ status: 'Unknown' }], { up: 0, down: 1 }]);
    driver.health.set(node.id, 'UP');
    expect(await look()).toMatchObject([[{ status: 'UP' }], { up: 1, down: 0 }]);
    driver.health.set(node.id, 'DOWN');
    expect(await look()).toMatchObject([[{ status: 'DOWN' }], { up: 0, down: 1 }]);
  });

  it.each([
    ['an address of another subnet of the VPC', '10.0.0.2:80', 'entry', 200],
    ['an address that nobody has', '10.0.0.9:80', 'entry', 400],
    ['a subnet that is not the NodeBalancer’s', '10.0.0.2:80', 'web', 400],
  ] as const)('%s', async (_, address, subnet, status) => {
    const site = await makeSite();
    const { id } = await makeBalancer(site);
    const port = await make(`/nodebalancers/${id}/configs`, PORT);
    const node = { address, label: 'web-1', subnet_id: site[subnet] };
    const answer = await call('POST', `/nodebalancers/${id}/configs/${port.id}/nodes`, node);
    expect(answer.status).toBe(status);
  });

  it('hands connections on with their origin by TCP only', async () => {
    const { id } = await makeBalancer(await makeSite());
    const answer = await call('POST', `/nodebalancers/${id}/configs`, { ...PORT, protocol: 'http' });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: 'proxy_protocol' }] } });
  });
});
