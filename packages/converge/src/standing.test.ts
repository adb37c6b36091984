import { describe, expect, it } from '@jest/globals';
import { type Standing, standingOf, type State } from './standing.js';
import type { Remembered, Version } from './world.js';

const version = (sha256: string, mode = 0o644): Version => ({ sha256, mode, owner: 'root', group: 'root' });
const [wanted, edited, older] = [version('wanted'), version('edited'), version('older')];

describe('standingOf', () => {
  it.each<[string, State, State, Remembered | undefined, Standing]>([
    ['as it should be', wanted, wanted, wanted, 'right'],
    ['as it should be by another hand', wanted, wanted, older, 'right'],
    ['not there and nothing known', wanted, 'absent', undefined, 'due'],
    ['different and nothing known', wanted, edited, undefined, 'due'],
    ['as we left it', wanted, older, older, 'due'],
    ['still to be made where it was not to be', wanted, 'absent', 'absent', 'due'],
    ['edited', wanted, edited, wanted, 'drifted'],
    ['of another mode', wanted, version('wanted', 0o600), wanted, 'drifted'],
    ['deleted', wanted, 'absent', wanted, 'drifted'],
    ['replaced by a link', wanted, 'other', wanted, 'drifted'],
    ['back though it must not be', 'absent', 'other', 'absent', 'drifted'],
    ['edited and to change', wanted, edited, older, 'contested'],
    ['deleted and to change', wanted, 'absent', older, 'contested'],
    ['made by another hand where it was not to be', wanted, edited, 'absent', 'contested'],
  ])('a file that is %s', (_, desired, live, remembered, standing) => {
    expect(standingOf(desired, live, remembered)).toBe(standing);
  });
});
