import { describe, expect, it } from '@jest/globals';
import { assertionsFrom, targetFrom } from './given.js';

describe('targetFrom', () => {
  it.each([
    ['proof', null],
    ['latest', { kind: 'latest' }],
    ['backup', { kind: 'backup' }],
    ['0/5000060', { kind: 'lsn', lsn: '0/5000060' }],
    ['2026-11-27T08:30:00Z', { kind: 'time', at: new Date('2026-11-27T08:30:00Z') }],
    ['2026-11-27T08:30:00+02:00', { kind: 'time', at: new Date('2026-11-27T06:30:00Z') }],
  ])('reads %s', (text, target) => expect(targetFrom(text)).toEqual(target));
  // Without a zone nobody knows whose time it is.
  it.each(['', 'yesterday', '2026-11-27T08:30:00', '2026-13-40T08:30:00Z', '0/XYZ'])('refuses %j', (text) =>
    expect(() => targetFrom(text)).toThrow('Input "target"'),
  );
});

describe('assertionsFrom', () => {
  it('splits at the first colon', () =>
    expect(assertionsFrom(["shop: SELECT 'a: b' = 'a: b';"])).toEqual([
      { database: 'shop', sql: "SELECT 'a: b' = 'a: b'" },
    ]));
  it.each(['SELECT 1', 'shop:', ': SELECT 1'])('refuses %j', (line) =>
    expect(() => assertionsFrom([line])).toThrow('is not "database: SELECT …"'),
  );
});
