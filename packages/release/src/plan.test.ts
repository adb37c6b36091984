import { describe, expect, it } from '@jest/globals';
import { DEFAULT_PACE, plan, type Wanted } from './plan.js';
import type { ReleaseStep } from './steps.js';
import type { AppHostState, Instance, Observed, ReleaseFolder } from './world.js';

const GIB = 1024 ** 3;
const SHA = 'a'.repeat(64);

const wanted: Wanted = {
  ...DEFAULT_PACE,
  release: 'r2',
  sha256: SHA,
  bytes: 1_000,
  unpackedBytes: 5_000,
  vendoredBytes: 0,
  strategy: 'socket',
  units: 1,
  keepReleases: 3,
  modules: null,
  migrate: null,
  addresses: Object.fromEntries(
    [1, 2, 3, 4, 5, 6].map((number) => [`app-${number}`, `10.0.0.${number}:5000`]),
  ),
  places: {},
};

const folder = (id: string, more: Partial<ReleaseFolder> = {}): ReleaseFolder => ({
  id,
  sha256: SHA,
  good: true,
  bad: false,
  migrated: false,
  bytes: null,
  tree: null,
  unpackedAt: Number(id.replace(/\D/g, '')),
  ...more,
});
const tree = (key: string, bytes: number | null = null) => ({ key, bytes });
const instance = (id: string, more: Partial<Instance> = {}): Instance => ({
  id,
  active: 'active',
  sub: 'running',
  restarts: 0,
  memory: 50_000_000,
  ...more,
});
const bare = (host: string, more: Partial<AppHostState> = {}): AppHostState => ({
  host,
  configured: true,
  current: null,
  serving: null,
  previous: null,
  releases: [],
  modules: [],
  partials: [],
  instances: [],
  enabled: [],
  memoryAvailable: GIB,
  diskAvailable: 10 * GIB,
  refusing: false,
  inFlight: 0,
  ...more,
});
/** A host on which a release holds. */
const on = (host: string, id: string, more: Partial<AppHostState> = {}): AppHostState =>
  bare(host, {
    current: id,
    serving: id,
    releases: [folder(id)],
    instances: [instance(id)],
    enabled: [id],
    ...(id === wanted.release ? { complaint: null } : {}),
    ...more,
  });
const world = (app: AppHostState[], down: string[] = [], more: Partial<Observed> = {}): Observed => ({
  app,
  web: [{ host: 'web-1', down }],
  unreachable: [],
  facts: { app: [], web: [] },
  audit: [],
  locks: [],
  ...more,
});
const ids = (steps: readonly ReleaseStep[]): string[] => steps.map(({ id }) => id);
const find = (steps: readonly ReleaseStep[], id: string): ReleaseStep => {
  const found = steps.find((one) => one.id === id);
  if (!found) throw new Error(`no step ${id} in ${ids(steps).join(' ')}`);
  return found;
};

describe('plan by sockets', () => {
  it('prepares all hosts side by side and switches them one after the other', () => {
    const { roll, finish, previous, done } = plan(wanted, world([on('app-1', 'r1'), on('app-2', 'r1')]));
    expect(ids(roll).sort()).toEqual(
      [
        ...['app-1', 'app-2'].flatMap((host) =>
          ['boot', 'drain', 'gate', 'prove', 'switch', 'upload'].map((kind) => `${host}/${kind}`),
        ),
        'app-1/compile',
        'hold',
      ].sort(),
    );
    expect(find(roll, 'app-2/boot').after).toEqual(['app-2/upload']);
    expect(find(roll, 'app-1/prove').after).toEqual(['app-1/compile', 'app-1/boot']);
    expect(find(roll, 'app-2/prove').after).toEqual(['app-2/boot']);
    expect(find(roll, 'app-1/switch')).toMatchObject({
      after: ['app-1/prove', 'app-2/prove'],
      from: 'r1',
      title: 'switch r1 → r2',
    });
    expect(find(roll, 'app-2/switch').after).toEqual(['app-1/gate']);
    expect(find(roll, 'app-1/drain')).toMatchObject({ after: ['app-1/gate'], releases: ['r1'], port: false });
    expect(find(roll, 'hold').after).toEqual(['app-2/gate']);
    expect(finish).toMatchObject([
      { id: 'app-1/finish', stop: ['r1'], remove: [] },
      { id: 'app-2/finish', stop: ['r1'], remove: [] },
    ]);
    expect({ previous, done }).toEqual({ previous: 'r1', done: [] });
  });

  it('uploads to four hosts at once, so that the first ones start while the others get theirs', () => {
    const names = [1, 2, 3, 4, 5, 6].map((number) => `app-${number}`);
    const kept = on('app-2', 'r1', { releases: [folder('r1'), folder('r2', { good: false })] });
    const { roll } = plan(
      wanted,
      world([on('app-1', 'r1'), kept, ...names.slice(2).map((name) => on(name, 'r1'))]),
    );
    const uploads = roll.filter(({ kind }) => kind === 'upload').map(({ id, after }) => [id, after]);
    expect(uploads).toEqual([
      ...['app-1', 'app-3', 'app-4', 'app-5'].map((name) => [`${name}/upload`, []]),
      ['app-6/upload', ['app-1/upload']],
    ]);
    expect(find(roll, 'app-6/boot').after).toEqual(['app-6/upload']);
  });

  it('deploys to bare hosts', () => {
    const { roll, previous } = plan(wanted, world([bare('app-1')]));
    expect(ids(roll)).toEqual([
      'app-1/upload',
      'app-1/compile',
      'app-1/boot',
      'app-1/prove',
      'app-1/switch',
      'app-1/gate',
      'hold',
    ]);
    expect(find(roll, 'app-1/switch')).toMatchObject({ from: null, title: 'switch r2' });
    expect(previous).toBeNull();
  });

  it('has nothing to do where the release holds', () => {
    const { roll, finish, done, previous } = plan(wanted, world([on('app-1', 'r2'), on('app-2', 'r2')]));
    expect([...roll, ...finish]).toEqual([]);
    expect(done).toEqual(['app-1', 'app-2']);
    expect(previous).toBe('r2');
  });

  it('works on a new host only, when the others have the release', () => {
    const { roll, done } = plan(wanted, world([on('app-1', 'r2'), bare('app-2')]));
    expect(new Set(roll.map(({ host }) => host))).toEqual(new Set(['app-2', undefined]));
    expect(done).toEqual(['app-1']);
  });

  it('does not upload again what is there', () => {
    const { roll } = plan(
      wanted,
      world([on('app-1', 'r1', { releases: [folder('r1'), folder('r2', { good: false })] })]),
    );
    expect(ids(roll)).not.toContain('app-1/upload');
    expect(find(roll, 'app-1/compile').after).toEqual([]);
  });
});

