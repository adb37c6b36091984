import { describe, expect, it, jest } from '@jest/globals';
import type { StepEvent } from '@perlstack/procedure';
import { plainLog } from './log.js';
import { Redactor } from './masks.js';
import { eventLine, Reporter } from './reporter.js';

const nginx = { id: 'web-2/nginx', kind: 'x', title: 'nginx', host: 'web-2' };

describe('eventLine', () => {
  it.each<[string, StepEvent['state'], string | undefined, number, string | undefined]>([
    ['nginx', 'started', undefined, 0, undefined],
    ['nginx', 'progress', 'staged', 0, 'web-2 · nginx: staged'],
    ['nginx', 'done', 'valid, reloaded', 300, 'web-2 · nginx: valid, reloaded (300 ms)'],
    ['nginx: check', 'done', 'valid', 1_300, 'web-2 · nginx: check – valid (1.3 s)'],
    ['nginx', 'done', undefined, 0, 'web-2 · nginx: done'],
    ['nginx', 'skipped', undefined, 0, 'web-2 · nginx: nothing to do'],
    ['nginx', 'failed', 'no', 5, 'web-2 · nginx: failed: no (5 ms)'],
    ['nginx', 'undoing', undefined, 0, 'web-2 · nginx: putting back'],
    ['nginx', 'undone', 'old file', 9, 'web-2 · nginx: put back, old file (9 ms)'],
    ['nginx', 'undo-failed', 'gone', 9, 'web-2 · nginx: NOT put back: gone (9 ms)'],
  ])('%s %s %s', (title, state, message, elapsed, line) => {
    expect(
      eventLine({ step: { ...nginx, title }, state, at: 0, ...(message ? { message } : {}) }, elapsed),
    ).toBe(line);
  });

  it('names no host where there is none', () => {
    expect(eventLine({ step: { id: 'a', kind: 'x', title: 'lock' }, state: 'done', at: 0 }, 0)).toBe(
      'lock: done',
    );
  });
});

describe('Reporter', () => {
  function reporter(): { lines: string[]; it: Reporter } {
    const lines: string[] = [];
    return {
      lines,
      it: new Reporter(
        plainLog(new Redactor(), (line) => lines.push(line)),
        'deploy',
      ),
    };
  }

  it('measures a step from its start, and its undo from there', () => {
    const { lines, it: reports } = reporter();
    reports.onEvent({ step: nginx, state: 'started', at: 1_000 });
    reports.onEvent({ step: nginx, state: 'done', at: 1_400 });
    reports.onEvent({ step: nginx, state: 'undoing', at: 9_000 });
    reports.onEvent({ step: nginx, state: 'undone', at: 9_020 });
    expect(lines).toEqual([
      'web-2 · nginx: done (400 ms)',
      'web-2 · nginx: putting back',
      'web-2 · nginx: put back (20 ms)',
    ]);
  });

  it('announces a step that takes long, once', () => {
    jest.useFakeTimers();
    const { lines, it: reports } = reporter();
    reports.onEvent({ step: nginx, state: 'started', at: 0 });
    jest.advanceTimersByTime(60_000);
    reports.onEvent({ step: { ...nginx, id: 'quick' }, state: 'started', at: 0 });
    reports.onEvent({ step: { ...nginx, id: 'quick' }, state: 'done', at: 1 });
    jest.advanceTimersByTime(60_000);
    jest.useRealTimers();
    expect(lines.filter((line) => line.endsWith('…'))).toEqual(['web-2 · nginx …']);
  });

  it('keeps the first verdict when the run fails after it', () => {
    const { it: reports } = reporter();
    reports.verdict('Rolled back.');
    reports.failed('Failed: no');
    expect(reports.content()).toMatchObject({ title: 'deploy', verdict: 'Rolled back.' });
  });
});
