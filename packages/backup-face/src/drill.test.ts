import { describe, expect, it } from '@jest/globals';
import type { DrillNote } from '@perlstack/backup';
import { RemoteError } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { doDrill } from './drill.js';

const broken = new RemoteError({ host: 'database-2', command: 'tar', reason: 'exit', why: 'failed' });

/** A drill that ends so, and the notes that it left. */
async function drillThat(work: () => Promise<DrillNote>, signal = new AbortController().signal) {
  const notes: DrillNote[] = [];
  const log = { warning: () => undefined } as never;
  const reporter = { phase: <T>(_: string, phase: () => Promise<T>) => phase() } as never;
  const keep = async (note: DrillNote): Promise<void> => void notes.push(note);
  const ended = await doDrill({ reporter, log, signal }, ['Backup', 'a'], keep, work).catch(
    (error: unknown) => error,
  );
  return { notes, ended };
}

describe('doDrill', () => {
  it('notes what it found', async () => {
    const report = { backup: 'a', startedAt: '2026-11-27T02:00:00.000Z', faults: ['x'] };
    expect(await drillThat(async () => report)).toEqual({ notes: [report], ended: report });
  });

  it('notes that it could not restore, and says so', async () => {
    const { notes, ended } = await drillThat(() => Promise.reject(broken));
    expect(notes).toMatchObject([{ backup: 'a', faults: ['database-2: tar failed'] }]);
    expect(ended).toEqual(new UserError('Backup a could not be restored: database-2: tar failed'));
  });

  it('notes nothing when it was called off, or asked for what cannot be', async () => {
    const refused = new UserError('Input "age-identity": …');
    expect(await drillThat(() => Promise.reject(refused))).toEqual({ notes: [], ended: refused });
    expect((await drillThat(() => Promise.reject(broken), AbortSignal.abort())).notes).toEqual([]);
  });
});
