import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ARCHIVE_PROGRAM } from '@perlstack/configs';
import { archiveWal, bookOf, layControl, md5, storageThat } from './programs.testkit.js';

const missing = ['/usr/bin/perl', '/usr/bin/curl', '/usr/bin/zstd'].filter((path) => !existsSync(path));

const NAME = '000000010000000000000005';
/** More than what the kernel takes on the way, in bytes. */
const SIZE = 12_000_000;
const SECONDS = 4;

/** Ten minutes are the limit of one request; the same program with another one. */
const within = (seconds: number): string => {
  const program = ARCHIVE_PROGRAM.replace('my $longest = 600;', `my $longest = ${seconds};`);
  if (program === ARCHIVE_PROGRAM) throw new Error('archive-wal has no limit of 600 s any more');
  return program;
};

// In a file of its own: it only waits, beside the others.
(missing.length === 0 ? describe : describe.skip)(
  `archive-wal and a storage that is slow, and comes on${missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} missing)`}`,
  () => {
    let folder: string;
    let storage: Awaited<ReturnType<typeof storageThat>>;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'archive-wal-slow-'));
      storage = await storageThat(async (request, response) => {
        const chunks: Buffer[] = [];
        try {
          for await (const chunk of request as AsyncIterable<Buffer>) {
            chunks.push(chunk);
            await sleep((chunk.length / SIZE) * SECONDS * 1_000);
          }
        } catch {
          // It went away, as it should after its limit.
          return;
        }
        response.writeHead(200, { etag: `"${md5(Buffer.concat(chunks))}"` }).end();
      });
      for (const place of ['spool', 'pg_wal/archive_status'])
        mkdirSync(join(folder, place), { recursive: true });
      layControl(folder);
      writeFileSync(join(folder, 'tickets'), await bookOf(storage.url, [NAME]));
      writeFileSync(join(folder, 'segment'), randomBytes(SIZE));
    });
    afterAll(() => {
      storage.close();
      rmSync(folder, { recursive: true });
    });

    it('lets it have the time that it takes', async () => {
      const begun = performance.now();
      expect(await archiveWal(folder, NAME, {}, within(60))).toEqual({ code: 0, said: '' });
      expect(performance.now() - begun).toBeGreaterThan(SECONDS * 900);
    }, 60_000);

    it('but no more than the limit of a request', async () => {
      const { code, said } = await archiveWal(folder, NAME, {}, within(1));
      expect(code).toBe(1);
      expect(said).toContain('the bucket does not answer as it should (0)');
    }, 60_000);
  },
);
