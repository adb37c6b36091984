import { describe, expect, it } from '@jest/globals';
import { databaseWord } from './sql.js';

describe('databaseWord', () => {
  it.each([
    ['shop', 'shop'],
    ['Blog & more', 'Blog & more'],
    ['postgres', 'postgres'],
    ['dbname=shop', "dbname='dbname=shop'"],
    ["a='b\\", String.raw`dbname='a=\'b\\'`],
    ['postgresql://elsewhere/', "dbname='postgresql://elsewhere/'"],
  ])('%s', (name, word) => expect(databaseWord(name)).toBe(word));
});
