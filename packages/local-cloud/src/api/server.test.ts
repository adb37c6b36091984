import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openLab, order, pluck, reasons, type Lab } from './testing/client.js';

let lab: Lab;

beforeEach(async () => {
  lab = await openLab({
    tokens: [
      { token: 'all', scopes: ['*'] },
      { token: 'reader', scopes: ['linodes:read_only'] },
      { token: 'writer', scopes: ['linodes:read_write'] },
    ],
    rateLimits: { 'create-vpc': { limit: 2, windowMs: 60_000 } },
  });
});

afterEach(() => lab.api.close());

const all = { token: 'all' };

describe('a token', () => {
  it('must be known', async () => {
    for (const token of ['wrong', null]) {
      const reply = await lab.call('GET', '/linode/instances', undefined, { token });
      expect([reply.status, reasons(reply)]).toEqual([401, ['Invalid Token']]);
      expect(reply.headers.get('X-OAuth-Scopes')).toBe('unknown');
    }
  });

  it('is not asked for by public routes, but a wrong one is refused', async () => {
    expect((await lab.call('GET', '/linode/types', undefined, { token: null })).status).toBe(200);
    expect((await lab.call('GET', '/linode/types', undefined, { token: 'wrong' })).status).toBe(401);
  });

  it('without the scope gets a 401 that says which', async () => {
    const reply = await lab.call('POST', '/linode/instances', order(), { token: 'reader' });
    expect([reply.status, reasons(reply)]).toEqual([
      401,
      ['Your OAuth token is not authorized to use this endpoint.'],
    ]);
    expect(reply.headers.get('X-OAuth-Scopes')).toBe('linodes:read_only');
    expect(reply.headers.get('X-Accepted-OAuth-Scopes')).toBe('linodes:read_write');
    expect((await lab.call('GET', '/linode/instances', undefined, { token: 'writer' })).status).toBe(200);
    expect((await lab.call('GET', '/account/events', undefined, { token: 'writer' })).status).toBe(401);
  });
});

describe('paths', () => {
  it('have their own errors', async () => {
    expect((await lab.call('GET', '/nothing', undefined, all)).body).toEqual({
      errors: [{ reason: 'Not found' }],
    });
    expect((await lab.call('PATCH', '/linode/instances', {}, all)).status).toBe(405);
    expect((await lab.call('GET', '/linode/instances/x', undefined, all)).status).toBe(404);
    expect((await fetch(`${lab.api.url}/linode/types`)).status).toBe(404);
  });

  it('answer without a body where the API has none', async () => {
    expect((await lab.call('GET', '/profile/grants', undefined, all)).status).toBe(204);
  });

  it('are logged in order', async () => {
    await lab.call('GET', '/linode/types?page=1', undefined, all);
    await lab.call('DELETE', '/vpcs/1', undefined, all);
    expect(lab.api.requests).toEqual([
      { method: 'GET', path: '/linode/types', status: 200 },
      { method: 'DELETE', path: '/vpcs/1', status: 404 },
    ]);
  });
});

describe('limits', () => {
  it('are told on every answer and throttle beyond', async () => {
    const create = (label: string) => lab.call('POST', '/vpcs', { label, region: 'de-fra-2' }, all);
    const first = await create('one');
    expect(first.headers.get('X-RateLimit-Limit')).toBe('2');
    expect(first.headers.get('X-RateLimit-Remaining')).toBe('1');
    expect(Number(first.headers.get('Retry-After'))).toBeGreaterThan(0);
    await create('two');
    const third = await create('three');
    expect([third.status, reasons(third)]).toEqual([429, ['Too many requests']]);
    expect(Number(third.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect((await lab.call('GET', '/vpcs', undefined, all)).body['results']).toBe(2);
  });
});

describe('lists', () => {
  it('are paged within bounds', async () => {
    const small = await lab.call('GET', '/regions?page=2&page_size=25', undefined, all);
    expect(small.body).toMatchObject({ page: 2, pages: 2, results: 46 });
    expect(pluck(small, 'id')).toHaveLength(21);
    const refused = await lab.call('GET', '/regions?page_size=24', undefined, all);
    expect(refused.body).toEqual({ errors: [{ reason: 'Must be 25-500', field: 'page_size' }] });
    expect((await lab.call('GET', '/regions?page=3&page_size=25', undefined, all)).status).toBe(404);
  });

  it('are filtered by what may be filtered on', async () => {
    const wrong = await lab.call('GET', '/linode/instances', undefined, {
      ...all,
      filter: { status: 'running' },
    });
    expect(wrong.body).toEqual({ errors: [{ reason: 'Cannot filter on status', field: 'X-Filter' }] });
    const broken = await lab.call('GET', '/linode/instances', undefined, { ...all, filter: '{' });
    expect(reasons(broken)).toEqual(['Filter not valid JSON']);
    const filter = {
      '+and': [{ class: 'standard' }, { memory: { '+gt': 4096, '+lte': 16384 } }],
      '+order_by': 'memory',
    };
    const types = await lab.call('GET', '/linode/types', undefined, { ...all, filter });
    expect(pluck(types, 'id')).toEqual(['g6-standard-4', 'g6-standard-6']);
  });
});

describe('faults', () => {
  it('can fail a call a number of times', async () => {
    lab.api.faults.add({ method: 'GET', path: /^\/vpcs$/, times: 1, effect: { kind: 'error', status: 503 } });
    expect((await lab.call('GET', '/vpcs', undefined, all)).status).toBe(503);
    expect((await lab.call('GET', '/vpcs', undefined, all)).status).toBe(200);
  });

  it('can throttle', async () => {
    const end = lab.api.faults.add({ effect: { kind: 'throttle', retryAfterSeconds: 7 } });
    const reply = await lab.call('GET', '/vpcs', undefined, all);
    expect([reply.status, reply.headers.get('Retry-After')]).toEqual([429, '7']);
    end();
    expect((await lab.call('GET', '/vpcs', undefined, all)).status).toBe(200);
  });

  it('can lose an answer after the call took effect, or break the connection before', async () => {
    const body = { label: 'lost', region: 'de-fra-2' };
    lab.api.faults.add({ times: 1, effect: { kind: 'broken-connection' } });
    await expect(lab.call('POST', '/vpcs', body, all)).rejects.toThrow();
    expect((await lab.call('GET', '/vpcs', undefined, all)).body['results']).toBe(0);
    lab.api.faults.add({ times: 1, effect: { kind: 'lost-answer' } });
    await expect(lab.call('POST', '/vpcs', body, all)).rejects.toThrow();
    expect(pluck(await lab.call('GET', '/vpcs', undefined, all), 'label')).toEqual(['lost']);
  });

  it('can sell a plan out', async () => {
    lab.api.faults.add({ effect: { kind: 'capacity', region: 'de-fra-2', type: 'g6-nanode-1' } });
    const refused = await lab.call('POST', '/linode/instances', order(), all);
    expect(refused.status).toBe(403);
    expect((await lab.call('POST', '/linode/instances', order({ type: 'g6-standard-1' }), all)).status).toBe(
      200,
    );
    const filter = { region: 'de-fra-2', plan: 'g6-nanode-1' };
    const reply = await lab.call('GET', '/regions/availability', undefined, { ...all, filter });
    expect(pluck(reply, 'available')).toEqual([false]);
  });
});
