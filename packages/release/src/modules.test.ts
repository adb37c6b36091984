import { describe, expect, it } from '@jest/globals';
import { parseStack } from '@perlstack/stack';
import type { BuildFacts } from './artifact.js';
import { modulesOf, requireArchname } from './modules.js';
import type { AppFacts } from './preflight/facts.js';

const stackWith = (build: object) =>
  parseStack(JSON.stringify({ stack: 'shop', region: 'us-ord', app: { build } }), 'perlstack.yml').stack;
const facts: BuildFacts = {
  cpanfile: 'c',
  snapshot: 's',
  vendored: false,
  hasLocal: false,
  archname: null,
  cpm: null,
};
const host = (name: string, perl = '5.40.1 x86_64-linux-gnu-thread-multi'): AppFacts => ({
  host: name,
  unit: { killMode: '', killSignal: '', timeoutStop: '', workingDirectory: '', command: [] },
  nginx: null,
  perl,
  starman: '',
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

  it('has a key for each state of the dependencies, the tool and perl', () => {
    const keys = [
      modulesOf(carton, facts, hosts),
      modulesOf(carton, { ...facts, cpanfile: 'd' }, hosts),
      modulesOf(carton, { ...facts, snapshot: 't' }, hosts),
      modulesOf(stackWith({ with: 'cpm' }), facts, hosts),
      modulesOf(carton, facts, [host('app-1', '5.36.0 x')]),
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
      /different perls \(app-1 5\.40\.1 .*, app-2 5\.36\.0 x86_64\)/,
    ],
  ])('is refused %s', (_what, more, facing, message) => {
    expect(() => modulesOf(carton, { ...facts, ...more }, facing)).toThrow(message);
  });
});

describe('modules that an artifact brings', () => {
  const brings = (archname: string | null): BuildFacts => ({ ...facts, hasLocal: true, archname });

  it('fit where perl is of their kind, and where nothing tells', () => {
    expect(() => requireArchname(brings('x86_64-linux-gnu-thread-multi'), hosts)).not.toThrow();
    expect(() => requireArchname(brings(null), hosts)).not.toThrow();
    expect(() => requireArchname(brings('aarch64-linux'), [host('app-1', '')])).not.toThrow();
  });

  it('are refused where it is another one', () => {
    expect(() => requireArchname(brings('aarch64-linux-gnu-thread-multi'), hosts)).toThrow(
      /compiled for aarch64-linux-gnu-thread-multi, and app-1 has perl 5\.40\.1 x86_64-linux-gnu-thread-multi/,
    );
  });
});
