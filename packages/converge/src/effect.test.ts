import { describe, expect, it } from '@jest/globals';
import type { ManagedFile, ServiceConfig } from '@perlstack/configs';
import { type Consent, NO_CONSENT } from '@perlstack/engine';
import { plan } from './plan.js';
import { bundleOf, convergedTo, managedFile, nginxService, worldOf } from './testing.js';
import type { ObservedHost } from './world.js';

const HBA = '/etc/postgresql/pg_hba.conf';
const SIZES = '/etc/postgresql/restart.conf';
const NOTES = '/etc/postgresql/notes';

interface Contents {
  readonly hba?: string;
  readonly sizes?: string;
  readonly notes?: string;
}

const files = ({ hba = 'a', sizes = 'shared_buffers = 1GB', notes = 'a' }: Contents): ManagedFile[] => [
  managedFile(HBA, `${hba}\n`),
  managedFile(SIZES, `# sizes\n${sizes}\nport = 5432\n`, { effect: 'restart' }),
  managedFile(NOTES, `${notes}\n`, { effect: 'none' }),
];

const service = (contents: Contents, overrides: Partial<ServiceConfig> = {}): ServiceConfig =>
  nginxService({
    ...{ name: 'postgresql', files: files(contents), removes: [] },
    unit: {
      ...{ name: 'postgresql@17-main.service', enabled: true, state: 'running', onChange: 'reload' },
      restartAsks: true,
    },
    ...overrides,
  });

const bundle = (contents: Contents) => bundleOf({ 'database-1': [service(contents)] });
const good = convergedTo(bundle({})).hosts['database-1'] as ObservedHost;

function planned(
  contents: Contents,
  {
    world = {},
    consent = { ...NO_CONSENT, restart: true },
  }: { world?: Partial<ObservedHost>; consent?: Consent } = {},
) {
  const withContents = Object.fromEntries(
    files({}).map(({ path, content }) => [path, { ...(good.files[path] as object), content }]),
  ) as ObservedHost['files'];
  return plan(
    bundle(contents),
    worldOf({ 'database-1': { ...good, files: withContents, ...world } }),
    consent,
  );
}

const actionOf = (result: ReturnType<typeof planned>) => {
  const apply = result.steps.find(({ kind }) => kind === 'apply') as { action?: string } | undefined;
  return [apply?.action, result.changes.filter(({ kind }) => kind === 'unit').map(({ what }) => what)];
};

describe('what a change takes', () => {
  it.each<[string, Contents, string, string[]]>([
    ['a file without an effect of its own', { hba: 'b' }, 'reload', ['reload']],
    ['a file that takes a restart', { sizes: 'shared_buffers = 2GB' }, 'restart', ['restart']],
    ['a file that takes nothing', { notes: 'b' }, 'none', []],
    ['several: the most of them', { hba: 'b', notes: 'b', sizes: 'b' }, 'restart', ['restart']],
  ])('%s', (_, contents, action, whats) => {
    expect(actionOf(planned(contents))).toEqual([action, whats]);
  });

  it('starts a unit that does not run, without asking', () => {
    const world = { units: {} };
    const result = planned({ sizes: 'b' }, { world, consent: NO_CONSENT });
    expect(result.refusals).toEqual([]);
    expect(result.changes.map(({ what }) => what)).toContain('to be started');
  });

  it('is what a run that broke off still owes, file by file', () => {
    const left = (path: string, content: string): Partial<ObservedHost> => ({
      inForce: {},
      remembered: {
        ...good.remembered,
        [path]: { ...(good.remembered[path] as object), sha256: content } as never,
      },
    });
    expect(actionOf(planned({}, { world: left(HBA, 'old') }))).toEqual(['reload', ['reload due']]);
    expect(actionOf(planned({}, { world: left(SIZES, 'old') }))).toEqual(['restart', ['restart due']]);
    expect(actionOf(planned({}, { world: { inForce: {}, underWay: [SIZES] } }))).toEqual([
      ...['restart', ['restart due']],
    ]);
  });

  it('is the whole when nothing is remembered, and only the change when the rest was in force', () => {
    expect(actionOf(planned({}, { world: { inForce: {}, remembered: {} } }))).toEqual([
      ...['restart', ['restart due']],
    ]);
    const older = { inForce: { postgresql: 'of an older version' }, remembered: {} };
    expect(actionOf(planned({ hba: 'b' }, { world: older }))).toEqual(['reload', ['reload']]);
  });

  it('waits for consent when it is a restart of what asks', () => {
    const refused = planned({ sizes: 'shared_buffers = 2GB', hba: 'b' }, { consent: NO_CONSENT });
    expect(refused.steps).toEqual([]);
    expect(refused.refusals).toEqual([
      `database-1: postgresql: ${SIZES} (shared_buffers = 2GB) takes a restart; run again with allow-restart: true`,
    ]);
    expect(planned({ hba: 'b' }, { consent: NO_CONSENT }).refusals).toEqual([]);
  });
});
