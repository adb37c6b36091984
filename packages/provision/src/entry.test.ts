import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TcpPortSettings } from '@perlstack/linode';
import { execute } from '@perlstack/procedure';
import { stackFile, testCloud, type TestCloud } from './cloud.testkit.js';
import { planDestroy } from './destroy.js';
import { desiredEntry, entryAddresses } from './entry.js';
import { sameSettings } from './entry-plan.js';
import { handlers } from './handlers.js';
import { observe, observeForDestroy } from './observe.js';
import { plan } from './plan.js';
import { readResources } from './read.js';

const stack = (web: string, more = ''): string => `stack: shop
region: us-ord
app: { name: shop, domains: [shop.example.com] }
${more}tiers:
  web: { type: g6-nanode-1, ${web} }
  app: { type: g6-nanode-1, count: 1 }
`;
const ENTRY = 'count: 2, entry: nodebalancer';

const OTHER_SETTINGS: TcpPortSettings = {
  protocol: 'tcp',
  algorithm: 'source',
  proxy_protocol: 'none',
  check: 'none',
  check_interval: 30,
  check_timeout: 5,
  check_attempts: 3,
};

let cloud: TestCloud;
beforeEach(async () => {
  cloud = await testCloud();
});
afterEach(() => cloud.close());

async function apply(text: string) {
  cloud.writes();
  const made = await cloud.apply(stackFile(text));
  expect(made.outcome.failures.map(({ error }) => String(error))).toEqual([]);
  return made.plan;
}

const planFor = async (text: string) => plan(stackFile(text), await observe(cloud.reader, stackFile(text)));
const look = () => readResources(cloud.reader, 'shop', { balancers: 'always' });

/** `80 web-1 10.10.0.2:80` of every node. */
async function nodes(): Promise<string[]> {
  const { balancers } = await look();
  return balancers
    .flatMap(({ ports }) =>
      ports.flatMap(({ port, nodes: all }) => all.map((one) => `${port} ${one.label} ${one.address}`)),
    )
    .sort();
}

describe('desiredEntry', () => {
  it.each([
    ['count: 2', null],
    [ENTRY, [80]],
    [`${ENTRY}, tls: { files: false }`, [80]],
    [`${ENTRY}, tls: { files: true }`, [80, 443]],
  ])('%s listens on %j', (web, ports) => {
    expect(desiredEntry(stackFile(stack(web)).stack)?.ports ?? null).toEqual(ports);
  });

  it('takes a range that Linode does not keep for itself, behind the subnets of all tiers', () => {
    expect(desiredEntry(stackFile(stack(ENTRY)).stack)).toMatchObject({
      label: 'shop-entry',
      subnet: '10.10.5.0/24',
      range: '10.10.5.4/30',
    });
  });
});

