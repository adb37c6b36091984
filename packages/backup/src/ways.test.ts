import { describe, expect, it } from '@jest/globals';
import { missingFor, type ProbeRow } from '@perlstack/object-storage';
import { lockBeyond, lockFrom, type LockRule, lockRuleOf, waysFor } from './ways.js';

const HOUR_MS = 3_600_000;
const LOCK: LockRule = { mode: 'GOVERNANCE', ms: HOUR_MS };

/** What a probe tells of, all of it as it should be but what is named. */
function rows(faulty: readonly string[] = []): ProbeRow[] {
  const needs = [
    'md5',
    'multipart',
    'write-once',
    'lease',
    'versions',
    'lock-governance',
    'lock-compliance',
  ] as const;
  const features = missingFor([], needs).flatMap(({ because }) =>
    because.map((text) => text.replace(': not probed', '') as ProbeRow['feature']),
  );
  return features.map((feature) => {
    const holds = !faulty.includes(feature);
    return { feature, expected: 'good', seen: holds ? 'good' : 'bad', holds };
  });
}

const CONDITIONS = ['If-None-Match on PUT', 'If-Match with a bare ETag', 'write-once URL'];

describe('waysFor', () => {
  it('goes by conditions where they hold, with or without versions', () =>
    expect(waysFor(rows(['overwritten object', 'Object Lock']), null)).toEqual({
      ...{ lease: 'bucket', once: 'condition', lock: null },
    }));

  it('goes by versions, and takes the lease on a host, where no write hangs on a condition', () =>
    expect(waysFor(rows(CONDITIONS), LOCK)).toEqual({ lease: 'host', once: 'version', lock: LOCK }));

  it('takes the lease on a host alone where it is that alone which does not hold', () =>
    expect(waysFor(rows(['If-Match with a bare ETag']), null)).toMatchObject({
      lease: 'host',
      once: 'condition',
    }));

  it.each([
    [
      [...CONDITIONS, 'GET of a version'],
      null,
      /enforce what backups need: write-once \(.*\), versions \(GET of a version: bad instead of good\); use a bucket/,
    ],
    [
      ['wrong MD5 on a part'],
      null,
      /what backups need: md5 \(wrong MD5 on a part: bad instead of good\), multipart/,
    ],
    [
      ['Object Lock'],
      LOCK,
      /^backups\.lock: the storage does not enforce lock-governance \(Object Lock: bad instead of good\); leave it out/,
    ],
    [
      ['locked version, COMPLIANCE'],
      { ...LOCK, mode: 'COMPLIANCE' } as const,
      /does not enforce lock-compliance/,
    ],
  ])('refuses a storage that lacks %j', (faulty, lock, message) =>
    expect(() => waysFor(rows(faulty), lock)).toThrow(message),
  );

  it('asks for no lock where none is wanted, nor for the other mode', () => {
    expect(waysFor(rows(['Object Lock', 'URL that locks']), null).lock).toBeNull();
    expect(waysFor(rows(['locked version, COMPLIANCE']), LOCK).lock).toEqual(LOCK);
  });
});

describe('lockRuleOf, lockFrom', () => {
  const backups = {
    bucket: 'b',
    engine: 'stream',
    keep: { daily: 7, weekly: 4, monthly: 6 },
    pitr: 1,
  } as const;
  it('are nothing where nothing is to be locked', () => {
    expect(lockRuleOf({ backups: { ...backups, encrypt: true, lockMode: 'compliance' } })).toBeNull();
    expect(lockFrom(null, new Date())).toBeNull();
  });
  it('lock from a moment on', () => {
    const rule = lockRuleOf({
      backups: { ...backups, encrypt: true, lock: HOUR_MS, lockMode: 'compliance' },
    });
    expect(lockFrom(rule, new Date('2026-11-27T02:00:00Z'))).toEqual({
      ...{ mode: 'COMPLIANCE', until: new Date('2026-11-27T03:00:00Z') },
    });
  });
});

describe('lockBeyond', () => {
  const rules = { daily: 1, weekly: 4, monthly: 6, pitrMs: 2 * HOUR_MS, minimum: 2 };
  it.each([
    [2 * HOUR_MS, rules, null],
    [3 * HOUR_MS, rules, /longer than backups\.pitr:/],
    [3 * HOUR_MS, { ...rules, pitrMs: null }, null],
    [25 * HOUR_MS, { ...rules, pitrMs: 99 * HOUR_MS }, /longer than backups\.keep\.daily:/],
  ])('a lock of %i ms under %j', (ms, given, said) => {
    const found = lockBeyond({ mode: 'GOVERNANCE', ms }, given);
    if (said === null) expect(found).toBeNull();
    else expect(found).toMatch(said);
  });
  it('says nothing without one', () => expect(lockBeyond(null, rules)).toBeNull());
});
