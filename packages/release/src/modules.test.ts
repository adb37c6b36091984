import { describe, expect, it } from '@jest/globals';
import { parseStack } from '@perlstack/stack';
import type { BuildFacts } from './artifact.js';
import { checkBuild, modulesOf, requirePerl } from './modules.js';
import type { AppFacts } from './preflight/facts.js';
import type { ReleaseStep } from './steps.js';
import type { AppHostState } from './world.js';

const stackWith = (build: object) =>
  parseStack(JSON.stringify({ stack: 'shop', region: 'us-ord', app: { build } }), 'perlstack.yml').stack;
const facts: BuildFacts = {
  cpanfile: 'c',
  snapshot: 's',
  vendored: false,
  vendoredBytes: 0,
  hasLocal: false,
  archname: null,
  perl: null,
  cpm: null,
};
const host = (
  name: string,
  perl = '5.40.1 x86_64-linux-gnu-thread-multi',
  more: Partial<AppFacts> = {},
): AppFacts => ({
  host: name,
  unit: { killMode: '', killSignal: '', timeoutStop: '', workingDirectory: '', command: [], perl5lib: '' },
  nginx: null,
  perl,
  ...{ os: 'debian 12', tools: ['carton'], starman: '' },
  ...more,
});
const hosts = [host('app-1'), host('app-2')];
const carton = stackWith({ with: 'carton' });

describe('modulesOf', () => {
  it.each([[{ with: 'none' }], [{ with: 'carton', on: 'runner' }]])('builds nothing with %j', (build) => {
    expect(modulesOf(stackWith(build), facts, hosts)).toBeNull();
  });

  it.each<[object, Partial<BuildFacts>, string[]]>([
    [{ with: 'carton' }, {}, ['carton', 'install', '--deployment']],
    [{ with: 'carton' }, { vendored: true }, ['carton', 'install', '--deployment', '--cached']],
    [{ with: 'carton' }, { snapshot: null }, ['carton', 'install']],
    [{ with: 'cpm' }, {}, ['cpm', 'install', '--local-lib-contained=local', '--resolver=snapshot']],
    [
      { with: 'cpm' },
      { cpm: './bin/cpm', snapshot: null },
      ['./bin/cpm', 'install', '--local-lib-contained=local'],
    ],
  ])('%j of %j runs %j', (build, more, command) => {
    expect(modulesOf(stackWith(build), { ...facts, ...more }, hosts)?.command).toEqual(command);
  });

  it('has a key for each state of the dependencies, the tool, perl and the system', () => {
    const keys = [
      modulesOf(carton, facts, hosts),
      modulesOf(carton, { ...facts, cpanfile: 'd' }, hosts),
      modulesOf(carton, { ...facts, snapshot: 't' }, hosts),
      modulesOf(stackWith({ with: 'cpm' }), facts, hosts),
      modulesOf(carton, facts, [host('app-1', '5.36.0 x')]),
      modulesOf(carton, facts, [host('app-1', undefined, { os: 'debian 13' })]),
    ].map((modules) => modules?.key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(modulesOf(carton, { ...facts, vendored: true }, hosts)?.key).toBe(keys[0]);
  });

  it.each<[string, Partial<BuildFacts>, AppFacts[], RegExp]>([
    [
      'without a cpanfile',
      { cpanfile: null },
      hosts,
      /^app\.build: the artifact holds no cpanfile at its top/,
    ],
    ['with modules in the way', { hasLocal: true }, hosts, /^app\.build: the artifact holds "local"/],
    [
      'on hosts with different perls',
      {},
      [host('app-1'), host('app-2', '5.36.0 x86_64')],
      /different kinds \(app-1 perl 5\.40\.1 .* on debian 12, app-2 perl 5\.36\.0 x86_64 on debian 12\)/,
    ],
  ])('is refused %s', (_what, more, facing, message) => {
    expect(() => modulesOf(carton, { ...facts, ...more }, facing)).toThrow(message);
  });
});

describe('checkBuild', () => {
  const key = 'k';
  const step = (more: object = {}): ReleaseStep => ({
    ...{ id: 'app-1/modules', kind: 'modules', title: 'modules', host: 'app-1', release: 'r2' },
    ...{ key, command: ['carton', 'install'], source: null },
    ...more,
  });
  const state = (keys: string[]): AppHostState[] => {
    const modules = keys.map((one) => ({ key: one, bytes: null }));
    return [{ host: 'app-1', modules } as unknown as AppHostState];
  };

  it('warns of a build that another day gives other modules', () => {
    expect(checkBuild([step()], state([]), hosts, facts)).toEqual([]);
    expect(checkBuild([step()], state([]), hosts, { ...facts, snapshot: null })).toEqual([
      expect.stringContaining('no cpanfile.snapshot'),
    ]);
  });

  it('refuses a host that is to build and has no program for it', () => {
    const bare = [host('app-1', undefined, { tools: [] })];
    const check = (...given: [ReleaseStep, string[]]) => checkBuild([given[0]], state(given[1]), bare, facts);
    expect(() => check(step(), [])).toThrow(/^app-1 has no carton, which is to build the modules there/);
    expect(check(step(), [key])).toEqual([]);
    expect(check(step({ source: 'app-2' }), [])).toEqual([]);
    expect(check(step({ command: ['./bin/cpm'] }), [])).toEqual([]);
  });
});

describe('modules that an artifact brings', () => {
  const brings = (archname: string | null, perl: string | null = null): BuildFacts => ({
    ...{ ...facts, hasLocal: true, archname, perl },
  });

  it('fit where perl is of their kind, and where nothing tells', () => {
    expect(() => requirePerl(brings('x86_64-linux-gnu-thread-multi'), hosts)).not.toThrow();
    expect(() => requirePerl(brings(null), hosts)).not.toThrow();
    expect(() => requirePerl(brings(null, '5.40'), hosts)).not.toThrow();
    expect(() => requirePerl(brings('aarch64-linux'), [host('app-1', '')])).not.toThrow();
  });

  it('are refused where it is another one', () => {
    expect(() => requirePerl(brings('aarch64-linux-gnu-thread-multi'), hosts)).toThrow(
      /compiled for aarch64-linux-gnu-thread-multi, and app-1 has perl 5\.40\.1 x86_64-linux-gnu-thread-multi/,
    );
    expect(() => requirePerl(brings('x86_64-linux-gnu-thread-multi', '5.36'), hosts)).toThrow(
      /compiled for perl 5\.36, x86_64-linux-gnu-thread-multi, and app-1 has perl 5\.40\.1/,
    );
    expect(() => requirePerl(brings(null, '5.4'), hosts)).toThrow(/compiled for perl 5\.4, and/);
  });
});
