import { describe, expect, it } from '@jest/globals';
import type { Outcome } from '@perlstack/procedure';
import { UserError } from '@perlstack/stack';
import { assertSucceeded, Cancelled, causesOf } from './failures.js';

const step = { id: 'a', kind: 'x', title: 'drain', host: 'web-1' };
const outcome: Outcome = { state: 'failed', failures: [], undoFailures: [], changed: [], events: [] };

function thrownBy(work: () => void): unknown[] {
  try {
    work();
  } catch (error) {
    return causesOf(error);
  }
  return [];
}

describe('assertSucceeded', () => {
  it('lets a success pass', () =>
    expect(thrownBy(() => assertSucceeded({ ...outcome, state: 'succeeded' }))).toEqual([]));

  it('throws every failure and what could not be put back', () => {
    const [first, second] = [new UserError('no'), new Error('gone')];
    const failures = [{ step, error: first }];
    const undoFailures = [{ step, error: second }];
    expect(thrownBy(() => assertSucceeded({ ...outcome, failures, undoFailures }))).toEqual([
      first,
      new UserError('Not put back: web-1 · drain (gone). Look at it by hand, or run this again.', {
        cause: second,
      }),
    ]);
  });

  it('throws the reason of a cancel', () => {
    const abort = new AbortController();
    abort.abort(new Cancelled('SIGINT'));
    expect(thrownBy(() => assertSucceeded({ ...outcome, state: 'cancelled' }, abort.signal))).toEqual([
      abort.signal.reason,
    ]);
  });
});