describe('the NodeBalancer', () => {
  it('stands in a subnet of its own, under a firewall of its own, with the web hosts behind it', async () => {
    const { bill } = await apply(stack(`${ENTRY}, tls: { files: true }`));
    const { balancers, vpc, firewalls } = await look();
    expect(balancers).toMatchObject([
      { label: 'shop-entry', region: 'us-ord', tags: ['perlstack', 'stack:shop', 'tier:web'] },
    ]);
    expect(vpc?.subnets.find(({ label }) => label === 'entry')).toMatchObject({
      ipv4: '10.10.5.0/24',
      balancers: [balancers[0]?.id],
    });
    expect(await nodes()).toEqual([
      '443 web-1 10.10.0.2:443',
      '443 web-2 10.10.0.3:443',
      '80 web-1 10.10.0.2:80',
      '80 web-2 10.10.0.3:80',
    ]);
    const wall = firewalls.find(({ label }) => label === 'shop-entry');
    expect(wall).toMatchObject({ balancers: [balancers[0]?.id], rules: { inbound_policy: 'DROP' } });
    expect(wall?.rules.inbound.map(({ ports }) => ports)).toEqual(['80,443']);
    expect(bill.lines.at(-1)).toEqual({
      ...{ label: 'shop-entry', tier: 'entry', type: 'NodeBalancer', change: 'create', monthly: 10 },
    });
    expect(bill).toMatchObject({ before: 0, after: 25 });
  });

  it('is the only visitor of the web hosts, and tells them who visits it', async () => {
    await apply(stack(ENTRY));
    const { firewalls } = await look();
    const web = firewalls.find(({ label }) => label === 'shop-web')?.rules.inbound ?? [];
    expect(web.find(({ label }) => label?.startsWith('visitors'))).toMatchObject({
      addresses: { ipv4: ['10.10.5.0/24'] },
    });
    const [spec] = cloud.driver.balancers.values();
    expect(spec).toMatchObject({
      sources: ['10.10.5.4', '10.10.5.5', '10.10.5.6', '10.10.5.7'],
      ports: [
        {
          ...{ port: 80, protocol: 'tcp', proxyProtocol: 'v2', algorithm: 'leastconn', stickiness: 'none' },
          check: { kind: 'connection', intervalSeconds: 3, timeoutSeconds: 2, attempts: 2 },
        },
      ],
    });
  });

  it('is left as it is by a second run', async () => {
    await apply(stack(ENTRY));
    const { steps, notes, bill } = await planFor(stack(ENTRY));
    expect(steps).toEqual([]);
    expect(notes.filter((note) => /entry|NodeBalancer/i.test(note))).toEqual([]);
    expect(bill).toMatchObject({ delta: 0, after: 25 });
  });

  it('follows the web hosts: new ones come behind it, old ones leave it before they are deleted', async () => {
    await apply(stack(ENTRY));
    await apply(stack('count: 3, entry: nodebalancer'));
    expect(await nodes()).toContain('80 web-3 10.10.0.4:80');
    const { steps } = await apply(stack('count: 1, entry: nodebalancer'));
    expect(await nodes()).toEqual(['80 web-1 10.10.0.2:80']);
    expect(steps.find(({ id }) => id === 'shop-web-2/delete-linode')?.after).toEqual([
      'shop-entry:80:web-2/remove-balancer-node',
    ]);
  });

  it('listens on 443 as long as there is a certificate', async () => {
    await apply(stack(ENTRY));
    await apply(stack(`${ENTRY}, tls: { files: true }`));
    expect(await nodes()).toHaveLength(4);
    await apply(stack(ENTRY));
    expect(await nodes()).toEqual(['80 web-1 10.10.0.2:80', '80 web-2 10.10.0.3:80']);
  });

  it('gets back what somebody took from it', async () => {
    await apply(stack(ENTRY));
    const { balancers } = await look();
    const id = balancers[0]?.id ?? 0;
    const [port] = await cloud.client.nodeBalancerPorts(id);
    const [node] = await cloud.client.balancerNodes(id, port?.id ?? 0);
    const wall = (await look()).firewalls.find(({ label }) => label === 'shop-web')?.id ?? 0;
    await cloud.client.guardNodeBalancer(id, wall);
    await cloud.client.updateNodeBalancer(id, { tags: ['perlstack', 'stack:shop', 'mine'] });
    await cloud.client.updateNodeBalancerPort(id, port?.id ?? 0, OTHER_SETTINGS);
    await cloud.client.deleteBalancerNode(id, port?.id ?? 0, node?.id ?? 0);
    const { steps } = await apply(stack(ENTRY));
    expect(steps.map(({ kind }) => kind)).toEqual([
      'repair-balancer',
      'set-balancer-port',
      'add-balancer-node',
    ]);
    expect((await planFor(stack(ENTRY))).steps).toEqual([]);
    expect((await look()).balancers[0]?.tags).toEqual(['perlstack', 'stack:shop', 'mine', 'tier:web']);
  });

  it('keeps what others added to it, and says so', async () => {
    await apply(stack(ENTRY));
    const id = (await look()).balancers[0]?.id ?? 0;
    await cloud.client.createNodeBalancerPort(id, { port: 8080, ...OTHER_SETTINGS });
    const [port] = await cloud.client.nodeBalancerPorts(id);
    const subnet_id = (await look()).vpc?.subnets.find(({ label }) => label === 'entry')?.id ?? 0;
    const extra = { address: '10.10.1.2:80', label: 'canary', mode: 'accept', subnet_id } as const;
    await cloud.client.createBalancerNode(id, port?.id ?? 0, extra);
    const { steps, notes } = await planFor(stack(ENTRY));
    expect(steps).toEqual([]);
    expect(notes.filter((note) => note.includes('left alone'))).toEqual([
      'canary at port 80 of NodeBalancer shop-entry is no host of this stack: it is left alone.',
      'NodeBalancer shop-entry listens on port 8080 as well, for somebody else: it is left alone.',
    ]);
  });

  it('goes when the domains are to point to the web hosts again, and the other way round', async () => {
    await apply(stack('count: 2'));
    const there = await apply(stack(ENTRY));
    expect(there.notes.join()).toMatch(/shop\.example\.com point to the address of the NodeBalancer/);
    const back = await apply(stack('count: 2'));
    expect(back.notes.join()).toMatch(/shop\.example\.com point to the addresses of the web hosts/);
    expect(back.bill).toMatchObject({ before: 25, after: 15, delta: -10 });
    const { balancers, vpc, firewalls } = await look();
    expect(balancers).toEqual([]);
    expect(vpc?.subnets.map(({ label }) => label)).toEqual(['web', 'app']);
    expect(firewalls.map(({ label }) => label).sort()).toEqual(['shop-app', 'shop-web']);
    expect((await planFor(stack('count: 2'))).steps).toEqual([]);
  });

  it('is removed with its stack, and nobody else’s is', async () => {
    await apply(stack(ENTRY));
    const keep = await cloud.client.createNodeBalancer({
      ...{ label: 'other', region: 'us-ord', tags: [], vpcs: [], firewall_id: -1 },
    });
    const file = stackFile(stack(ENTRY));
    const observed = await observeForDestroy(cloud.reader, file.stack);
    const made = planDestroy('shop', observed, observed.catalogue);
    expect(made.bill).toMatchObject({ before: 25, after: 0 });
    const outcome = await execute(made.steps, handlers(cloud.tools(file)));
    expect(outcome.failures.map(({ error }) => String(error))).toEqual([]);
    const { state } = cloud.api;
    expect([...state.nodeBalancers.keys()]).toEqual([keep.id]);
    expect([state.vpcs.size, state.firewalls.size, state.linodes.size]).toEqual([0, 0, 0]);
  });
});

