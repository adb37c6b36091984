import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from './json.js';
import { OPEN_RULES, openLab, order, pluck, reasons, type Lab } from './testing/client.js';

let lab: Lab;

beforeEach(async () => {
  lab = await openLab();
});

afterEach(() => lab.api.close());

async function makeVpc(ipv4 = '10.0.0.0/29'): Promise<{ vpc: number; subnet: number }> {
  const subnets = [{ label: 'main', ipv4 }];
  const vpc = await lab.make('/vpcs', { label: 'shop', region: 'de-fra-2', subnets });
  const [subnet] = vpc['subnets'] as readonly JsonObject[];
  return { vpc: Number(vpc['id']), subnet: Number(subnet?.['id']) };
}

function inVpc(subnet: number, addresses?: readonly JsonObject[]): JsonObject {
  return order({
    interface_generation: 'linode',
    interfaces: [
      { firewall_id: -1, public: {} },
      {
        firewall_id: -1,
        vpc: { subnet_id: subnet, ...(addresses === undefined ? {} : { ipv4: { addresses } }) },
      },
    ],
  });
}

describe('a VPC', () => {
  it('gives out its free addresses in order, not the first two and last two', async () => {
    const { vpc, subnet } = await makeVpc();
    for (let made = 0; made < 4; made += 1) await lab.make('/linode/instances', inVpc(subnet));
    expect(pluck(await lab.call('GET', `/vpcs/${vpc}/ips`), 'address')).toEqual([
      '10.0.0.2',
      '10.0.0.3',
      '10.0.0.4',
      '10.0.0.5',
    ]);
    const full = await lab.call('POST', '/linode/instances', inVpc(subnet));
    expect(full.status).toBe(400);
    expect(full.body['errors']).toEqual([
      { reason: 'The subnet has no free addresses', field: 'interfaces[1].vpc.ipv4' },
    ]);
    expect((await lab.call('GET', '/linode/instances')).body['results']).toBe(4);
  });

  it('refuses addresses that are reserved, taken or elsewhere', async () => {
    const { subnet } = await makeVpc();
    const ask = async (address: string): Promise<number> =>
      (await lab.call('POST', '/linode/instances', inVpc(subnet, [{ address }]))).status;
    expect([
      await ask('10.0.0.1'),
      await ask('10.0.0.6'),
      await ask('10.0.1.2'),
      await ask('10.0.0.3'),
    ]).toEqual([400, 400, 400, 200]);
    expect(await ask('10.0.0.3')).toBe(400);
  });

  it('stays while something is in it', async () => {
    const { vpc, subnet } = await makeVpc();
    const { id } = await lab.make('/linode/instances', inVpc(subnet));
    expect((await lab.call('DELETE', `/vpcs/${vpc}`)).status).toBe(400);
    expect((await lab.call('DELETE', `/vpcs/${vpc}/subnets/${subnet}`)).status).toBe(400);
    await lab.call('DELETE', `/linode/instances/${id}`);
    expect((await lab.call('DELETE', `/vpcs/${vpc}`)).status).toBe(200);
  });

  it.each([
    ['192.168.200.0/24', 'ipv4'],
    ['10.0.0.0/30', 'ipv4'],
    ['8.8.8.0/24', 'ipv4'],
    ['10.0.0.0', 'ipv4'],
    ['10.0.0.0/25', 'ipv4'],
  ])('has no subnet %s', async (ipv4, field) => {
    const { vpc } = await makeVpc('10.0.0.0/24');
    const reply = await lab.call('POST', `/vpcs/${vpc}/subnets`, { label: 'other', ipv4 });
    expect([reply.status, (reply.body['errors'] as readonly JsonObject[])[0]?.['field']]).toEqual([
      400,
      field,
    ]);
  });

  it('is not possible everywhere, nor with a label twice', async () => {
    await makeVpc();
    expect((await lab.call('POST', '/vpcs', { label: 'far', region: 'us-east' })).status).toBe(400);
    const twice = await lab.call('POST', '/vpcs', { label: 'shop', region: 'us-ord' });
    expect(reasons(twice)).toEqual(['Label must be unique among your VPCs']);
  });
});

describe('Linode Interfaces', () => {
  it('become the interfaces of the host', async () => {
    const { subnet, vpc } = await makeVpc();
    const nat = [{ address: 'auto', primary: true, nat_1_1_address: 'auto' }];
    const { id } = await lab.make('/linode/instances', inVpc(subnet, nat));
    const spec = lab.driver.hosts.get(id)?.spec.interfaces;
    expect(spec).toMatchObject([
      { kind: 'public', ipv4: '203.0.113.10', prefix: 24, gateway: '203.0.113.1', defaultRoute: true },
      { kind: 'vpc', ipv4: '10.0.0.2', prefix: 29, gateway: '10.0.0.1', vpcId: vpc, nat11: '203.0.113.11' },
    ]);
  });

  it('need a firewall or the word that there is to be none', async () => {
    const interfaces = [{ public: {} }];
    const body = order({ interface_generation: 'linode', interfaces });
    expect(reasons(await lab.call('POST', '/linode/instances', body))).toEqual(['firewall_id is required']);
    const firewall = await lab.make('/networking/firewalls', { label: 'usual', rules: OPEN_RULES });
    const settings = { default_firewall_ids: { public_interface: firewall.id } };
    await lab.call('PUT', '/networking/firewalls/settings', settings);
    await lab.make('/linode/instances', body);
    const { body: now } = await lab.call('GET', `/networking/firewalls/${firewall.id}`);
    expect(now['entities']).toMatchObject([{ type: 'linode_interface', parent_entity: { type: 'linode' } }]);
  });

  it('change only while the Linode is off', async () => {
    const { subnet } = await makeVpc();
    const { id } = await lab.make(
      '/linode/instances',
      order({ interface_generation: 'linode', interfaces: [{ firewall_id: -1, public: {} }] }),
    );
    const path = `/linode/instances/${id}`;
    const added = { firewall_id: -1, vpc: { subnet_id: subnet } };
    expect((await lab.call('POST', `${path}/interfaces`, added)).status).toBe(400);
    await lab.make(`${path}/shutdown`, {});
    const { id: iface } = await lab.make(`${path}/interfaces`, added);
    const address = {
      vpc: { subnet_id: subnet, ipv4: { addresses: [{ address: '10.0.0.4', primary: true }] } },
    };
    const changed = await lab.call('PUT', `${path}/interfaces/${iface}`, address);
    expect(changed.body).toMatchObject({
      version: 2,
      vpc: { ipv4: { addresses: [{ address: '10.0.0.4' }] } },
    });
    expect((await lab.call('DELETE', `${path}/interfaces/${iface}`)).status).toBe(200);
  });

  it('take no firewall for the whole Linode', async () => {
    const body = order({ interface_generation: 'linode', interfaces: [{ firewall_id: -1, public: {} }] });
    const { id } = await lab.make('/linode/instances', body);
    const firewall = await lab.make('/networking/firewalls', { label: 'edge', rules: OPEN_RULES });
    const path = `/networking/firewalls/${firewall.id}/devices`;
    const refused = await lab.call('POST', path, { type: 'linode', id });
    expect(reasons(refused)[0]).toMatch(/^Linode is using Linode Interfaces\./);
  });
});