describe('after a deploy that was killed', () => {
  const unheld = folder('r2', { good: false });
  const half = on('app-1', 'r2', {
    previous: 'r1',
    releases: [folder('r1'), unheld],
    instances: [instance('r1'), instance('r2')],
    enabled: ['r1', 'r2'],
  });

  it('a host that was switched can go back, whatever fails first', () => {
    const { roll, previous } = plan(wanted, world([half, on('app-2', 'r1')]));
    expect(ids(roll).slice(0, 2)).toEqual(['app-1/boot', 'app-1/switch']);
    expect(find(roll, 'app-1/switch')).toMatchObject({ from: 'r1', after: ['app-1/boot'] });
    expect(find(roll, 'app-2/upload').after).toEqual(['app-1/switch']);
    expect(find(roll, 'app-1/gate').after).toEqual(['app-1/prove', 'app-2/prove']);
    expect(find(roll, 'app-2/switch').after).toEqual(['app-1/gate']);
    expect(previous).toBe('r1');
  });

  it('another release goes back to the one that held, not to the unproven one', () => {
    const { roll, finish } = plan({ ...wanted, release: 'r3' }, world([half]));
    expect(find(roll, 'app-1/switch')).toMatchObject({ from: 'r1', title: 'switch r2 → r3' });
    expect(finish[0]).toMatchObject({ stop: ['r1', 'r2'] });
  });

  it('finishes where only the cleaning up is left', () => {
    const parked = on('app-1', 'r2', {
      instances: [instance('r1'), instance('r2')],
      partials: ['.r9.partial'],
    });
    const { roll, finish } = plan(wanted, world([parked]));
    expect(roll).toEqual([]);
    expect(finish).toMatchObject([{ stop: ['r1'], remove: ['.r9.partial'] }]);
  });

  it.each(['socket', 'drain'] as const)('puts a host back that was left out, by strategy %s', (strategy) => {
    const down = ['10.0.0.2:5000'];
    const idle = plan({ ...wanted, strategy }, world([on('app-1', 'r2'), on('app-2', 'r2')], down));
    expect(ids(idle.roll)).toEqual(['app-2/leave-out', 'app-2/put-back']);
    const busy = plan({ ...wanted, strategy }, world([on('app-1', 'r1'), on('app-2', 'r1')], down));
    expect(find(busy.roll, 'app-2/put-back')).toMatchObject({ leftOut: true, after: ['app-2/gate'] });
    // Noted first, so that it is put back whatever fails.
    expect(busy.roll[0]).toMatchObject({ id: 'app-2/leave-out', after: [] });
    expect(find(busy.roll, 'app-1/upload').after).toEqual(['app-2/leave-out']);
    expect(ids(busy.roll)).toEqual([...new Set(ids(busy.roll))]);
  });

  it.each(['socket', 'drain'] as const)('puts a drained host back, by strategy %s', (strategy) => {
    const drained = (id: string) => on('app-2', id, { refusing: true });
    const idle = plan({ ...wanted, strategy }, world([on('app-1', 'r2'), drained('r2')]));
    expect(ids(idle.roll)).toEqual(['app-2/take-out', 'app-2/put-back']);
    const busy = plan({ ...wanted, strategy }, world([on('app-1', 'r1'), drained('r1')]));
    const { roll } = busy;
    // It refuses the look from a web host as well.
    expect(find(roll, 'app-2/gate').after).toEqual(['app-2/put-back']);
    expect(find(roll, 'app-2/put-back')).toMatchObject({ leftOut: false });
    // Noted first, so that it is put back whatever fails.
    expect(roll[0]).toMatchObject({ id: 'app-2/take-out', after: [] });
    expect(find(roll, 'app-1/upload').after).toEqual(['app-2/take-out']);
    expect(ids(roll)).toEqual([...new Set(ids(roll))]);
  });

  it.each(['socket', 'drain'] as const)(
    'leaves a host out that is new or was away, until the release is on it, by strategy %s',
    (strategy) => {
      const down = ['10.0.0.2:5000'];
      for (const rest of ['r1', 'r2']) {
        for (const out of [bare('app-2'), on('app-2', 'r0')]) {
          const { roll } = plan({ ...wanted, strategy }, world([on('app-1', rest), out], down));
          // Its undo would put the host into service.
          expect(ids(roll)).not.toContain('app-2/leave-out');
          expect(find(roll, 'app-2/put-back').after).toEqual(['app-2/gate']);
        }
      }
    },
  );

  const chain = (host: string, ...end: string[]) =>
    ['drain', 'restart', 'prove', ...end].map((kind) => `${host}/${kind}`);
  const taken = (host: string) => [`${host}/take-out`, ...chain(host, 'put-back', 'gate')];

  it('by strategy drain, a host that was replaced is looked at before the others are touched', () => {
    const { roll } = plan(
      { ...wanted, strategy: 'drain' },
      world([on('app-1', 'r1'), { ...half, host: 'app-2' }]),
    );
    expect(ids(roll)).toEqual([
      ...['boot', 'switch', 'prove', 'gate'].map((kind) => `app-2/${kind}`),
      ...['app-1/upload', 'app-1/compile', ...taken('app-1'), 'hold'],
    ]);
    expect(find(roll, 'app-1/upload').after).toContain('app-2/gate');
    expect(find(roll, 'app-2/switch')).toMatchObject({ from: 'r1' });
  });

  it('by strategy drain, a host that is still out of service is replaced before another one is taken out', () => {
    const drain = { ...wanted, strategy: 'drain' } as const;
    const down = ['10.0.0.2:5000'];
    const { roll } = plan(drain, world([on('app-1', 'r1'), on('app-2', 'r1')], down));
    expect(ids(roll).slice(5)).toEqual([...chain('app-2', 'gate', 'put-back'), ...taken('app-1'), 'hold']);
    expect(find(roll, 'app-1/take-out').after).toEqual(['app-2/put-back']);
    const resumed = plan(drain, world([half, on('app-2', 'r1')], down));
    expect(ids(resumed.roll)).not.toContain('app-1/take-out');
    const restarted = plan(drain, world([on('app-1', 'r1'), { ...half, host: 'app-2' }], down));
    expect(find(restarted.roll, 'app-1/upload').after).toEqual(['app-2/put-back']);
    const back = plan(
      { ...drain, release: 'r1' },
      world([half, on('app-2', 'r1', { complaint: null })], down),
    );
    expect(find(back.roll, 'app-1/take-out').after).toContain('app-2/put-back');
  });

  it.each(['socket', 'drain'] as const)(
    'every web host hears first of a host that stays out, and it does so whatever fails, by strategy %s',
    (strategy) => {
      const web = [
        { host: 'web-1', down: ['10.0.0.2:5000'] },
        { host: 'web-2', down: [] },
      ];
      for (const rest of ['r1', 'r2']) {
        const state = world([on('app-1', rest), on('app-2', 'r0')], [], { web });
        const { roll } = plan({ ...wanted, strategy }, state);
        expect(find(roll, 'app-2/keep-out')).toMatchObject({ lasting: true, after: [] });
        expect(find(roll, 'app-2/upload').after).toContain('app-2/keep-out');
      }
    },
  );

  describe('a host that serves the release and is ill', () => {
    const sick = (host: string, more: Partial<AppHostState> = {}) =>
      on(host, 'r2', { complaint: '503', previous: 'r1', ...more });
    const heal = (...end: string[]) => ['drain', 'restart', 'prove', ...end].map((kind) => `app-2/${kind}`);

    it.each<['socket' | 'drain', string, AppHostState]>([
      ['socket', 'runs', sick('app-2')],
      ['drain', 'runs', sick('app-2')],
      ['socket', 'lacks the mark that it held', sick('app-2', { releases: [folder('r2', { good: false })] })],
    ])('is started anew and proven, by strategy %s, where it %s', (strategy, _what, host) => {
      const { roll, previous } = plan({ ...wanted, strategy }, world([on('app-1', 'r2'), host]));
      expect(ids(roll)).toEqual(['app-2/take-out', ...heal('put-back', 'gate'), 'hold']);
      expect(find(roll, 'app-2/restart')).toMatchObject({ from: 'r2', previous: 'r1' });
      expect(find(roll, 'app-2/drain')).toMatchObject({ releases: ['r2'], port: true });
      expect(previous).toBe('r2');
    });

    it('comes last by sockets, as it may be the only one that gets requests', () => {
      const { roll } = plan(wanted, world([sick('app-2'), on('app-1', 'r1')], ['10.0.0.1:5000']));
      expect(find(roll, 'app-2/take-out').after).toEqual(['app-1/gate', 'app-1/put-back']);
      const two = plan(wanted, world([on('app-1', 'r2'), sick('app-2'), sick('app-3')]));
      expect(find(two.roll, 'app-3/take-out').after).toEqual(['app-2/gate']);
    });

    it('compiles the release before it is taken out, where no instance of it runs', () => {
      const dead = sick('app-2', { instances: [instance('r2', { active: 'failed' })] });
      for (const strategy of ['socket', 'drain'] as const) {
        const { roll } = plan({ ...wanted, strategy }, world([on('app-1', 'r2'), dead]));
        expect(find(roll, 'app-2/take-out').after).toEqual(['app-2/compile']);
        expect(find(roll, 'app-2/compile')).toMatchObject({ load: false });
      }
    });

    it('that was left out stays out until it is well', () => {
      const { roll } = plan(wanted, world([on('app-1', 'r2'), sick('app-2')], ['10.0.0.2:5000']));
      expect(ids(roll)).toEqual(['app-2/keep-out', ...heal('gate', 'put-back'), 'hold']);
    });

    it('comes before others are taken out by strategy drain', () => {
      const drain = { ...wanted, strategy: 'drain' } as const;
      const { roll } = plan(drain, world([on('app-1', 'r1'), sick('app-2'), on('app-3', 'r2')]));
      expect(find(roll, 'app-1/take-out').after).toEqual(['app-2/gate']);
    });
  });

  it('links that differ are switched again', () => {
    const { roll } = plan(wanted, world([on('app-1', 'r2', { current: 'r1' })]));
    expect(ids(roll)).toContain('app-1/switch');
  });
});

