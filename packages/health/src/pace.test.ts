import { describe, expect, it } from '@jest/globals';
import { type Pace, whyNever } from './pace.js';

const pace = (more: Partial<Pace>): Pace => ({
  ...{ successes: 3, intervalMs: 1_000, holdMs: 0, timeoutMs: 60_000 },
  ...more,
});

describe('a gate that can never open', () => {
  it.each<[string, Partial<Pace>, string]>([
    [
      'a hold that is as long as the time',
      { holdMs: 60_000 },
      '1 min 0 s is too short: 3 successes in a row, 1.0 s apart, and a hold of 1 min 0 s need more than 1 min 2 s',
    ],
    [
      'successes that take too long',
      { successes: 4, intervalMs: 20_000 },
      '1 min 0 s is too short: 4 successes in a row, 20.0 s apart, need more than 1 min 0 s',
    ],
    [
      'a hold that ends with the try after it',
      { successes: 1, intervalMs: 40_000, holdMs: 50_000 },
      '1 min 0 s is too short: a success and a hold of 50.0 s need more than 1 min 20 s',
    ],
    [
      'samples that take too long',
      { samples: 100 },
      '1 min 0 s is too short: 100 samples and 3 successes in a row, 1.0 s apart, need more than 1 min 41 s',
    ],
    ['too few tries', { maxTries: 2 }, '2 are too few: 3 successes in a row, 1.0 s apart, need 3'],
    [
      'too few tries to hold',
      { successes: 1, maxTries: 5, holdMs: 5_000 },
      '5 are too few: a success and a hold of 5.0 s need 6',
    ],
  ])('%s', (_what, more, why) => {
    expect(whyNever(pace(more))?.why).toBe(why);
  });

  it.each<[string, Partial<Pace>]>([
    ['the default', {}],
    ['a hold that just fits', { holdMs: 57_000 }],
    ['no pause', { intervalMs: 0, holdMs: 59_000, successes: 1_000 }],
    ['just enough tries', { maxTries: 3 }],
    ['one try only', { successes: 1, maxTries: 1, intervalMs: 90_000 }],
  ])('%s is none', (_what, more) => {
    expect(whyNever(pace(more))).toBeUndefined();
  });
});
