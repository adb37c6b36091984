import { describe, expect, it } from '@jest/globals';
import { allows, type Permissions, permissionsOf, SCOPES } from './permissions.js';

describe('permissionsOf', () => {
  const write = { contents: 'read', 'pull-requests': 'write' };
  it.each<[string, Parameters<typeof permissionsOf>, Permissions]>([
    ['the default', [undefined, undefined, false], { contents: 'read', packages: 'read' }],
    ['the workflow', [write, undefined, false], write as Permissions],
    ['the job, which the workflow adds nothing to', [write, { issues: 'write' }, false], { issues: 'write' }],
    ['nothing', [{}, undefined, false], {}],
    ['less for a fork', [write, undefined, true], { contents: 'read', 'pull-requests': 'read' }],
    ['no more than the caller has', [write, undefined, false, { contents: 'write' }], { contents: 'read' }],
    ['what the caller has', [undefined, undefined, false, { issues: 'read' }], { issues: 'read' }],
  ])('gives %s', (_, args, permissions) => expect(permissionsOf(...args)).toEqual(permissions));

  it('gives all of one kind', () => {
    expect(Object.keys(permissionsOf('write-all', undefined, false))).toEqual([...SCOPES]);
    expect(allows(permissionsOf('read-all', undefined, false), 'contents', 'write')).toBe(false);
  });
  it('refuses a scope that there is not', () =>
    expect(() => permissionsOf({ 'pull-request': 'write' }, undefined, false)).toThrow(
      'permissions.pull-request: unknown; did you mean "pull-requests"?',
    ));
});
