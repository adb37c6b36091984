import { describe, expect, it } from '@jest/globals';
import type { ConfigBundle, ManagedFile } from './bundle.js';
import { bundleDigest, diffBundles, tree, unifiedDiff } from './compare.js';

const file = (path: string, content: string, more: Partial<ManagedFile> = {}): ManagedFile => ({
  path,
  content,
  owner: 'root',
  group: 'root',
  mode: 0o644,
  secret: false,
  ...more,
});

function bundleOf(files: ManagedFile[], packages: string[] = ['nginx']): ConfigBundle {
  const service = {
    name: 'nginx',
    packages,
    directories: [],
    files,
    removes: [],
    roots: [],
    validate: [],
    unit: null,
    daemonReload: false,
    probe: [],
  };
  return { stack: 'shop', hosts: [{ host: 'web-1', users: [], services: [service] }], notes: [] };
}

const secret = (content: string) => file('/etc/shop/env', content, { secret: true, mode: 0o600 });

describe('bundleDigest', () => {
  it('depends on every value and on no order of keys', () => {
    const bundle = bundleOf([file('/a', 'x')]);
    const { notes, hosts, stack } = bundle;
    expect(bundleDigest({ notes, hosts, stack })).toBe(bundleDigest(bundle));
    expect(bundleDigest(bundle)).toMatch(/^[0-9a-f]{64}$/);
    const others = [
      bundleOf([file('/a', 'y')]),
      bundleOf([file('/a', 'x', { mode: 0o600 })]),
      bundleOf([file('/a', 'x')], ['nginx', 'curl']),
      bundleOf([secret('one')]),
      bundleOf([secret('two')]),
    ];
    expect(new Set([bundle, ...others].map(bundleDigest)).size).toBe(6);
  });
});

describe('tree', () => {
  it('names files by host and path, and masks secrets', () => {
    expect(tree(bundleOf([file('/etc/a', 'x'), secret('hidden')]))).toEqual([
      { path: 'web-1/etc/a', content: 'x' },
      { path: 'web-1/etc/shop/env', content: '(secret)\n' },
    ]);
  });
});

describe('diffBundles', () => {
  it('is empty for the same bundle', () => {
    expect(diffBundles(bundleOf([file('/a', 'x\n')]), bundleOf([file('/a', 'x\n')]))).toEqual([]);
  });

  it('gives a unified diff of what changed, came and went', () => {
    const before = bundleOf([file('/a', 'one\ntwo\n'), file('/b', 'gone\n')]);
    const after = bundleOf([file('/a', 'one\n2\n'), file('/c', 'new\n')]);
    const diffs = diffBundles(before, after).filter(({ path }) => path.startsWith('/'));
    expect(diffs).toEqual([
      {
        host: 'web-1',
        path: '/a',
        change: 'changed',
        patch: '--- /a\n+++ /a\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n',
      },
      {
        host: 'web-1',
        path: '/b',
        change: 'removed',
        patch: '--- /b\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-gone\n',
      },
      { host: 'web-1', path: '/c', change: 'added', patch: '--- /dev/null\n+++ /c\n@@ -0,0 +1,1 @@\n+new\n' },
    ]);
  });

  it('shows what changed besides the files under the name of the service', () => {
    const [diff, ...others] = diffBundles(bundleOf([]), bundleOf([], ['nginx', 'curl']));
    expect(others).toEqual([]);
    expect(diff).toMatchObject({ host: 'web-1', path: 'nginx', change: 'changed' });
    expect(diff?.patch).toContain('+    "curl"');
  });

  it('shows hosts that come and go', () => {
    const none: ConfigBundle = { stack: 'shop', hosts: [], notes: [] };
    const changes = (diffs: ReturnType<typeof diffBundles>) => new Set(diffs.map(({ change }) => change));
    expect(changes(diffBundles(none, bundleOf([file('/a', 'x')])))).toEqual(new Set(['added']));
    expect(changes(diffBundles(bundleOf([file('/a', 'x')]), none))).toEqual(new Set(['removed']));
  });

  it('says of a secret only that it differs, also when it was none before', () => {
    const pairs = [
      [bundleOf([secret('first')]), bundleOf([secret('second')])],
      [bundleOf([file('/etc/shop/env', 'first')]), bundleOf([secret('second')])],
      [bundleOf([]), bundleOf([secret('second')])],
    ] as const;
    for (const [before, after] of pairs) {
      const diffs = diffBundles(before, after);
      expect(diffs.map(({ path }) => path)).toContain('/etc/shop/env');
      expect(JSON.stringify(diffs)).not.toMatch(/first|second/);
    }
  });
});

describe('unifiedDiff', () => {
  it('is empty for equal content, and marks a missing line end', () => {
    expect(unifiedDiff('/a', 'x', 'x', false)).toBe('');
    expect(unifiedDiff('/a', 'x', 'x\n', false)).toContain('\\ No newline at end of file');
  });
});
