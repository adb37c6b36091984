import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ARCHIVE_PROGRAM } from '@perlstack/configs';
import { openStorage } from '@perlstack/object-storage';
import { namesFor, writeBook } from './book.js';
import { keysOf } from './keys.js';
import { storageThat, take } from './programs.testkit.js';

const missing = ['/usr/bin/perl', '/usr/bin/curl', '/usr/bin/zstd'].filter((path) => !existsSync(path));

(missing.length === 0 ? describe : describe.skip)(
  `archive-wal with a book of tickets${missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} missing)`}`,
  () => {
    // Timeline 2, so that a history is among them; its numbers go from one of the words of a name to the next.
    const at = { timeline: 2, lsn: '1/FF000000', segmentBytes: 16 * 1024 * 1024 };
    const names = namesFor({ ...at, waiting: 0, perDay: 1 });
    const asked: string[] = [];
    let folder: string;
    let storage: Awaited<ReturnType<typeof storageThat>>;

    beforeAll(async () => {
      storage = await storageThat((request, response) => {
        asked.push(`${request.method} ${request.url}`);
        return take(request, response);
      });
      folder = mkdtempSync(join(tmpdir(), 'archive-wal-'));
      mkdirSync(join(folder, 'spool'));
      const { origin } = new URL(storage.url);
      const bucket = openStorage({
        ...{ endpoint: origin, bucket: 'shop-backups', accessKeyId: 'key', secretAccessKey: 'secret' },
      });
      const ways = { once: 'condition', lock: null } as const;
      const options = { recipient: null, limitBytes: 1e12, ways };
      const { content } = await writeBook(bucket, keysOf('shop').cluster('7'), names, options);
      writeFileSync(join(folder, 'tickets'), content);
      writeFileSync(join(folder, 'segment'), randomBytes(1_000));
      bucket.close();
    });
    afterAll(() => {
      storage.close();
      rmSync(folder, { recursive: true });
    });

    async function archive(name: string): Promise<{ code: unknown; said: string }> {
      const env = { ...process.env, PERLSTACK_WAL: folder };
      const child = spawn('perl', ['-', join(folder, 'segment'), name], { env, stdio: 'pipe' });
      child.stdin.end(ARCHIVE_PROGRAM);
      const said = text(child.stderr);
      const [code] = (await once(child, 'close')) as [unknown];
      return { code, said: await said };
    }

    it('finds the ticket of every kind of name, wherever it stands', async () => {
      const middle = Math.floor(names.length / 2);
      const some = [0, 1, 2, 3, 4, middle - 1, middle, middle + 1, names.length - 2, names.length - 1];
      for (const name of some.map((index) => names[index] ?? '')) {
        expect(await archive(name)).toEqual({ code: 0, said: '' });
        const place = name.endsWith('.history') ? name : `${name.slice(0, 8)}/${name}`;
        expect(asked.pop()).toMatch(
          new RegExp(
            `^PUT /shop-backups/shop/postgresql/7/wal/${place}\\.zst\\?X-Amz-.*Signature=[0-9a-f]{64}$`,
          ),
        );
      }
    });

    it.each([
      '0000000200000001000000A0',
      '000000020000FFFF00000000',
      '0000000900000001000000FF',
      '00000009.history',
    ])('says that there is none for %s', async (name) => {
      const { code, said } = await archive(name);
      expect(code).toBe(1);
      expect(said).toContain(`${name}: no ticket in`);
      expect(asked).toEqual([]);
    });
  },
);
