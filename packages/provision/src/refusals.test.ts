import { afterEach, describe, expect, it } from '@jest/globals';
import { createClient, createReader, type Image, type LinodeReader } from '@perlstack/linode';
import type { Token } from '@perlstack/local-cloud';
import { UserError } from '@perlstack/stack';
import { quickClock, STACK, stackFile, testCloud, type TestCloud } from './cloud.testkit.js';
import { observe, observeForDestroy } from './observe.js';
import { plan } from './plan.js';

const BALANCED = STACK.replace('count: 2 }', 'count: 2, entry: nodebalancer }');

let cloud: TestCloud;
afterEach(() => cloud.close());

/** The message of the refusal; that it is one line, that it is the user's, and that nothing was changed. */
async function refusal(text: string): Promise<string> {
  cloud.writes();
  const error: unknown = await cloud.apply(stackFile(text)).then(
    () => new Error('it was not refused'),
    (thrown: unknown) => thrown,
  );
  expect(cloud.writes()).toEqual([]);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
}

describe('bad stack files', () => {
  it.each<[string, string, string | RegExp]>([
    [
      'an unknown type',
      STACK.replace('g6-standard-2', 'g6-standard-22'),
      'perlstack.yml:6:16 tiers.app.type: "g6-standard-22" is no Linode type; nearest: g6-standard-2 (2 vCPU, 4 GB, $24 a month). Nothing was changed.',
    ],
    [
      'a type like no other',
      STACK.replace('g6-standard-2', 'enormous'),
      /tiers\.app\.type: "enormous" is no Linode type; such as: g6-standard-2 \(/,
    ],
    [
      'an unknown region',
      STACK.replace('us-ord', 'us-orb'),
      /^perlstack\.yml:2:9 region: "us-orb" is no Linode region; nearest: us-ord \(Chicago, IL\).* Nothing was changed\.$/,
    ],
    [
      'a region without VPCs',
      STACK.replace('us-ord', 'us-east'),
      /^perlstack\.yml:2:9 region: "us-east" \(Newark, NJ\) has no VPCs; regions that have all a stack needs, those of its country first: us-\w+ \(/,
    ],
    [
      'a distributed region',
      STACK.replace('us-ord', 'us-den-edge-1'),
      /"us-den-\w+-1" .*has no VPCs|is no Linode region/,
    ],
    [
      'a network of Linode’s own',
      `${STACK}network: { vpc: 192.168.0.0/16 }\n`,
      /^perlstack\.yml:7:17 network\.vpc: 192\.168\.0\.0\/16 overlaps 192\.168\.128\.0\/17/,
    ],
    [
      'a network for SSH that lies in the VPC',
      `${STACK}network: { ssh: [203.0.113.0/24, 10.10.3.0/24] }\n`,
      /^perlstack\.yml:7:34 network\.ssh\.1: 10\.10\.3\.0\/24 overlaps network\.vpc \(10\.10\.0\.0\/16\)/,
    ],
    [
      'a network for SSH in which the VPC lies',
      `${STACK}network: { ssh: [10.0.0.0/8] }\n`,
      /network\.ssh\.0: 10\.0\.0\.0\/8 overlaps network\.vpc/,
    ],
    [
      'a server that exists, with an address of the VPC',
      `${STACK}  database:\n    hosts: [{ address: 198.51.100.7, privateAddress: 10.10.2.9, hostKey: "SHA256:${'A'.repeat(43)}" }]\n`,
      /tiers\.database\.hosts\.0\.privateAddress: 10\.10\.2\.9 lies in network\.vpc \(10\.10\.0\.0\/16\)/,
    ],
    [
      'a NodeBalancer before servers that exist',
      STACK.replace(
        'type: g6-nanode-1, count: 2',
        `entry: nodebalancer, hosts: [{ address: 198.51.100.7, hostKey: "SHA256:${'A'.repeat(43)}" }]`,
      ),
      /^perlstack\.yml:5:17 tiers\.web\.entry: a NodeBalancer reaches its hosts by the VPC, and the tier names servers that exist \(hosts\): use entry: dns/,
    ],
    [
      'no way in',
      `${STACK}network: { public: [] }\n`,
      /network\.public: no tier of Linodes is public, so that SSH could reach web/,
    ],
    [
      'servers with a type',
      STACK.replace(
        'type: g6-nanode-1, count: 2',
        `type: g6-nanode-1, hosts: [{ address: 198.51.100.7, hostKey: "SHA256:${'A'.repeat(43)}" }]`,
      ),
      /tiers\.web\.type: the tier names servers that exist/,
    ],
    [
      'a role on a tier that there is not',
      `${STACK}  cache: { on: monitor }\n`,
      /tiers\.cache\.on: the stack has no hosts for it: "monitor" is no tier/,
    ],
    [
      'roles in a circle',
      `${STACK}  cache: { on: monitor }\n  monitor: { on: cache }\n`,
      /tiers\.cache\.on: the stack has no hosts for it/,
    ],
    [
      'a budget that is too small',
      `${STACK}budget: { monthly: 50 }\n`,
      'perlstack.yml:7:20 budget.monthly: the stack would cost $82 a month (2 x web g6-nanode-1 $10, 3 x app g6-standard-2 $72), $32 more than the budget of $50. Nothing was changed.',
    ],
  ])('%s', async (_, text, message) => {
    cloud = await testCloud();
    if (typeof message === 'string') expect(await refusal(text)).toBe(message);
    else expect(await refusal(text)).toMatch(message);
  });

  it('a plan that is not on sale', async () => {
    cloud = await testCloud({ faults: [{ effect: { kind: 'capacity', type: 'g6-standard-2' } }] });
    expect(await refusal(STACK)).toMatch(
      /^perlstack\.yml:6:16 tiers\.app\.type: g6-standard-2 is not on sale in us-ord at present; instead: .*; or another region\. Nothing was changed\.$/,
    );
  });

  it('an image that is gone, or can not be told what it is to be', async () => {
    cloud = await testCloud();
    const images = await cloud.reader.images();
    const offer = (change: (image: Image) => Image[]): LinodeReader => ({
      ...cloud.reader,
      images: () =>
        Promise.resolve(
          images.flatMap((image) => (image.id === 'linode/debian13' ? change(image) : [image])),
        ),
    });
    const observing = (reader: LinodeReader) => observe(reader, stackFile(STACK));
    await expect(observing(offer(() => []))).rejects.toThrow(
      /image: "linode\/debian13" is no image of Linode's/,
    );
    await expect(observing(offer((image) => [{ ...image, capabilities: [] }]))).rejects.toThrow(
      /linode\/debian13 has no cloud-init/,
    );
    await expect(observing(offer((image) => [{ ...image, status: 'creating' }]))).rejects.toThrow(
      /linode\/debian13 is creating/,
    );
  });

  it('another region than the one where the stack stands', async () => {
    cloud = await testCloud();
    await cloud.apply();
    expect(await refusal(STACK.replace('us-ord', 'us-iad'))).toMatch(
      /^perlstack\.yml:2:9 region: the stack stands in us-ord \(shop-web-1\); a stack can't be moved/,
    );
  });
});

describe('networks that are there already', () => {
  it('another network.vpc than the one that was made', async () => {
    cloud = await testCloud();
    await cloud.apply();
    expect(await refusal(`${STACK}network: { vpc: 10.20.0.0/16 }\n`)).toMatch(
      /^perlstack\.yml:7:17 network\.vpc: the subnet web of the VPC shop is 10\.10\.0\.0\/24, and 10\.20\.0\.0\/16 would make it 10\.20\.0\.0\/24: a subnet can't be changed; put network\.vpc back/,
    );
  });

  it('somebody else’s subnet where one of the stack’s has its place', async () => {
    cloud = await testCloud();
    const { id } = await cloud.client.createVpc({
      ...{ label: 'shop', region: 'us-ord', description: 'perlstack stack:shop' },
    });
    await cloud.client.createSubnet(id, { label: 'lab', ipv4: '10.10.1.128/25' });
    expect(await refusal(STACK)).toMatch(
      /network\.vpc: the VPC shop has a subnet "lab", 10\.10\.1\.128\/25, which overlaps 10\.10\.1\.0\/24, the place of app; remove it/,
    );
  });

  it('somebody else’s subnet elsewhere hinders nothing, nor does a VPC with the same addresses', async () => {
    cloud = await testCloud();
    const subnets = [{ label: 'web', ipv4: '10.10.0.0/24' }];
    await cloud.client.createVpc({ label: 'other', region: 'us-ord', subnets });
    await cloud.apply();
    const [vpc] = await cloud.client.vpcs({ label: 'shop' });
    await cloud.client.createSubnet(vpc?.id ?? 0, { label: 'lab', ipv4: '10.10.99.0/24' });
    expect((await cloud.apply()).plan.steps).toEqual([]);
  });
});

describe('foreign things under our names', () => {
  it('a Linode', async () => {
    cloud = await testCloud();
    await cloud.client.createLinode({
      ...{
        label: 'shop-web-2',
        region: 'us-ord',
        type: 'g6-nanode-1',
        interface_generation: 'linode',
        interfaces: [],
        tags: ['mine'],
      },
    });
    expect(await refusal(STACK)).toMatch(
      /^perlstack\.yml:1:8 stack: there is a Linode "shop-web-2" \(id \d+\) without the tags of this stack, so it belongs to somebody else; rename it, or choose another name for the stack\. Nothing was changed\.$/,
    );
  });

  it('a VPC', async () => {
    cloud = await testCloud();
    await cloud.client.createVpc({ label: 'shop', region: 'us-ord' });
    expect(await refusal(STACK)).toMatch(
      /there is a VPC "shop" \(id \d+\) without the description "perlstack stack:shop" of this stack/,
    );
  });

  it('a firewall', async () => {
    cloud = await testCloud();
    const rules = { inbound: [], outbound: [], inbound_policy: 'DROP', outbound_policy: 'ACCEPT' } as const;
    await cloud.client.createFirewall({ label: 'shop-app', rules });
    expect(await refusal(STACK)).toMatch(
      /there is a firewall "shop-app" \(id \d+\) without the tags of this stack/,
    );
  });

  it('a NodeBalancer', async () => {
    cloud = await testCloud();
    const foreign = { region: 'us-ord', tags: [], vpcs: [], firewall_id: -1 };
    await cloud.client.createNodeBalancer({ label: 'shop-entry', ...foreign });
    expect(await refusal(BALANCED)).toMatch(
      /there is a NodeBalancer "shop-entry" \(id \d+\) without the tags of this stack/,
    );
    expect((await cloud.apply()).outcome.state).toBe('succeeded');
  });

  it('a NodeBalancer with our tags outside of our VPC', async () => {
    cloud = await testCloud();
    const ours = { region: 'us-ord', tags: ['perlstack', 'stack:shop'], vpcs: [], firewall_id: -1 };
    await cloud.client.createNodeBalancer({ label: 'shop-entry', ...ours });
    expect(await refusal(BALANCED)).toMatch(
      /tiers\.web\.entry: the NodeBalancer shop-entry \(id \d+\) is not in the subnet entry of this stack's VPC, and can't be moved there; delete it/,
    );
  });

  it('that is in nobody’s way hinders nothing', async () => {
    cloud = await testCloud();
    for (const label of ['shop-web-9', 'shop-worker', 'workshop-web-1']) {
      await cloud.client.createLinode({
        label,
        region: 'us-ord',
        type: 'g6-nanode-1',
        interface_generation: 'linode',
        interfaces: [],
      });
    }
    expect((await cloud.apply()).outcome.state).toBe('succeeded');
  });
});

describe('tokens', () => {
  const scopes = (...list: string[]): Token => ({ token: 'limited-token', scopes: list });
  const WRITING = ['linodes:read_write', 'firewall:read_write', 'vpc:read_write'];

  it('that is wrong', async () => {
    cloud = await testCloud();
    const reader = createClient({ token: 'wrong-token', baseUrl: cloud.api.url, clock: quickClock() });
    await expect(observe(reader, stackFile())).rejects.toThrow(
      /^Linode does not accept the token \(401, .*Invalid Token\); it is wrong, expired or revoked/,
    );
  });

  it('without the scope for events', async () => {
    cloud = await testCloud({ tokens: [scopes(...WRITING)] });
    expect(await refusal(STACK)).toMatch(
      /^The Linode token lacks the scope events:read_only, which GET \/account\/events needs/,
    );
  });

  it.each([
    [
      'firewall:read_write',
      ['linodes:read_write', 'vpc:read_write', 'events:read_only', 'firewall:read_only'],
    ],
    [
      'linodes:read_write',
      ['linodes:read_only', 'vpc:read_write', 'events:read_only', 'firewall:read_write'],
    ],
    ['vpc:read_write', ['linodes:read_write', 'events:read_only', 'firewall:read_write']],
  ])('that may not write: %s', async (missing, has) => {
    cloud = await testCloud({ tokens: [scopes(...has)] });
    expect(await refusal(STACK)).toMatch(
      `The Linode token lacks the scope ${missing} (it has: ${has.join(',')})`,
    );
  });

  it('with exactly the scopes that are needed is enough', async () => {
    cloud = await testCloud({ tokens: [scopes(...WRITING, 'events:read_only')] });
    expect((await cloud.apply()).outcome.failures.map(({ error }) => String(error))).toEqual([]);
  });

  it('that can only read is enough for a plan', async () => {
    cloud = await testCloud({
      tokens: [scopes('linodes:read_only', 'firewall:read_only', 'vpc:read_only', 'events:read_only')],
    });
    const file = stackFile();
    expect(plan(file, await observe(cloud.reader, file)).steps.length).toBeGreaterThan(0);
  });

  const ENOUGH = [...WRITING, 'events:read_only'];

  it('that may do nothing with NodeBalancers, for a stack that is to have one', async () => {
    cloud = await testCloud({ tokens: [scopes(...ENOUGH)] });
    expect(await refusal(BALANCED)).toMatch(
      /^The Linode token lacks the scope nodebalancers:read_write \(it has: /,
    );
  });

  it('that may only read NodeBalancers is enough for a plan of one', async () => {
    cloud = await testCloud({ tokens: [scopes(...ENOUGH, 'nodebalancers:read_only')] });
    const file = stackFile(BALANCED);
    expect(plan(file, await observe(cloud.reader, file)).steps.length).toBeGreaterThan(0);
    expect(await refusal(BALANCED)).toMatch(/lacks the scope nodebalancers:read_write/);
  });

  it('that may do nothing with NodeBalancers, for a stack that has one still', async () => {
    const all = scopes(...ENOUGH, 'nodebalancers:read_write');
    const few = { ...scopes(...ENOUGH), token: 'few-scopes' };
    cloud = await testCloud({ tokens: [all, few] });
    await cloud.apply(stackFile(BALANCED));
    const reader = createReader({ token: few.token, baseUrl: cloud.api.url, clock: quickClock() });
    await expect(observe(reader, stackFile(STACK), { purpose: 'apply' })).rejects.toThrow(
      /lacks the scope nodebalancers:read_write/,
    );
    await expect(observeForDestroy(reader, stackFile(STACK).stack, { purpose: 'apply' })).rejects.toThrow(
      /lacks the scope nodebalancers:read_write/,
    );
  });
});
