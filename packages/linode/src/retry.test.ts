import { describe, expect, it } from '@jest/globals';
import { LinodeApiError, LinodeUnreachable, UncertainOutcome } from './errors.js';
import { delayBefore } from './retry.js';

const refused = (status: number, reason = 'x', retryAfterMs?: number) =>
  new LinodeApiError({
    status,
    method: 'GET',
    path: '/x',
    reasons: [{ reason }],
    ...(retryAfterMs ? { retryAfterMs } : {}),
  });

describe('delayBefore', () => {
  it.each<[string, unknown, number, number | null]>([
    ['a 500 the first time', refused(500), 1, 1_000],
    ['a 500 the third time', refused(500), 3, 4_000],
    ['a 500 the seventh time', refused(500), 7, null],
    ['a 429 that asks for longer', refused(429, 'x', 30_000), 1, 30_000],
    ['a 429 that asks for an hour', refused(429, 'x', 3_600_000), 1, 120_000],
    ['a 500 with the Retry-After of every answer', refused(500, 'x', 30_000), 1, 1_000],
    ['a busy Linode', refused(400, 'Linode busy.'), 50, 4_000],
    ['another 400', refused(400, 'Label must be unique'), 1, null],
    ['a 401', refused(401), 1, null],
    ['no connection', new LinodeUnreachable('GET', '/x', 'ECONNRESET', 'h'), 1, 1_000],
    ['an uncertain outcome', new UncertainOutcome('POST', '/x', 'ECONNRESET'), 1, null],
    ['a fault of ours', new Error('x'), 1, null],
  ])('%s', (_, error, attempt, wait) => {
    expect(delayBefore(error, attempt, 1)).toBe(wait);
  });

  it('spreads the delays of those who failed together', () => {
    expect(delayBefore(refused(500), 1, 0)).toBe(500);
  });
});
