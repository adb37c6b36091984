import { describe, expect, it } from '@jest/globals';
import { loadOf, requireCapacity } from './capacity.js';
import type { AppFacts } from './preflight/facts.js';
import type { AppHostState } from './world.js';

const host = (name: string, inFlight: number): AppHostState => ({
  ...{
    host: name,
    configured: true,
    current: null,
    serving: null,
    previous: null,
    releases: [],
    modules: [],
  },
  ...{
    partials: [],
    instances: [],
    enabled: [],
    refusing: false,
    memoryAvailable: 0,
    diskAvailable: 0,
    inFlight,
  },
});
const facts = (name: string, ...command: string[]): AppFacts => ({
  host: name,
  unit: { killMode: '', killSignal: '', timeoutStop: '', workingDirectory: '', command, perl5lib: '' },
  ...{ nginx: null, perl: '', os: '', tools: [], starman: '' },
});
const app = [host('app-1', 6), host('app-2', 5), host('app-3', 1)];
const known = [
  facts('app-1', 'starman', '--workers', '8'),
  facts('app-2', 'starman', '--workers=8'),
  facts('app-3', 'starman', '--workers', '4'),
];

describe('capacity', () => {
  it('is what the hosts have that stay, at the worst', () => {
    expect(loadOf(app, known, 1, 1)).toEqual({ busy: 12, workers: 20, left: 12 });
    expect(loadOf(app, known, 2, 2)).toEqual({ busy: 12, workers: 40, left: 8 });
  });

  it('is not known where a host does not tell', () => {
    expect(loadOf(app, known.slice(1), 1, 1)).toBeNull();
    expect(loadOf(app, [...known.slice(0, 2), facts('app-3', 'starman')], 1, 1)).toBeNull();
  });

  it('is enough, or the deploy does not begin', () => {
    expect(() => requireCapacity({ busy: 12, workers: 20, left: 12 }, 1)).not.toThrow();
    expect(() => requireCapacity(null, 1)).not.toThrow();
    expect(() => requireCapacity({ busy: 13, workers: 20, left: 12 }, 1)).toThrow(
      /^13 of 20 workers are busy now, and with 1 server out of service only 12 are left/,
    );
  });
});