describe('an upgrade to Linode Interfaces', () => {
  it('is tried first, then takes addresses and firewall along', async () => {
    const { subnet } = await makeVpc();
    const firewall = await lab.make('/networking/firewalls', { label: 'edge', rules: OPEN_RULES });
    const interfaces = [
      { purpose: 'public', primary: true },
      { purpose: 'vpc', subnet_id: subnet },
    ];
    const { id, ipv4 } = await lab.make('/linode/instances', order({ interfaces, firewall_id: firewall.id }));
    const path = `/linode/instances/${id}`;
    expect(await lab.make(`${path}/upgrade-interfaces`, {})).toMatchObject({
      dry_run: true,
      interfaces: [{ id: 0 }, {}],
    });
    expect((await lab.call('GET', path)).body['interface_generation']).toBe('legacy_config');
    await lab.make(`${path}/upgrade-interfaces`, { dry_run: false });
    expect((await lab.call('GET', path)).body).toMatchObject({ interface_generation: 'linode', ipv4 });
    expect((await lab.call('GET', `${path}/interfaces`)).body['interfaces']).toMatchObject([
      { default_route: { ipv4: true }, public: { ipv4: { addresses: [{ address: '203.0.113.10' }] } } },
      { vpc: { ipv4: { addresses: [{ address: '10.0.0.2' }] } } },
    ]);
    const { body } = await lab.call('GET', `/networking/firewalls/${firewall.id}`);
    expect(body['entities']).toMatchObject([{ type: 'linode_interface' }, { type: 'linode_interface' }]);
  });
});

describe('a firewall', () => {
  const rule = {
    label: 'web',
    action: 'ACCEPT',
    protocol: 'TCP',
    ports: '80,443',
    addresses: { ipv4: ['0.0.0.0/0'] },
  };
  const rules = { inbound: [rule], inbound_policy: 'DROP', outbound: [], outbound_policy: 'ACCEPT' };

  it('reaches the host when it is attached, changed and detached', async () => {
    const firewall = await lab.make('/networking/firewalls', { label: 'edge', rules });
    const path = `/networking/firewalls/${firewall.id}`;
    const { id } = await lab.make('/linode/instances', order({ firewall_id: firewall.id }));
    const host = lab.driver.hosts.get(id);
    const inForce = (): unknown => [...(host?.firewalls.values() ?? [])].at(-1);
    expect(inForce()).toMatchObject({ inboundPolicy: 'DROP', inbound: [{ ports: '80,443' }] });
    const changed = await lab.call('PUT', `${path}/rules`, { ...rules, inbound: [{ ...rule, ports: '22' }] });
    expect(changed.body).toMatchObject({ version: 2, inbound: [{ ports: '22' }] });
    expect(inForce()).toMatchObject({ inbound: [{ ports: '22' }] });
    await lab.call('PUT', path, { status: 'disabled' });
    expect(inForce()).toBeNull();
  });

  it.each([
    [{ ...rule, ports: '0' }, 'ports'],
    [{ ...rule, ports: '90-80' }, 'ports'],
    [{ ...rule, protocol: 'ICMP' }, 'ports'],
    [{ ...rule, protocol: 'SCTP', ports: null }, 'protocol'],
    [{ ...rule, action: 'REJECT' }, 'action'],
    [{ ...rule, addresses: { ipv4: ['10.0.0.1'] } }, 'addresses.ipv4[0]'],
  ])('has no rule %j', async (wrong, field) => {
    const reply = await lab.call('POST', '/networking/firewalls', {
      label: 'edge',
      rules: { ...rules, inbound: [wrong] },
    });
    const [error] = reply.body['errors'] as readonly JsonObject[];
    expect([reply.status, error?.['field']]).toEqual([400, `rules.inbound[0].${field}`]);
  });

  it('is one for each thing', async () => {
    const first = await lab.make('/networking/firewalls', { label: 'first', rules });
    const second = await lab.make('/networking/firewalls', { label: 'second', rules });
    const { id } = await lab.make('/linode/instances', order({ firewall_id: first.id }));
    const path = `/networking/firewalls/${second.id}/devices`;
    expect((await lab.call('POST', path, { type: 'linode', id })).status).toBe(400);
  });
});
