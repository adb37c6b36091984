import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JsonObject } from './json.js';
import { openLab, pluck, reasons, type Lab, type Reply } from './testing/client.js';

let lab: Lab;

beforeEach(async () => {
  lab = await openLab();
});

afterEach(() => lab.api.close());

const BUCKETS = '/object-storage/buckets';
const KEYS = '/object-storage/keys';

function makeBucket(region: string, label: string, more: JsonObject = {}): Promise<Reply> {
  return lab.call('POST', BUCKETS, { region, label, ...more });
}

describe('the prices of Object Storage', () => {
  it('are told without a token', async () => {
    const { body } = await lab.call('GET', '/object-storage/types', undefined, { token: null });
    expect(body['data']).toMatchObject([
      { id: 'objectstorage', price: { hourly: 0.0075, monthly: 5 } },
      { id: 'objectstorage-overage', price: { hourly: 0.02 }, region_prices: [{}, { hourly: 0.028 }] },
    ]);
  });
});

describe('a bucket', () => {
  it.each([
    ['the oldest endpoint of its region', 'us-lax', {}, 'us-lax-1', 'us-lax-1'],
    ['the one of a type', 'us-lax', { endpoint_type: 'E3' }, 'us-lax-4', ''],
    ['the one of a name', 'us-ord', { s3_endpoint: 'us-ord-10.linodeobjects.com' }, 'us-ord-10', ''],
    ['the one of an old cluster', 'us-ord-1', {}, 'us-ord-1', 'us-ord-1'],
  ])('is at %s', async (_, region, more, host, cluster) => {
    const { body } = await makeBucket(region, 'shop', more);
    const s3_endpoint = `${host}.linodeobjects.com`;
    expect(body).toMatchObject({ s3_endpoint, cluster, hostname: `shop.${s3_endpoint}` });
    expect((await lab.call('GET', `${BUCKETS}/${region}/shop`)).body).toEqual(body);
  });

  it.each([
    ['Shop', 'us-ord', {}, 'name'],
    ['ab', 'us-ord', {}, 'name'],
    ['', 'us-ord', {}, 'name'],
    ['shop-.backup', 'us-ord', {}, 'name'],
    ['shop', 'ca-central', {}, 'region'],
    ['shop', 'us-iad-2', {}, 'region'],
    ['shop', 'us-ord', { endpoint_type: 'E0' }, 'endpoint_type'],
    ['shop', 'us-ord', { acl: 'custom' }, 'acl'],
  ])('is not made as %j in %s with %j', async (label, region, more, field) => {
    const reply = await makeBucket(region, label, more);
    expect(reply).toMatchObject({ status: 400, body: { errors: [{ field }] } });
    expect(lab.api.state.buckets.size).toBe(0);
  });

  it('has a label that nobody else has in its region', async () => {
    lab.api.state.strangersBuckets.add('us-lax/shop');
    expect((await makeBucket('us-lax', 'shop')).body).toMatchObject({ errors: [{ field: 'label' }] });
    expect((await makeBucket('us-ord', 'shop')).status).toBe(200);
    expect((await makeBucket('us-ord', 'shop', { endpoint_type: 'E3' })).status).toBe(400);
  });

  it('is made but once, however often it is asked for', async () => {
    await makeBucket('us-ord', 'shop', { acl: 'public-read' });
    expect((await makeBucket('us-ord', 'shop')).status).toBe(200);
    expect(pluck(await lab.call('GET', BUCKETS), 'label')).toEqual(['shop']);
    const { body } = await lab.call('GET', `${BUCKETS}/us-ord/shop/access`);
    expect(body['acl']).toBe('public-read');
  });

  it('is listed in its region only', async () => {
    await makeBucket('us-ord', 'shop');
    await makeBucket('gb-lon', 'shop');
    expect(pluck(await lab.call('GET', `${BUCKETS}/gb-lon`), 'region')).toEqual(['gb-lon']);
    const nowhere = await lab.call('GET', `${BUCKETS}/ca-central`);
    expect([nowhere.status, reasons(nowhere)]).toEqual([
      404,
      ['The specified region was not found or does not support Object Storage.'],
    ]);
  });

  it('stays while something is in it', async () => {
    await makeBucket('us-ord', 'shop');
    const bucket = lab.api.state.buckets.get('us-ord/shop');
    if (bucket !== undefined) bucket.objects = 1;
    expect((await lab.call('DELETE', `${BUCKETS}/us-ord/shop`)).status).toBe(400);
    if (bucket !== undefined) bucket.objects = 0;
    expect((await lab.call('DELETE', `${BUCKETS}/us-ord/shop`)).status).toBe(200);
    expect((await lab.call('GET', `${BUCKETS}/us-ord/shop`)).status).toBe(404);
  });

  it('keeps of its access what a change does not name', async () => {
    await makeBucket('us-ord', 'shop', { acl: 'public-read-write' });
    await lab.call('PUT', `${BUCKETS}/us-ord/shop/access`, { cors_enabled: true });
    const { body } = await lab.call('GET', `${BUCKETS}/us-ord/shop/access`);
    expect(body).toMatchObject({ acl: 'public-read-write', cors_enabled: true });
    expect(body['acl_xml']).toMatch(/AllUsers.*>READ<.*AllUsers.*>WRITE<.*>FULL_CONTROL</);
    expect(body['cors_xml']).toContain('<AllowedOrigin>*</AllowedOrigin>');
  });

  it('of a newer endpoint knows no CORS', async () => {
    await makeBucket('gb-lon', 'shop', { cors_enabled: true });
    const { body } = await lab.call('GET', `${BUCKETS}/gb-lon/shop/access`);
    expect(body).toMatchObject({ acl: 'private', cors_enabled: null, cors_xml: null });
  });
});

