import { describe, expect, it } from '@jest/globals';
import { hostFrom, replaceFrom } from './given.js';

const TIER = {
  ...{ stack: 'shop', service: 'shop', port: 6379, sentinels: true },
  members: [1, 2, 3].map((number) => ({ host: `cache-${number}`, address: `10.0.0.${number}` })),
};

describe('hostFrom', () => {
  it('takes the last server for a drill, and the first one as primary', () => {
    expect(hostFrom(undefined, 'drill', TIER)).toBe('cache-3');
    expect(hostFrom(undefined, 'primary', TIER)).toBe('cache-1');
    expect(hostFrom('cache-2', 'primary', TIER)).toBe('cache-2');
  });
  it('refuses one that there is not', () =>
    expect(() => hostFrom('cashe-2', 'drill', TIER)).toThrow(
      'Input "host": there is no cache server "cashe-2"; did you mean "cache-2"?',
    ));
});

describe('replaceFrom', () => {
  it.each([
    [undefined, []],
    ['cache-1', ['cache-1']],
    ['cache-1, cache-2 cache-3', ['cache-1', 'cache-2', 'cache-3']],
    ['cache-1\ncache-3', ['cache-1', 'cache-3']],
  ])('%j', (text, names) => expect(replaceFrom(text, TIER)).toEqual(names));
  it('refuses one that there is not', () =>
    expect(() => replaceFrom('cache-1 cache-9', TIER)).toThrow(/^Input "replace": there is no cache server/));
});
