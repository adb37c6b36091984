import { describe, expect, it } from '@jest/globals';
import type { Backup, MemberSeen } from '@perlstack/backup';
import { backupSections, figuresSection, logAlarm, serverMetrics, ticketAlarm } from './report.js';

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

const primary = (waiting: number): MemberSeen => ({
  ...{ host: 'database-1', inRecovery: false, systemId: '7', version: '17.6', timeline: 1, waiting },
  ...{ lsn: '0/5000000', streaming: false, segmentBytes: 16_777_216, databaseBytes: 1, dropped: [] },
  ...{ archiveMode: 'on', archiveCommand: 'x', archiveAltered: [], diskBytes: 1, processors: 2 },
  archived: { last: null, at: '2026-11-27T02:00:00Z', failed: null },
  book: { until: '2026-11-29T01:00:00.000Z', last: '00000001000000000000FFFF' },
});
const NOW = new Date('2026-11-27T02:30:00Z');

describe('logAlarm', () => {
  const quiet = { archiveLagSeconds: 5, segmentsWaiting: 0 };
  it.each([
    ['nothing waits', quiet],
    ['nobody writes', { ...quiet, archiveLagSeconds: 90_000 }],
    ['what waits came in passing', { ...quiet, segmentsWaiting: 32 }],
  ] as const)('%s: nothing', (_, metrics) => expect(logAlarm(metrics, primary(0))).toBeNull());

  it.each([
    [
      'a segment waits for long',
      { archiveLagSeconds: 1_800, segmentsWaiting: 1 },
      /^1 segments of the log wait on database-1, the last one was handed over 30 min 0 s ago/,
    ],
    ['many have begun to wait', { ...quiet, segmentsWaiting: 33 }, /^33 segments/],
    [
      'nothing was ever handed over',
      { archiveLagSeconds: null, segmentsWaiting: 1 },
      /^1 segments of the log wait on database-1, none was handed over yet:/,
    ],
  ] as const)('%s', (_, metrics, alarm) => expect(logAlarm(metrics, primary(0))).toMatch(alarm));

  it('names what failed', () => {
    const seen = primary(2);
    const stuck = { ...seen, archived: { ...seen.archived, failed: '00000002.history' } };
    expect(logAlarm({ archiveLagSeconds: 1_800, segmentsWaiting: 2 }, stuck)).toMatch(
      / 30 min 0 s ago, 00000002\.history failed: what is in them/,
    );
  });
});

describe('ticketAlarm', () => {
  const of = (ticketHoursLeft: number | null, hasBackups = true): string | null =>
    ticketAlarm({ ticketHoursLeft }, primary(0), hasBackups);
  it('is none while tickets are left for days', () => expect(of(168)).toBeNull());
  it('is none before the first backup', () => expect(of(null, false)).toBeNull());
  it('comes before they end', () =>
    expect(of(46.5)).toMatch(/^Tickets for the log end in 46\.5 hours.*database-1/));
  it('comes when there are none', () =>
    expect(of(null)).toMatch(
      /^database-1 has no tickets for the log; without new ones database-1 keeps its log/,
    ));
});

describe('serverMetrics', () => {
  it('tells what the primary says, before the bucket is known', () =>
    expect(serverMetrics([primary(2)], 0, NOW)).toEqual({
      ...{ archiveLagSeconds: 1_800, segmentsWaiting: 2 },
      ticketHoursLeft: 46.5,
    }));
  it('is nothing without a primary', () =>
    expect(serverMetrics([{ host: 'database-1', fault: 'gone' }], 0, NOW)).toEqual({
      ...{ archiveLagSeconds: null, segmentsWaiting: null, ticketHoursLeft: null },
    }));
});

describe('figuresSection', () => {
  it('shows ages, what waits and how long the tickets last', () => {
    const metrics = {
      ...serverMetrics([primary(2)], 0, NOW),
      lastBackupAgeSeconds: 60,
      lastDrillAgeSeconds: null,
    };
    const cells = figuresSection(metrics)
      .body.trim()
      .split('\n')
      .slice(2)
      .map((row) => row.split('|')[2]?.trim());
    expect(cells).toEqual(['1 min 0 s ago', 'none', '30 min 0 s ago', '2', '47 hours']);
  });
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
