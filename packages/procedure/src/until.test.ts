import { describe, expect, it } from '@jest/globals';
import { until } from './until.js';

const forever = new AbortController().signal;

describe('until', () => {
  it('ends with the first good answer, and tells each new one before it once', async () => {
    const answers: (true | string)[] = ['half', 'half', 'nearly', true, 'never asked'];
    const told: string[] = [];
    const ask = (): Promise<true | string> => Promise.resolve(answers.shift() ?? 'nothing');
    expect(
      await until(ask, { limitMs: 60_000, signal: forever, say: (answer) => told.push(answer) }),
    ).toBeNull();
    expect(told).toEqual(['half', 'nearly']);
    expect(answers).toEqual(['never asked']);
  });

  it('gives the last answer when the time is over, after one look at least', async () => {
    let asked = 0;
    const ask = (): Promise<string> => Promise.resolve(`look ${(asked += 1)}`);
    expect(await until(ask, { limitMs: -1, signal: forever })).toBe('look 1');
  });

  it('ends when it is cancelled', async () => {
    const cancel = new AbortController();
    const waiting = until(() => Promise.resolve('not yet'), { limitMs: 60_000, signal: cancel.signal });
    cancel.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});
