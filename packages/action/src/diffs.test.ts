import { expect, it } from '@jest/globals';
import { diffSections, shareDiffs } from './diffs.js';

const diff = (host: string, patch: string, path = '/etc/x') => ({ host, path, patch });

it('shareDiffs shows once what changes in the same way on several servers', () => {
  const shared = shareDiffs([
    diff('web-1', '-a'),
    diff('app-1', '-b'),
    diff('web-2', '-a'),
    diff('web-1', '-a', '/y'),
  ]);
  expect(shared.map(({ diff: { path, patch }, hosts }) => [path, patch, hosts])).toEqual([
    ['/etc/x', '-a', ['web-1', 'web-2']],
    ['/etc/x', '-b', ['app-1']],
    ['/y', '-a', ['web-1']],
  ]);
});

it('diffSections folds each under its path and servers', () => {
  expect(diffSections([diff('web-1', '-a\n'), diff('web-2', '-a\n')])).toEqual([
    { title: '/etc/x (web-1, web-2)', body: '-a', code: 'diff', folded: true },
  ]);
});
