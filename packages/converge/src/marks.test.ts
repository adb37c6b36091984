import { describe, expect, it } from '@jest/globals';
import type { ConfigBundle, ManagedFile } from '@perlstack/configs';
import { type Consent, NO_CONSENT } from '@perlstack/engine';
import { stageRecords } from './handlers.js';
import { plan } from './plan.js';
import { decodeContent, sha256 } from './records.js';
import type { ConvergePlan, ValidateStep } from './step.js';
import { bundleOf, convergedTo, managedFile, nginxService, worldOf } from './testing.js';
import type { Observed, ObservedHost } from './world.js';

const SITE = '/etc/nginx/conf.d/shop.conf';
const RESTORE: Consent = { ...NO_CONSENT, drift: 'restore' };

/** No difference is held to be an edit. */
const FORGOTTEN: Partial<ObservedHost> = { remembered: {} };

/** `app-1`, `app-2 down`: a line each. */
const text = (lines: readonly string[], rest = 'least_conn;'): string =>
  `upstream shop_app {\n    ${rest}\n${lines.map((line) => `    server ${line.replace(/^app-/, '10.10.1.')};\n`).join('')}}\n`;

function site(hosts: readonly string[], rest?: string): ManagedFile {
  const servers = hosts.map((host) => ({ server: host.replace(/^app-/, '10.10.1.'), host }));
  return managedFile(SITE, text(hosts, rest), { keeps: { kind: 'nginx-upstream-down', servers } });
}

/** Web hosts that spread requests over these app hosts. */
const bundle = (hosts: readonly string[], rest?: string, webs: readonly string[] = ['web-1']): ConfigBundle =>
  bundleOf(Object.fromEntries(webs.map((web) => [web, [nginxService({ files: [site(hosts, rest)] })]])));

/** Hosts as a converge to this bundle left them, and then what a deploy or somebody made of the file of some. */
function world(
  left: ConfigBundle,
  live: Readonly<Record<string, string | null>>,
  memory: Partial<ObservedHost> = {},
): Observed {
  const hosts = Object.entries(convergedTo(left).hosts).map(([name, host]): [string, ObservedHost] => {
    const there = live[name];
    if (there === undefined) return [name, host];
    const { [SITE]: file, ...files } = host.files;
    const content = there ?? '';
    const written = { ...(file as object), sha256: sha256(content), content } as never;
    return [name, { ...host, ...memory, files: there === null ? files : { ...files, [SITE]: written } }];
  });
  return worldOf(Object.fromEntries(hosts));
}

/** What a host is told to write. */
function written({ steps }: ConvergePlan, wanted: ConfigBundle, web = 'web-1'): string | undefined {
  const step = steps.find(({ kind, host }) => kind === 'validate' && host === web) as
    ValidateStep | undefined;
  const host = wanted.hosts.find((one) => one.host === web);
  if (!step || !host) return undefined;
  const [, , , , , content] = stageRecords(host, step).find(([kind]) => kind === 'file') ?? [];
  return decodeContent(content ?? '-');
}

const whats = ({ changes }: ConvergePlan): string[] => changes.map(({ what }) => what);

