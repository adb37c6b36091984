import { describe, expect, it } from '@jest/globals';
import { compareKeys, countsIn, keysBetween } from './keys-counted.js';

describe('keysBetween', () => {
  it('takes a database that came or went for one without keys', () =>
    expect(keysBetween({ 0: 9, 10: 1 }, { 0: 7, 2: 4 })).toEqual({
      ...{ 0: { least: 7, most: 9 }, 2: { least: 0, most: 4 } },
      10: { least: 0, most: 1 },
    }));
});

describe('compareKeys', () => {
  const noted = { keys: 12, databases: { 0: { least: 10, most: 10 }, 3: { least: 2, most: 2 } } };

  it('is content with what was stored', () => expect(compareKeys(noted, { 0: 10, 3: 2 })).toEqual([]));
  it('misses one key', () =>
    expect(compareKeys(noted, { 0: 9, 3: 2 })).toEqual([
      'it has 11 keys, and 12 were stored',
      'database 0 has 9 keys instead of 10',
    ]));
  it('sees that keys are in another database', () =>
    expect(compareKeys(noted, { 0: 10, 4: 2 })).toEqual([
      'database 3 has 0 keys instead of 2',
      'database 4 has 2 keys instead of 0',
    ]));
  it('knows that keys come and go between two counts, but not in the snapshot itself', () =>
    expect(compareKeys({ keys: 99, databases: { 0: { least: 100, most: 200 } } }, { 0: 98 })).toEqual([
      'it has 98 keys, and 99 were stored',
    ]));
});

describe('countsIn', () => {
  it('reads INFO keyspace', () =>
    expect(countsIn('# Keyspace\r\ndb0:keys=12,expires=1,avg_ttl=0\r\ndb15:keys=3,expires=0\r\n')).toEqual({
      ...{ 0: 12, 15: 3 },
    }));
  it('reads that there is none', () => expect(countsIn('# Keyspace\r\n')).toEqual({}));
});
