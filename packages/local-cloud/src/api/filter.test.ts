import { describe, expect, it } from '@jest/globals';
import { applyQuery, parseFilter } from './filter.js';

const ITEMS = [
  { id: 1, label: 'Web-1', tags: ['shop', 'web'], entity: { id: 7 }, created: '2026-01-01T00:00:00' },
  { id: 2, label: 'web-2', tags: ['shop'], entity: { id: 8 }, created: '2026-01-03T00:00:00' },
  { id: 3, label: 'db-1', tags: [], entity: null, created: '2026-01-02T00:00:00' },
];
const KEYS = ['id', 'label', 'tags', 'entity.id', 'created'];

function ids(filter: unknown): number[] {
  return applyQuery(ITEMS, parseFilter(JSON.stringify(filter), KEYS)).map(({ id }) => id);
}

describe('X-Filter', () => {
  it.each([
    [{ label: 'db-1' }, [3]],
    [{ id: '2' }, [2]],
    [{ tags: 'web' }, [1]],
    [{ 'entity.id': 8 }, [2]],
    [{ 'entity.id': null }, [3]],
    [{ label: { '+contains': 'WEB' } }, [1, 2]],
    [{ label: { '+neq': 'db-1' } }, [1, 2]],
    [{ tags: { '+neq': 'shop' } }, [3]],
    [{ id: { '+gt': 1, '+lt': 3 } }, [2]],
    [{ created: { '+gte': '2026-01-02T00:00:00' } }, [2, 3]],
    [{ '+or': [{ id: 1 }, { '+and': [{ id: 3 }, { tags: { '+neq': 'web' } }] }] }, [1, 3]],
    [{ '+order_by': 'created', '+order': 'desc' }, [2, 3, 1]],
    [{ tags: 'shop', '+order_by': 'label' }, [1, 2]],
    [{}, [1, 2, 3]],
  ])('%j', (filter, expected) => {
    expect(ids(filter)).toEqual(expected);
  });

  it.each([
    ['[]', 'Filter not valid JSON'],
    ['nonsense', 'Filter not valid JSON'],
    ['{"region":"x"}', 'Cannot filter on region'],
    ['{"+or":[{"region":"x"}]}', 'Cannot filter on region'],
    ['{"+order_by":"region"}', 'Cannot filter on region'],
    ['{"id":{"+like":1}}', 'Unknown operator +like'],
    ['{"+or":{"id":1}}', '+or must be a list of filters'],
  ])('%s is refused', (text, reason) => {
    expect(() => parseFilter(text, KEYS)).toThrow(reason);
  });
});
