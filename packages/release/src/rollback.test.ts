import { describe, expect, it } from '@jest/globals';
import type { AuditEntry } from './audit.js';
import { releaseBefore, releaseInService } from './rollback.js';
import type { AppHostState, Observed, ReleaseFolder } from './world.js';

const folder = (number: number, more: Partial<ReleaseFolder> = {}): ReleaseFolder => ({
  ...{
    id: `r${number}`,
    sha256: null,
    good: true,
    bad: false,
    migrated: false,
    bytes: null,
    tree: null,
    unpackedAt: number,
  },
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
    refusing: false,
    inFlight: 0,
  },
});
const world = (...app: AppHostState[]): Observed => ({
  app,
  web: [],
  unreachable: [],
  facts: { app: [], web: [] },
  audit: [],
  locks: [],
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

  it('need not be kept by every host: the others get it from one that keeps it', () => {
    const all = [folder(1), folder(2), folder(3)];
    const state = world(host('app-1', 'r3', [folder(1), folder(3)]), host('app-2', 'r3', all));
    expect(releaseBefore(state)).toBe('r2');
    expect(releaseBefore(world(host('app-1', 'r3', [folder(3)]), host('app-2', 'r3', all)))).toBe('r2');
  });

  it('is none that failed on a host', () => {
    const all = [folder(1), folder(2), folder(3)];
    const failed = [folder(1), folder(2, { good: false, bad: true }), folder(3)];
    expect(releaseBefore(world(host('app-1', 'r3', all), host('app-2', 'r3', failed)))).toBe('r1');
  });

  it('may have held on another host', () => {
    const unheld = [folder(1, { good: false }), folder(2)];
    expect(
      releaseBefore(world(host('app-1', 'r2', [folder(1), folder(2)]), host('app-2', 'r2', unheld))),
    ).toBe('r1');
  });

  it('is named in the error where there is none', () => {
    expect(() => releaseBefore(world(host('app-1', 'r2', [folder(2), folder(3)])))).toThrow(
      /none that held before r2 is kept on an app server. Name one of r3, r2 in the input "to"/,
    );
  });
});

describe('the release in service', () => {
  const both = [folder(1), folder(2)];
  const three = (...serving: (string | null)[]) =>
    serving.map((id, index) => host(`app-${index + 1}`, id, both));
  const addresses = { 'app-1': '10.0.0.1:5000', 'app-2': '10.0.0.2:5000', 'app-3': '10.0.0.3:5000' };
  const out = (...numbers: number[]) => [
    { host: 'web-1', down: numbers.map((number) => `10.0.0.${number}:5000`) },
    { host: 'web-2', down: [] },
  ];
  const held = (release: string): AuditEntry => ({
    ...{ at: '', event: 'succeeded', kind: 'deploy', release, previous: null },
    ...{ owner: '', url: null, actor: null, workflow: null, number: null, reason: null },
  });

  it('is that of most hosts', () => {
    expect(releaseInService(world(...three('r1', 'r2', 'r2')), addresses)).toBe('r2');
  });

  it('is not asked of hosts that get no requests, as long as others do', () => {
    const state = { ...world(...three('r1', 'r1', 'r2')), web: out(1, 2) };
    expect(releaseInService(state, addresses)).toBe('r2');
    expect(releaseInService({ ...state, web: out(1, 2, 3) }, addresses)).toBe('r1');
  });

  it('has held', () => {
    const unheld = [folder(1), folder(2, { good: false })];
    const state = world(
      host('app-1', 'r2', unheld),
      host('app-2', 'r2', unheld),
      host('app-3', 'r1', unheld),
    );
    expect(releaseInService(state, addresses)).toBe('r1');
  });

  it('is the last of the log where as many have another one', () => {
    const state = world(...three('r1', 'r2', null));
    const later: AuditEntry = { ...held('r1'), event: 'began' };
    expect(releaseInService({ ...state, audit: [held('r1'), held('r2'), later] }, addresses)).toBe('r2');
    expect(() => releaseInService(state, addresses)).toThrow(
      /^the app servers serve different releases \(app-1 r1, app-2 r2\), and no log says .* mode "rollback" in the input "to"/,
    );
  });

  it('must be there', () => {
    expect(() => releaseInService(world(...three(null, null)), addresses)).toThrow(/deploy one/);
  });
});
