import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startApi } from './index.js';
import type { Json } from './json.js';
import { MemoryDriver } from './memory-driver.js';
import { openLab, order, pluck, reasons, type Lab } from './testing/client.js';

let lab: Lab;

beforeEach(async () => {
  lab = await openLab();
});

afterEach(() => lab.api.close());

async function statusOf(id: Json | undefined): Promise<unknown> {
  return (await lab.call('GET', `/linode/instances/${Number(id)}`)).body['status'];
}

async function eventsOf(id: Json | undefined): Promise<string[]> {
  const reply = await lab.call('GET', '/account/events', undefined, { filter: { 'entity.id': Number(id) } });
  const actions = pluck(reply, 'action');
  return pluck(reply, 'status').map((status, index) => `${String(actions[index])} ${String(status)}`);
}

describe('a new Linode', () => {
  it('is provisioned, booted and running at the pace of the real one, behind events', async () => {
    const { body } = await lab.call('POST', '/linode/instances', order());
    expect(body['status']).toBe('provisioning');
    expect(await eventsOf(body['id'])).toEqual(['linode_create started', 'linode_boot scheduled']);
    await lab.clock.advance(46_000);
    expect(await statusOf(body['id'])).toBe('booting');
    expect(await eventsOf(body['id'])).toEqual(['linode_create finished', 'linode_boot started']);
    await lab.clock.advance(20_000);
    expect(await statusOf(body['id'])).toBe('running');
    expect(await eventsOf(body['id'])).toEqual(['linode_create finished', 'linode_boot finished']);
    expect(lab.driver.hosts.get(Number(body['id']))).toMatchObject({ running: true, boots: 1 });
  });

  it('stays off when it is not to boot', async () => {
    const body = await lab.make('/linode/instances', order({ booted: false }));
    expect(await statusOf(body['id'])).toBe('offline');
    expect(lab.driver.hosts.get(Number(body['id']))?.running).toBe(false);
  });

  it('has neither disks nor host without an image', async () => {
    const body = await lab.make('/linode/instances', { region: 'de-fra-2', type: 'g6-nanode-1' });
    expect(body).toMatchObject({ image: null, label: `linode${Number(body['id'])}` });
    expect(await statusOf(body['id'])).toBe('offline');
    expect(lab.driver.hosts.size).toBe(0);
  });

  it('says how far its creation is', async () => {
    await lab.call('POST', '/linode/instances', order());
    await lab.clock.advance(22_500);
    const reply = await lab.call('GET', '/account/events', undefined, {
      filter: { action: 'linode_create' },
    });
    expect(pluck(reply, 'percent_complete')).toEqual([50]);
    expect(pluck(reply, 'duration')).toEqual([22.5]);
  });
});

