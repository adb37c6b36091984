import { describe, expect, it } from '@jest/globals';
import { readLook } from './host-seen.js';

describe('readLook', () => {
  it('reads a bare host', () =>
    expect(readLook('free   1000\nmemory 2000\nend\n')).toEqual({
      ...{ configured: false, runs: false, hasData: false, mark: null },
      ...{ freeBytes: 1_000, memoryBytes: 2_000 },
    }));
  it('reads what an unfinished run left', () => {
    const said = 'configured\nruns\ndata\ndata\nmark 20261127T020000Z loaded\nfree 1\nmemory 2\nend\n';
    expect(readLook(said)).toMatchObject({
      ...{ configured: true, runs: true, hasData: true },
      mark: { backup: '20261127T020000Z', loaded: true },
    });
    expect(readLook('mark 20261127T020000Z\nend').mark?.loaded).toBe(false);
  });
  it('does not take a part for the whole', () => expect(() => readLook('data\n')).toThrow(/not complete/));
});
