import { describe, expect, it } from '@jest/globals';
import type { StepEvent, StepState } from '@perlstack/procedure';
import { irreducibleSeconds, serversOf } from './result.js';

const event = (kind: string, state: StepState, at: number, host = 'app-1'): StepEvent => ({
  step: { id: `${host}/${kind}`, kind, title: kind, host },
  state,
  at,
});

describe('serversOf', () => {
  const events = [
    event('boot', 'started', 0),
    event('boot', 'done', 100),
    event('prove', 'started', 100),
    event('upload', 'skipped', 100),
    event('switch', 'started', 5_000),
    event('prove', 'done', 1_300),
    event('switch', 'done', 5_020),
    event('gate', 'started', 5_020),
    event('gate', 'failed', 5_500),
    event('switch', 'undone', 9_000),
    event('drain', 'started', 6_000),
    event('boot', 'started', 10, 'app-2'),
  ];
  const servers = serversOf(['app-1', 'app-2'], events, new Map([['app-2', 3]]));

  it('adds up the steps of each host', () => {
    expect(servers[0]).toEqual({
      name: 'app-1',
      seconds: 1.8,
      uploadMs: 0,
      bootMs: 1_300,
      switchMs: 20,
      gateMs: 480,
      drainMs: 0,
      finishMs: 0,
      cut: 0,
    });
    expect(servers[1]).toMatchObject({ name: 'app-2', seconds: 0, cut: 3 });
  });

  it('names what cannot be avoided', () => {
    expect(irreducibleSeconds(servers)).toBeCloseTo(1.78);
  });
});