describe('a running Linode', () => {
  it('refuses work while other work goes on, to the letter', async () => {
    const { id } = await lab.make('/linode/instances', order());
    await lab.call('POST', `/linode/instances/${id}/reboot`);
    const reply = await lab.call('POST', `/linode/instances/${id}/shutdown`);
    expect(reply.status).toBe(400);
    expect(reply.body).toEqual({ errors: [{ reason: 'Linode busy.' }] });
    await lab.clock.settle();
    expect((await lab.call('POST', `/linode/instances/${id}/shutdown`)).status).toBe(200);
    await lab.clock.settle();
    expect(await statusOf(id)).toBe('offline');
  });

  it('boots after its creation when asked too early, and not twice', async () => {
    const { body } = await lab.call('POST', '/linode/instances', order({ booted: false }));
    const path = `/linode/instances/${Number(body['id'])}/boot`;
    expect((await lab.call('POST', path)).status).toBe(200);
    await lab.clock.settle();
    expect(await statusOf(body['id'])).toBe('running');
    expect(reasons(await lab.call('POST', path))).toEqual([`Linode ${Number(body['id'])} already booted.`]);
  });

  it('is made anew by a rebuild', async () => {
    const { id } = await lab.make('/linode/instances', order());
    const body = order({ image: 'linode/debian12', metadata: { user_data: 'Y29vbA==' } });
    const rebuilt = await lab.make(`/linode/instances/${id}/rebuild`, body);
    expect(rebuilt).toMatchObject({ status: 'rebuilding', image: 'linode/debian12', has_user_data: true });
    const host = lab.driver.hosts.get(id);
    expect(host).toMatchObject({
      running: true,
      boots: 1,
      spec: { image: 'linode/debian12', userData: 'cool' },
    });
  });

  it('takes another plan by a resize, not its own', async () => {
    const { id } = await lab.make('/linode/instances', order());
    const path = `/linode/instances/${id}`;
    const same = await lab.call('POST', `${path}/resize`, { type: 'g6-nanode-1' });
    expect(reasons(same)).toEqual(['Linode is already running this service plan.']);
    await lab.make(`${path}/resize`, { type: 'g6-standard-1' });
    const { body } = await lab.call('GET', path);
    expect(body).toMatchObject({ type: 'g6-standard-1', status: 'running', specs: { memory: 2048 } });
  });

  it('goes away with its host, addresses and firewall entry', async () => {
    const firewall = await lab.make('/networking/firewalls', {
      label: 'edge',
      rules: { inbound: [], inbound_policy: 'DROP', outbound: [], outbound_policy: 'ACCEPT' },
    });
    const { id } = await lab.make('/linode/instances', order({ firewall_id: firewall.id }));
    expect((await lab.call('DELETE', `/linode/instances/${id}`)).body).toEqual({});
    await lab.clock.settle();
    expect((await lab.call('GET', `/linode/instances/${id}`)).status).toBe(404);
    expect(lab.driver.hosts.size).toBe(0);
    expect((await lab.call('GET', '/networking/ips')).body['results']).toBe(0);
    expect((await lab.call('GET', `/networking/firewalls/${firewall.id}`)).body['entities']).toEqual([]);
  });
});

describe('a driver', () => {
  it('that fails leaves a failed event and a Linode that is off', async () => {
    const driver = new MemoryDriver();
    driver.boot = async () => Promise.reject(new Error('no kernel'));
    const failing = await openLab({ driver });
    const { id } = await failing.make('/linode/instances', order());
    const reply = await failing.call('GET', '/account/events', undefined, {
      filter: { action: 'linode_boot' },
    });
    expect(pluck(reply, 'status')).toEqual(['failed']);
    expect(pluck(reply, 'message')).toEqual(['no kernel']);
    expect((await failing.call('GET', `/linode/instances/${id}`)).body['status']).toBe('offline');
    await failing.api.close();
  });

  it('keeps the addresses of a host until it is removed', async () => {
    let removed = (): void => undefined;
    lab.driver.destroy = () => new Promise((resolve) => (removed = resolve));
    const first = await lab.make('/linode/instances', order());
    await lab.call('DELETE', `/linode/instances/${first.id}`);
    const second = await lab.make('/linode/instances', order());
    expect(second['ipv4']).not.toEqual(first['ipv4']);
    removed();
    await lab.clock.settle();
    const third = await lab.make('/linode/instances', order());
    expect(third['ipv4']).toEqual(first['ipv4']);
    lab.driver.destroy = async () => undefined;
  });

  it('without time between gets a host to run at once', async () => {
    const driver = new MemoryDriver();
    const api = await startApi({ driver, timeScale: 0 });
    const headers = { Authorization: 'Bearer local-cloud-full-access' };
    const body = JSON.stringify(order());
    await fetch(`${api.url}/v4/linode/instances`, { method: 'POST', headers, body });
    const answer = await fetch(`${api.url}/v4/linode/instances`, { headers });
    expect(await answer.json()).toMatchObject({ data: [{ status: 'running' }] });
    await api.close();
  });
});
