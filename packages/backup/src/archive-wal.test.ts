import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ARCHIVE_PROGRAM } from '@perlstack/configs';
import { openStorage } from '@perlstack/object-storage';
import { namesFor, writeBook } from './book.js';
import { keysOf } from './keys.js';
import { md5, storageThat } from './programs.testkit.js';

const missing = ['/usr/bin/perl', '/usr/bin/curl', '/usr/bin/zstd', '/usr/bin/openssl'].filter(
  (path) => !existsSync(path),
);

/** Says its own priority and, where the kernel shares processors out among sessions, that of its session. */
const PRIORITIES = "nice; sed 's/.*nice //' /proc/self/autogroup 2> /dev/null || :";

const numbersIn = (content: Buffer | undefined): number[] => String(content).trim().split('\n').map(Number);

/** What came with a request. */
interface Asked {
  readonly what: string;
  readonly headers: IncomingHttpHeaders;
  readonly content: Buffer;
}

(missing.length === 0 ? describe : describe.skip)(
  `archive-wal with a book of tickets${missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} missing)`}`,
  () => {
    // Timeline 2, so that a history is among them; its numbers go from one of the words of a name to the next.
    const at = { timeline: 2, lsn: '1/FF000000', segmentBytes: 16 * 1024 * 1024 };
    const names = [...namesFor({ ...at, waiting: 0, perDay: 1 })];
    const segment = randomBytes(200_000);
    const name = names.at(-1) ?? '';
    let asked: Asked[];
    /** What the storage answers, one after the other; then 200. */
    let answers: { readonly status: number; readonly etag?: string }[];
    let folder: string;
    let book: Buffer;
    let storage: Awaited<ReturnType<typeof storageThat>>;
    let secure: Awaited<ReturnType<typeof storageThat>>;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'archive-wal-'));
      const certificate = makeCertificate();
      const behaves: Parameters<typeof storageThat>[0] = async (request, response) => {
        const content = await buffer(request);
        asked.push({ what: `${request.method} ${request.url}`, headers: request.headers, content });
        const { status, etag = md5(content) } = answers.shift() ?? { status: 200 };
        response.writeHead(status, { etag: `"${etag}"` }).end();
      };
      storage = await storageThat(behaves);
      secure = await storageThat(behaves, certificate);
      book = await bookFor(storage.url);
      mkdirSync(join(folder, 'spool'));
      mkdirSync(join(folder, 'programs'));
      mkdirSync(join(folder, 'pg_wal/archive_status'), { recursive: true });
    });
    beforeEach(() => {
      asked = [];
      answers = [];
      writeFileSync(join(folder, 'tickets'), book);
      writeFileSync(join(folder, 'segment'), segment);
      for (const place of ['spool', 'programs', 'pg_wal/archive_status'])
        for (const file of readdirSync(join(folder, place))) rmSync(join(folder, place, file));
    });
    afterAll(() => {
      storage.close();
      secure.close();
      rmSync(folder, { recursive: true });
    });

    /** For this machine, vouched for by itself. */
    function makeCertificate(): { readonly key: Buffer; readonly cert: Buffer } {
      const [key, cert] = [join(folder, 'key'), join(folder, 'certificate')];
      const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2'];
      const names = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1'];
      execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert], {
        stdio: 'pipe',
      });
      return { key: readFileSync(key), cert: readFileSync(cert) };
    }

    async function bookFor(url: string): Promise<Buffer> {
      const { origin } = new URL(url);
      const bucket = openStorage({
        ...{ endpoint: origin, bucket: 'shop-backups', accessKeyId: 'key', secretAccessKey: 'secret' },
      });
      const ways = { once: 'condition', lock: null } as const;
      const options = { recipient: null, limitBytes: 1e12, ways };
      const { content } = await writeBook(bucket, keysOf('shop').cluster('7'), names, options);
      bucket.close();
      return Buffer.concat([...content]);
    }

    /** Puts a script of sh in the place of zstd. */
    const insteadOfZstd = (script: string): void =>
      writeFileSync(join(folder, 'programs/zstd'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });

    const spooled = (): string[] => readdirSync(join(folder, 'spool'));

    async function archive(
      name: string,
      variables: Readonly<Record<string, string>> = {},
    ): Promise<{ code: unknown; said: string }> {
      const programs = `${join(folder, 'programs')}${delimiter}${process.env['PATH'] ?? ''}`;
      const env = { ...process.env, PATH: programs, PERLSTACK_WAL: folder, ...variables };
      const child = spawn('perl', ['-', 'segment', name], { env, cwd: folder, stdio: 'pipe' });
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
        expect(asked.pop()?.what).toMatch(
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

    it('sends the segment packed, with the digest of that, and keeps nothing that was taken', async () => {
      expect(await archive(name)).toEqual({ code: 0, said: '' });
      const [{ content, headers }] = asked as [Asked];
      expect(zstdDecompressSync(content).equals(segment)).toBe(true);
      expect(headers['content-md5']).toBe(Buffer.from(md5(content), 'hex').toString('base64'));
      expect(headers['if-none-match']).toBe('*');
      expect(spooled()).toEqual([]);
    });

    it('sends what was not taken once more as it was, and packs anew what has the name and another time', async () => {
      answers = [{ status: 403 }];
      expect(await archive(name)).toMatchObject({ code: 1 });
      expect(spooled()).toHaveLength(1);
      insteadOfZstd('exit 1');
      answers = [{ status: 403 }];
      expect(await archive(name)).toMatchObject({ code: 1 });
      const [first, again] = asked as [Asked, Asked];
      expect(again.content.equals(first.content)).toBe(true);
      expect(again.headers['content-md5']).toBe(first.headers['content-md5']);
      rmSync(join(folder, 'programs/zstd'));
      const other = randomBytes(1_000);
      writeFileSync(join(folder, 'segment'), other);
      utimesSync(join(folder, 'segment'), 1, 1);
      expect(await archive(name)).toEqual({ code: 0, said: '' });
      expect(zstdDecompressSync(asked[2]?.content ?? Buffer.alloc(0)).equals(other)).toBe(true);
      expect(spooled()).toEqual([]);
    });

    it('succeeds when the bucket has the same already, and fails when it has something else', async () => {
      answers = [{ status: 403 }];
      await archive(name);
      const { content } = asked[0] as Asked;
      answers = [{ status: 412 }, { status: 200, etag: md5(Buffer.from('another')) }];
      const { code, said } = await archive(name);
      expect(code).toBe(1);
      expect(said).toContain(`${name}: the bucket holds another content under this name`);
      answers = [{ status: 412 }, { status: 200, etag: md5(content) }];
      expect(await archive(name)).toEqual({ code: 0, said: '' });
      expect(asked.slice(1).map(({ what }) => what.slice(0, 4))).toEqual(['PUT ', 'HEAD', 'PUT ', 'HEAD']);
    });

    it('sends nothing of what could not be packed, and says only why', async () => {
      insteadOfZstd('echo half; exit 1');
      expect(await archive(name)).toEqual({
        ...{ code: 1, said: `archive-wal: ${name}: zstd failed; is the disk full?\n` },
      });
      rmSync(join(folder, 'segment'));
      expect(await archive(name)).toEqual({
        ...{ code: 1, said: 'archive-wal: segment: No such file or directory\n' },
      });
      expect(asked).toEqual([]);
    });

    it.each([
      { waiting: 1, more: 5 },
      { waiting: 2, more: 5 },
      { waiting: 3, more: 0 },
    ])('packs $more below the priority of the server while $waiting wait', async ({ waiting, more }) => {
      for (const one of names.slice(-waiting))
        writeFileSync(join(folder, `pg_wal/archive_status/${one}.ready`), '');
      writeFileSync(join(folder, `pg_wal/archive_status/${names.at(-9) ?? ''}.done`), '');
      insteadOfZstd(PRIORITIES);
      expect(await archive(name)).toEqual({ code: 0, said: '' });
      const [own = 0, session] = numbersIn(execFileSync('sh', ['-c', PRIORITIES]));
      const [packing, itsSession] = numbersIn(asked[0]?.content);
      expect(packing).toBe(own + more);
      // Others than root may set it only so often.
      if (process.getuid?.() === 0)
        expect(itsSession).toBe(session === undefined || more === 0 ? session : more);
    });

    it('sends to a storage that only the bundle of authorities vouches for, and to none that nobody does', async () => {
      writeFileSync(join(folder, 'tickets'), await bookFor(secure.url));
      const bundle = { CURL_CA_BUNDLE: join(folder, 'certificate') };
      expect(await archive(name, bundle)).toEqual({ code: 0, said: '' });
      expect(asked).toHaveLength(1);
      expect(await archive(name)).toMatchObject({ code: 1 });
      expect(asked).toHaveLength(1);
    });

    it('fails as PostgreSQL wants it where there is no curl', async () => {
      for (const one of ['perl', 'setsid', 'sh', 'zstd']) {
        const where = execFileSync('sh', ['-c', `command -v ${one}`], { encoding: 'utf8' }).trim();
        symlinkSync(where, join(folder, 'programs', one));
      }
      const { code, said } = await archive(name, { PATH: join(folder, 'programs') });
      expect(said).toContain('the bucket does not answer as it should (0)');
      expect(code).toBe(1);
    });
  },
);
