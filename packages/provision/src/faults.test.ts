import { afterEach, describe, expect, it } from '@jest/globals';
import { execute, type StepEvent } from '@perlstack/procedure';
import { stackFile, testCloud, type TestCloud } from './cloud.testkit.js';
import { handlers } from './handlers.js';
import { fingerprintsOf, ROTATED_TAG } from './names.js';
import { observe } from './observe.js';
import { plan } from './plan.js';
import { readResources } from './read.js';

const SMALL = stackFile(`stack: shop
region: us-ord
app: { name: shop }
tiers:
  web: { type: g6-nanode-1, count: 1, entry: nodebalancer }
  app: { type: g6-nanode-1, count: 2 }
`);

let cloud: TestCloud;
afterEach(() => cloud.close());

/** What there is once a run has ended well, with everything counted that could have been made twice. */
async function world(one: TestCloud): Promise<unknown> {
  const { linodes, vpc, firewalls, placementGroups, balancers } = await readResources(one.reader, 'shop');
  const { state } = one.api;
  return {
    counts: [
      state.linodes.size,
      state.vpcs.size,
      state.firewalls.size,
      state.placementGroups.size,
      state.nodeBalancers.size,
      one.driver.hosts.size,
    ],
    linodes: linodes.map(({ label, status, tags, privateAddress, interfaces, placementGroup }) => ({
      ...{ label, status, privateAddress, interfaces: interfaces.length, grouped: placementGroup !== null },
      rotated: tags.includes(ROTATED_TAG),
      keys: fingerprintsOf(tags).map((key) => key === one.hosts.shown(label)),
    })),
    subnets: vpc?.subnets.map(({ label, ipv4, linodes: users }) => [label, ipv4, users.length]),
    firewalls: firewalls
      .map(({ label, interfaces, balancers: behind }) => [label, interfaces.length + behind.length])
      .sort(),
    nodes: balancers.flatMap(({ ports }) =>
      ports.flatMap(({ port, nodes }) => nodes.map(({ label, address }) => `${port} ${label} ${address}`)),
    ),
    groups: placementGroups.map(({ label, members }) => [label, members.length]).sort(),
  };
}

const WHOLE = {
  counts: [3, 1, 3, 1, 1, 3],
  linodes: [
    {
      label: 'shop-web-1',
      status: 'running',
      privateAddress: '10.10.0.2',
      interfaces: 2,
      grouped: false,
      rotated: true,
      keys: [true],
    },
    {
      label: 'shop-app-1',
      status: 'running',
      privateAddress: '10.10.1.2',
      interfaces: 1,
      grouped: true,
      rotated: true,
      keys: [true],
    },
    {
      label: 'shop-app-2',
      status: 'running',
      privateAddress: '10.10.1.3',
      interfaces: 1,
      grouped: true,
      rotated: true,
      keys: [true],
    },
  ],
  subnets: [
    ['web', '10.10.0.0/24', 1],
    ['app', '10.10.1.0/24', 2],
    ['entry', '10.10.5.0/24', 0],
  ],
  nodes: ['80 web-1 10.10.0.2:80'],
  firewalls: [
    ['shop-app', 2],
    ['shop-entry', 1],
    ['shop-web', 2],
  ],
  groups: [['perlstack-shop-app', 2]],
};

/** Runs until that many steps were begun or ended and cancels then; how many there were. */
async function cutAfter(one: TestCloud, boundary: number): Promise<number> {
  const abort = new AbortController();
  let passed = 0;
  const onEvent = ({ state }: StepEvent): void => {
    if (state !== 'progress') passed += 1;
    if (passed === boundary) abort.abort(new Error('cancelled'));
  };
  await one.apply(SMALL, { signal: abort.signal, onEvent });
  return passed;
}

const CHANGES = /^(create|guard|update|replace|attach|assign|delete|boot)/;

/**
 * Runs as a process that is killed before the change of that number, be it a writing request or a command over SSH:
 * from then on none of either takes place. Between two changes the world stays as it is, so these are all boundaries.
 */
