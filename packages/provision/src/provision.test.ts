import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execute } from '@perlstack/procedure';
import { InventorySchema } from '@perlstack/stack';
import { STACK, stackFile, testCloud, type TestCloud, USER_KEY } from './cloud.testkit.js';
import { handlers } from './handlers.js';
import { inventory } from './inventory.js';
import { fingerprintsOf, ROTATED_TAG } from './names.js';
import { observe } from './observe.js';
import { plan } from './plan.js';
import { readResources } from './read.js';

let cloud: TestCloud;
beforeEach(async () => {
  cloud = await testCloud();
});
afterEach(() => cloud.close());

const look = () => readResources(cloud.reader, 'shop');

describe('the first apply', () => {
  it('makes network, firewalls, placement groups and Linodes, and leaves them running', async () => {
    const { outcome } = await cloud.apply();
    expect(outcome).toMatchObject({ state: 'succeeded', failures: [] });
    const { linodes, vpc, firewalls, placementGroups, strangers } = await look();
    expect(linodes.map(({ label, status }) => `${label} ${status}`)).toEqual([
      'shop-web-1 running',
      'shop-web-2 running',
      'shop-app-1 running',
      'shop-app-2 running',
      'shop-app-3 running',
    ]);
    expect(vpc?.subnets.map(({ label, ipv4, linodes: users }) => `${label} ${ipv4} ${users.length}`)).toEqual(
      ['web 10.10.0.0/24 2', 'app 10.10.1.0/24 3'],
    );
    expect(firewalls.map(({ label, interfaces }) => `${label} ${interfaces.length}`).sort()).toEqual([
      'shop-app 3',
      'shop-web 4',
    ]);
    expect(placementGroups.map(({ label, members }) => `${label} ${members.length}`).sort()).toEqual([
      'perlstack-shop-app 3',
      'perlstack-shop-web 2',
    ]);
    expect(strangers).toEqual([]);
  });

  it('gives hosts the user, the key and the host key whose fingerprint is their tag', async () => {
    const broken = new Error('the line broke');
    cloud.hosts.before = () => {
      throw broken;
    };
    await cloud.apply();
    const { linodes } = await look();
    for (const { label, tags } of linodes) {
      const spec = [...cloud.driver.hosts.values()].find((host) => host.spec.label === label)?.spec;
      expect(spec?.userData).toMatch(/^#cloud-config\nhostname: (web|app)-\d\n/);
      expect(spec?.userData).toContain(USER_KEY);
      expect(spec?.userData).toMatch(/ {2}ed25519_private: \|\n {4}-----BEGIN OPENSSH PRIVATE KEY-----\n/);
      expect(fingerprintsOf(tags)).toEqual([cloud.hosts.shown(label)]);
      expect(Math.max(...tags.map((tag) => tag.length))).toBeLessThanOrEqual(50);
    }
  });

  it('verifies the first connection by the tag and then rotates the host key, private hosts through web-1', async () => {
    await cloud.apply();
    const { linodes } = await look();
    for (const { label, tags } of linodes) {
      expect(tags).toContain(ROTATED_TAG);
      expect(fingerprintsOf(tags)).toEqual([cloud.hosts.shown(label)]);
    }
    expect(cloud.hosts.log.filter((line) => line.startsWith('app-2'))).toEqual([
      'app-2 via web-1 PREPARE',
      'app-2 via web-1 INSTALL',
      'app-2 via web-1 verify',
    ]);
  });

  it('stops at a host that shows another key, and names both', async () => {
    cloud.hosts.before = (command) => {
      if (command === 'web-2 PREPARE') cloud.hosts.forge('shop-web-2');
    };
    const { outcome } = await cloud.apply();
    const [failure] = outcome.failures;
    expect(outcome.state).toBe('failed');
    const tag = (await look()).linodes.find(({ label }) => label === 'shop-web-2')?.tags ?? [];
    expect((failure?.error as Error).message).toContain(cloud.hosts.shown('shop-web-2'));
    expect((failure?.error as Error).message).toContain(fingerprintsOf(tag)[0]);
  });

  it('waits for sshd to show the new key after its reload', async () => {
    cloud.hosts.lateReloads = 3;
    const { outcome } = await cloud.apply(
      stackFile(STACK.replace('count: 2', 'count: 1').replace('count: 3', 'count: 1')),
    );
    expect(outcome.state).toBe('succeeded');
  });
});

describe('a second apply', () => {
  it('plans nothing and writes nothing', async () => {
    await cloud.apply();
    cloud.writes();
    const second = await cloud.apply();
    expect(second.plan.steps).toEqual([]);
    expect(second.plan.bill).toMatchObject({ before: 82, after: 82, delta: 0 });
    expect(cloud.writes()).toEqual([]);
  });

  it('writes nothing with the first plan either: every check sees that it is done', async () => {
    const first = await cloud.apply();
    cloud.writes();
    const file = stackFile();
    const outcome = await execute(first.plan.steps, handlers(cloud.tools(file)));
    expect(outcome).toMatchObject({ state: 'succeeded', changed: [] });
    expect(cloud.writes()).toEqual([]);
  });

  it('plans with a reader, which writes nothing', async () => {
    await observe(cloud.reader, stackFile());
    expect(cloud.writes()).toEqual([]);
  });
});

describe('changes', () => {
  const applied = async (text: string) => {
    await cloud.apply();
    cloud.writes();
    const { plan: made, outcome } = await cloud.apply(stackFile(text));
    expect(outcome.state).toBe('succeeded');
    expect((await cloud.apply(stackFile(text))).plan.steps).toEqual([]);
    return made;
  };

  it('adds a host', async () => {
    const made = await applied(STACK.replace('count: 3', 'count: 4'));
    expect(made.steps.map(({ id }) => id)).toEqual([
      'shop-app-4/create-linode',
      'shop-app-4/start-linode',
      'shop-app-4/rotate-host-key',
    ]);
    expect(made.bill).toMatchObject({ before: 82, after: 106, delta: 24 });
  });

  it('adds a tier, which moves nothing', async () => {
    const made = await applied(`${STACK}  cache: { type: g6-nanode-1, count: 2 }\n`);
    expect(made.steps.filter(({ kind }) => kind === 'create-subnet').map(({ title }) => title)).toEqual([
      'create subnet cache, 10.10.3.0/24',
    ]);
    expect(cloud.writes().filter((write) => write.startsWith('DELETE'))).toEqual([]);
  });

  it('removes the highest numbers when the count shrinks', async () => {
    const made = await applied(STACK.replace('count: 3', 'count: 1'));
    expect(made.steps.map(({ id }) => id)).toEqual(['shop-app-2/delete-linode', 'shop-app-3/delete-linode']);
    expect(made.bill.delta).toBe(-48);
    expect(made.notes).toEqual(['Tier app has one host and fails with it; a second one costs $24 a month.']);
  });

  it('removes all that is left of a tier that is in the file no more', async () => {
    await cloud.apply(stackFile(`${STACK}  cache: { type: g6-nanode-1, count: 2 }\n`));
    const { plan: made, outcome } = await cloud.apply();
    expect(outcome.state).toBe('succeeded');
    expect(made.steps.map(({ id }) => id)).toEqual([
      'shop-cache-1/delete-linode',
      'shop-cache-2/delete-linode',
      'shop-cache/delete-firewall',
      'perlstack-shop-cache/delete-placement-group',
      'cache/delete-subnet',
    ]);
    expect((await cloud.apply()).plan.steps).toEqual([]);
  });

  it('repairs what drifted: rules, a disabled firewall, a tag, a firewall that was taken off, a group that was left', async () => {
    await cloud.apply();
    const before = await look();
    const [web1] = before.linodes;
    const wall = before.firewalls.find(({ label }) => label === 'shop-app');
    if (!web1 || !wall) throw new Error('nothing was made');
    await cloud.client.replaceRules(wall.id, {
      inbound: [],
      outbound: [],
      inbound_policy: 'ACCEPT',
      outbound_policy: 'ACCEPT',
    });
    await cloud.client.updateLinode(web1.id, {
      tags: [...web1.tags.filter((tag) => tag !== 'tier:web'), 'mine'],
    });
    const webWall = [...cloud.api.state.firewalls.values()].find(({ label }) => label === 'shop-web');
    webWall?.devices.splice(0, 1);
    if (webWall) webWall.status = 'disabled';
    const state = cloud.api.state.linodes.get(web1.id);
    if (state) state.placementGroup = null;
    const { plan: made, outcome } = await cloud.apply();
    expect(outcome.state).toBe('succeeded');
    expect(made.steps.map(({ kind }) => kind).sort()).toEqual([
      'add-tags',
      'assign-placement',
      'attach-firewall',
      'repair-firewall',
      'repair-firewall',
    ]);
    expect((await look()).linodes[0]?.tags).toEqual(
      expect.arrayContaining(['mine', 'tier:web', ...web1.tags]),
    );
    expect((await cloud.apply()).plan.steps).toEqual([]);
  });

  it('makes a host anew that was removed by hand, at its old address', async () => {
    await cloud.apply();
    const web2 = (await look()).linodes[1];
    await cloud.client.deleteLinode(web2?.id ?? 0);
    await cloud.apply();
    const again = (await look()).linodes[1];
    expect(again).toMatchObject({ label: 'shop-web-2', privateAddress: web2?.privateAddress });
    expect(again?.id).not.toBe(web2?.id);
  });

  it('boots a host that is off', async () => {
    await cloud.apply();
    const web2 = (await look()).linodes[1];
    const linode = cloud.api.state.linodes.get(web2?.id ?? 0);
    if (linode) linode.status = 'offline';
    const { plan: made } = await cloud.apply();
    expect(made.steps.map(({ id }) => id)).toEqual(['shop-web-2/start-linode']);
    expect((await look()).linodes[1]?.status).toBe('running');
  });

  it('leaves an autoscaled tier as it is between its bounds', async () => {
    const scaled = STACK.replace('count: 3', 'count: 3, autoscale: { min: 2, max: 4 }');
    await cloud.apply(stackFile(STACK.replace('count: 3', 'count: 5')));
    const file = stackFile(scaled);
    const made = plan(file, await observe(cloud.reader, file));
    expect(made.steps.map(({ id }) => id)).toEqual(['shop-app-5/delete-linode']);
  });
});

describe('inventory', () => {
  it('lists every host, the private ones through the web hosts by turns', async () => {
    await cloud.apply();
    const file = stackFile();
    const made = inventory(file.stack, await look());
    expect(InventorySchema.parse(made)).toEqual(made);
    expect(
      made.hosts.map(({ name, privateAddress, ssh }) => `${name} ${privateAddress} ${ssh.via ?? 'direct'}`),
    ).toEqual([
      'web-1 10.10.0.2 direct',
      'web-2 10.10.0.3 direct',
      'app-1 10.10.1.2 web-1',
      'app-2 10.10.1.3 web-2',
      'app-3 10.10.1.4 web-1',
    ]);
    for (const host of made.hosts) {
      expect(host.ssh.address).toBe(host.publicAddress ?? host.privateAddress);
      expect(host.publicAddress === null).toBe(host.tier === 'app');
      expect(host.ssh.hostKeys).toEqual([cloud.hosts.shown(`shop-${host.name}`)]);
    }
    expect(made.hosts[2]).toMatchObject({ memoryMiB: 4096, vcpus: 2 });
  });

  it('takes servers in that exist already', async () => {
    const key = `SHA256:${'A'.repeat(43)}`;
    const file = stackFile(
      `${STACK}  database:\n    hosts:\n      - { address: 198.51.100.7, hostKey: "${key}", user: admin, port: 2222 }\n`,
    );
    await cloud.apply(file);
    const { hosts } = inventory(file.stack, await look());
    expect(hosts.at(-1)).toEqual({
      ...{ name: 'database-1', tier: 'database', publicAddress: '198.51.100.7', privateAddress: null },
      ...{ memoryMiB: null, vcpus: null, diskMiB: null, placement: null, linodeId: null },
      ssh: { address: '198.51.100.7', port: 2222, user: 'admin', hostKeys: [key], via: null },
    });
  });

  it('refuses a Linode whose host key nobody knows', async () => {
    await cloud.apply();
    const [web1] = (await look()).linodes;
    await cloud.client.updateLinode(web1?.id ?? 0, { tags: ['perlstack', 'stack:shop', 'tier:web'] });
    const found = await look();
    expect(() => inventory(stackFile().stack, found)).toThrow(
      /shop-web-1 has no tag sshfp:… with the fingerprint/,
    );
  });
});
