import { describe, expect, it } from '@jest/globals';
import { RemoteError } from '@perlstack/remote';
import type { RetentionRules } from '../retention.js';
import { dumpRetentionOf, explainDump } from './backup.js';
import { exampleDump } from './testing.js';

const RULES: RetentionRules = { daily: 1, weekly: 0, monthly: 0, pitrMs: 7 * 86_400_000, minimum: 1 };

describe('dumpRetentionOf', () => {
  it('never lets a dump of another server or of other databases take the place of one', () => {
    const backups = [
      exampleDump({ id: '20261127T010000Z' }),
      exampleDump({ id: '20261127T020000Z' }),
      exampleDump({ id: '20261127T030000Z', selected: ['shop', 'blog'], names: ['shop', 'blog'] }),
      exampleDump({ id: '20261127T040000Z', selected: ['blog', 'shop'], names: ['blog', 'shop'] }),
      exampleDump({ id: '20261127T050000Z', server: 'db.example.com:5432' }),
    ];
    const plan = dumpRetentionOf({ backups }, RULES, new Date('2026-11-27T06:00:00Z'));
    expect(plan.removed).toEqual(['20261127T010000Z', '20261127T030000Z']);
    expect(plan.verdicts.map(({ id, reasons }) => [id, reasons.join(' ')])).toEqual([
      ['20261127T010000Z', ''],
      ['20261127T020000Z', 'newest daily'],
      ['20261127T030000Z', ''],
      ['20261127T040000Z', 'newest daily'],
      ['20261127T050000Z', 'newest daily'],
    ]);
    expect(plan.freedBytes).toBe(20 + 30);
  });
});

describe('explainDump', () => {
  const failed = (stderr: string): unknown =>
    new RemoteError({
      ...{ host: 'database-2', command: 'the upload', reason: 'exit', code: 1, stderr },
      why: 'ended with exit code 1',
    });

  it.each([
    [
      'perl failed with code 1: pg_dump failed with code 1: query failed: ERROR:  canceling statement due to conflict with recovery',
      /^Database shop could not be dumped: .*conflict with recovery; the replica had to replay .*source: primary$/,
    ],
    [
      'perl failed with code 1: pg_dump failed with code 1: query failed: ERROR:  permission denied for table secrets',
      /^Database shop could not be dumped: .*permission denied for table secrets$/,
    ],
  ])('%s', (said, message) => expect((explainDump(failed(said), 'shop') as Error).message).toMatch(message));

  it('leaves what is no fault of the server as it is', () => {
    const error = new Error('of ours');
    expect(explainDump(error, 'shop')).toBe(error);
  });
});
