import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RESTORE_WAL_PROGRAM } from './restore-wal-program.js';
import { segmentName } from './wal.js';

const segment = (timeline: number, number: number): string =>
  segmentName(timeline, BigInt(number), 16 * 1024 * 1024);

describe('restore-wal, asked for what the bucket does not have', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'restore-wal-'));
    mkdirSync(join(folder, 'pg_wal'));
    writeFileSync(join(folder, 'restore-wal'), RESTORE_WAL_PROGRAM);
    const there = [segment(1, 3), segment(1, 5), segment(1, 9), '00000002.history', segment(2, 7)];
    writeFileSync(join(folder, 'urls'), there.map((name) => `${name} http://127.0.0.1:1/${name}\n`).join(''));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function ask(name: string) {
    const { status, stderr } = spawnSync('perl', ['restore-wal', folder, name, 'pg_wal/asked'], {
      cwd: folder,
      encoding: 'utf8',
    });
    return { status, stderr };
  }
  const toTheEnd = (): void => writeFileSync(join(folder, 'to-the-end'), `${segment(1, 4).slice(8)}\n`);

  it('calls it the end of the log where PostgreSQL knows its target', () => {
    expect(ask(segment(1, 4))).toEqual({ status: 1, stderr: '' });
  });

  it('calls a gap a gap where the end of the log is the target', () => {
    toTheEnd();
    const { status, stderr } = ask(segment(1, 4));
    expect(status).toBe(200);
    expect(stderr).toContain(`${segment(1, 4)} is not in the bucket, and ${segment(1, 5)} is`);
  });

  it.each([
    ['after the last segment', segment(2, 8)],
    ['of a timeline that was left before, though its server wrote on', segment(1, 8)],
    ['a history', '00000003.history'],
  ])('calls it the end of the log: %s', (_, name) => {
    toTheEnd();
    expect(ask(name)).toEqual({ status: 1, stderr: '' });
  });

  it('leaves to PostgreSQL what the base itself has', () => {
    toTheEnd();
    expect(ask(segment(1, 2))).toEqual({ status: 1, stderr: '' });
  });
});
