import { describe, expect, it } from '@jest/globals';
import { allOf, keysIn, lockHeaders } from './versions.js';

const version = (Key: string, VersionId: string) => ({
  ...{ Key, VersionId, Size: 3, ETag: '"e"', LastModified: new Date(0) },
});

describe('keysIn', () => {
  it('puts a key together from pages, oldest version first, with what marks it as removed', () => {
    const keys = keysIn([
      { Versions: [version('b', '3'), version('b', '2')], DeleteMarkers: [{ Key: 'b', VersionId: '4' }] },
      { Versions: [version('b', 'null'), version('a', '1')] },
    ]);
    expect(keys.map(({ key, versions }) => [key, ...versions.map((one) => one.version)])).toEqual([
      ['a', '1'],
      ['b', 'null', '2', '3'],
    ]);
    expect(keys[1]?.versions[0]).toEqual({
      ...{ key: 'b', size: 3, etag: 'e', modified: new Date(0), version: 'null' },
    });
    expect(allOf(keys[1] ?? { key: '', versions: [], markers: [] }).map((one) => one.version)).toEqual([
      ...['null', '2', '3', '4'],
    ]);
  });

  it('knows no version where the bucket keeps none, and no key of which nothing is left', () =>
    expect(
      keysIn([{ Versions: [version('a', 'null')], DeleteMarkers: [{ Key: 'gone', VersionId: '1' }] }]),
    ).toMatchObject([{ key: 'a', versions: [{ version: null }], markers: [] }]));
});

describe('lockHeaders', () => {
  it('say until when, in UTC', () =>
    expect(lockHeaders({ mode: 'COMPLIANCE', until: new Date('2026-11-27T02:00:00Z') })).toEqual({
      'x-amz-object-lock-mode': 'COMPLIANCE',
      'x-amz-object-lock-retain-until-date': '2026-11-27T02:00:00.000Z',
    }));
});
