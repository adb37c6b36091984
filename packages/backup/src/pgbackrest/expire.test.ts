import { describe, expect, it } from '@jest/globals';
import type { BackupFacts, Catalogue } from '../catalogue.js';
import { retentionOf } from '../backup.js';
import { keptOf } from '../catalogue.js';
import { planRetention } from '../retention.js';
import { exampleManifest } from '../testing.js';
import { kindOf } from './backup.js';
import { expireCommands, withoutNeeded } from './expire.js';

const DAY = 86_400_000;
const NOW = new Date('2026-11-27T12:00:00Z');

/** A full backup so many days ago, in the third segment of each day. */
function ago(days: number, base?: string): Catalogue<BackupFacts>['backups'][number] {
  const at = new Date(+NOW - days * DAY).toISOString();
  const day = at.slice(0, 10).replaceAll('-', '');
  const id = base === undefined ? `${day}-120000F` : `${base}_${day}-120000I`;
  const first = (100 - days * 10).toString(16).toUpperCase().padStart(2, '0');
  return {
    bytes: 1_000,
    manifest: {
      ...exampleManifest('20261127T020000Z'),
      ...{ id, kind: base === undefined ? 'full' : 'incremental', parent: base ?? null },
      ...{ startedAt: at, finishedAt: at },
      wal: {
        timeline: 1,
        startLsn: `0/${first}000028`,
        stopLsn: `0/${first}000120`,
        segmentBytes: 16_777_216,
      },
    },
  };
}

const RULES = { daily: 0, weekly: 0, monthly: 2, pitrMs: 2 * DAY, minimum: 1 };
const labels = (backups: readonly { manifest: { id: string } }[]): string[] =>
  backups.map(({ manifest }) => manifest.id);
const planOf = (backups: ReturnType<typeof ago>[], rules = RULES) =>
  planRetention(backups.map(keptOf), rules, NOW);

describe('expireCommands', () => {
  const old = ago(9);
  const base = ago(3);
  const top = ago(2.5, base.manifest.id);
  const newest = ago(1);

  it('counts full backups from the base of the window on, and removes what builds on others first', () => {
    const gone = ago(8);
    const onIt = ago(7, gone.manifest.id);
    const all = [old, gone, onIt, base, top, newest];
    expect(expireCommands(planOf(all, { ...RULES, monthly: 0 }), labels(all))).toEqual([
      ['expire', `--set=${onIt.manifest.id}`],
      ['expire', `--set=${gone.manifest.id}`],
      ['expire', `--set=${old.manifest.id}`],
      ['expire', '--repo1-retention-archive-type=full', '--repo1-retention-archive=2'],
    ]);
  });

  it('counts those that are not sound too: pgBackRest does', () => {
    const commands = expireCommands(planOf([base, top, newest]), [
      ...labels([base, top, newest]),
      '20261127-110000F',
    ]);
    expect(commands.at(-1)?.at(-1)).toBe('--repo1-retention-archive=3');
  });

  it('touches nothing of the log before there is a backup older than the window', () =>
    expect(expireCommands(planOf([newest]), labels([newest]))).toEqual([]));
});

describe('withoutNeeded', () => {
  it('leaves an older backup that stays the log of its own', () => {
    const [monthly, base, newest] = [ago(9), ago(3), ago(1)] as const;
    const backups = [monthly, base, newest];
    const names = [9, 10, 11, 69, 70, 71].map((segment) =>
      segment.toString(16).toUpperCase().padStart(24, '0'),
    );
    const wal = new Map(
      names.map((name) => [`00000001${name.slice(8)}`, { key: name, size: 10, modified: NOW }]),
    );
    const catalogue = { backups, broken: [], wal };
    const all = retentionOf(catalogue, { ...RULES, monthly: 3, daily: 9 }, NOW, null);
    expect(all.segments).toHaveLength(4);
    const retained = withoutNeeded(all, catalogue);
    // Segment 10 is that of the oldest, 70 that of the base.
    expect(retained.segments.map((name) => Number.parseInt(name.slice(16), 16))).toEqual([9, 11, 69]);
    expect(retained.freedBytes).toBe(30);
  });
});

describe('kindOf', () => {
  const full = ago(3);
  const chain = [full, ago(2, full.manifest.id), ago(1, full.manifest.id)];
  it.each([
    [[], 5, 'full'],
    [chain, 1, 'full'],
    [chain, 3, 'full'],
    [chain, 4, 'incr'],
    [[...chain, ago(0)], 2, 'incr'],
  ])('%#', (backups, fullEvery, kind) => expect(kindOf(backups, fullEvery)).toBe(kind));
});
