import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ARCHIVE } from '@perlstack/configs';
import { namesFor } from './book.js';
import { archiveWal, bookOf, layControl, md5, storageThat } from './programs.testkit.js';

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
  /** What was on the disk for good by then, since the last request. */
  readonly synced: readonly string[];
}

/** Notes what a program of Perl has on the disk for good. */
const SYNCED = String.raw`package Synced;
use IO::Handle;
my $sync = \&IO::Handle::sync;
no warnings 'redefine';
*IO::Handle::sync = sub {
    my $file = readlink '/proc/self/fd/' . fileno $_[0];
    my $done = $sync->(@_) or return;
    open my $out, '>>', $ENV{SYNCED} or die $!;
    print $out "$file\n";
    return $done;
};
1;
`;

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
        const notes = join(folder, 'synced');
        const synced = existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n') : [];
        rmSync(notes, { force: true });
        asked.push({ what: `${request.method} ${request.url}`, headers: request.headers, content, synced });
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
      layControl(folder);
      writeFileSync(join(folder, 'tickets'), book);
      writeFileSync(join(folder, 'segment'), segment);
      for (const place of ['spool', 'programs', 'pg_wal'])
        for (const file of readdirSync(join(folder, place)))
          rmSync(join(folder, place, file), { recursive: true });
      mkdirSync(join(folder, 'pg_wal/archive_status'));
      for (const note of ['dropped', 'refused', ARCHIVE.mark]) rmSync(join(folder, note), { force: true });
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

    const bookFor = (url: string, recipient: string | null = null): Promise<Buffer> =>
      bookOf(url, names, recipient);

    /** Puts a script of sh in the place of a program. */
    const insteadOf = (program: string, script: string): void =>
      writeFileSync(join(folder, 'programs', program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });

    /** As age does, openssl makes other bytes of the same each time. */
    const encrypt = async (): Promise<void> => {
      insteadOf('age', 'exec openssl enc -aes-256-cbc -pbkdf2 -iter 1 -pass pass:test');
      writeFileSync(join(folder, 'tickets'), await bookFor(storage.url, 'age1test'));
    };

    /** So much is packed of files that PostgreSQL has noted that it is worth forgetting. */
    function pile(): void {
      for (let one = 1; one < 8; one += 1)
        writeFileSync(join(folder, 'spool', `0000000100000000000000A${one}.1`), '');
    }
    const mark = (name: string, as: 'ready' | 'done'): void =>
      writeFileSync(join(folder, `pg_wal/archive_status/${name}.${as}`), '');

    /** A file of the log waits, which takes nothing of the disk. */
    const waits = (name: string, bytes: number): void => {
      mark(name, 'ready');
      writeFileSync(join(folder, 'pg_wal', name), '');
      truncateSync(join(folder, 'pg_wal', name), bytes);
    };

    const limitTo = (bytes: number): void =>
      writeFileSync(join(folder, 'tickets'), String(book).replace(/^limit .*/m, `limit ${bytes}`));

    const dropped = (): string[] =>
      existsSync(join(folder, 'dropped'))
        ? readFileSync(join(folder, 'dropped'), 'utf8').trim().split('\n')
        : [];

    const spooled = (): string[] => readdirSync(join(folder, 'spool'));

    const archive = (name: string, variables: Readonly<Record<string, string>> = {}) => {
      const programs = `${join(folder, 'programs')}${delimiter}${process.env['PATH'] ?? ''}`;
      return archiveWal(folder, name, { PATH: programs, ...variables });
    };

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
      '00000099.history',
    ])('says that there is none for %s', async (name) => {
      const { code, said } = await archive(name);
      expect(code).toBe(1);
      expect(said).toContain(`${name}: no ticket in`);
      expect(asked).toEqual([]);
    });

    it('sends the segment packed, with the digest of that, and keeps it until PostgreSQL has noted it', async () => {
      mark(name, 'ready');
      expect(await archive(name)).toEqual({ code: 0, said: '' });
      const [{ content, headers }] = asked as [Asked];
      expect(zstdDecompressSync(content).equals(segment)).toBe(true);
      expect(headers['content-md5']).toBe(Buffer.from(md5(content), 'hex').toString('base64'));
      expect(headers['if-none-match']).toBe('*');
      const [before = '', history = ''] = [names.at(-2), '00000002.history'];
      expect(await archive(before)).toMatchObject({ code: 0 });
      expect(spooled().map((file) => file.slice(0, 24))).toEqual([before, name].sort());
      renameSync(
        join(folder, `pg_wal/archive_status/${name}.ready`),
        join(folder, `pg_wal/archive_status/${name}.done`),
      );
      writeFileSync(join(folder, 'spool', `${name}.1.new`), 'of one that was killed');
      pile();
      expect(await archive(history)).toMatchObject({ code: 0 });
      expect(spooled().map((file) => file.slice(0, 16))).toEqual([history]);
      pile();
      expect(await archive(before)).toMatchObject({ code: 0 });
      expect(spooled().map((file) => file.slice(0, 24))).toEqual([before]);
    });

    it('is asked again for what was taken, though age makes other bytes each time: it has the same', async () => {
      await encrypt();
      expect(await archive(name)).toEqual({ code: 0, said: '' });
      const { content } = asked[0] as Asked;
      answers = [{ status: 412 }, { status: 200, etag: md5(content) }];
      expect(await archive(name)).toEqual({ code: 0, said: '' });
      expect(asked[1]?.content.equals(content)).toBe(true);
    });

    it('has what it sends on the disk, under its name, before it sends it', async () => {
      await encrypt();
      writeFileSync(join(folder, 'programs/Synced.pm'), SYNCED);
      const own = { PERL5OPT: `-I${join(folder, 'programs')} -MSynced`, SYNCED: join(folder, 'synced') };
      const packed = join(
        folder,
        'spool',
        `${name}.${Math.floor(+statSync(join(folder, 'segment')).mtime / 1_000)}`,
      );
      expect(await archive(name, own)).toEqual({ code: 0, said: '' });
      expect(asked[0]?.synced).toEqual([`${packed}.new`, join(folder, 'segment'), join(folder, 'spool')]);
      expect(existsSync(packed)).toBe(true);
      mark(name, 'done');
      pile();
      await archive(names.at(-2) ?? '', own);
      expect(asked[1]?.synced[0]).toBe(join(folder, 'pg_wal/archive_status'));
      expect(existsSync(packed)).toBe(false);
    });

    it('sends what was not taken once more as it was, and packs anew what has the name and another time', async () => {
      answers = [{ status: 403 }];
      expect(await archive(name)).toMatchObject({ code: 1 });
      expect(spooled()).toHaveLength(1);
      insteadOf('zstd', 'exit 1');
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
      expect(spooled()).toEqual([`${name}.1`]);
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
      insteadOf('zstd', 'echo half; exit 1');
      expect(await archive(name)).toEqual({
        ...{ code: 1, said: `archive-wal: ${name}: zstd failed; is the disk full?\n` },
      });
      rmSync(join(folder, 'segment'));
      expect(await archive(name)).toEqual({
        ...{ code: 1, said: 'archive-wal: segment: No such file or directory\n' },
      });
      expect(asked).toEqual([]);
    });

    it('keeps nothing where no backup was ever made, and lets it wait for a book in a copy of what was backed up', async () => {
      rmSync(join(folder, 'tickets'));
      for (const one of [name, '00000002.history']) {
        const { code, said } = await archive(one);
        expect(said).toContain(`${one} is not kept: no backup was made yet`);
        expect(code).toBe(0);
      }
      writeFileSync(join(folder, ARCHIVE.mark), '');
      waits(name, 1_000);
      for (const one of [name, '00000002.history']) {
        const { code, said } = await archive(one);
        expect(said).toContain(`tickets: No such file or directory; run the backup, which writes it`);
        expect(code).toBe(1);
      }
      expect(dropped()).toEqual([]);
      waits(name, 8e12);
      expect(await archive(name)).toMatchObject({ code: 0 });
      expect(dropped()).toEqual([name]);
    });

    it('puts nothing of other data among the log that its book is for', async () => {
      layControl(folder, '17446744073709551615');
      expect((await archive(name)).said).toContain(`${name} is not kept: no backup was made yet`);
      writeFileSync(join(folder, ARCHIVE.mark), '');
      const { code, said } = await archive(name);
      expect(said).toMatch(
        /the tickets in \S+ are for the data 7, and these are 17446744073709551615; run the backup, which writes new ones/,
      );
      expect([code, asked, dropped()]).toEqual([1, [], []]);
      // By the limit of the book that is there.
      waits(name, 8e12);
      expect(await archive(name)).toMatchObject({ code: 0 });
      expect(dropped()).toEqual([name]);
    });

    it('lets go what it was asked for, be it a history, when what waits is more than the limit', async () => {
      limitTo(250_000);
      waits('00000099.history', 50);
      waits(name, 125_000);
      waits(names.at(-2) ?? '', 124_950);
      expect(await archive('00000099.history')).toMatchObject({ code: 1 });
      waits(names.at(-3) ?? '', 1);
      const { code, said } = await archive('00000099.history');
      expect(said).toContain(
        '00000099.history is LOST to recovery: more than 250000 bytes of the log wait\n',
      );
      expect(code).toBe(0);
      expect(dropped()).toEqual(['00000099.history']);
    });

    it('lets go when less is free than waits, whatever the limit is', async () => {
      limitTo(1e15);
      waits(name, 8e12);
      answers = [{ status: 403 }];
      const { code, said } = await archive(name);
      expect(said).toContain(
        `${name} is LOST to recovery: 8000000000000 bytes of the log wait, and fewer are free\n`,
      );
      expect(code).toBe(0);
      expect(dropped()).toEqual([name]);
    });

    it('asks a bucket in vain once a minute only while more waits than may, and again when no more does', async () => {
      limitTo(1_000);
      waits(name, 2_000);
      answers = [{ status: 403 }];
      expect(await archive(name)).toMatchObject({ code: 0 });
      expect(await archive(name)).toMatchObject({ code: 0 });
      expect([asked.length, dropped()]).toEqual([1, [name, name]]);
      rmSync(join(folder, 'pg_wal', name));
      expect(await archive(name)).toEqual({ code: 0, said: '' });
      waits(name, 2_000);
      utimesSync(join(folder, 'refused'), 1, 1);
      expect(await archive(name)).toEqual({ code: 0, said: '' });
      expect([asked.length, dropped().length]).toEqual([3, 2]);
    });

    it.each([
      { waiting: 1, more: 5 },
      { waiting: 2, more: 5 },
      { waiting: 3, more: 0 },
    ])('packs $more below the priority of the server while $waiting wait', async ({ waiting, more }) => {
      for (const one of names.slice(-waiting)) mark(one, 'ready');
      mark(names.at(-9) ?? '', 'done');
      insteadOf('zstd', PRIORITIES);
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