describe('plan by draining', () => {
  it('works on one host at a time, out of service', () => {
    const { roll } = plan({ ...wanted, strategy: 'drain' }, world([on('app-1', 'r1'), on('app-2', 'r1')]));
    const chain = (host: string) =>
      ['take-out', 'drain', 'restart', 'prove', 'put-back', 'gate'].map((kind) => `${host}/${kind}`);
    expect(ids(roll).slice(4)).toEqual([...chain('app-1'), ...chain('app-2'), 'hold']);
    expect(find(roll, 'app-1/take-out').after).toEqual(['app-1/compile', 'app-2/compile']);
    expect(find(roll, 'app-2/take-out').after).toEqual(['app-1/gate']);
    expect(find(roll, 'app-1/drain')).toMatchObject({ releases: ['r1'], port: true });
    expect(find(roll, 'app-1/restart')).toMatchObject({ from: 'r1' });
  });
});

describe('plan refuses, before anything is changed', () => {
  it.each<[string, AppHostState, RegExp]>([
    [
      'a host without configuration',
      bare('app-1', { configured: false }),
      /^app-1 is not set up .* apply its configuration first/,
    ],
    [
      'another artifact under the same id',
      on('app-1', 'r1', { releases: [folder('r1'), folder('r2', { sha256: 'b'.repeat(64) })] }),
      /^app-1 has a release r2 already, made from another artifact/,
    ],
    [
      'a folder of unknown origin',
      bare('app-1', { releases: [folder('r2', { sha256: null })] }),
      /SHA-256 unknown/,
    ],
    [
      'the active release when it is ill everywhere',
      on('app-1', 'r2', { complaint: '503', previous: 'r1' }),
      /^app-1 runs release r2 already, but it is not healthy \(503\); .*The release before it is r1$/,
    ],
    [
      'too little memory for two',
      on('app-1', 'r1', { memoryAvailable: 60_000_000 }),
      /has 57 MiB of memory .* needs 79 MiB: deploy with strategy "drain"/,
    ],
    [
      'too little disk',
      bare('app-1', { diskAvailable: 1_000_000 }),
      /^app-1 has 0 MiB of disk left, release r2 needs 64 MiB/,
    ],
  ])('%s', (_what, host, message) => {
    expect(() => plan(wanted, world([host]))).toThrow(message);
  });

  it('too little memory for two also on a host that a repair brings to the release of the others', () => {
    const away = on('app-2', 'r1', { memoryAvailable: 60_000_000, releases: [folder('r1'), folder('r2')] });
    const repair = { ...wanted, sha256: null };
    expect(() => plan(repair, world([on('app-1', 'r2'), away]))).toThrow(
      /^app-2 has 57 MiB of memory .* needs 79/,
    );
  });

  it.each(['active', 'failed'])(
    'but needs no memory for a second instance where an ill one is replaced, which is %s',
    (active) => {
      const ill = on('app-2', 'r2', {
        ...{ complaint: '503', memoryAvailable: 1_000_000, instances: [instance('r2', { active })] },
      });
      const { roll } = plan(wanted, world([on('app-1', 'r2'), ill]));
      expect(roll.filter(({ kind }) => kind === 'boot')).toEqual([]);
      expect(find(roll, 'app-2/restart')).toMatchObject({ release: 'r2' });
    },
  );

  it('but needs no memory for a second instance by strategy drain, nor for one that runs already', () => {
    const small = { memoryAvailable: 1_000_000 };
    const drain: Wanted = { ...wanted, strategy: 'drain', floor: 0 };
    expect(() => plan(drain, world([on('app-1', 'r1', small)]))).not.toThrow();
    const unheld = on('app-1', 'r2', { ...small, releases: [folder('r2', { good: false })] });
    expect(() => plan(wanted, world([unheld]))).not.toThrow();
  });
});

