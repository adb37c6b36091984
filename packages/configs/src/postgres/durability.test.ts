import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { durabilityNote, durabilitySettings } from './durability.js';

const members = (count: number): string[] => Array.from({ length: count }, (_, at) => `database-${at + 1}`);

const standbyNames = (...args: Parameters<typeof durabilitySettings>): unknown =>
  new Map(durabilitySettings(...args)).get('synchronous_standby_names');

describe('durabilitySettings', () => {
  it.each([
    ['async', 1, ''],
    ['async', 3, ''],
    ['sync', 2, 'FIRST 1 ("database-1", "database-2")'],
    ['quorum', 2, 'ANY 1 ("database-1", "database-2")'],
    ['quorum', 3, 'ANY 1 ("database-1", "database-2", "database-3")'],
    ['quorum', 5, 'ANY 2 ("database-1", "database-2", "database-3", "database-4", "database-5")'],
  ] as const)('%s with %i members', (durability, count, expected) => {
    expect(standbyNames(durability, members(count))).toBe(expected);
  });

  it.each(['sync', 'quorum'] as const)('refuses %s where there is nobody to wait for', (durability) => {
    expect(() => durabilitySettings(durability, members(1))).toThrow(UserError);
    expect(() => durabilitySettings(durability, members(1))).toThrow(/count of 2 or more/);
  });
});

describe('durabilityNote', () => {
  it.each([
    ['async', 2, /no commit waits.*are lost, though they were answered/],
    ['sync', 2, /lost only with both; while no replica follows, every commit waits/],
    ['quorum', 3, /on 2 of 3 hosts; while fewer than 2 of them run, every commit waits/],
    ['async', 1, /^database: one host, no replica: if database-1 is lost/],
  ] as const)('says what %s with %i members loses', (durability, count, expected) => {
    expect(durabilityNote(durability, members(count))).toMatch(expected);
  });
});
