import { describe, expect, it } from '@jest/globals';
import { readInfo } from './info.js';

// As 2.55 prints it, shortened.
const backup = (label: string, more: object = {}): object => ({
  archive: { start: '000000020000000000000002', stop: '000000020000000000000003' },
  ...{ backrest: { format: 5, version: '2.55.1' }, database: { id: 1, 'repo-key': 1 }, error: false },
  info: { delta: 23_422_001, repository: { delta: 2_794_576, size: 2_794_576 }, size: 23_422_001 },
  ...{ label, lsn: { start: '0/2000028', stop: '0/3000050' }, prior: null, reference: null },
  timestamp: { start: 1_795_798_220, stop: 1_795_798_221 },
  ...{ type: 'full', ...more },
});
const info = (backups: readonly object[], more: object = {}): string =>
  JSON.stringify([
    {
      archive: [{ database: { id: 1, 'repo-key': 1 }, id: '17-1', max: null, min: null }],
      ...{ backup: backups, cipher: 'aes-256-cbc', name: 'shop' },
      db: [{ id: 1, 'repo-key': 1, 'system-id': 'SYSTEM', version: '17' }],
      repo: [{ cipher: 'aes-256-cbc', key: 1, status: { code: 0, message: 'ok' } }],
      status: { code: 0, lock: { backup: { held: false } }, message: 'ok' },
      ...more,
    },
  ]).replaceAll('"SYSTEM"', '7712894622168473799');

const FULL = '20261127-165020F';
const INCR = `${FULL}_20261127-165021I`;
const NOTE = {
  ...{ host: 'database-1', version: '17.6', segmentBytes: 16_777_216, databaseBytes: 30_000_000 },
  proof: { lsn: '0/4000000', segment: '000000020000000000000004', at: '2026-11-27T16:50:23.000Z' },
  ...{ rows: { shop: { 'public.orders': { least: 1, most: 2 } } }, run: null },
};

describe('readInfo', () => {
  it.each([
    ['none', {}, {}, null, null],
    ['one that failed, after a good one', { 'perlstack-drill': 1 }, { 'perlstack-drill-failed': 2 }, 1, 2],
    ['a good one after one that failed', { 'perlstack-drill': 3 }, { 'perlstack-drill-failed': 2 }, 3, null],
    ['both of one backup', { 'perlstack-drill': 2, 'perlstack-drill-failed': 4 }, {}, 2, 4],
  ])('tells of drills: %s', (_, full, incr, good, failed) => {
    const day = (date: number): string => `2026-11-0${date}T03:00:00.000Z`;
    const noted = (notes: Readonly<Record<string, number>>) => ({
      annotation: Object.fromEntries(Object.entries(notes).map(([name, date]) => [name, day(date)])),
    });
    const seen = readInfo(info([backup(FULL, noted(full)), backup(INCR, noted(incr))]));
    const at = (date: number | null): Date | null => (date === null ? null : new Date(day(date)));
    expect(seen).toMatchObject({ drills: { good: at(good), failed: at(failed) } });
  });

  it('tells backups as the other engine does, oldest first', () => {
    const incr = backup(INCR, {
      ...{ type: 'incr', prior: FULL, timestamp: { start: 1_795_798_225, stop: 1_795_798_226 } },
      annotation: { perlstack: JSON.stringify(NOTE), 'perlstack-drill': '2026-11-27T17:00:00.000Z' },
    });
    const seen = readInfo(info([incr, backup(FULL)]));
    if ('fault' in seen) throw new Error(seen.fault);
    expect(seen).toMatchObject({
      made: true,
      systemId: '7712894622168473799',
      archiveId: '17-1',
      broken: [],
    });
    expect(seen.drills).toEqual({ good: new Date('2026-11-27T17:00:00Z'), failed: null });
    expect(
      seen.backups.map(({ manifest, bytes }) => [manifest.id, manifest.kind, manifest.parent, bytes]),
    ).toEqual([
      [FULL, 'full', null, 2_794_576],
      [INCR, 'incremental', FULL, 2_794_576],
    ]);
    expect(seen.backups[1]?.manifest).toMatchObject({
      source: { host: 'database-1', role: 'primary' },
      postgresql: { systemId: '7712894622168473799', major: 17, version: '17.6', databaseBytes: 30_000_000 },
      wal: { timeline: 2, startLsn: '0/2000028', stopLsn: '0/3000050' },
      ...{ proof: NOTE.proof, rows: NOTE.rows },
      ...{ startedAt: '2026-11-27T16:50:25.000Z', finishedAt: '2026-11-27T16:50:26.000Z' },
      object: { recipient: 'aes-256-cbc' },
    });
  });

  it('takes a backup that somebody made by hand for one without a point to prove', () => {
    const seen = readInfo(info([backup(FULL, { annotation: { perlstack: 'not JSON' } })]));
    expect(seen).toMatchObject({ backups: [{ manifest: { proof: null, source: { host: 'not known' } } }] });
  });

  it('tells pages that are not sound apart', () =>
    expect(readInfo(info([backup(FULL, { error: true })]))).toMatchObject({
      backups: [],
      broken: [{ id: FULL, why: expect.stringContaining('checksums do not fit') }],
    }));

  it('leaves out what is of the cluster before', () => {
    const db = [1, 2].map((id) => ({ id, 'repo-key': 1, 'system-id': 'SYSTEM', version: '17' }));
    expect(readInfo(info([backup(FULL)], { db }))).toMatchObject({ archiveId: '17-2', backups: [] });
  });

  it.each([
    [1, 'missing stanza path', false],
    [2, 'no valid backups', true],
    [3, 'missing stanza data', false],
  ])('status %d: %s', (code, message, made) =>
    expect(
      readInfo(info([], { status: { code, message }, ...(made ? {} : { db: [], archive: [] }) })),
    ).toMatchObject({ made, backups: [] }),
  );

  it('says why a repository cannot be read', () =>
    expect(
      readInfo(
        info([], {
          status: { code: 99, message: 'other' },
          repo: [{ status: { code: 99, message: '[CryptoError] unable to flush' } }],
        }),
      ),
    ).toEqual({ fault: '[CryptoError] unable to flush' }));

  it('reads one that quotes what could not be decrypted', () => {
    const text = info([], {
      status: { code: 99, message: 'other' },
      repo: [{ status: { code: 99, message: 'outside of section at line 1: BYTES' } }],
    });
    expect(readInfo(text.replace('BYTES', '6|\u0003\u001b'))).toEqual({
      fault: 'outside of section at line 1: 6|  ',
    });
  });
});
