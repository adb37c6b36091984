import { describe, expect, it } from '@jest/globals';
import type { RedisBackup } from '@perlstack/backup';
import { backupSections, metricsOf } from './report.js';

const backup = (id: string, finishedAt: string): RedisBackup => ({
  bytes: 2_097_152,
  manifest: {
    ...{ format: 1, id, stack: 'shop', run: null, keys: 7, databases: { 0: { least: 7, most: 7 } } },
    source: { host: 'cache-2', role: 'replica', lagBytes: 0 },
    redis: { version: '8.0.2', replicationId: 'a'.repeat(40), offset: 1, memoryBytes: 1, snapshotBytes: 1 },
    ...{ startedAt: '2026-11-27T02:00:00.000Z', finishedAt },
    lockedUntil: null,
    object: {
      ...{ key: 'k', size: 9, sha256: 'a'.repeat(64), etag: 'e', version: null, parts: [], recipient: null },
    },
  },
});

const BACKUPS = {
  backups: [
    backup('20261126T020000Z', '2026-11-26T02:00:02.000Z'),
    backup('20261127T020000Z', '2026-11-27T02:00:02.000Z'),
  ],
  broken: [],
};

describe('backupSections', () => {
  it('says of each snapshot whose it is and how many keys it has, the newest first', () => {
    const [table] = backupSections(BACKUPS);
    const cells = (table?.body ?? '')
      .trim()
      .split('\n')
      .map((row) => row.split('|').map((cell) => cell.trim()));
    expect(cells[2]?.slice(1, -1)).toEqual([
      ...['20261127T020000Z', 'cache-2 (replica)', '2.0 MiB'],
      ...['2.0 s', 'no', '7', '8.0.2'],
    ]);
    expect(cells[3]?.[1]).toBe('20261126T020000Z');
  });
});

describe('metricsOf', () => {
  const now = new Date('2026-11-27T03:00:02.000Z');

  it('says how old the last good backup is', () =>
    expect(metricsOf(BACKUPS, null, now)).toEqual({
      ...{ lastBackupAgeSeconds: 3_600, lastBackupBytes: 9, lastBackupKeys: 7 },
      ...{ backups: 2, bucketBytes: 4_194_304, lastDrillAgeSeconds: null },
    }));
  it('says nothing where there is none', () =>
    expect(metricsOf({ backups: [], broken: [] }, now, now)).toMatchObject({
      ...{ lastBackupAgeSeconds: null, backups: 0, lastDrillAgeSeconds: 0 },
    }));
});
