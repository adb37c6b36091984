import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { FETCH_PROGRAM } from './fetch-program.js';
import { converse, md5, type Said, sha256, storageThat } from './programs.testkit.js';

// curl counts in whole seconds; nothing here is judged by the clock.
jest.setTimeout(60_000);

const missing = ['/usr/bin/perl', '/usr/bin/curl', '/usr/bin/sha256sum'].filter((path) => !existsSync(path));

(missing.length === 0 ? describe : describe.skip)(
  `fetching to a host${missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} missing)`}`,
  () => {
    const content = randomBytes(500_000);
    let folder: string;
    let storage: Awaited<ReturnType<typeof storageThat>> | undefined;

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'fetch-'));
    });
    afterAll(() => rmSync(folder, { recursive: true }));
    afterEach(() => storage?.close());

    async function fetchFrom(
      behaves: (from: number, response: ServerResponse, asked: number) => unknown,
      more: object = {},
    ): Promise<Said> {
      const { url } = (storage = await storageThat((request: IncomingMessage, response, asked) =>
        behaves(Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1]), response, asked),
      ));
      const programs = [['sh', '-c', `cat > ${join(folder, 'out')}`]];
      const object = { url, size: content.length, sha256: sha256(content) };
      return converse(FETCH_PROGRAM, { ...object, programs, tries: 3, silence: '30', ...more });
    }

    const give = (from: number, response: ServerResponse, to = content.length): void => {
      response.writeHead(206, { 'content-length': content.length - from });
      response.write(content.subarray(from, to), () => {
        if (to < content.length) response.destroy();
        else response.end();
      });
    };

    it('goes on where a transfer broke off', async () => {
      const from: number[] = [];
      const said = await fetchFrom((start, response, asked) => {
        from.push(start);
        give(start, response, asked < 3 ? start + 100_000 : undefined);
      });
      expect(said).toMatchObject({ code: 0, stderr: '' });
      expect(from).toHaveLength(3);
      expect(from[0]).toBe(0);
      expect(from[2]).toBeGreaterThan(from[1] ?? 0);
      expect(md5(readFileSync(join(folder, 'out')))).toBe(md5(content));
    });

    it('fails for another content, whatever the programs think of it', async () => {
      const said = await fetchFrom((start, response) => give(start, response), { sha256: 'a'.repeat(64) });
      expect(said.code).toBe(1);
      expect(said.stderr).toContain('the object is not what was stored');
      expect(said.words.some((word) => 'done' in word)).toBe(false);
    });

    it('ends where the storage is silent through all tries', async () => {
      const said = await fetchFrom(() => undefined, { silence: '1', tries: 2 });
      expect(said.code).toBe(1);
      expect(said.stderr).toMatch(/the bucket sent 0 of 500000 bytes, and no more after several tries/);
      expect(said.stderr).not.toContain('secret');
    });

    it('ends at once where the URL is not good any more, and says what to do', async () => {
      let asked = 0;
      const said = await fetchFrom((_start, response) => {
        asked += 1;
        response.writeHead(403).end();
      });
      expect(said.stderr).toMatch(
        /refuses the URL after 0 of 500000 bytes \(403\).*run this again for a new one/,
      );
      expect(said.stderr).not.toContain('secret');
      expect(asked).toBe(1);
    });

    it('fails with a program that has no room', async () => {
      const said = await fetchFrom((start, response) => give(start, response), {
        programs: [['sh', '-c', 'head -c 1000 > /dev/null; echo "No space left on device" >&2; exit 2']],
      });
      expect(said.code).toBe(1);
      expect(said.stderr).toContain('sh failed with code 2: No space left on device');
    });
  },
);
