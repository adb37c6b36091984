import { describe, expect, it } from '@jest/globals';
import type { ServiceConfig } from '@perlstack/configs';
import { describe as describePlan } from './describe.js';
import { plan } from './plan.js';
import { bundleOf, convergedTo, freshHost, managedFile, nginxService, worldOf } from './testing.js';
import type { Observed, ObservedContent, ObservedHost } from './world.js';

const bundle = bundleOf({ 'web-1': [nginxService()] });
const good = convergedTo(bundle).hosts['web-1'] as ObservedHost;

/** A host whose memory of how files were left is gone, so that no difference is held to be an edit. */
function seen(changes: Partial<ObservedHost>): Observed {
  return worldOf({ 'web-1': { ...good, remembered: {}, ...changes } });
}

const conf = '/etc/nginx/nginx.conf';
const fileAs = (path: string, changes: Partial<ObservedContent>): Partial<ObservedHost> => ({
  files: { ...good.files, [path]: { ...(good.files[path] as ObservedContent), ...changes } },
});
const confAs = (changes: Partial<ObservedContent>): Partial<ObservedHost> => fileAs(conf, changes);

describe('plan', () => {
  it('is empty when nothing differs', () => {
    expect(plan(bundle, convergedTo(bundle))).toEqual({ steps: [], changes: [], refusals: [] });
  });

  it.each<[string, Partial<ObservedHost>, string, string, string[]]>([
    [
      'a missing package',
      { packages: [] },
      'package nginx',
      'to be installed',
      ['packages', 'validate', 'apply', 'clean'],
    ],
    ['a missing account', { users: {} }, 'user shop', 'new', ['users']],
    [
      'an account without a group',
      { users: { shop: { home: '/srv/shop', shell: '/usr/sbin/nologin', groups: ['shop'] } } },
      'user shop',
      'groups + adm',
      ['users'],
    ],
    [
      'an account with another home',
      { users: { shop: { home: '/', shell: '/usr/sbin/nologin', groups: ['adm'] } } },
      'user shop',
      'home / → /srv/shop',
      ['users'],
    ],
    ['a missing folder', { directories: {} }, 'directory /srv/shop', 'new', ['directories']],
    [
      'a folder of another mode',
      { directories: { '/srv/shop': { owner: 'shop', group: 'shop', mode: 0o755 } } },
      'directory /srv/shop',
      'mode 0755 → 0750',
      ['directories'],
    ],
    [
      'a file where a folder belongs',
      { directories: { '/srv/shop': 'not-a-directory' } },
      'directory /srv/shop',
      'is no folder',
      ['directories'],
    ],
    [
      'another content',
      confAs({ sha256: 'other', content: 'old\n' }),
      conf,
      'content',
      ['validate', 'apply', 'clean'],
    ],
    [
      'another owner',
      confAs({ owner: 'www-data' }),
      conf,
      'owner www-data:root → root:root',
      ['validate', 'apply', 'clean'],
    ],
    [
      'a link in place of a file',
      { files: { ...good.files, [conf]: 'not-a-file' } },
      conf,
      'is no plain file',
      ['validate', 'apply', 'clean'],
    ],
    [
      'an unwanted file',
      { unwanted: ['/etc/nginx/sites-enabled/default'] },
      'remove /etc/nginx/sites-enabled/default',
      'to be removed',
      ['validate', 'apply', 'clean'],
    ],
    [
      'a stopped unit',
      { units: { 'nginx.service': { enabled: true, active: false } } },
      'nginx.service',
      'to be started',
      ['validate', 'apply', 'clean'],
    ],
    [
      'a disabled unit',
      { units: { 'nginx.service': { enabled: false, active: true } } },
      'nginx.service',
      'to be enabled',
      ['validate', 'apply', 'clean'],
    ],
    [
      'a reload that was never made',
      { inForce: { nginx: 'of an older configuration' } },
      'nginx.service',
      'reload due',
      ['validate', 'apply', 'clean'],
    ],
    ['leftovers', { leftovers: true }, 'leftovers earlier run', 'to be cleaned up', ['clean']],
  ])('sees %s', (_, changes, target, change, kinds) => {
    const result = plan(bundle, seen(changes));
    expect(describePlan(result).rows[0]).toMatchObject({ host: 'web-1', target, change });
    expect(result.steps.map(({ kind }) => kind)).toEqual(kinds);
  });

  it('reloads for a change of files and for a reload that is due, not for a start', () => {
    const apply = (changes: Partial<ObservedHost>) =>
      plan(bundle, seen(changes)).steps.find(({ kind }) => kind === 'apply');
    expect(apply(confAs({ mode: 0o600 }))).toMatchObject({ files: [conf], action: 'reload' });
    expect(apply({ inForce: {} })).toMatchObject({ files: [], action: 'reload' });
    expect(apply({ units: {} })).toMatchObject({ files: [], action: 'none' });
  });

  it('removes what a package is going to bring', () => {
    const { steps } = plan(bundle, worldOf({ 'web-1': freshHost() }));
    expect(steps.find(({ kind }) => kind === 'apply')).toMatchObject({
      removes: ['/etc/nginx/sites-enabled/default'],
    });
  });

  it('does one thing after the other on a fresh host', () => {
    const { steps } = plan(bundle, worldOf({ 'web-1': freshHost() }));
    expect(steps.map(({ id, after = [] }) => [id, after])).toEqual([
      ['web-1/packages', []],
      ['web-1/users', ['web-1/packages']],
      ['web-1/directories', ['web-1/users']],
      ['web-1/validate', ['web-1/directories']],
      ['web-1/nginx/apply', ['web-1/validate']],
      ['web-1/clean', ['web-1/nginx/apply']],
    ]);
  });

  it('validates on every host before it changes one, and keeps the order of services', () => {
    const other = nginxService({
      name: 'haproxy',
      files: [managedFile('/etc/haproxy/haproxy.cfg', '')],
      removes: [],
    });
    const two = bundleOf({ 'web-1': [nginxService(), other], 'web-2': [nginxService()] });
    const fresh = plan(two, worldOf({ 'web-1': freshHost(), 'web-2': freshHost() }));
    const after = Object.fromEntries(fresh.steps.map((step) => [step.id, step.after ?? []]));
    expect(after['web-2/nginx/apply']).toEqual(['web-1/validate', 'web-2/validate']);
    expect(after['web-1/haproxy/apply']).toEqual(['web-1/validate', 'web-2/validate', 'web-1/nginx/apply']);
    expect(after['web-2/clean']).toEqual(['web-1/nginx/apply', 'web-1/haproxy/apply', 'web-2/nginx/apply']);
  });

  it('leaves a service without a difference out', () => {
    const other = nginxService({
      name: 'haproxy',
      files: [managedFile('/etc/haproxy/haproxy.cfg', '')],
      removes: [],
    });
    const two = bundleOf({ 'web-1': [nginxService(), other] });
    const world = convergedTo(two).hosts['web-1'] as ObservedHost;
    const { steps } = plan(
      two,
      worldOf({ 'web-1': { ...world, remembered: {}, unwanted: ['/etc/nginx/sites-enabled/default'] } }),
    );
    expect(steps.map(({ id }) => id)).toEqual(['web-1/validate', 'web-1/nginx/apply', 'web-1/clean']);
    expect(steps[0]).toMatchObject({ services: [{ service: 'nginx' }] });
  });

  it('asks nothing of a service without a unit but that its files are known', () => {
    const files = nginxService({ unit: null });
    const only = bundleOf({ 'web-1': [files] });
    const world = convergedTo(only).hosts['web-1'] as ObservedHost;
    expect(plan(only, worldOf({ 'web-1': world })).steps).toEqual([]);
    expect(plan(only, worldOf({ 'web-1': { ...world, inForce: {} } })).changes[0]?.what).toBe(
      'not known to be in force',
    );
  });

  it('holds no content and no secret in its steps, and no secret anywhere', () => {
    for (const world of [freshHost(), { ...good, ...fileAs('/etc/shop/env', { sha256: 'old' }) }]) {
      const result = plan(bundle, worldOf({ 'web-1': world }));
      expect(JSON.stringify(result)).not.toContain('hunter2');
      expect(JSON.stringify(result.steps)).not.toContain('www-data');
      expect(result.changes.find(({ target }) => target === '/etc/shop/env')?.diff).toBe(
        '(secret changed)\n',
      );
    }
  });

  it('shows a diff of a file that is not secret', () => {
    const { diffs } = describePlan(
      plan(bundle, seen(confAs({ sha256: 'other', content: 'user nobody;\n' }))),
    );
    expect(diffs).toEqual([
      { host: 'web-1', path: conf, diff: expect.stringContaining('-user nobody;\n+user www-data;\n') },
    ]);
  });

  it.each<[string, Partial<ServiceConfig>]>([
    ['a relative path', { files: [managedFile('etc/x', '')] }],
    ['a path that climbs', { files: [managedFile('/etc/../x', '')] }],
    ['a path with a newline', { removes: ['/etc/a\nb'] }],
    ['the root', { directories: [{ path: '/', owner: 'root', group: 'root', mode: 0o755 }] }],
    ['a file twice', { files: [managedFile('/etc/x', ''), managedFile('/etc/x', '')] }],
    ['a file that is to be there and not', { files: [managedFile('/etc/x', '')], removes: ['/etc/x'] }],
    ['a service that would be a path', { name: '../x' }],
  ])('refuses a bundle with %s', (_, overrides) => {
    const odd = bundleOf({ 'web-1': [nginxService(overrides)] });
    expect(() => plan(odd, convergedTo(odd))).toThrow('The bundle of web-1 names');
  });

  it('refuses a host that was not observed', () => {
    expect(() => plan(bundle, worldOf({}))).toThrow('web-1 was not observed');
  });
});

describe('describe', () => {
  it.each<[string, Observed, string]>([
    ['nothing', convergedTo(bundle), 'Every host is as it should be; nothing to do.'],
    ['one change', seen({ leftovers: true }), '1 change on 1 host'],
    ['more', seen({ leftovers: true, directories: {} }), '2 changes on 1 host'],
  ])('sums up %s', (_, world, summary) => {
    expect(describePlan(plan(bundle, world)).summary).toBe(summary);
  });
});
