import { describe, expect, it } from '@jest/globals';
import type { Backup } from '@perlstack/backup';
import { backupSections } from './report.js';

const backup = (id: string, parent: string | null): Backup => ({
  bytes: 1_048_576,
  manifest: {
    ...{ format: 1, id, stack: 'shop', kind: parent === null ? 'full' : 'incremental', parent },
    ...{ proof: null, rows: {}, run: null, source: { host: 'database-2', role: 'replica', lagBytes: 0 } },
    postgresql: { systemId: '7', major: 17, version: '17.6', databaseBytes: 1 },
    wal: { timeline: 1, startLsn: '0/1', stopLsn: '0/2', segmentBytes: 16_777_216 },
    ...{ startedAt: '2026-11-27T02:00:00.000Z', finishedAt: '2026-11-27T02:00:02.000Z' },
    lockedUntil: null,
    object: {
      ...{ key: 'k', size: 1, sha256: 'a'.repeat(64), etag: 'e', version: null, parts: [] },
      recipient: 'age1x',
    },
  },
});

describe('backupSections', () => {
  const full = backup('20261126T020000Z', null);
  const next = backup('20261127T020000Z', full.manifest.id);
  const [table, course] = backupSections({ backups: [full, next], broken: [], wal: new Map() });

  it('has a cell for each column, the newest backup first', () => {
    const rows = (table?.body ?? '').trim().split('\n');
    const cells = rows.map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    expect(cells.map(({ length }) => length)).toEqual([7, 7, 7, 7]);
    expect(cells[2]?.slice(0, 4)).toEqual([
      next.manifest.id,
      `on ${full.manifest.id}`,
      'database-2',
      '1.0 MiB',
    ]);
    expect(cells[3]?.slice(0, 2)).toEqual([full.manifest.id, 'full']);
  });

  it('shows sizes and durations in their order', () =>
    expect(course).toMatchObject({ code: 'mermaid', body: expect.stringContaining('line [2.0, 2.0]') }));
});
