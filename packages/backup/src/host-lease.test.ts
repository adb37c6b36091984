import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Remote } from '@perlstack/remote';
import { acquireHostLease, type LeaseHost, releaseHostLease } from './host-lease.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'host-lease-')), 'backup');
  file = join(folder, 'shop.lock');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

/** The scripts run on this machine. */
const script: Remote['script'] = async (_host, body, args = [], options = {}) => {
  const child = spawn('sh', ['-c', body, 'lease', ...args]);
  child.stdin.on('error', () => undefined).end(options.input);
  const closed = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  if (!(options.okCodes ?? [0]).includes(code)) throw new Error(`exit code ${code}: ${stderr}`);
  return { code, stdout, stderr, truncated: false };
};
const place: LeaseHost = { remote: { script }, host: 'database-1', stack: 'shop' };
const take = (owner: string) => acquireHostLease(place, { purpose: 'backup', owner, ttlMs: 600_000 }, folder);

/** As if its owner had been silent for so long. */
const age = (seconds: number): void => utimesSync(file, new Date(), Date.now() / 1_000 - seconds);

describe('a lease on a host', () => {
  it('goes to one of five that ask at once, and says to the others who has it, as one in a bucket does', async () => {
    const asked = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map(take));
    const winners = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(winners).toHaveLength(1);
    const losers = asked.flatMap((one): unknown[] => (one.status === 'rejected' ? [one.reason] : []));
    const { owner, since } = winners[0]?.holder ?? {};
    for (const loser of losers) {
      expect(loser).toMatchObject({ kind: 'exists' });
      expect(String(loser)).toContain(
        `A backup is under way since ${since} (${owner}): wait for it to end; if it was killed, its lease ends at 20`,
      );
    }
    await winners[0]?.release();
    expect(readdirSync(folder)).toEqual(['mutex']);
    await (await take('next')).release();
  });

  it('is taken over when its owner has been silent too long, not before, and stays with the new one', async () => {
    const lost = await take('first');
    age(590);
    await expect(take('second')).rejects.toThrow(/\(first\)/);
    await lost.renew();
    age(610);
    const lease = await take('second');
    await expect(lost.renew()).rejects.toThrow('Somebody else has taken the lease on database-1 over');
    await lost.release();
    await expect(take('third')).rejects.toThrow(/\(second\)/);
    expect(lease.holder.owner).toBe('second');
  });

  it('is given back by another process, by what it wrote down', async () => {
    const { holder } = await take('killed');
    await releaseHostLease(place, 'of-somebody-else', folder);
    await expect(take('next')).rejects.toThrow(/\(killed\)/);
    await releaseHostLease(place, holder.nonce, folder);
    await take('next');
  });

  it('is somebody’s also when nobody can read it', async () => {
    await (await take('first')).release();
    writeFileSync(file, 'not ours');
    await expect(take('second')).rejects.toThrow('Somebody else took the lease at the same moment');
  });
});