describe('an access key', () => {
  const readShop = { region: 'us-ord', bucket_name: 'shop', permissions: 'read_only' };

  it('shows its secret once', async () => {
    const key = await lab.make(KEYS, { label: 'backup', regions: ['us-ord'] });
    expect(key['secret_key']).toMatch(/^[\w-]{40}$/);
    const redacted = { ...key, secret_key: '[REDACTED]' };
    expect((await lab.call('GET', `${KEYS}/${key.id}`)).body).toEqual(redacted);
    expect((await lab.call('PUT', `${KEYS}/${key.id}`, {})).body).toEqual(redacted);
    expect((await lab.call('GET', KEYS)).body['data']).toEqual([redacted]);
    const events = await lab.call('GET', '/account/events');
    expect(pluck(events, 'action').toSorted()).toEqual(['obj_access_key_create', 'obj_access_key_update']);
  });

  it('is limited to buckets that exist', async () => {
    const missing = await lab.call('POST', KEYS, { label: 'reader', bucket_access: [readShop] });
    expect(missing).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'bucket_access[0].bucket_name' }] },
    });
    await makeBucket('us-ord', 'shop');
    const key = await lab.make(KEYS, { label: 'reader', bucket_access: [readShop] });
    expect(key).toMatchObject({ limited: true, bucket_access: [{ ...readShop, cluster: 'us-ord-1' }] });
    expect(key['regions']).toMatchObject([
      { id: 'us-ord', endpoint_type: 'E1' },
      { id: 'us-ord', endpoint_type: 'E3' },
    ]);
  });

  it('is limited to nothing by an empty list', async () => {
    const key = await lab.make(KEYS, { label: 'none', bucket_access: [] });
    expect(key).toMatchObject({ limited: true, bucket_access: [], regions: [] });
  });

  it('changes its regions, but stays in those of its buckets', async () => {
    await makeBucket('us-ord', 'shop');
    const { id } = await lab.make(KEYS, { label: 'reader', bucket_access: [readShop] });
    const regionsAfter = async (...regions: string[]) => {
      const { status, body } = await lab.call('PUT', `${KEYS}/${id}`, { regions });
      const shown = (body['regions'] ?? []) as readonly JsonObject[];
      return [status, ...new Set(shown.map((one) => one['id']))];
    };
    expect(await regionsAfter('us-ord', 'gb-lon')).toEqual([200, 'gb-lon', 'us-ord']);
    expect(await regionsAfter('gb-lon')).toEqual([400]);
    expect(await regionsAfter('us-ord', 'ca-central')).toEqual([400]);
    expect(await regionsAfter('us-ord')).toEqual([200, 'us-ord']);
  });
});
