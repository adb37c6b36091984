import { describe, expect, it } from '@jest/globals';
import { EXPECTED, type Feature, missingFor, type ProbeRow, rowOf } from './needs.js';

const ideal = (Object.keys(EXPECTED) as Feature[]).map((feature) => rowOf(feature, EXPECTED[feature]));
const but = (...rows: ProbeRow[]): ProbeRow[] =>
  ideal.map((row) => rows.find(({ feature }) => feature === row.feature) ?? row);
const ALL = ['md5', 'multipart', 'write-once', 'lease', 'lifecycle', 'versions', 'lock-governance'] as const;

describe('rowOf', () => {
  it('holds when what is seen is what is expected', () => {
    expect(rowOf('wrong MD5 on PUT', '400')).toEqual({
      ...{ feature: 'wrong MD5 on PUT', expected: '400', seen: '400', holds: true },
    });
    expect(rowOf('wrong MD5 on PUT', '200').holds).toBe(false);
  });
});

describe('missingFor', () => {
  it('misses nothing where all holds, and asks for nothing that is not needed', () => {
    expect(missingFor(ideal, ALL)).toEqual([]);
    expect(
      missingFor(
        but(rowOf('locked version, COMPLIANCE', 'PUT 400'), rowOf('If-Match on DELETE', '204')),
        ALL,
      ),
    ).toEqual([]);
    expect(missingFor(but(rowOf('If-None-Match on PUT', '4 of 4 writers at once win')), ['md5'])).toEqual([]);
  });

  it('refuses a lease and write-once URLs where several writers win, and says why', () => {
    const rows = but(rowOf('If-None-Match on PUT', '4 of 4 writers at once win'));
    const because = [
      'If-None-Match on PUT: 4 of 4 writers at once win instead of 1 of 4 writers at once wins',
    ];
    expect(missingFor(rows, ALL)).toEqual([
      { need: 'write-once', because },
      { need: 'lease', because },
    ]);
  });

  it.each([
    ['If-Match with a bare ETag', '200, with an old one 200', ['lease']],
    ['If-Match with a quoted ETag', '412, with an old one 412', []],
    ['write-once URL', '200, again 200, without its header 403, as GET 403, as DELETE 403', ['write-once']],
    ['wrong MD5 on PUT', '200', ['md5']],
    ['wrong MD5 on a part', '200', ['md5', 'multipart']],
    ['wrong MD5 on a presigned PUT', '200', ['md5', 'write-once', 'versions']],
    ['overwritten object', 'the second is there alone', ['versions']],
    ['GET of a version', '200 with other bytes', ['versions']],
    ['Object Lock', 'off', ['lock-governance']],
    ['locked version, GOVERNANCE', 'DELETE 204, in a batch removed', ['lock-governance']],
    ['URL that locks', '200 and not locked, with another date 403, without 403', ['lock-governance']],
    ['ETag of a multipart upload', 'another', ['multipart']],
    ['lifecycle rules', 'Filter.Prefix was dropped', ['lifecycle']],
    ['lifecycle rules by size', 'Filter.ObjectSizeGreaterThan was dropped', []],
  ] as const)('%s: without it, there is no %s', (feature, seen, needs) => {
    expect(missingFor(but(rowOf(feature, seen)), ALL).map(({ need }) => need)).toEqual(needs);
  });

  it('assumes nothing of what could not be told or was not tried', () => {
    expect(missingFor(but(rowOf('lifecycle rules', 'not permitted', null)), ['lifecycle'])).toEqual([
      { need: 'lifecycle', because: ['lifecycle rules: not permitted instead of as written'] },
    ]);
    expect(missingFor([], ['lease'])).toEqual([
      {
        need: 'lease',
        because: ['If-None-Match on PUT: not probed', 'If-Match with a bare ETag: not probed'],
      },
    ]);
  });
});
