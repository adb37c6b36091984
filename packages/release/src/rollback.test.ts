import { describe, expect, it } from '@jest/globals';
import { releaseBefore } from './rollback.js';
import type { AppHostState, Observed, ReleaseFolder } from './world.js';

const folder = (number: number, more: Partial<ReleaseFolder> = {}): ReleaseFolder => ({
  ...{ id: `r${number}`, sha256: null, good: true, bad: false, migrated: false, unpackedAt: number },
  ...more,
});
const host = (name: string, serving: string | null, releases: ReleaseFolder[]): AppHostState => ({
  ...{ host: name, configured: true, current: serving, serving, previous: null, releases },
  ...{
    modules: [],
    partials: [],
    instances: [],
    enabled: [],
    memoryAvailable: 0,
    diskAvailable: 0,
    inFlight: 0,
  },
});
const world = (...app: AppHostState[]): Observed => ({
  app,
  web: [],
  unreachable: [],
  facts: { app: [], web: [] },
  audit: [],
  lock: null,
});

describe('the release before', () => {
  it('is the newest that held and came before the one that serves', () => {
    const kept = [folder(1), folder(2), folder(3, { good: false, bad: true }), folder(4), folder(5)];
    expect(releaseBefore(world(host('app-1', 'r4', kept)))).toBe('r2');
  });

  it('goes further back each time, never forth again', () => {
    const kept = [folder(1), folder(2), folder(3)];
    expect(releaseBefore(world(host('app-1', 'r2', kept)))).toBe('r1');
  });

  it('is one that every host keeps', () => {
    const all = [folder(1), folder(2), folder(3)];
    const state = world(host('app-1', 'r3', all), host('app-2', 'r3', [folder(1), folder(3)]));
    expect(releaseBefore(state)).toBe('r1');
  });

  it('may have held on another host', () => {
    const unheld = [folder(1, { good: false }), folder(2)];
    expect(
      releaseBefore(world(host('app-1', 'r2', [folder(1), folder(2)]), host('app-2', 'r2', unheld))),
    ).toBe('r1');
  });

  it('is named in the error where there is none', () => {
    expect(() => releaseBefore(world(host('app-1', 'r2', [folder(2), folder(3)])))).toThrow(
      /none that held before r2 is kept on every app server. Name one of r2, r3 /,
    );
  });
});
