import { afterEach, describe, expect, it } from '@jest/globals';
import { createClient, createReader } from './client.js';
import { type LinodeApiError, LinodeUnreachable, UncertainOutcome } from './errors.js';
import { answer, quickClock, type Responder, serve, type TestServer } from './server.testkit.js';
import type { NewLinode, TcpPortSettings } from './types.js';

let server: TestServer;
afterEach(() => server.close());

const start = async (respond: Responder) => {
  server = await serve(respond);
  const clock = quickClock();
  return { clock, client: createClient({ token: 'secret-token', baseUrl: server.url, clock }) };
};
const page = (data: unknown[], pages = 1) => ({ data, page: 1, pages, results: data.length });
const LINODE: NewLinode = {
  label: 'shop-web-1',
  region: 'us-ord',
  type: 'g6-nanode-1',
  image: 'linode/debian13',
  authorized_keys: ['ssh-ed25519 AAAA'],
  interface_generation: 'linode',
  interfaces: [],
};

describe('who asks whom', () => {
  it('sends the token of each client, side by side', async () => {
    const { client } = await start((_, response) => answer(response, 200, page([])));
    const other = createReader({ token: 'other-token', baseUrl: `${server.url}/v4/` });
    await Promise.all([client.linodes(), other.linodes(), client.regions(), other.types()]);
    expect(server.seen.map(({ token, url }) => `${token} ${url.split('?')[0]}`).sort()).toEqual([
      'Bearer other-token /v4/linode/types',
      'Bearer other-token /v4beta/linode/instances',
      'Bearer secret-token /v4beta/linode/instances',
      'Bearer secret-token /v4beta/regions',
    ]);
  });

  it('takes the address from LINODE_API_URL', async () => {
    await start((_, response) => answer(response, 200, page([])));
    process.env.LINODE_API_URL = server.url;
    try {
      await createReader({ token: 'secret-token' }).types();
    } finally {
      delete process.env.LINODE_API_URL;
    }
    expect(server.seen).toHaveLength(1);
  });

  it('refuses an address and a token that can be none', async () => {
    await start(() => undefined);
    expect(() => createReader({ token: 'x', baseUrl: 'api.linode.com' })).toThrow(
      /LINODE_API_URL is no address/,
    );
    expect(() => createReader({ token: ' ' })).toThrow(/token is empty/);
    expect(() => createReader({ token: 'to\nken' })).toThrow(/characters that no token has/);
  });

  it('gives a reader no way to write', async () => {
    await start(() => undefined);
    const names = Object.keys(createReader({ token: 'x', baseUrl: server.url }));
    expect(
      names.filter((name) => /create|update|delete|replace|attach|assign|boot|guard/.test(name)),
    ).toEqual([]);
  });
});

describe('lists', () => {
  it('reads all pages, 500 at a time, with the filter on each', async () => {
    const { client } = await start(({ url }, response) => {
      const number = Number(new URL(url, 'http://x').searchParams.get('page'));
      answer(response, 200, page([{ id: number }], 3));
    });
    expect(await client.linodes({ tags: 'perlstack' })).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    expect(await client.getAll('/vpcs/5/ips', { linode_id: 7 })).toHaveLength(3);
    expect(server.seen.map(({ url }) => url)).toContain('/v4beta/linode/instances?page=3&page_size=500');
    expect(server.seen.map(({ filter }) => filter)).toEqual([
      ...Array<unknown>(3).fill({ tags: 'perlstack' }),
      ...Array<unknown>(3).fill({ linode_id: 7 }),
    ]);
  });
});

describe('bodies', () => {
  it('sends what the validation of @linode/api-v4 would refuse: a Linode without root password', async () => {
    const { client } = await start((_, response) => answer(response, 200, { id: 1 }));
    await client.createLinode(LINODE);
    expect(server.seen[0]).toMatchObject({ method: 'POST', url: '/v4beta/linode/instances', body: LINODE });
  });
});

describe('passing faults', () => {
  it('waits for a busy Linode, as long as it takes', async () => {
    let tries = 0;
    const { client, clock } = await start((_, response) => {
      tries += 1;
      if (tries <= 20) answer(response, 400, { errors: [{ reason: 'Linode busy.' }] });
      else answer(response, 200, {});
    });
    await client.bootLinode(7);
    expect(tries).toBe(21);
    expect(clock.slept).toHaveLength(20);
  });

  it('waits as long as a 429 asks for, and does not heed Retry-After on a 200', async () => {
    const { client, clock } = await start((_, response) => {
      const first = server.seen.length === 1;
      answer(response, first ? 429 : 200, first ? { errors: [{ reason: 'Too many requests' }] } : {}, {
        'retry-after': '37',
      });
    });
    await client.createVpc({ label: 'shop', region: 'us-ord' });
    expect(clock.slept).toEqual([37_000]);
    await client.createVpc({ label: 'shop', region: 'us-ord' });
    expect(clock.slept).toHaveLength(1);
  });

  it('repeats reads after 5xx and broken connections', async () => {
    const { client } = await start((_, response, request) => {
      if (server.seen.length === 1) answer(response, 502, {});
      else if (server.seen.length === 2) request.socket.destroy();
      else answer(response, 200, { id: 7 });
    });
    expect(await client.linode(7)).toEqual({ id: 7 });
  });

  it('gives up after seven tries', async () => {
    const { client } = await start((_, response) => answer(response, 503, { errors: [{ reason: 'down' }] }));
    await expect(client.linode(7)).rejects.toThrow(/answered 503 again and again/);
    expect(server.seen).toHaveLength(7);
  });

  it('takes a deletion whose answer was lost for done when the thing is gone', async () => {
    const { client } = await start((_, response, request) => {
      if (server.seen.length === 1) request.socket.destroy();
      else answer(response, 404, { errors: [{ reason: 'Not found' }] });
    });
    await client.deleteLinode(7);
    expect(server.seen).toHaveLength(2);
  });
});