describe('room on disk', () => {
  const MIB = 1024 ** 2;
  const modules = { key: 'k2', command: ['carton', 'install'] };
  const unpackedBytes = 10 * MIB;
  const needs = (what: Partial<Wanted>, app: AppHostState[], host = 'app-1'): number => {
    const small = app.map((one) => (one.host === host ? { ...one, diskAvailable: 0 } : one));
    try {
      plan({ ...wanted, bytes: 0, unpackedBytes, ...what }, world(small));
      return 0;
    } catch (error) {
      return Number(/needs? (\d+) MiB/.exec(String(error))?.[1]);
    }
  };
  const RESERVE = 64;

  it.each<[string, Partial<Wanted>, AppHostState[], string, number]>([
    ['the release alone', {}, [on('app-1', 'r1')], 'app-1', 10],
    [
      'modules that are built, by the largest that there are: a copy of the release, and them unpacked, built and packed',
      { modules },
      [on('app-1', 'r1'), on('app-2', 'r1', { modules: [tree('k0', 5 * MIB), tree('k1', 20 * MIB)] })],
      'app-1',
      10 + 10 + 3 * 20,
    ],
    [
      'modules that are built for the first time, by the archives that come with the release',
      { modules, vendoredBytes: 2 * MIB },
      [on('app-1', 'r1')],
      'app-1',
      10 + 10 + 3 * 10,
    ],
    [
      'modules that another host builds, packed and unpacked',
      { modules, vendoredBytes: 2 * MIB },
      [on('app-1', 'r1'), on('app-2', 'r1')],
      'app-2',
      10 + 2 * 10,
    ],
    [
      'modules that another host has',
      { modules },
      [on('app-1', 'r1'), on('app-2', 'r1', { modules: [tree('k1', 90 * MIB), tree('k2', 20 * MIB)] })],
      'app-1',
      10 + 2 * 20,
    ],
    [
      'no modules that are there',
      { modules },
      [on('app-1', 'r1', { modules: [tree('k2', 20 * MIB)] })],
      'app-1',
      10,
    ],
    [
      'modules that are built for a release that is there',
      { modules, vendoredBytes: 2 * MIB },
      [on('app-1', 'r1', { releases: [folder('r1'), folder('r2', { good: false })] })],
      'app-1',
      10 + 3 * 10,
    ],
    [
      'what is copied, with its modules, packed and unpacked',
      { sha256: null },
      [
        on('app-1', 'r1'),
        on('app-2', 'r2', {
          releases: [folder('r2', { bytes: 30 * MIB, tree: 'k2' })],
          modules: [tree('k2', 20 * MIB)],
        }),
      ],
      'app-1',
      2 * (30 + 20),
    ],
    [
      'what is copied, without modules that are there',
      { sha256: null },
      [
        on('app-1', 'r1', { modules: [tree('k2', 20 * MIB)] }),
        on('app-2', 'r2', {
          releases: [folder('r2', { bytes: 30 * MIB, tree: 'k2' })],
          modules: [tree('k2', 20 * MIB)],
        }),
      ],
      'app-1',
      2 * 30,
    ],
  ])('counts %s', (_what, asked, app, host, mebibytes) => {
    expect(needs(asked, app, host)).toBe(mebibytes + RESERVE);
  });

  it('is not asked for where nothing arrives', () => {
    expect(needs({ modules }, [on('app-1', 'r2', { modules: [tree('k2')] })])).toBe(0);
  });
});

