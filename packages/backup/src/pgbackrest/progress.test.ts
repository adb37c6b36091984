import { describe, expect, it } from '@jest/globals';
import { labelIn, percentOf } from './progress.js';

describe('what pgBackRest says meanwhile', () => {
  it.each([
    [
      'P01 DETAIL: backup file /var/lib/postgresql/17/main/base/1/2608 (bundle 1/2576176, 104KB, 99.93%) checksum b9c2',
      99.93,
    ],
    ['P01 DETAIL: backup file /var/lib/postgresql/17/main/base/5/1 (1GB, 45.32%) checksum b9c2', 45.32],
    ['P01 DETAIL: restore file /data/base/1/2608 (104KB, 7.00%) checksum b9c2', 7],
    ['P00 DETAIL: store zero-length file /var/lib/postgresql/17/main/base/1/13467', null],
    ['P00   INFO: full backup size = 22.3MB, file total = 966', null],
  ])('%s', (line, percent) => expect(percentOf(line)).toBe(percent));
  it('holds the label', () => {
    expect(labelIn('P00   INFO: new backup label = 20261127-165020F')).toBe('20261127-165020F');
    expect(labelIn('P00   INFO: backup begins')).toBeNull();
  });
});