describe('marks that others made in a live file', () => {
  const two = bundle(['app-1', 'app-2']);

  it('are neither drift nor a change', () => {
    const seen = world(two, { 'web-1': text(['app-1', 'app-2 down']) });
    for (const consent of [NO_CONSENT, RESTORE])
      expect(plan(two, seen, consent)).toEqual({ steps: [], changes: [], refusals: [] });
  });

  it('stay when the file changes for another reason', () => {
    const wanted = bundle(['app-1', 'app-2'], 'random;');
    const planned = plan(wanted, world(two, { 'web-1': text(['app-1', 'app-2 down']) }));
    expect(planned.refusals).toEqual([]);
    expect(whats(planned)).toEqual(['content; app-2 stays out until a deploy puts it back', 'reload']);
    expect(written(planned, wanted)).toBe(text(['app-1', 'app-2 down'], 'random;'));
    expect(planned.changes[0]?.diff).not.toMatch(/^[-+].*server/m);
  });

  it('are taken away by nobody but those who made them, and then are no drift either', () => {
    const three = bundle(['app-1', 'app-2', 'app-3']);
    const put = plan(three, world(two, { 'web-1': text(['app-1', 'app-2']) }));
    expect(written(put, three)).toBe(text(['app-1', 'app-2', 'app-3 down']));
    expect(plan(three, world(three, { 'web-1': text(['app-1', 'app-2', 'app-3']) }))).toMatchObject({
      steps: [],
      changes: [],
    });
    expect(plan(three, world(three, { 'web-1': text(['app-1', 'app-2', 'app-3 down']) }))).toMatchObject({
      steps: [],
      changes: [],
    });
  });

  it('stay when what somebody else did to the file is put back, and are not shown as drift', () => {
    const seen = world(two, { 'web-1': text(['app-1', 'app-2 down'], 'random;') });
    const kept = plan(two, seen);
    expect(whats(kept)).toEqual(['drift, left as it is: content']);
    expect(kept.changes[0]?.diff).not.toMatch(/^[-+].*server/m);
    expect(written(plan(two, seen, RESTORE), two)).toBe(text(['app-1', 'app-2 down']));
  });

  it('go with their server', () => {
    const one = bundle(['app-1']);
    const planned = plan(one, world(two, { 'web-1': text(['app-1', 'app-2 down']) }));
    expect(whats(planned)).toEqual(['content', 'reload']);
    expect(written(planned, one)).toBe(text(['app-1']));
  });
});

describe('a server that is new', () => {
  const WEBS = ['web-1', 'web-2'];

  it.each<[string, readonly string[], string]>([
    ['one', ['app-1', 'app-2'], 'app-2 gets no requests until a release is on it'],
    ['several', ['app-1', 'app-2', 'app-3'], 'app-2, app-3 get no requests until a release is on them'],
  ])('gets no requests where others do: %s', (_, hosts, said) => {
    const wanted = bundle(hosts);
    const planned = plan(wanted, world(bundle(['app-1']), { 'web-1': text(['app-1']) }));
    expect(whats(planned)).toEqual([`content; ${said}`, 'reload']);
    expect(planned.changes[0]?.diff).toContain('+    server 10.10.1.2 down;\n');
    expect(written(planned, wanted)).toBe(
      text(hosts.map((host) => (host === 'app-1' ? host : `${host} down`))),
    );
  });

  it('is as all others on a stack that is new', () => {
    const wanted = bundle(['app-1', 'app-2'], undefined, WEBS);
    const fresh = plan(wanted, world(wanted, { 'web-1': null, 'web-2': null }, FORGOTTEN));
    expect(whats(fresh).filter((what) => what.startsWith('new'))).toEqual(['new', 'new']);
    expect(written(fresh, wanted)).toBe(text(['app-1', 'app-2']));
    const half = plan(wanted, world(wanted, { 'web-1': null }, FORGOTTEN));
    expect(written(half, wanted)).toBe(text(['app-1', 'app-2']));
  });

  it('is what it is for the others where the whole web host is new', () => {
    const before = bundle(['app-1', 'app-2'], undefined, WEBS);
    const wanted = bundle(['app-1', 'app-2', 'app-3'], undefined, WEBS);
    const seen = world(before, { 'web-1': text(['app-1 down', 'app-2']), 'web-2': null }, FORGOTTEN);
    const planned = plan(wanted, seen);
    for (const web of WEBS)
      expect(written(planned, wanted, web)).toBe(text(['app-1 down', 'app-2', 'app-3 down']));
  });

  it('gets requests of a web host that missed its coming, as it does of the others', () => {
    const wanted = bundle(['app-1', 'app-2'], undefined, WEBS);
    const planned = plan(wanted, world(wanted, { 'web-2': text(['app-1']) }, FORGOTTEN));
    expect(written(planned, wanted, 'web-2')).toBe(text(['app-1', 'app-2']));
  });
});