describe('old releases', () => {
  const removed = (releases: ReleaseFolder[], more: Partial<AppHostState> = {}) =>
    plan({ ...wanted, release: 'r9' }, world([on('app-1', 'r8', { releases, ...more })])).finish[0]?.remove;

  it('go when there are more than are kept, oldest first', () => {
    expect(removed([folder('r8'), folder('r5'), folder('r7'), folder('r6')])).toEqual(['r6', 'r5']);
  });

  it('stay when they serve, served before or run', () => {
    const releases = ['r2', 'r3', 'r4', 'r5', 'r8'].map((id) => folder(id));
    expect(removed(releases, { current: 'r2', instances: [instance('r8'), instance('r3')] })).toEqual([
      'r5',
      'r4',
    ]);
  });

  it('are not pushed out by failed ones', () => {
    const failed = ['r4', 'r5', 'r6', 'r7'].map((id) => folder(id, { bad: true, good: false }));
    expect(removed([folder('r8'), folder('r3'), ...failed])).toEqual(['r4']);
    expect(removed([folder('r8'), folder('r3'), folder('r2', { bad: true })])).toEqual(['r2']);
  });

  it('that failed are not what a host goes back to', () => {
    const lost = bare('app-1', { previous: 'r1', releases: [folder('r1', { bad: true, good: false })] });
    const { roll } = plan(wanted, world([lost]));
    expect(find(roll, 'app-1/switch')).toMatchObject({ from: null });
  });
});

