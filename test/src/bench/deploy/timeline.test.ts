import { describe, expect, it } from '@jest/globals';
import type { StepEvent, StepState } from '@perlstack/procedure';
import { timelineOf } from './timeline.js';

const event = (kind: string, state: StepState, at: number): StepEvent => ({
  step: { id: kind, kind, title: kind },
  state,
  at,
});

describe('timelineOf', () => {
  it('cuts a deploy into parts that follow each other', () => {
    const events = [
      event('upload', 'started', 110),
      event('upload', 'done', 150),
      event('compile', 'started', 150),
      event('compile', 'done', 170),
      event('switch', 'started', 200),
      event('switch', 'done', 210),
      event('hold', 'started', 300),
      event('hold', 'done', 320),
      event('finish', 'started', 330),
      event('finish', 'done', 380),
    ];
    const timeline = timelineOf(events, 100, 400);
    expect(timeline).toEqual({
      ...{ toPlan: 10, prepare: 40, boot: 50, roll: 100, hold: 30, finish: 50, unlock: 20 },
    });
    expect(Object.values<number>({ ...timeline }).reduce((sum, ms) => sum + ms, 0)).toBe(300);
  });

  it('has nothing but planning where there was nothing to do', () => {
    expect(timelineOf([], 100, 130)).toMatchObject({
      toPlan: 30,
      prepare: 0,
      boot: 0,
      roll: 0,
      finish: 0,
      unlock: 0,
    });
  });
});
