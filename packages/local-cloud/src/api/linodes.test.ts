import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Json, JsonObject } from './json.js';
import { openLab, order, pluck, reasons, type Lab } from './testing/client.js';

let lab: Lab;

beforeEach(async () => {
  lab = await openLab();
});

afterEach(() => lab.api.close());

async function refusal(body: Json): Promise<readonly Json[]> {
  const reply = await lab.call('POST', '/linode/instances', body);
  expect(reply.status).toBe(400);
  return reply.body['errors'] as readonly Json[];
}

describe('the order of a Linode', () => {
  it('names everything that is wrong at once', async () => {
    expect(await refusal({ image: 'linode/debian13', label: 'x', tags: ['a'] })).toEqual([
      { reason: 'region is required', field: 'region' },
      { reason: 'type is required', field: 'type' },
      { reason: 'Length must be 3-64 characters', field: 'label' },
      { reason: 'Must provide valid root_pass, authorized_keys, or authorized_users' },
      { reason: 'Length must be 3-50 characters', field: 'tags' },
    ]);
  });

  it('needs a label that is free', async () => {
    await lab.make('/linode/instances', order({ label: 'web-1' }));
    const reason = 'Label must be unique among your linodes';
    expect(await refusal(order({ label: 'web-1' }))).toEqual([{ reason, field: 'label' }]);
  });

  it.each(['web--1', '-web', 'a b c', 'web..1'])('has no label %s', async (label) => {
    expect(await refusal(order({ label }))).toMatchObject([{ field: 'label' }]);
  });

  it('takes user data as Base64 up to its limit', async () => {
    const data = (bytes: number): JsonObject =>
      order({ metadata: { user_data: Buffer.alloc(bytes, 'x').toString('base64') } });
    expect(await lab.make('/linode/instances', data(65_535))).toMatchObject({ has_user_data: true });
    expect(await refusal(data(65_536))).toMatchObject([{ field: 'metadata.user_data' }]);
    expect(await refusal(order({ metadata: { user_data: 'no base64!' } }))).toMatchObject([
      { field: 'metadata.user_data' },
    ]);
  });

  it('leaves nothing behind when it is refused late', async () => {
    const interfaces = [{ purpose: 'public' }, { purpose: 'vpc', subnet_id: 1 }];
    expect(await refusal(order({ interfaces }))).toMatchObject([{ field: 'interfaces[1].subnet_id' }]);
    expect((await lab.call('GET', '/linode/instances')).body['results']).toBe(0);
    expect((await lab.call('GET', '/networking/ips')).body['results']).toBe(0);
  });
});

describe('tags', () => {
  it('find their things and leave them when deleted', async () => {
    const { id } = await lab.make('/linode/instances', order({ tags: ['shop', 'web'] }));
    await lab.make('/linode/instances', order({ tags: ['shop'] }));
    const found = await lab.call('GET', '/linode/instances', undefined, { filter: { tags: 'web' } });
    expect(pluck(found, 'id')).toEqual([id]);
    expect((await lab.call('GET', '/tags/shop')).body['results']).toBe(2);
    await lab.call('DELETE', '/tags/shop');
    expect((await lab.call('GET', `/linode/instances/${id}`)).body['tags']).toEqual(['web']);
    expect((await lab.call('GET', '/tags/shop')).status).toBe(404);
  });
});

describe('a placement group', () => {
  const group = {
    label: 'web',
    region: 'de-fra-2',
    placement_group_type: 'anti_affinity:local',
    placement_group_policy: 'strict',
  };

  it('holds five when strict, only of its region, and stays while it holds any', async () => {
    const { id } = await lab.make('/placement/groups', group);
    const member = order({ placement_group: { id } });
    expect(await refusal({ ...member, region: 'us-ord' })).toMatchObject([{ field: 'placement_group.id' }]);
    for (let made = 0; made < 5; made += 1) await lab.make('/linode/instances', member);
    expect(await refusal(member)).toMatchObject([{ field: 'placement_group.id' }]);
    expect((await lab.call('DELETE', `/placement/groups/${id}`)).status).toBe(400);
    const { body } = await lab.call('GET', `/placement/groups/${id}`);
    const members = (body['members'] as readonly JsonObject[]).map((one) => one['linode_id'] ?? null);
    await lab.call('POST', `/placement/groups/${id}/unassign`, { linodes: members });
    expect((await lab.call('DELETE', `/placement/groups/${id}`)).status).toBe(200);
  });

  it('takes no Linode that is busy', async () => {
    const { id } = await lab.make('/placement/groups', group);
    const { body } = await lab.call('POST', '/linode/instances', order());
    const path = `/placement/groups/${id}/assign`;
    const linodes = { linodes: [body['id'] ?? null] };
    expect(reasons(await lab.call('POST', path, linodes))).toEqual(['Linode busy.']);
    await lab.clock.settle();
    expect((await lab.call('POST', path, linodes)).body['members']).toHaveLength(1);
  });
});
