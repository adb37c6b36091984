import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { LogFile } from '../catalogue.js';
import { lineOf } from '../lineage.js';
import { exampleManifest } from '../testing.js';
import { parseHistory, segmentName } from '../wal.js';
import { RESTORE_WAL, sumsOf } from './restore.js';

const SEGMENT = 16_777_216;
const SUM = 'c'.repeat(40);
/** Timeline 2 leaves the first one in segment 6, and has nothing there yet. */
const LINE = lineOf(new Map([[2, parseHistory('1\t0/6000000\tno recovery target specified\n')]]), 2);
const NAMES = [
  segmentName(1, 5n, SEGMENT),
  segmentName(1, 6n, SEGMENT),
  segmentName(1, 7n, SEGMENT),
  '00000002.history',
];
const WAL = new Map<string, LogFile>(
  NAMES.map((name) => [
    name,
    {
      key: `archive/shop/17-1/${name}${name.endsWith('history') ? '' : `-${SUM}.zst`}`,
      ...{ size: 1, modified: new Date(0) },
    },
  ]),
);
const BACKUP = { bytes: 1, manifest: exampleManifest('20261101T020000Z') };

describe('the segments that recovery is handed', () => {
  it('are none of those behind the place where its line left their timeline', () =>
    expect(sumsOf(WAL, BACKUP, { kind: 'time', at: new Date(), along: 2 }, LINE)).toBe(
      `${NAMES[0]} ${SUM}\n${NAMES[1]} -\n${NAMES[2]} -\n`,
    ));

  it('are all of them along their own timeline', () =>
    expect(sumsOf(WAL, BACKUP, { kind: 'latest', along: 'current' }, LINE)).toBe(
      NAMES.slice(0, 3)
        .map((name) => `${name} ${SUM}\n`)
        .join(''),
    ));

  it.each([
    ['the end of the log, without asking, for one that is not on the way', NAMES[1], 1],
    ['a fault for one that pgBackRest does not give', NAMES[0], 200],
  ])('are %s', (_, name = '', code) => {
    const folder = mkdtempSync(join(tmpdir(), 'restore-wal-'));
    try {
      const sums = join(folder, 'sums');
      writeFileSync(sums, `${NAMES[0]} ${SUM}\n${NAMES[1]} -\n`);
      const words = ['-c', RESTORE_WAL, 'restore-wal', 'shop', folder, sums, name, join(folder, 'segment')];
      // There is no such repository, wherever this runs.
      expect(spawnSync('sh', words).status).toBe(code);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