describe('the pace', () => {
  const four = ['app-1', 'app-2', 'app-3', 'app-4'].map((host) => on(host, 'r1'));
  const after = (roll: readonly ReleaseStep[], id: string): readonly string[] | undefined =>
    find(roll, id).after;

  it('switches batch after batch', () => {
    const { roll } = plan({ ...wanted, batch: [{ hosts: 1 }, { percent: 50 }] }, world(four));
    expect(after(roll, 'app-2/switch')).toEqual(['app-1/gate']);
    expect(after(roll, 'app-3/switch')).toEqual(['app-1/gate']);
    expect(after(roll, 'app-4/switch')).toEqual(['app-2/gate', 'app-3/gate']);
  });

  it('lets a canary bake before the next batch', () => {
    const canary = { hosts: 1, bakeMs: 60_000, slowdown: 1.2 };
    const { roll } = plan({ ...wanted, batch: [{ percent: 100 }], canary }, world(four));
    expect(find(roll, 'bake')).toMatchObject({
      hosts: ['app-1'],
      ms: 60_000,
      slowdown: 1.2,
      after: ['app-1/gate'],
    });
    for (const host of ['app-2', 'app-3', 'app-4']) expect(after(roll, `${host}/switch`)).toEqual(['bake']);
  });

  it('compares a canary with those alone that have the release before', () => {
    const canary = { hosts: 1, bakeMs: 60_000, slowdown: 1.2 };
    const [first, ...others] = four;
    const half = [first!, on('app-2', 'r2'), ...others.slice(1)];
    const { roll } = plan({ ...wanted, canary }, world(half));
    expect(find(roll, 'bake')).toMatchObject({ hosts: ['app-1', 'app-2'] });
  });

  it.each<[string, Partial<Wanted>, number]>([
    ['the floor leaves two of four', {}, 2],
    ['one of them is out of service at a time', { strategy: 'drain' }, 1],
    ['a canary of two is', { strategy: 'drain', canary: { hosts: 2, bakeMs: 1, slowdown: 1.2 } }, 0],
    ['there is no floor', { floor: 0 }, 4],
  ])('lets no more hosts fail than the floor allows: %s', (_what, more, spare) => {
    expect(plan({ ...wanted, floor: 0.5, ...more }, world(four)).spare).toBe(spare);
  });

  it('bakes nothing where there is no rest to compare with', () => {
    const canary = { hosts: 4, bakeMs: 60_000, slowdown: 1.2 };
    expect(ids(plan({ ...wanted, canary }, world(four)).roll)).not.toContain('bake');
  });

  it('takes no more hosts out at once than the floor allows', () => {
    const drain: Wanted = { ...wanted, strategy: 'drain', batch: [{ percent: 100 }], floor: 0.7 };
    const { roll } = plan(drain, world(four));
    expect(after(roll, 'app-2/take-out')).toEqual(['app-1/gate']);
    const { roll: halves } = plan({ ...drain, floor: 0.5 }, world(four));
    expect(after(halves, 'app-2/take-out')).toEqual(after(halves, 'app-1/take-out'));
    expect(after(halves, 'app-3/take-out')).toEqual(['app-1/gate', 'app-2/gate']);
    const { roll: none } = plan({ ...drain, floor: 0 }, world([...four, on('app-5', 'r1')]));
    // A web host asks three servers: one has to take the request.
    expect(after(none, 'app-3/take-out')).toEqual(['app-1/gate', 'app-2/gate']);
  });

  it('refuses a drain that leaves less than the floor', () => {
    const one = plan.bind(null, { ...wanted, strategy: 'drain' }, world([on('app-1', 'r1')]));
    expect(one).toThrow(/with 1 of 1 app servers at work that leaves less than the floor of 50 %/);
  });

  it('goes from place to place', () => {
    const places = { 'app-1': 'rack-a', 'app-2': 'rack-a', 'app-3': 'rack-b', 'app-4': 'rack-b' };
    const { roll } = plan({ ...wanted, places }, world(four));
    expect(after(roll, 'app-3/switch')).toEqual(['app-1/gate']);
    expect(after(roll, 'app-2/switch')).toEqual(['app-3/gate']);
  });
});

