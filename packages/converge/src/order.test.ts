import { describe, expect, it } from '@jest/globals';
import type { ServiceConfig, ServiceRef } from '@perlstack/configs';
import { type EnginePlan, type EngineStep, type Intent, NO_CONSENT } from '@perlstack/engine';
import type { AnyEngine } from './engines.js';
import { handlers } from './handlers.js';
import { plan } from './plan.js';
import { bundleOf, convergedTo, freshHost, managedFile, nginxService, worldOf } from './testing.js';

type Hosts = Readonly<Record<string, ServiceConfig[]>>;

const ref = (text: string): ServiceRef => {
  const [host = '', service = ''] = text.split('/');
  return { host, service };
};

const service = (name: string, after: readonly string[] = [], overrides: Partial<ServiceConfig> = {}) =>
  nginxService({
    ...{
      name,
      packages: [name],
      files: [managedFile(`/etc/${name}.conf`, '')],
      removes: [],
      directories: [],
    },
    ...(after.length > 0 ? { after: after.map(ref) } : {}),
    ...overrides,
  });

const fresh = (hosts: Hosts) =>
  worldOf(Object.fromEntries(Object.keys(hosts).map((name) => [name, freshHost()])));

/** What each of the steps that change services comes after, but for the validation of all hosts. */
function orderOf(
  hosts: Hosts,
  engines: readonly AnyEngine[] = [],
  seen: Readonly<Record<string, unknown>> = {},
) {
  const world = { ...fresh(hosts), engines: { redis: seen } };
  const { steps } = plan(bundleOf(hosts), world, NO_CONSENT, engines);
  const working = steps.filter(({ id }) => id.split('/').length > 2);
  return Object.fromEntries(
    working.map(({ id, after = [] }) => [id, after.filter((other) => !other.endsWith('/validate'))]),
  );
}

describe('the order of services', () => {
  it('leaves hosts alone that have nothing to do with each other', () => {
    const order = orderOf({ 'app-1': [service('starman')], 'app-2': [service('starman')] });
    expect(Object.values(order)).toEqual([[], []]);
  });

  it('goes across hosts', () => {
    const order = orderOf({
      'app-1': [service('starman', ['database-1/postgresql', 'database-2/postgresql'])],
      'database-1': [service('postgresql')],
      'database-2': [service('postgresql', ['database-1/postgresql'])],
    });
    expect(order).toEqual({
      'app-1/starman/apply': ['database-1/postgresql/apply', 'database-2/postgresql/apply'],
      'database-1/postgresql/apply': [],
      'database-2/postgresql/apply': ['database-1/postgresql/apply'],
    });
  });

  it('goes before the order in which a host lists its services', () => {
    const order = orderOf({ 'all-1': [service('starman', ['all-1/postgresql']), service('postgresql')] });
    expect(order).toEqual({
      'all-1/starman/apply': ['all-1/postgresql/apply'],
      'all-1/postgresql/apply': [],
    });
  });

  it('holds across a service that has nothing to do', () => {
    const hosts = {
      'web-1': [service('nginx', ['app-1/starman'])],
      'app-1': [service('starman', ['database-1/postgresql'])],
      'database-1': [service('postgresql')],
    };
    const bundle = bundleOf(hosts);
    const world = { ...fresh(hosts).hosts, 'app-1': convergedTo(bundle).hosts['app-1'] ?? freshHost() };
    const { steps } = plan(bundle, worldOf(world));
    expect(steps.find(({ id }) => id === 'web-1/nginx/apply')?.after).toContain(
      'database-1/postgresql/apply',
    );
  });

  it('makes no circle of two hosts that list the same services the other way round', () => {
    const order = orderOf({
      'one-1': [service('nginx', ['two-1/redis']), service('starman')],
      'two-1': [service('nginx', ['one-1/starman']), service('redis')],
    });
    expect(order).toEqual({
      'two-1/redis/apply': [],
      'one-1/nginx/apply': ['two-1/redis/apply'],
      'one-1/starman/apply': ['one-1/nginx/apply'],
      'two-1/nginx/apply': ['one-1/starman/apply', 'two-1/redis/apply'],
    });
  });

  it('keeps to the list of a host, whoever waits for one of its services', () => {
    const cache = (): ServiceConfig[] => [service('firewall'), service('redis'), service('sentinel', all)];
    const all = ['cache-1/redis', 'cache-2/redis'];
    const order = orderOf({ 'cache-1': cache(), 'cache-2': cache() });
    expect(order['cache-2/firewall/apply']).toEqual([]);
    expect(order['cache-2/redis/apply']).toEqual(['cache-2/firewall/apply']);
    expect(order['cache-2/sentinel/apply']).toEqual(['cache-1/redis/apply', 'cache-2/redis/apply']);
  });

  it('that goes round in a circle is named', () => {
    const hosts = {
      'one-1': [service('nginx', ['two-1/redis'])],
      'two-1': [service('redis', ['one-1/nginx'])],
    };
    expect(() => orderOf(hosts)).toThrow(
      'The order of the services goes round in a circle: one-1/nginx → two-1/redis → one-1/nginx',
    );
  });

  it('may name only what the bundle has', () => {
    expect(() => orderOf({ 'one-1': [service('nginx', ['two-1/redis'])] })).toThrow(
      'The bundle of one-1 names two-1/redis before nginx',
    );
  });
});

const member = (): ServiceConfig =>
  service('redis', [], {
    engine: {
      ...{ kind: 'redis', version: 8, port: 6379, liveFile: '/l', passwordFile: '/p', members: [] },
      ...{ sentinels: [], service: 'shop' },
    },
  });

