import { describe, expect, it } from '@jest/globals';
import { printPostgresql } from '@perlstack/configs';
import { readManifest } from './manifest.js';
import { assertReadable, chooseBackup, recoverySettings } from './restore.js';
import { exampleManifest } from './testing.js';

const backups = ['20261125T020000Z', '20261126T020000Z'].map((id, at) => ({
  bytes: 1,
  manifest: exampleManifest(id, {
    wal: {
      timeline: 1,
      startLsn: '0/1',
      stopLsn: at === 0 ? '0/9000000' : '0/A000000',
      segmentBytes: 16_777_216,
    },
  }),
}));

describe('chooseBackup', () => {
  it.each([
    ['latest', null, { kind: 'latest' } as const, '20261126T020000Z'],
    ['a certain one', '20261125T020000Z', { kind: 'latest' } as const, '20261125T020000Z'],
    [
      'the last before a time',
      null,
      { kind: 'time', at: new Date('2026-11-25T12:00:00Z') } as const,
      '20261125T020000Z',
    ],
    // 0/10000000 is more than 0/A000000, whatever their letters say.
    ['the last before a position', null, { kind: 'lsn', lsn: '0/10000000' } as const, '20261126T020000Z'],
    ['the last before another', null, { kind: 'lsn', lsn: '0/9000001' } as const, '20261125T020000Z'],
  ])('%s', (_, id, target, chosen) => expect(chooseBackup(backups, id, target).manifest.id).toBe(chosen));
  it.each([
    [[], null, { kind: 'latest' } as const, 'The bucket has no whole backup'],
    [
      backups,
      '20260101T000000Z',
      { kind: 'latest' } as const,
      'there is no whole backup 20260101T000000Z; there is: 2026',
    ],
    [
      backups,
      null,
      { kind: 'time', at: new Date('2026-11-24T00:00:00Z') } as const,
      'no backup ends before it',
    ],
  ])('says why there is none', (all, id, target, message) =>
    expect(() => chooseBackup(all, id, target)).toThrow(message),
  );
});

describe('assertReadable', () => {
  const [{ manifest }] = backups as [(typeof backups)[number]];
  const encrypted = {
    bytes: 1,
    manifest: { ...manifest, object: { ...manifest.object, recipient: 'age1x' } },
  };
  it('wants a key for what is encrypted, and none for what is not', () => {
    expect(() => assertReadable({ identity: null }, encrypted)).toThrow('is encrypted for age1x');
    expect(() => assertReadable({ identity: 'AGE' }, encrypted)).not.toThrow();
    expect(() => assertReadable({ identity: null }, { bytes: 1, manifest })).not.toThrow();
  });
});

describe('recoverySettings', () => {
  it('quotes what PostgreSQL would take for the end of a value', () => {
    const text = printPostgresql(
      'x',
      recoverySettings('perl /run/it\'s "%f"', { kind: 'time', at: new Date(0) }),
    );
    const lines = text.split('\n');
    expect(lines).toContain("restore_command = 'perl /run/it''s \"%f\"'");
    expect(lines).toContain("recovery_target_time = '1970-01-01T00:00:00.000+00'");
  });
});

describe('readManifest', () => {
  it('reads what was written', () => {
    const manifest = exampleManifest('20261126T020000Z');
    expect(readManifest(JSON.stringify(manifest))).toEqual(manifest);
  });
  it.each([
    ['{', 'not JSON'],
    ['{}', 'format: '],
    [JSON.stringify({ ...exampleManifest('20261126T020000Z'), id: '../../x' }), 'id: '],
  ])('tells what is wrong', (text, fault) =>
    expect(readManifest(text)).toMatchObject({ fault: expect.stringContaining(fault) }),
  );
});