describe('a migration', () => {
  const migrate = ['bin/migrate', 'up'];
  const two = [on('app-1', 'r1'), on('app-2', 'r1')];

  it.each(['socket', 'drain'] as const)(
    'runs on one host once all are prepared, by strategy %s',
    (strategy) => {
      const { roll } = plan({ ...wanted, strategy, migrate }, world(two));
      expect(find(roll, 'migrate')).toMatchObject({
        host: 'app-1',
        command: migrate,
        after: ['app-1/compile', 'app-2/compile'],
      });
      const first = strategy === 'socket' ? ['app-1/boot', 'app-2/boot'] : ['app-1/take-out'];
      for (const id of first) expect(find(roll, id).after).toEqual(['migrate']);
    },
  );

  it('runs once a release, wherever that was', () => {
    const migrated = on('app-2', 'r1', {
      releases: [folder('r1'), folder('r2', { good: false, migrated: true })],
    });
    const { roll } = plan({ ...wanted, migrate }, world([on('app-1', 'r1'), migrated]));
    expect(ids(roll)).not.toContain('migrate');
    expect(find(roll, 'app-1/boot').after).toEqual(['app-1/upload']);
  });

  it('has nothing to do where the release serves', () => {
    const done = plan({ ...wanted, migrate }, world([on('app-1', 'r2'), on('app-2', 'r2')]));
    expect(done.roll).toEqual([]);
  });
});

describe('hosts out of reach', () => {
  const gone = (host: string, tier: 'app' | 'web' = 'app') => ({
    host,
    tier,
    reason: `${host} cannot be reached.`,
  });
  const two = [on('app-1', 'r1'), on('app-2', 'r1')];

  it('stop a deploy', () => {
    const state = world(two, [], { unreachable: [gone('app-3')] });
    expect(() => plan(wanted, state)).toThrow(
      /^app-3 cannot be reached\. Nothing was changed\. .* until the next deploy or a run with mode "repair" .* "max-failures" is 0/,
    );
  });

  it('are left out where that is allowed', () => {
    const state = world(two, [], { unreachable: [gone('app-3')] });
    const { roll } = plan({ ...wanted, maxFailures: 1 }, state);
    expect(roll[0]).toMatchObject({ id: 'app-3/leave-out', after: [] });
    const idle = plan(
      { ...wanted, maxFailures: 1, release: 'r1' },
      {
        ...state,
        app: two.map((host) => ({ ...host, complaint: null })),
      },
    );
    expect(idle.roll).toEqual([]);
  });

  it('that an earlier deploy left out stay out, whatever becomes of this one', () => {
    const state = world(two, ['10.0.0.3:5000'], { unreachable: [gone('app-3')] });
    expect(ids(plan({ ...wanted, maxFailures: 1 }, state).roll)).not.toContain('app-3/leave-out');
  });

  it('that were left out become so for a web host that was away then, even where nothing else is to do', () => {
    const web = [
      { host: 'web-1', down: ['10.0.0.3:5000'] },
      { host: 'web-2', down: [] },
    ];
    const done = [on('app-1', 'r2'), on('app-2', 'r2')];
    const state = world(done, [], { unreachable: [gone('app-3')], web });
    expect(plan({ ...wanted, maxFailures: 1 }, state).roll).toMatchObject([
      { id: 'app-3/keep-out', kind: 'leave-out', host: 'app-3', lasting: true },
    ]);
  });

  it('are never so many that less than the floor is left', () => {
    const unreachable = [gone('app-2'), gone('app-3')];
    const state = world([on('app-1', 'r1')], [], { unreachable });
    expect(() => plan({ ...wanted, maxFailures: 2 }, state)).toThrow(
      /^1 of 3 app servers can be reached, less than/,
    );
  });

  it.each(['socket', 'drain'] as const)(
    'that are web hosts are in the way of nobody, by strategy %s',
    (strategy) => {
      const state = world(two, [], { unreachable: [gone('web-2', 'web')] });
      expect(() => plan({ ...wanted, strategy, maxFailures: 1 }, state)).not.toThrow();
    },
  );

  it('a host that cannot be told to refuse connections is not drained', () => {
    const state = world([on('app-1', 'r1'), on('app-2', 'r1', { refusing: null })]);
    expect(() => plan({ ...wanted, strategy: 'drain' }, state)).toThrow(
      /^app-2 is not set up .*: apply its configuration first$/,
    );
    expect(() => plan(wanted, state)).not.toThrow();
  });
});

