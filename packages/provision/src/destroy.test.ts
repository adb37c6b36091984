import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execute } from '@perlstack/procedure';
import { stackFile, testCloud, type TestCloud } from './cloud.testkit.js';
import { planDestroy } from './destroy.js';
import { handlers } from './handlers.js';
import { observeForDestroy } from './observe.js';
import { readResources } from './read.js';

let cloud: TestCloud;
beforeEach(async () => {
  cloud = await testCloud();
});
afterEach(() => cloud.close());

const file = stackFile();
const prepare = async () => {
  const observed = await observeForDestroy(cloud.reader, file.stack);
  return planDestroy('shop', observed, observed.catalogue);
};
const destroy = async (limit = Infinity) => {
  const made = await prepare();
  const outcome = await execute(made.steps.slice(0, limit), handlers(cloud.tools(file)), { concurrency: 2 });
  return { made, outcome };
};
const foreign = (label: string, tags: string[] = []) =>
  cloud.client.createLinode({
    label,
    tags,
    region: 'us-ord',
    type: 'g6-nanode-1',
    interface_generation: 'linode',
    interfaces: [],
  });

describe('destroy', () => {
  it('removes exactly what was made', async () => {
    const keep = await foreign('workshop-web-1');
    await cloud.client.createVpc({ label: 'other', region: 'us-ord' });
    await cloud.apply();
    const { made, outcome } = await destroy();
    expect(outcome.failures.map(({ error }) => String(error))).toEqual([]);
    expect(made.bill).toMatchObject({ before: 82, after: 0, delta: -82 });
    expect(made.notes).toEqual([]);
    const { state } = cloud.api;
    expect([...state.linodes.keys()]).toEqual([keep.id]);
    expect([...state.vpcs.values()].map(({ label }) => label)).toEqual(['other']);
    expect([state.firewalls.size, state.placementGroups.size]).toEqual([0, 0]);
    expect((await prepare()).steps).toEqual([]);
  });

  it('leaves alone what has only the tags or only the label, and says so', async () => {
    await cloud.apply();
    const untagged = await foreign('shop-web-3');
    const renamed = await foreign('database', ['perlstack', 'stack:shop', 'tier:web']);
    const { made } = await destroy();
    expect([...cloud.api.state.linodes.keys()]).toEqual([untagged.id, renamed.id]);
    expect(made.notes).toEqual([
      `Linode "shop-web-3" (id ${untagged.id}) is left alone: it has not the tags of this stack.`,
      `Linode "database" (id ${renamed.id}) is left alone: it has not the label of this stack.`,
    ]);
  });

  it('leaves a subnet, a firewall and a group that others use', async () => {
    await cloud.apply();
    const { vpc, firewalls, placementGroups } = await readResources(cloud.reader, 'shop');
    const subnet_id = vpc?.subnets.find(({ label }) => label === 'app')?.id ?? 0;
    const firewall_id = firewalls.find(({ label }) => label === 'shop-app')?.id ?? 0;
    const id = placementGroups.find(({ label }) => label === 'perlstack-shop-app')?.id ?? 0;
    await cloud.client.createLinode({
      ...{
        label: 'guest',
        region: 'us-ord',
        type: 'g6-nanode-1',
        interface_generation: 'linode',
        placement_group: { id },
      },
      interfaces: [
        { firewall_id, vpc: { subnet_id, ipv4: { addresses: [{ address: 'auto', primary: true }] } } },
      ],
    });
    const { made, outcome } = await destroy();
    expect(outcome.failures).toEqual([]);
    expect(made.notes).toEqual([
      'Firewall shop-app stays: it guards things that are not of this stack.',
      'Placement group perlstack-shop-app stays: Linodes are in it that are not of this stack.',
      'Subnet app and its VPC stay: things are in it that are not of this stack.',
    ]);
    const left = await readResources(cloud.reader, 'shop');
    expect(left.vpc?.subnets.map(({ label }) => label)).toEqual(['app']);
    expect(left.firewalls.map(({ label }) => label)).toEqual(['shop-app']);
  });

  it('refuses a Linode that lost its tags after the plan was made', async () => {
    await cloud.apply();
    const made = await prepare();
    const [web1] = (await readResources(cloud.reader, 'shop')).linodes;
    await cloud.client.updateLinode(web1?.id ?? 0, { tags: ['mine'] });
    const outcome = await execute(made.steps, handlers(cloud.tools(file)));
    expect(outcome.failures.map(({ error }) => (error as Error).message)[0]).toMatch(
      /"shop-web-1" \(id \d+\) that is not of this stack/,
    );
    expect(cloud.api.state.linodes.has(web1?.id ?? 0)).toBe(true);
  });

  it('goes on where a run was cut off, wherever that was', async () => {
    await cloud.apply();
    const { steps } = await prepare();
    for (let limit = 1; limit < steps.length; limit += 1) {
      const part = await execute(steps.slice(0, limit), handlers(cloud.tools(file)));
      expect(part.state).toBe('succeeded');
    }
    const { outcome } = await destroy();
    expect(outcome.state).toBe('succeeded');
    const { state } = cloud.api;
    expect([state.linodes.size, state.vpcs.size, state.firewalls.size, state.placementGroups.size]).toEqual([
      0, 0, 0, 0,
    ]);
  });

  it('is not stopped by lost answers', async () => {
    await cloud.apply();
    cloud.api.faults.add({ method: 'DELETE', times: 6, effect: { kind: 'lost-answer' } });
    const { outcome } = await destroy();
    expect(outcome.failures.map(({ error }) => String(error))).toEqual([]);
    expect((await prepare()).steps).toEqual([]);
  });
});