describe('what makes something is not repeated blindly', () => {
  it.each<[string, Responder]>([
    ['a broken connection', (_, __, request) => void request.socket.destroy()],
    ['a 500', (_, response) => answer(response, 500, {})],
    ['a 503', (_, response) => answer(response, 503, {})],
    ['a 408', (_, response) => answer(response, 408, {})],
  ])('%s is uncertain', async (_, respond) => {
    const { client } = await start(respond);
    await expect(client.createLinode(LINODE)).rejects.toBeInstanceOf(UncertainOutcome);
    expect(server.seen).toHaveLength(1);
  });

  it('a time-out is uncertain', async () => {
    await start(() => undefined);
    const client = createClient({ token: 'secret-token', baseUrl: server.url, timeoutMs: 30 });
    await expect(client.createLinode(LINODE)).rejects.toMatchObject({
      name: 'UncertainOutcome',
      why: 'ECONNABORTED',
    });
  });

  it('a connection that was never made is certain, and repeated', async () => {
    const { clock } = await start(() => undefined);
    await server.close();
    const client = createClient({ token: 'secret-token', baseUrl: server.url, clock });
    await expect(client.createLinode(LINODE)).rejects.toBeInstanceOf(LinodeUnreachable);
    expect(clock.slept).toHaveLength(6);
    server = await serve(() => undefined);
  });
});

describe('what to do', () => {
  const refusal = async (status: number, reason: string, headers: Record<string, string> = {}) => {
    const { client } = await start((_, response) =>
      answer(response, status, { errors: [{ reason }] }, headers),
    );
    return client.events().catch((error: unknown) => error as LinodeApiError);
  };

  it('names the scope that is missing', async () => {
    const error = await refusal(401, 'Your OAuth token is not authorized to use this endpoint.', {
      'x-oauth-scopes': 'linodes:read_write vpc:read_write',
      'x-accepted-oauth-scopes': 'events:read_only',
    });
    expect(error).toMatchObject({ status: 401, missingScope: 'events:read_only' });
    expect((error as Error).message).toMatch(
      /lacks the scope events:read_only, .*has: linodes:read_write vpc:read_write/,
    );
  });

  it('tells a wrong token apart', async () => {
    const error = await refusal(401, 'Invalid Token', {
      'x-oauth-scopes': 'unknown',
      'x-accepted-oauth-scopes': 'events:read_only',
    });
    expect((error as Error).message).toMatch(/does not accept the token .*wrong, expired or revoked/);
  });

  it.each([
    [403, 'Unauthorized', /no grant for it: ask an administrator/],
    [
      403,
      'The Linode plan you chose is not currently available',
      /plan you chose is not currently available$/,
    ],
    [404, 'Not found', /knows no \/account\/events/],
    [400, 'Filter not valid JSON', /refused GET \/account\/events \(400\): Filter not valid JSON/],
  ])('%d %s', async (status, reason, message) => {
    expect(((await refusal(status, reason)) as Error).message).toMatch(message);
  });

  it('keeps the scopes that an answer names', async () => {
    const { client } = await start((_, response) =>
      answer(response, 200, page([]), { 'x-oauth-scopes': 'linodes:read_only' }),
    );
    expect(client.scopes()).toBeNull();
    await client.linodes();
    expect(client.scopes()).toBe('linodes:read_only');
  });
});

describe('cancelling', () => {
  it('ends a request under way with the reason of the signal', async () => {
    const abort = new AbortController();
    const { client } = await start(() => abort.abort(new Error('cancelled by a person')));
    await expect(client.withSignal(abort.signal).linode(7)).rejects.toThrow('cancelled by a person');
    expect(server.seen).toHaveLength(1);
  });
});