describe('entryAddresses', () => {
  it('are those of the web hosts, or that of the NodeBalancer', async () => {
    await apply(stack('count: 2'));
    const dns = await look();
    expect(entryAddresses(stackFile(stack('count: 2')).stack, dns)).toEqual(
      dns.linodes.filter(({ tier }) => tier === 'web').map(({ publicAddress }) => publicAddress),
    );
    await apply(stack(ENTRY));
    const balanced = await look();
    expect(entryAddresses(stackFile(stack(ENTRY)).stack, balanced)).toEqual([balanced.balancers[0]?.ipv4]);
  });
});

describe('sameSettings', () => {
  it('looks at what was asked for only', () => {
    const wanted = {
      protocol: 'tcp',
      algorithm: 'leastconn',
      proxy_protocol: 'v2',
      check: 'connection',
    } as const;
    const times = { check_interval: 3, check_timeout: 2, check_attempts: 2 };
    expect(sameSettings({ ...wanted, ...times }, { ...wanted, ...times })).toBe(true);
    expect(sameSettings({ ...wanted, ...times, proxy_protocol: 'v1' }, { ...wanted, ...times })).toBe(false);
    expect(sameSettings({ ...wanted, ...times, check_interval: 5 }, { ...wanted, ...times })).toBe(false);
  });
});
