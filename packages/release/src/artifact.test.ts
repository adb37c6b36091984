import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { Header, type HeaderData } from 'tar';
import { checkArtifact } from './artifact.js';

interface Member extends HeaderData {
  readonly content?: string | Buffer;
}

/** An archive with exactly these headers, however wrong they are. */
function tarOf(members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ content = '', ...data }) => {
    const header = Buffer.alloc(512);
    new Header({ mode: 0o644, type: 'File', size: content.length, uid: 0, gid: 0, ...data }).encode(
      header,
      0,
    );
    const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
    body.set(Buffer.from(content));
    return [header, body];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const app: Member = { path: './app.psgi', content: 'sub {}' };
const link = (path: string, linkpath: string): Member => ({ path, type: 'SymbolicLink', linkpath });
const hard = (path: string, linkpath: string): Member => ({ path, type: 'Link', linkpath });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'artifact-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let number = 0;
function check(content: Buffer, sha256?: string, limits?: { entries: number; unpackedBytes: number }) {
  const path = join(folder, `build-${(number += 1)}.tar`);
  writeFileSync(path, content);
  return checkArtifact(path, { psgi: 'app.psgi', ...(sha256 === undefined ? {} : { sha256 }) }, limits);
}

describe('checkArtifact accepts', () => {
  const members: Member[] = [
    { path: './', type: 'Directory', mode: 0o2755 },
    app,
    { path: 'bin/run', mode: 0o755, content: 'x'.repeat(5_000) },
    link('public/latest', '../bin/./run'),
    link('lib', 'bin'),
    hard('bin/walk', './bin/run'),
  ];
  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('a sound archive, compressed by %s', async (_name, compress) => {
    const file = compress(tarOf(members));
    const artifact = await check(file);
    expect(artifact).toMatchObject({ bytes: file.length, unpackedBytes: 5_006, files: 6 });
    expect(artifact.sha256).toBe(createHash('sha256').update(file).digest('hex'));
  });
});

describe('what an artifact brings for building', () => {
  const build = async (...members: Member[]) => (await check(gzipSync(tarOf([app, ...members])))).build;
  const sha = (text: string): string => createHash('sha256').update(text).digest('hex');

  it('is nothing, where there is nothing', async () => {
    expect(await build()).toEqual({
      ...{
        cpanfile: null,
        snapshot: null,
        vendored: false,
        vendoredBytes: 0,
        hasLocal: false,
        archname: null,
      },
      ...{ perl: null, cpm: null },
    });
  });

  it('is named with the digests of what names the dependencies', async () => {
    const found = await build(
      { path: './cpanfile', content: 'requires "A";' },
      { path: 'cpanfile.snapshot', content: 'x'.repeat(3_000) },
      { path: 'lib/cpanfile', content: 'not at the top' },
      { path: 'vendor/cache/a.tar.gz', content: 'a' },
      { path: 'bin/cpm', mode: 0o755, content: '#!' },
    );
    expect(found).toMatchObject({
      ...{
        cpanfile: sha('requires "A";'),
        snapshot: sha('x'.repeat(3_000)),
        vendored: true,
        vendoredBytes: 1,
        cpm: './bin/cpm',
      },
    });
  });

  it('are modules that are built already, for one kind of perl', async () => {
    const path = 'local/lib/perl5/x86_64-linux-gnu-thread-multi/auto/A/A.so';
    const found = await build({ path, content: 'x' }, { path: 'cpm', content: 'no program' });
    expect(found).toMatchObject({ hasLocal: true, archname: 'x86_64-linux-gnu-thread-multi', cpm: null });
  });
});

describe('the perl for which an artifact was built', () => {
  const run = (code: string): string => execFileSync('perl', ['-e', code], { encoding: 'utf8' });
  const path = 'local/lib/perl5/x86_64-linux-gnu-thread-multi/auto/List/Util/Util.so';

  it('is what its compiled modules say', async () => {
    const compiled = readFileSync(
      run('for (map { "$_/auto/List/Util/Util.so" } @INC) { print, last if -e }'),
    );
    const { build } = await check(gzipSync(tarOf([app, { path, content: compiled }])));
    expect(build.perl).toBe(run('$^V =~ /^v(5[.][0-9]+)/ and print $1'));
  });

  it('is found wherever it stands, and in nothing else', async () => {
    const apart = Buffer.alloc(200_000);
    for (const at of [16_380, 131_065]) apart.write('v5.36.0', at, 'latin1');
    const perlOf = async (member: Member) => (await check(gzipSync(tarOf([app, member])))).build.perl;
    expect(await perlOf({ path, content: apart })).toBe('5.36');
    expect(await perlOf({ path, content: 'it needs v5.36.0 or later' })).toBeNull();
    expect(await perlOf({ path: 'share/x.so', content: apart })).toBeNull();
  });
});

describe('checkArtifact refuses, in one line', () => {
  it.each<[string, Member[], RegExp]>([
    [
      'a way out by ..',
      [app, { path: 'a/../../etc/passwd' }],
      /"a\/\.\.\/\.\.\/etc\/passwd" leads out .* "\.\."/,
    ],
    ['an absolute path', [app, { path: '/etc/cron.d/x' }], /"\/etc\/cron\.d\/x" is an absolute path/],
    ['a link to an absolute path', [app, link('x', '/etc')], /"x" is a link to "\/etc", out of/],
    [
      'a link that leads out',
      [app, link('a/x', '../../etc')],
      /"a\/x" is a link to "\.\.\/\.\.\/etc", out of/,
    ],
    ['a link out through another link', [app, link('a', '.'), link('b', 'a/../..')], /"b" is a link to/],
    [
      'a link whose .. only looks harmless',
      [app, link('d/e', '..'), link('x', 'd/e/../y')],
      /"x" is a link to/,
    ],
    ['links in a circle', [app, link('a', 'b'), link('b', 'a')], /"a" is a link to/],
    ['a link without a target', [app, link('a', '')], /linkpath required/],
    [
      'a file written through a link',
      [app, link('a', 'b'), { path: 'a/x' }],
      /"a\/x" would be written through the link "a"/,
    ],
    [
      'a file in place of a link',
      [app, link('a', 'b'), { path: './a' }],
      /comes twice, as SymbolicLink and as File/,
    ],
    [
      'a link in place of a file',
      [app, { path: 'a' }, link('a', 'b')],
      /comes twice, as File and as SymbolicLink/,
    ],
    ['a link in place of a folder', [app, { path: 'a/', type: 'Directory' }, link('a', 'b')], /comes twice/],
    ['a hard link that leads out', [app, hard('x', '../../etc/shadow')], /"x" is a hard link to/],
    ['a hard link to an absolute path', [app, hard('x', '/etc/shadow')], /"x" is a hard link to/],
    ['a hard link to a link', [app, link('l', 'a'), hard('x', 'l')], /"x" is a hard link to "l"/],
    [
      'a character device',
      [app, { path: 'null', type: 'CharacterDevice' }],
      /"null" is neither .* \(CharacterDevice\)/,
    ],
    ['a block device', [app, { path: 'sda', type: 'BlockDevice' }], /neither/],
    ['a pipe', [app, { path: 'p', type: 'FIFO' }], /neither/],
    ['a set-user-id file', [app, { path: 'su', mode: 0o4755 }], /"su" is a set-user-id or set-group-id file/],
    ['a set-group-id file', [app, { path: 'sg', mode: 0o2755 }], /set-group-id/],
    ['our own marks', [app, { path: './.perlstack-good' }], /kept for the deploy's own marks/],
    [
      'a build without the PSGI file',
      [{ path: 'lib/App.pm' }],
      /does not hold app\.psgi at its top: see app\.psgi in the stack file/,
    ],
    [
      'a folder around everything',
      [{ path: 'shop-1/app.psgi' }],
      /it holds shop-1\/app\.psgi: pack the contents of shop-1\//,
    ],
  ])('%s', async (_what, members, message) => {
    const refused = check(gzipSync(tarOf(members)));
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(/^artifact build-\d+\.tar [^\n]*$/);
  });

  const whole = gzipSync(tarOf([{ ...app, content: 'x'.repeat(90_000) }]), { level: 0 });
  it.each<[string, Buffer, RegExp]>([
    ['an empty file', Buffer.alloc(0), /is empty/],
    ['a text', Buffer.from('#!/bin/sh\necho hello\n'), /is no archive: make a tar\.gz/],
    ['a zip file', Buffer.from('PK\u0003\u0004....'), /is a zip file/],
    ['a plain tar', tarOf([app]), /is no archive/],
    ['compressed text', gzipSync('hello '.repeat(500)), /is no readable tar archive/],
    ['a compressed nothing', gzipSync(''), /is no readable tar archive/],
    ['a tar without an entry', gzipSync(tarOf([])), /is no readable tar archive/],
    ['half a file', whole.subarray(0, whole.length / 2), /is no readable tar archive: .*unexpected end/],
    [
      'an archive that ends in an entry',
      gzipSync(tarOf([{ ...app, content: 'x'.repeat(9_000) }]).subarray(0, 4_096)),
      /no readable tar/,
    ],
    ['damaged zstd', Buffer.from('28b52ffd00000000ffffffff', 'hex'), /is no readable tar archive/],
  ])('%s', async (_what, content, message) => {
    await expect(check(content)).rejects.toThrow(message);
    await expect(check(content)).rejects.toThrow(UserError);
  });

  it('another file than the one that was built', async () => {
    await expect(check(gzipSync(tarOf([app])), '0'.repeat(64))).rejects.toThrow(
      /has SHA-256 [0-9a-f]{64}, not 0{64}/,
    );
  });

  it('what would fill the disk', async () => {
    const bomb = gzipSync(tarOf([app, { path: 'big', content: 'x'.repeat(300_000) }]));
    await expect(check(bomb, undefined, { entries: 9, unpackedBytes: 200_000 })).rejects.toThrow(
      /more than 200000 bytes/,
    );
    await expect(check(bomb, undefined, { entries: 1, unpackedBytes: 1e9 })).rejects.toThrow(
      /more than 1 entries/,
    );
  });

  it('a file that is not there', async () => {
    await expect(checkArtifact(join(folder, 'none'), { psgi: 'app.psgi' })).rejects.toThrow(
      /cannot be read: .*ENOENT/,
    );
  });
});
