import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { storageThat } from './programs.testkit.js';
import { RESTORE_WAL_PROGRAM } from './restore-wal-program.js';
import { segmentName } from './wal.js';

const BYTES = 16 * 1024 * 1024;
const segment = (timeline: number, number: number): string => segmentName(timeline, BigInt(number), BYTES);

/** Timeline 2 comes from 1 within segment 7, in the words of PostgreSQL. */
const HISTORY = '1\t0/7000098\tno recovery target specified\n';

describe('restore-wal, asked for what the bucket does not have', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'restore-wal-'));
    mkdirSync(join(folder, 'pg_wal'));
    writeFileSync(join(folder, 'restore-wal'), RESTORE_WAL_PROGRAM);
    has(segment(1, 3), segment(1, 5), segment(1, 9), '00000002.history', segment(2, 7));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const has = (...names: string[]): void =>
    writeFileSync(join(folder, 'urls'), names.map((name) => `${name} http://127.0.0.1:1/${name}\n`).join(''));

  async function ask(name: string) {
    const child = spawn('perl', ['restore-wal', folder, name, 'pg_wal/asked'], {
      cwd: folder,
      stdio: 'pipe',
    });
    const stderr = text(child.stderr);
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, stderr: await stderr };
  }
  const toTheEnd = (timeline = 1): void =>
    writeFileSync(join(folder, 'to-the-end'), `${segment(timeline, 4)} ${BYTES}\n`);
  /** As PostgreSQL has it before it asks for segments. */
  const follows = (history = HISTORY, timeline = 2): void =>
    writeFileSync(join(folder, `0000000${timeline}.history`), history);

  it('calls it the end of the log where PostgreSQL knows its target', async () => {
    expect(await ask(segment(1, 4))).toEqual({ status: 1, stderr: '' });
  });

  it('calls a gap a gap where the end of the log is the target', async () => {
    toTheEnd();
    const { status, stderr } = await ask(segment(1, 4));
    expect(status).toBe(200);
    expect(stderr).toContain(`${segment(1, 4)} is not in the bucket, and ${segment(1, 5)} is`);
  });

  it.each([
    ['after the last segment', segment(2, 8)],
    ['of a timeline that was left before, though its server wrote on', segment(1, 8)],
    ['a history', '00000003.history'],
  ])('calls it the end of the log: %s', async (_, name) => {
    toTheEnd();
    follows();
    expect(await ask(name)).toEqual({ status: 1, stderr: '' });
  });

  it('leaves to PostgreSQL what the base itself has', async () => {
    toTheEnd();
    expect(await ask(segment(1, 2))).toEqual({ status: 1, stderr: '' });
  });

  it('calls a gap what a newer timeline needs, though nothing comes after it on its own', async () => {
    toTheEnd();
    follows();
    has(segment(1, 5), '00000002.history', segment(2, 7));
    const { status, stderr } = await ask(segment(1, 6));
    expect(stderr).toContain(
      `${segment(1, 6)} is not in the bucket, and timeline 2 needs it: the log has a gap`,
    );
    expect(status).toBe(200);
  });

  it('is not led astray by a timeline that nobody went on with', async () => {
    toTheEnd();
    follows('1\t0/C000000\tat restore point\n', 3);
    has(segment(1, 5), '00000002.history', segment(2, 7), '00000003.history', segment(3, 12));
    expect(await ask(segment(1, 8))).toMatchObject({ status: 200 });
    expect(await ask(segment(1, 12))).toMatchObject({ status: 1 });
  });

  it('calls it a gap when the history of a timeline is missing whose segments, or successors, are there', async () => {
    toTheEnd();
    has(segment(1, 5), segment(2, 7));
    const { status, stderr } = await ask('00000002.history');
    expect(stderr).toContain(`00000002.history is not in the bucket, and ${segment(2, 7)} is`);
    expect(status).toBe(200);
    has(segment(1, 5), '00000003.history');
    expect(await ask('00000002.history')).toMatchObject({ status: 200 });
    toTheEnd(2);
    expect(await ask('00000002.history')).toEqual({ status: 1, stderr: '' });
  });

  it('keeps a history that it restores, for what is asked then', async () => {
    const storage = await storageThat((_, response) => response.end(zstdCompressSync(Buffer.from(HISTORY))));
    toTheEnd();
    writeFileSync(join(folder, 'urls'), `00000002.history ${storage.url}\n`);
    expect(await ask('00000002.history')).toEqual({ status: 0, stderr: '' });
    storage.close();
    expect(readFileSync(join(folder, 'pg_wal/asked'), 'utf8')).toBe(HISTORY);
    expect(await ask(segment(1, 6))).toMatchObject({ status: 200 });
    expect(await ask(segment(1, 7))).toMatchObject({ status: 1 });
  });
});