describe('a rollback', () => {
  const kept = [folder('r1'), folder('r2')];
  const back: Wanted = { ...wanted, release: 'r1', sha256: null };

  it('boots what is kept, and uploads nothing', () => {
    const { roll } = plan(back, world([on('app-1', 'r2', { releases: kept })]));
    expect(ids(roll)).toEqual(
      ['compile', 'boot', 'prove', 'switch', 'gate', 'drain'].map((kind) => `app-1/${kind}`).concat('hold'),
    );
  });

  it('has a host that does not keep the release get it from one that does, with its modules', () => {
    const unheld = [folder('r1', { good: false }), folder('r2')];
    const { roll } = plan(
      back,
      world([
        on('app-1', 'r2', { modules: [tree('k1')] }),
        on('app-2', 'r2', { releases: unheld }),
        on('app-3', 'r2', { releases: kept }),
        bare('app-4'),
      ]),
    );
    expect(roll.filter(({ kind }) => kind === 'copy')).toMatchObject([
      { id: 'app-1/copy', title: 'copy r1 from app-3', source: 'app-3', modules: ['k1'] },
      { id: 'app-4/copy', source: 'app-3', modules: [] },
    ]);
    expect(ids(roll)).not.toContain('app-1/upload');
    expect(find(roll, 'app-1/compile').after).toEqual(['app-1/copy']);
    expect(find(roll, 'app-1/boot').after).toEqual(['app-1/copy']);
  });

  it('copies to four hosts at once', () => {
    const names = [2, 3, 4, 5, 6].map((number) => `app-${number}`);
    const { roll } = plan(
      back,
      world([on('app-1', 'r2', { releases: kept }), ...names.map((name) => bare(name))]),
    );
    expect(find(roll, 'app-5/copy').after).toEqual([]);
    expect(find(roll, 'app-6/copy').after).toEqual(['app-2/copy']);
  });

  it('is refused where no host keeps the release', () => {
    const state = world([on('app-1', 'r3', { releases: [folder('r2'), folder('r3')] }), on('app-2', 'r3')]);
    expect(() => plan(back, state)).toThrow(
      /^no app server keeps release r1 any more: they have r3, r2 \(app\.keepReleases\)\. Choose one of those in the input "to"/,
    );
  });
});

describe('modules that are built on a host', () => {
  const modules = { key: 'k1', command: ['carton', 'install'] };
  const two = [on('app-1', 'r1'), on('app-2', 'r1')];

  it('are built on the first and fetched by the others, before anything is compiled', () => {
    const { roll } = plan({ ...wanted, modules }, world(two));
    expect(find(roll, 'app-1/modules')).toMatchObject({ source: null, after: ['app-1/upload'] });
    expect(find(roll, 'app-2/modules')).toMatchObject({
      source: 'app-1',
      after: ['app-2/upload', 'app-1/modules'],
    });
    expect(find(roll, 'app-1/compile').after).toEqual(['app-1/modules']);
    expect(find(roll, 'app-2/boot').after).toEqual(['app-2/modules']);
  });

  it('come from the host that has them', () => {
    const { roll } = plan(
      { ...wanted, modules },
      world([on('app-1', 'r1'), on('app-2', 'r1', { modules: [tree('k1')] })]),
    );
    expect(find(roll, 'app-2/modules')).toMatchObject({ source: null });
    expect(find(roll, 'app-1/modules')).toMatchObject({ source: 'app-2' });
  });

  it('come from a host that is touched in no other way', () => {
    const done = on('app-1', 'r2', { modules: [tree('k1')] });
    const { roll } = plan({ ...wanted, modules }, world([done, bare('app-2')]));
    expect(ids(roll).filter((id) => id.startsWith('app-1'))).toEqual(['app-1/modules']);
    expect(find(roll, 'app-2/modules')).toMatchObject({
      source: 'app-1',
      after: ['app-2/upload', 'app-1/modules'],
    });
  });

  it('are not asked for where nothing is to be prepared', () => {
    const done = plan({ ...wanted, modules }, world([on('app-1', 'r2', { modules: [tree('k1')] })]));
    expect(done.roll).toEqual([]);
  });
});

describe('loading on the first host', () => {
  it.each([
    ['before a server is taken out', { strategy: 'drain' } as const],
    ['before a migration', { migrate: ['m'] }],
  ])('%s', (_what, more) => {
    const { roll } = plan({ ...wanted, ...more }, world([on('app-1', 'r1'), on('app-2', 'r1')]));
    expect([find(roll, 'app-1/compile'), find(roll, 'app-2/compile')]).toMatchObject([
      { load: true },
      { load: false },
    ]);
  });

  it('waits for the first migration of all, which makes the tables that loading may need', () => {
    const hosts = [bare('app-1'), bare('app-2')];
    for (const strategy of ['socket', 'drain'] as const) {
      const { roll } = plan({ ...wanted, strategy, migrate: ['m'] }, world(hosts));
      expect(find(roll, 'app-1/compile')).toMatchObject({ load: false });
    }
  });

  it('is what the boot beside the old instance does anyhow, where one that fails costs nothing', () => {
    const { roll } = plan(wanted, world([on('app-1', 'r1'), on('app-2', 'r1')]));
    expect(roll.filter(({ kind }) => kind === 'compile')).toMatchObject([{ host: 'app-1', load: false }]);
  });
});
