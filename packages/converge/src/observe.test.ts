import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OBSERVE_SCRIPT } from './observe-script.js';
import { questions, readAnswers } from './observe.js';
import { encodeRecords, sha256 } from './records.js';
import { bundleOf, managedFile, nginxService } from './testing.js';
import type { ObservedHost } from './world.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'observe-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs the real script on this machine, where it only looks. */
function look(service: Parameters<typeof nginxService>[0], users: { name: string }[] = []): ObservedHost {
  const empty = { packages: [], directories: [], files: [], removes: [], unit: null };
  const host = bundleOf({ 'web-1': [nginxService({ ...empty, ...service })] }).hosts[0];
  if (!host) throw new Error('no host');
  const asked = questions({
    ...host,
    users: users.map((user) => ({ ...user, home: '', shell: '', groups: [] })),
  });
  const script = ['-c', OBSERVE_SCRIPT, 'observe', join(folder, 'state')];
  return readAnswers(execFileSync('sh', script, { input: encodeRecords(asked), encoding: 'utf8' }));
}

const owner = userInfo().username;
const path = (name: string): string => join(folder, name);

describe('observing', () => {
  it('sees a file with its owner, mode and content where it differs', () => {
    writeFileSync(path("it's $HOME"), 'old\n', { mode: 0o640 });
    const { files } = look({ files: [managedFile(path("it's $HOME"), 'new\n')] });
    expect(files[path("it's $HOME")]).toMatchObject({
      owner,
      mode: 0o640,
      sha256: sha256('old\n'),
      content: 'old\n',
    });
  });

  it('leaves out the content of a file that is as wanted, of a secret and of a long one', () => {
    for (const name of ['same', 'secret', 'empty'])
      writeFileSync(path(name), name === 'empty' ? '' : 'old\n');
    writeFileSync(path('long'), 'x'.repeat(300_000));
    const { files } = look({
      files: [
        managedFile(path('same'), 'old\n'),
        managedFile(path('secret'), 'new\n', { secret: true }),
        managedFile(path('long'), ''),
        managedFile(path('empty'), 'new\n'),
      ],
    });
    const contents = Object.values(files).map((file) => file !== 'not-a-file' && file.content);
    expect(contents).toEqual([undefined, undefined, undefined, '']);
  });

  it('tells missing files, links and folders from files', () => {
    symlinkSync('nowhere', path('link'));
    mkdirSync(path('folder'));
    const { files } = look({
      files: ['missing', 'link', 'folder'].map((name) => managedFile(path(name), '')),
    });
    expect(files).toEqual({ [path('link')]: 'not-a-file', [path('folder')]: 'not-a-file' });
  });

  it('sees folders', () => {
    mkdirSync(path('folder'), { mode: 0o750 });
    writeFileSync(path('file'), '');
    const wanted = ['folder', 'file', 'missing'].map((name) => ({
      path: path(name),
      owner,
      group: owner,
      mode: 0,
    }));
    const { directories } = look({ directories: wanted });
    expect(directories).toMatchObject({
      [path('folder')]: { owner, mode: 0o750 },
      [path('file')]: 'not-a-directory',
    });
    expect(Object.keys(directories)).toHaveLength(2);
  });

  it('sees what must not be, a dangling link too', () => {
    symlinkSync('nowhere', path('link'));
    expect(look({ removes: [path('link'), path('missing')] }).unwanted).toEqual([path('link')]);
  });

  it('sees accounts with their groups', () => {
    const { users } = look({}, [{ name: 'root' }, { name: 'no-such-account' }]);
    expect(users).toEqual({
      root: { home: '/root', shell: expect.any(String), groups: expect.arrayContaining(['root']) },
    });
  });

  it('sees what is in force, and what an earlier run left', () => {
    expect(look({})).toMatchObject({ inForce: {}, leftovers: false });
    mkdirSync(path('state/stage'), { recursive: true });
    writeFileSync(path('state/nginx.digest'), 'abc\n');
    expect(look({})).toMatchObject({ inForce: { nginx: 'abc' }, leftovers: true });
  });

  it('sees how files were last left, and which ones a run had in its hands that broke off', () => {
    mkdirSync(path('state/backup/nginx/files/etc'), { recursive: true });
    mkdirSync(path('state/backup/nginx/absent/etc/a b'), { recursive: true });
    writeFileSync(path('state/backup/nginx/files/etc/x.conf'), '');
    symlinkSync('nowhere', path('state/backup/nginx/files/etc/link'));
    writeFileSync(path('state/backup/nginx/absent/etc/a b/new'), '');
    writeFileSync(path('state/nginx.files'), '/etc/a b\tabc\troot\tadm\t0640\n/etc/gone\t-\n');
    writeFileSync(path('state/nginx.presets'), '/etc/preset\tdef\troot\troot\t0644\n');
    const { remembered, underWay } = look({});
    expect(remembered).toEqual({
      '/etc/a b': { sha256: 'abc', owner: 'root', group: 'adm', mode: 0o640 },
      '/etc/gone': 'absent',
      '/etc/preset': { sha256: 'def', owner: 'root', group: 'root', mode: 0o644 },
    });
    expect([...underWay].sort()).toEqual(['/etc/a b/new', '/etc/link', '/etc/x.conf']);
    writeFileSync(path('state/backup/nginx/complete'), '');
    expect(look({}).underWay).toEqual([]);
  });

  it('sees which packages are installed', () => {
    const { packages } = look({ packages: ['dpkg', 'no-such-package', 'coreutils'] });
    expect(new Set(packages)).toEqual(new Set(['coreutils', 'dpkg']));
  });

  it('leaves no trace', () => {
    look({ files: [managedFile(path('missing'), '')] });
    expect(() => execFileSync('rmdir', [folder])).not.toThrow();
    mkdirSync(folder);
  });
});

describe('readAnswers', () => {
  it.each([
    ['enabled', 'active', { enabled: true, active: true }],
    ['disabled', 'failed', { enabled: false, active: false }],
    ['static', 'reloading', { enabled: true, active: true }],
    ['none', 'inactive', { enabled: false, active: false }],
    ['masked', 'activating', { enabled: false, active: false }],
  ])('reads a unit that is %s and %s', (file, active, expected) => {
    expect(readAnswers(`unit\tnginx.service\t${file}\t${active}\nend\n`).units['nginx.service']).toEqual(
      expected,
    );
  });

  it('refuses what the script cannot have said', () => {
    expect(() => readAnswers('surprise\nend\n')).toThrow('surprise');
  });
});