const step = (id: string, after: readonly string[] = []): EngineStep => {
  const { host } = ref(id);
  return { id, kind: 'redis-follow', title: id, host, service: 'redis', after };
};

/** An engine that plans what it is told to, and keeps what it was asked. */
function engineThat(planned: Partial<EnginePlan<EngineStep>>) {
  const asked: Readonly<Record<string, Intent>>[] = [];
  const engine: AnyEngine = {
    kind: 'redis',
    observe: async () => ({}),
    plan: (_members, _seen, intents) => {
      asked.push(intents);
      return { changes: [], before: [], after: [], order: [], refusals: [], ...planned };
    },
    handlers: () => ({ 'redis-follow': { run: async () => 'follows' } }),
  };
  return { engine, asked };
}

const SEEN = { 'cache-1': {}, 'cache-2': {} };

describe('engines', () => {
  const hosts = { 'cache-1': [member()], 'cache-2': [member()] };

  it('get their steps around the one that brings files into force', () => {
    const { engine } = engineThat({
      before: [step('cache-1/redis/seed'), step('cache-1/redis/wait')],
      after: [step('cache-2/redis/follow', ['cache-1/redis/wait'])],
    });
    expect(orderOf(hosts, [engine], SEEN)).toEqual({
      'cache-1/redis/seed': [],
      'cache-1/redis/wait': ['cache-1/redis/seed'],
      'cache-1/redis/apply': ['cache-1/redis/wait'],
      'cache-2/redis/apply': [],
      'cache-2/redis/follow': ['cache-2/redis/apply', 'cache-1/redis/wait'],
    });
  });

  it('start nothing before every host is valid', () => {
    const { engine } = engineThat({ before: [step('cache-1/redis/seed')] });
    const world = { ...fresh(hosts), engines: { redis: SEEN } };
    const { steps } = plan(bundleOf(hosts), world, NO_CONSENT, [engine]);
    expect(steps.find(({ id }) => id === 'cache-1/redis/seed')?.after).toEqual([
      ...['cache-1/validate', 'cache-2/validate'],
    ]);
  });

  it('say which member goes first, also against the bundle', () => {
    const { engine } = engineThat({
      after: [step('cache-1/redis/follow'), step('cache-2/redis/follow')],
      order: [{ first: 'cache-2', then: 'cache-1' }],
    });
    const declared = { ...member(), after: [ref('cache-1/redis')] };
    expect(orderOf({ 'cache-1': [member()], 'cache-2': [declared] }, [engine], SEEN)).toMatchObject({
      'cache-2/redis/apply': [],
      'cache-1/redis/apply': ['cache-2/redis/follow'],
    });
  });

  it('that go round in a circle are named', () => {
    const order = [
      { first: 'cache-1', then: 'cache-2' },
      { first: 'cache-2', then: 'cache-1' },
    ];
    expect(() => orderOf(hosts, [engineThat({ order }).engine], SEEN)).toThrow('goes round in a circle');
    const steps = [
      step('cache-1/redis/a', ['cache-2/redis/b']),
      step('cache-2/redis/b', ['cache-1/redis/a']),
    ];
    expect(() => orderOf(hosts, [engineThat({ after: steps }).engine], SEEN)).toThrow(
      'cache-1/redis/a → cache-2/redis/b → cache-1/redis/a',
    );
  });

  it('learn what becomes of the files, but not of the secret ones', () => {
    const { engine, asked } = engineThat({});
    const old = { owner: 'root', group: 'root', mode: 0o644, sha256: 'old', content: 'old' };
    const secret = managedFile('/etc/secret', 'hunter2', { secret: true });
    const bundle = bundleOf({ 'cache-1': [{ ...member(), files: [...member().files, secret] }] });
    const good = convergedTo(bundle).hosts['cache-1'] ?? freshHost();
    const files = { '/etc/redis.conf': old, '/etc/secret': { ...old, content: 'hunter1' } };
    const world = { ...worldOf({ 'cache-1': { ...good, files, remembered: {} } }), engines: { redis: SEEN } };
    plan(bundle, world, NO_CONSENT, [engine]);
    expect(asked).toEqual([
      { 'cache-1': { due: 'reload', files: [{ path: '/etc/redis.conf', before: 'old', after: '' }] } },
    ]);
  });

  it('refuse for all, and their changes stand with the host', () => {
    const changes = [
      {
        host: 'cache-1',
        service: 'redis',
        kind: 'data' as const,
        target: 'replica',
        what: 'to be made anew',
      },
    ];
    const { engine } = engineThat({ refusals: ['cache-1: redis: not without allow-rebuild'], changes });
    const world = { ...fresh(hosts), engines: { redis: SEEN } };
    const result = plan(bundleOf(hosts), world, NO_CONSENT, [engine]);
    expect([result.steps, result.refusals]).toEqual([[], ['cache-1: redis: not without allow-rebuild']]);
    const at = result.changes.findIndex(({ kind }) => kind === 'data');
    expect(result.changes.slice(0, at).every(({ host }) => host === 'cache-1')).toBe(true);
    expect(result.changes[at + 1]?.host).toBe('cache-2');
  });

  it('are left alone where the bundle has none of their kind, and must have looked where it has', () => {
    const { engine, asked } = engineThat({});
    orderOf({ 'web-1': [service('nginx')] }, [engine]);
    expect(asked).toEqual([]);
    expect(() => orderOf(hosts, [engine], { 'cache-1': {} })).toThrow(
      'cache-2 was not observed by the engine redis',
    );
  });

  it('bring their handlers', () => {
    const own = handlers({} as never, bundleOf(hosts), {}, [engineThat({}).engine]);
    expect(Object.keys(own)).toEqual(expect.arrayContaining(['redis-follow', 'apply', 'presets']));
  });
});
