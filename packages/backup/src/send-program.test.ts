import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { converse, md5, type Said, sha256, storageThat, take } from './programs.testkit.js';
import { SEND_PROGRAM } from './send-program.js';

// curl counts in whole seconds; nothing here is judged by the clock.
jest.setTimeout(60_000);

const missing = ['/usr/bin/perl', '/usr/bin/curl', '/usr/bin/sha256sum'].filter((path) => !existsSync(path));

(missing.length === 0 ? describe : describe.skip)(
  `sending from a host${missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} missing)`}`,
  () => {
    const content = randomBytes(700_000);
    let folder: string;
    let storage: Awaited<ReturnType<typeof storageThat>> | undefined;

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'send-'));
      writeFileSync(join(folder, 'data'), content);
    });
    afterAll(() => rmSync(folder, { recursive: true }));
    afterEach(() => storage?.close());

    /** Sends a file to a storage that behaves as told. */
    async function send(
      behaves: (request: IncomingMessage, response: ServerResponse, asked: number) => unknown,
      more: object = {},
    ): Promise<Said> {
      const { url } = (storage = await storageThat(behaves));
      const programs = [['cat', join(folder, 'data')]];
      const limits = { partBytes: 256 * 1024, rate: 0, parallel: 3, tries: 2, silence: '30' };
      return converse(SEND_PROGRAM, { ...limits, programs, spool: folder, ...more }, ({ want }) =>
        want === undefined ? undefined : { part: want, url },
      );
    }

    const partsOf = ({ words }: Said): Record<string, unknown>[] =>
      words.flatMap(({ sent }) => (sent === undefined ? [] : [sent as Record<string, unknown>]));

    it('cuts what programs print into parts, and says what each of them is', async () => {
      const taken: Buffer[] = [];
      const said = await send(async (request, response) => taken.push(await take(request, response)));
      expect(said).toMatchObject({ code: 0, stderr: '' });
      expect(said.words.at(-1)).toEqual({
        done: { size: content.length, parts: 3, sha256: sha256(content) },
      });
      const parts = partsOf(said).sort((one, other) => Number(one['part']) - Number(other['part']));
      const cut = [0, 1, 2].map((at) => content.subarray(at * 262_144, (at + 1) * 262_144));
      expect(parts.map(({ md5: digest }) => digest)).toEqual(cut.map(md5));
      expect(taken.map(md5).sort()).toEqual(cut.map(md5).sort());
    });

    it('tells a secret to the first program alone, through a pipe', async () => {
      const taken: Buffer[] = [];
      const said = await send(async (request, response) => taken.push(await take(request, response)), {
        secret: 'of the first\n',
        programs: [
          ['cat', '/dev/fd/4'],
          ['sh', '-c', 'cat; test -e /dev/fd/4 && echo told || echo not told'],
        ],
      });
      expect(said).toMatchObject({ code: 0, stderr: '' });
      expect(Buffer.concat(taken).toString()).toBe('of the first\nnot told\n');
    });

    it('tries again what is refused for the moment, and asks for another URL where one is too old', async () => {
      const statuses = [500, 503, 403];
      const said = await send(
        async (request, response) => {
          const status = statuses.shift();
          if (status === undefined) return take(request, response);
          request.resume().on('end', () => response.writeHead(status).end());
        },
        { tries: 4 },
      );
      expect(said.code).toBe(0);
      expect(partsOf(said)).toHaveLength(3);
      expect(said.words.filter(({ want }) => want !== undefined)).toHaveLength(4);
    });

    it.each([
      ['refuses for good', 503, /^part \d: the bucket answers 503 and takes nothing, after several tries$/m],
      ['refuses every URL', 403, /^part \d: the bucket answers 403 and takes nothing, after several tries$/m],
      ['does not know the upload any more', 404, /^part \d: the upload is not there any more \(404\)/m],
    ])('ends where the storage %s', async (_what, status, wanted) => {
      const said = await send((request, response) =>
        request.resume().on('end', () => response.writeHead(status).end()),
      );
      expect(said.code).toBe(1);
      expect(said.stderr).toMatch(wanted);
      expect(said.stderr).not.toContain('secret');
      expect(said.words.some((word) => 'done' in word)).toBe(false);
    });

    it('ends where the storage takes a part and is silent through all tries', async () => {
      const said = await send((request) => request.resume(), { silence: '1' });
      expect(said.code).toBe(1);
      expect(said.stderr).toMatch(/^part \d: the bucket answers 0 \(no answer\), after several tries$/m);
    });

    it('waits for a storage that is slow, but not silent', async () => {
      const said = await send(
        async (request, response) => {
          const parts: Buffer[] = [];
          for await (const chunk of request) {
            parts.push(chunk as Buffer);
            await sleep(150);
          }
          response.writeHead(200, { etag: `"${md5(Buffer.concat(parts))}"` }).end();
        },
        { parallel: 1, silence: '5' },
      );
      expect(said.code).toBe(0);
      expect(partsOf(said)).toHaveLength(3);
    });

    it('fails with the program that fails, and with what that said', async () => {
      const programs = [
        ['cat', join(folder, 'data')],
        ['sh', '-c', 'head -c 1000; echo out of paper >&2; exit 3'],
      ];
      const said = await send((request, response) => take(request, response), { programs });
      expect(said.code).toBe(1);
      expect(said.stderr).toMatch(/(cat|sh) failed with code \d+: (out of paper|it said nothing)/);
      expect(said.words).toContainEqual({ says: ['sh', 'out of paper'] });
      expect(said.words.some((word) => 'done' in word)).toBe(false);
    });

    it('ends with the runner, and all it started with it', async () => {
      const { url } = (storage = await storageThat((request) => request.resume()));
      const programs = [['sh', '-c', `echo $$ > ${join(folder, 'pid')}; exec sleep 600`]];
      const limits = { partBytes: 1_000, rate: 0, parallel: 1, tries: 2, silence: '1', spool: folder };
      // The first word is how much was sent, after a second.
      const said = await converse(SEND_PROGRAM, { ...limits, programs, url }, () => null);
      expect(said.stderr).toContain('the runner is gone');
      const pid = readFileSync(join(folder, 'pid'), 'utf8').trim();
      while (existsSync(`/proc/${pid}`)) await sleep(20);
    });
  },
);