describe('waiting', () => {
  it('asks for all Linodes at once until their events have ended', async () => {
    const event = (id: number, linode: number, action: string, status: string) => ({
      ...{
        id,
        action,
        status,
        percent_complete: 5,
        entity: { id: linode, type: 'linode', label: `shop-web-${linode}` },
      },
    });
    const rounds = [
      [event(1, 1, 'linode_create', 'started'), event(2, 1, 'linode_boot', 'scheduled')],
      [
        event(1, 1, 'linode_create', 'finished'),
        event(2, 1, 'linode_boot', 'started'),
        event(3, 2, 'linode_create', 'finished'),
        event(4, 2, 'linode_boot', 'finished'),
      ],
      [event(1, 1, 'linode_create', 'finished'), event(2, 1, 'linode_boot', 'finished')],
    ];
    const { client } = await start((_, response) =>
      answer(response, 200, page(rounds[server.seen.length - 1] ?? [])),
    );
    const actions = ['linode_create', 'linode_boot'];
    const said: string[] = [];
    await Promise.all([
      client.waitForLinode(1, { actions, onProgress: (message) => said.push(message) }),
      client.waitForLinode(2, { actions }),
    ]);
    expect(server.seen.map(({ filter }) => filter)).toEqual([
      {
        'entity.type': 'linode',
        '+or': [{ 'entity.id': 1 }, { 'entity.id': 2 }],
        '+order_by': 'created',
        '+order': 'desc',
      },
      {
        'entity.type': 'linode',
        '+or': [{ 'entity.id': 1 }, { 'entity.id': 2 }],
        '+order_by': 'created',
        '+order': 'desc',
      },
      { 'entity.type': 'linode', 'entity.id': 1, '+order_by': 'created', '+order': 'desc' },
    ]);
    expect(said).toEqual(['linode_create started, 5 %', 'linode_boot started, 5 %']);
  });

  it('names what failed', async () => {
    const failed = {
      id: 9,
      action: 'linode_boot',
      status: 'failed',
      message: 'no config',
      entity: { id: 1, label: 'shop-web-1' },
    };
    const { client } = await start((_, response) => answer(response, 200, page([failed])));
    await expect(client.waitForLinode(1)).rejects.toThrow(
      /shop-web-1: linode_boot failed at Linode \(event 9: no config\)/,
    );
  });

  it('ends at its deadline', async () => {
    const busy = { id: 9, action: 'linode_boot', status: 'started', entity: { id: 1, label: 'shop-web-1' } };
    const { client } = await start((_, response) => answer(response, 200, page([busy])));
    await expect(client.waitForLinode(1, { deadlineMs: 60_000 })).rejects.toThrow(
      /not ready in time: linode_boot started/,
    );
    expect(server.seen).toHaveLength(21);
  });
});

describe('NodeBalancers', () => {
  const SETTINGS: TcpPortSettings = {
    protocol: 'tcp',
    algorithm: 'leastconn',
    proxy_protocol: 'v2',
    check: 'connection',
    check_interval: 3,
    check_timeout: 2,
    check_attempts: 2,
  };

  it('sends what it is given as it is: subnets of nodes, addresses with their ports', async () => {
    const { client } = await start((_, response) => answer(response, 200, { id: 5 }));
    const balancer = {
      ...{ label: 'shop-entry', region: 'us-ord', tags: ['perlstack'], firewall_id: 7 },
      vpcs: [{ subnet_id: 3, ipv4_range: '10.10.5.4/30' }],
    };
    const node = { address: '10.10.0.2:80', label: 'web-1', mode: 'accept', subnet_id: 3 } as const;
    await client.createNodeBalancer(balancer);
    await client.createNodeBalancerPort(5, { port: 80, ...SETTINGS });
    await client.updateNodeBalancerPort(5, 6, SETTINGS);
    await client.createBalancerNode(5, 6, node);
    await client.guardNodeBalancer(5, 7);
    expect(server.seen.map(({ method, url, body }) => [`${method} ${url}`, body])).toEqual([
      ['POST /v4beta/nodebalancers', balancer],
      ['POST /v4beta/nodebalancers/5/configs', { port: 80, ...SETTINGS }],
      ['PUT /v4beta/nodebalancers/5/configs/6', SETTINGS],
      ['POST /v4beta/nodebalancers/5/configs/6/nodes', node],
      ['PUT /v4beta/nodebalancers/5/firewalls', { firewall_ids: [7] }],
    ]);
  });

  it('reads ports and nodes, and deletes what may be gone already', async () => {
    const { client } = await start(({ method, url }, response) => {
      if (method === 'DELETE') answer(response, 404, { errors: [{ reason: 'Not found' }] });
      else answer(response, 200, page([{ id: url.includes('nodes') ? 8 : 6 }]));
    });
    expect(await client.nodeBalancerPorts(5)).toEqual([{ id: 6 }]);
    expect(await client.balancerNodes(5, 6)).toEqual([{ id: 8 }]);
    await client.deleteBalancerNode(5, 6, 8);
    await client.deleteNodeBalancerPort(5, 6);
    await client.deleteNodeBalancer(5);
    expect(
      server.seen.map(({ method, url }) => `${method} ${url.replace(/^\/v4(beta)?|\?.*$/g, '')}`),
    ).toEqual([
      'GET /nodebalancers/5/configs',
      'GET /nodebalancers/5/configs/6/nodes',
      'DELETE /nodebalancers/5/configs/6/nodes/8',
      'DELETE /nodebalancers/5/configs/6',
      'DELETE /nodebalancers/5',
    ]);
  });
});
