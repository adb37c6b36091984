import { describe, expect, it } from '@jest/globals';
import { type Consent, NO_CONSENT } from '@perlstack/engine';
import { describe as describePlan } from './describe.js';
import { assertAllowed, plan } from './plan.js';
import { sha256 } from './records.js';
import { bundleOf, convergedTo, managedFile, nginxService, worldOf } from './testing.js';
import type { ObservedContent, ObservedHost } from './world.js';

const CONF = '/etc/nginx/nginx.conf';
const ENV = '/etc/shop/env';
const PRESET = '/etc/nginx-common.conf';
const RESTORE: Consent = { ...NO_CONSENT, drift: 'restore' };

const preset = managedFile(PRESET, 'start = false\n');
const bundle = bundleOf({ 'web-1': [nginxService({ presets: [preset] })] });
const good = convergedTo(bundle).hosts['web-1'] as ObservedHost;
const edited = (path: string, content: string, changes: Partial<ObservedContent> = {}) => ({
  files: {
    ...good.files,
    [path]: { ...(good.files[path] as ObservedContent), sha256: sha256(content), content, ...changes },
  },
});
const without = (path: string) => ({
  files: Object.fromEntries(Object.entries(good.files).filter(([name]) => name !== path)),
});

/** The same service with another text in its configuration. */
const changed = bundleOf({
  'web-1': [
    nginxService({
      presets: [preset],
      files: [managedFile(CONF, 'user nobody;\n'), ...nginxService().files.slice(1)],
    }),
  ],
});

const planned = (
  changes: Partial<ObservedHost>,
  { consent = NO_CONSENT, desired = bundle }: { consent?: Consent; desired?: typeof bundle } = {},
) => plan(desired, worldOf({ 'web-1': { ...good, ...changes } }), consent);

describe('drift', () => {
  it.each<[string, Partial<ObservedHost>, string, string]>([
    ['an edit', edited(CONF, 'user root;\n'), CONF, 'content'],
    ['an edited secret', edited(ENV, 'TOKEN=stolen\n'), ENV, 'content'],
    [
      'another mode',
      { files: { ...good.files, ...edited(ENV, 'TOKEN=hunter2\n', { mode: 0o666 }).files } },
      ENV,
      'mode 0600 → 0666',
    ],
    ['a deleted file', without(CONF), CONF, 'removed'],
    ['a link', { files: { ...good.files, [CONF]: 'not-a-file' } }, CONF, 'is no plain file'],
    ['an edited preset', edited(PRESET, 'start = true\n'), PRESET, 'content'],
    [
      'a file that must not be',
      { unwanted: ['/etc/nginx/sites-enabled/default'] },
      '/etc/nginx/sites-enabled/default',
      'new',
    ],
  ])('%s is shown and left, or put back', (_, world, path, what) => {
    const kept = planned(world);
    expect(kept).toMatchObject({ steps: [], refusals: [] });
    expect(describePlan(kept)).toMatchObject({
      rows: [{ target: path, change: `drift, left as it is: ${what}` }],
      summary: 'Nothing to do; drift in 1 file',
    });
    const restored = planned(world, { consent: RESTORE });
    expect(restored.changes[0]).toMatchObject({ target: path, what: `drift, to be put back: ${what}` });
    expect(restored.steps.map(({ kind }) => kind)).toEqual([
      ...(path === PRESET ? ['presets'] : []),
      ...['validate', 'apply', 'clean'],
    ]);
    expect(JSON.stringify([kept, restored])).not.toMatch(/hunter2|stolen/);
  });

  it('is shown from what is wanted to what is there; when it is put back, the other way round', () => {
    const world = edited(CONF, 'user root;\n');
    expect(planned(world).changes[0]?.diff).toContain('-user www-data;\n+user root;\n');
    expect(planned(world, { consent: RESTORE }).changes[0]?.diff).toContain('-user root;\n+user www-data;\n');
  });

  it('in a file that is to change is refused, and nothing is done', () => {
    const refused = planned(edited(CONF, 'user root;\n'), { desired: changed });
    expect(refused.steps).toEqual([]);
    expect(refused.changes.map(({ kind, what }) => [kind, what])).toEqual([
      ['drift', 'drift, in the way of a change: content'],
      ['unit', 'reload'],
    ]);
    expect(() => assertAllowed(refused)).toThrow(
      `web-1: nginx: ${CONF} is to change, but it is not as it was last brought into force (content); ` +
        'undo that edit, or run again with drift: restore to overwrite it\nNothing was changed.',
    );
  });

  it('in a file that is to change is overwritten when asked', () => {
    const allowed = planned(edited(CONF, 'user root;\n'), { desired: changed, consent: RESTORE });
    expect(() => assertAllowed(allowed)).not.toThrow();
    expect(allowed.changes[0]).toMatchObject({ what: 'content, over drift: content' });
    expect(allowed.changes[0]?.diff).toContain('-user root;\n+user nobody;\n');
  });

  it('in one file does not keep another from changing', () => {
    const { steps, refusals } = planned(edited(ENV, 'TOKEN=stolen\n'), {
      desired: changed,
    });
    expect(refusals).toEqual([]);
    expect(steps.find(({ kind }) => kind === 'apply')).toMatchObject({ files: [CONF], action: 'reload' });
  });

  it.each<[string, Partial<ObservedHost>]>([
    ['nothing was remembered', { remembered: {} }],
    ['a run of ours was about to change the file', { underWay: [CONF] }],
    ['the package is gone', { packages: [] }],
  ])('is nobody else to blame when %s', (_, world) => {
    const { changes, refusals } = planned(
      { ...edited(CONF, 'user root;\n'), ...world },
      { desired: changed },
    );
    expect(refusals).toEqual([]);
    expect(changes).toContainEqual(expect.objectContaining({ kind: 'file', target: CONF }));
  });

  it('is none where somebody did what was wanted, but that has to come into force', () => {
    const world = edited(CONF, 'user nobody;\n');
    expect(planned(world, { desired: changed }).changes.map(({ what }) => what)).toEqual(['reload due']);
  });
});