async function killBeforeChange(one: TestCloud, number: number): Promise<boolean> {
  let left = number;
  const survive = (): void => {
    left -= 1;
    if (left < 0) throw new Error('killed');
  };
  const client = new Proxy(one.client, {
    get(target, name, self) {
      const value: unknown = Reflect.get(target, name, self);
      if (name === 'withSignal') return () => self as unknown;
      if (!CHANGES.test(String(name))) return value;
      return (...args: unknown[]) => {
        survive();
        return (value as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  one.hosts.before = survive;
  const made = plan(SMALL, await observe(one.reader, SMALL));
  const outcome = await execute(made.steps, handlers({ ...one.tools(SMALL), client }));
  one.hosts.before = () => undefined;
  return outcome.state === 'succeeded';
}

describe('killed and run again', () => {
  it('comes to the same end after a cancel when any step begins or ends', async () => {
    cloud = await testCloud();
    const boundaries = await cutAfter(cloud, Infinity);
    expect(await world(cloud)).toEqual(WHOLE);
    expect(boundaries).toBeGreaterThan(20);
    for (let boundary = 1; boundary <= boundaries; boundary += 1) {
      await cloud.close();
      cloud = await testCloud();
      await cutAfter(cloud, boundary);
      const { outcome } = await cloud.apply(SMALL);
      expect([boundary, outcome.failures.map(({ error }) => String(error))]).toEqual([boundary, []]);
      expect([boundary, await world(cloud)]).toEqual([boundary, WHOLE]);
    }
  }, 60_000);

  it('comes to the same end when its process dies before any of its changes', async () => {
    cloud = await testCloud();
    let number = 0;
    for (; !(await killBeforeChange(cloud, number)); number += 1) {
      const { outcome } = await cloud.apply(SMALL);
      expect([number, outcome.failures.map(({ error }) => String(error))]).toEqual([number, []]);
      expect([number, await world(cloud)]).toEqual([number, WHOLE]);
      await cloud.close();
      cloud = await testCloud();
    }
    expect(number).toBe(26);
  }, 60_000);

  it.each(['PREPARE', 'INSTALL', 'verify'])(
    'comes to the same end when SSH breaks before or after %s',
    async (command) => {
      for (const side of ['before', 'after']) {
        cloud = await testCloud();
        const { hosts } = cloud;
        const inner = hosts.connect.bind(hosts);
        hosts.connect = (inventory) => breaking(inner(inventory), command, side);
        const first = await cloud.apply(SMALL);
        expect(first.outcome.state).toBe('failed');
        hosts.connect = inner;
        expect((await cloud.apply(SMALL)).outcome.state).toBe('succeeded');
        expect(await world(cloud)).toEqual(WHOLE);
        if (side === 'before') await cloud.close();
      }
    },
  );
});

type FakeRemote = ReturnType<TestCloud['hosts']['connect']>;

function breaking(remote: FakeRemote, command: string, side: string): FakeRemote {
  const wrap = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    if (what === command && side === 'before') throw new Error('the line broke');
    const result = await work();
    if (what === command) throw new Error('the line broke');
    return result;
  };
  return {
    ...remote,
    run: (...args) => wrap('verify', () => remote.run(...args)),
    script: (...args) =>
      wrap(args[3]?.name === 'host key' ? 'PREPARE' : 'INSTALL', () => remote.script(...args)),
  };
}

describe('an unreliable API', () => {
  const lost = (path: RegExp, times = 1) => ({
    method: 'POST',
    path,
    times,
    effect: { kind: 'lost-answer' } as const,
  });

  it.each([
    ['a Linode', /^\/linode\/instances$/],
    ['the VPC', /^\/vpcs$/],
    ['a firewall', /^\/networking\/firewalls$/],
    ['a placement group', /^\/placement\/groups$/],
    ['the NodeBalancer', /^\/nodebalancers$/],
    ['a port of the NodeBalancer', /^\/nodebalancers\/\d+\/configs$/],
    ['a node of the NodeBalancer', /^\/nodebalancers\/\d+\/configs\/\d+\/nodes$/],
  ])('makes no second one when the answer to the creation of %s is lost', async (_, path) => {
    cloud = await testCloud({ faults: [lost(path)] });
    const { outcome } = await cloud.apply(SMALL);
    expect(outcome.failures.map(({ error }) => String(error))).toEqual([]);
    expect(await world(cloud)).toEqual(WHOLE);
  });

  it('makes no second one when every answer is lost for a while, and asks no more often than it has to', async () => {
    cloud = await testCloud({ faults: [lost(/./, 5)] });
    await cloud.apply(SMALL);
    expect(await world(cloud)).toEqual(WHOLE);
    expect(cloud.writes().filter((write) => write === 'POST /linode/instances')).toHaveLength(3);
  });

  it('asks again when the connection broke before anything was made', async () => {
    const faults = [{ method: 'POST', times: 4, effect: { kind: 'broken-connection' } as const }];
    cloud = await testCloud({ faults });
    await cloud.apply(SMALL);
    expect(await world(cloud)).toEqual(WHOLE);
  });

  it('gets through a storm of 429, 503 and lost answers', async () => {
    let seed = 7;
    const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    cloud = await testCloud();
    cloud.api.faults.add({ rate: 1, times: 5, effect: { kind: 'throttle', retryAfterSeconds: 30 } });
    const effects = [
      { kind: 'error', status: 503 },
      { kind: 'error', status: 500 },
      { kind: 'lost-answer' },
    ] as const;
    const inner = cloud.api.faults.strike.bind(cloud.api.faults);
    cloud.api.faults.strike = (method, path) => {
      const struck = inner(method, path);
      const one = random() < 0.15 ? effects[Math.floor(random() * 3)] : undefined;
      return one ? [...struck, one] : struck;
    };
    const { outcome } = await cloud.apply(SMALL);
    cloud.api.faults.strike = inner;
    expect(outcome.failures.map(({ error }) => String(error))).toEqual([]);
    expect(await world(cloud)).toEqual(WHOLE);
  });
});

describe('what Linode refuses', () => {
  it('says that there is no capacity, and a later run goes on from there', async () => {
    cloud = await testCloud({
      faults: [
        {
          times: 1,
          effect: { kind: 'error', status: 403, reason: 'No capacity in this region' },
          method: 'POST',
          path: /^\/linode\/instances$/,
        },
      ],
    });
    const { outcome } = await cloud.apply(SMALL);
    expect(outcome.state).toBe('failed');
    expect((outcome.failures[0]?.error as Error).message).toBe(
      'Linode forbids POST /linode/instances (403): No capacity in this region',
    );
    await cloud.apply(SMALL);
    expect(await world(cloud)).toEqual(WHOLE);
  });
});
