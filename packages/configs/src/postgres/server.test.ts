import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { printHba } from '../print/pghba.js';
import { printPostgresql } from '../print/postgresql.js';
import { restartSettings, takesRestart } from './contexts.js';
import { computedSettings } from './settings.js';
import { verifierWith } from './scram.js';

// What PostgreSQL itself reads in our files. It refuses to run as root, so it runs as its own account.
const LIBRARY = '/usr/lib/postgresql';
const installed = spawnSync('test', ['-d', LIBRARY]).status === 0 ? readdirSync(LIBRARY) : [];
const versions = process.getuid?.() === 0 ? installed.filter((version) => Number(version) >= 15) : [];
const [version = ''] = versions;

/** Deterministic, so that a failure comes again. */
function* noise(seed: number): Generator<number> {
  let state = seed;
  for (;;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state;
  }
}

const PIECES = [
  "'",
  '"',
  '\\',
  '\n',
  '\t',
  ';',
  '}',
  '{',
  '$',
  '#',
  '%',
  '/',
  '@',
  '+',
  ',',
  ' ',
  'a',
  'Ω',
  '🐘',
  '\\n',
  "''",
];

/** Texts of pieces that mean something to one language or another. */
function texts(count: number): string[] {
  const random = noise(7);
  const next = (below: number): number => (random.next().value as number) % below;
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + next(8) }, () => PIECES[next(PIECES.length)] ?? '').join(''),
  );
}

(version ? describe : describe.skip)(`PostgreSQL ${version} (needs its programs and root)`, () => {
  let folder: string;

  const as = (...argv: string[]): string => {
    const { status, stdout, stderr } = spawnSync('runuser', ['-u', 'postgres', '--', ...argv], {
      encoding: 'utf8',
      cwd: '/',
    });
    if (status !== 0) throw new Error(`${argv[0]}: ${stderr || stdout}`);
    return stdout;
  };
  const program = (name: string): string => path.join(LIBRARY, version, 'bin', name);
  const ask = (sql: string): unknown =>
    JSON.parse(
      as(program('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', folder, '-d', 'postgres', '-c', sql),
    );
  const put = async (name: string, content: string): Promise<void> => {
    await writeFile(path.join(folder, name), content);
    await chmod(path.join(folder, name), 0o644);
  };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'postgresql-test-'));
    await chmod(folder, 0o755);
    const id = (what: string): number =>
      Number(spawnSync('id', [what, 'postgres'], { encoding: 'utf8' }).stdout);
    await chown(folder, id('-u'), id('-g'));
    const data = path.join(folder, 'data');
    as(program('initdb'), '-D', data, '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync');
    await put('extra.conf', '');
    await put('hba.conf', 'local all all trust\n');
    const options = [
      ...[
        'listen_addresses=',
        `unix_socket_directories=${folder}`,
        'shared_buffers=16MB',
        'max_connections=20',
      ],
      ...['shared_preload_libraries=pg_stat_statements', `hba_file=${folder}/hba.conf`],
    ].flatMap((option) => ['-c', option]);
    as('sh', '-c', `echo "include '${folder}/extra.conf'" >> ${data}/postgresql.conf`);
    as(
      program('pg_ctl'),
      'start',
      '-w',
      '-s',
      '-D',
      data,
      '-l',
      path.join(folder, 'log'),
      '-o',
      options.join(' '),
    );
  }, 60_000);

  afterAll(async () => {
    as(program('pg_ctl'), 'stop', '-s', '-m', 'immediate', '-D', path.join(folder, 'data'));
    await rm(folder, { recursive: true, force: true });
  });

  it('gives back every value as it was written, or it was refused', async () => {
    const values = texts(200);
    await put(
      'extra.conf',
      printPostgresql(
        'x',
        values.map((value, at) => [`perlstack.v${at}`, value]),
      ),
    );
    const names = values.map((_, at) => `current_setting('perlstack.v${at}')`);
    as(program('pg_ctl'), 'reload', '-s', '-D', path.join(folder, 'data'));
    // A session that begins before the reload was taken in would not know the names.
    const read = (): unknown => ask(`SELECT json_build_array(${names.slice(0, 100).join()})`);
    const wait = async (tries: number): Promise<unknown> => {
      try {
        return read();
      } catch (error) {
        if (tries === 0) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return wait(tries - 1);
      }
    };
    expect(await wait(50)).toEqual(values.slice(0, 100));
    expect(ask(`SELECT json_build_array(${names.slice(100).join()})`)).toEqual(values.slice(100));
  });

  it('finds in pg_hba.conf the names that were meant, or they were refused', async () => {
    const rules = texts(200).flatMap((name) => {
      try {
        printHba('x', [{ database: name, user: name, method: 'peer' }]);
        return [{ database: name, user: name, method: 'peer' } as const];
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
        return [];
      }
    });
    expect(rules.length).toBeGreaterThan(50);
    await put('hba.conf', printHba('x', rules));
    const read = ask(
      "SELECT json_agg(json_build_object('database', database[1], 'user', user_name[1], 'error', error) ORDER BY line_number) FROM pg_hba_file_rules",
    );
    await put('hba.conf', 'local all all trust\n');
    expect(read).toEqual(rules.map(({ database, user }) => ({ database, user, error: null })));
  });

  it('has the context of each setting as it is listed', () => {
    const all = ask('SELECT json_object_agg(lower(name), context) FROM pg_settings') as Record<
      string,
      string
    >;
    const atStart = Object.keys(all).filter((name) => all[name] === 'postmaster');
    expect(atStart.filter((name) => !takesRestart(name))).toEqual([]);
    expect(restartSettings().filter((name) => name in all && all[name] !== 'postmaster')).toEqual([]);
    const sizes = { memoryMiB: 2_048, diskMiB: null, vcpus: 2, connections: 100, workers: 8 };
    const ours = computedSettings(Number(version), sizes).flatMap(([name, value]) =>
      value === null ? [] : [name],
    );
    expect(ours.filter((name) => !(name in all))).toEqual([]);
  });

  it('takes our verifier for the password, and says so at a login', async () => {
    const password = `pa'ss "$1" \\ word`;
    const verifier = verifierWith(password, Buffer.from('0123456789abcdef'), 4_096);
    ask(`CREATE ROLE tester LOGIN PASSWORD '${verifier}'; SELECT 1`);
    expect(ask("SELECT to_json(rolpassword) FROM pg_authid WHERE rolname = 'tester'")).toBe(verifier);
    await put('hba.conf', 'local all tester scram-sha-256\nlocal all all trust\n');
    as(program('pg_ctl'), 'reload', '-s', '-D', path.join(folder, 'data'));
    const login = (attempt: string): string =>
      spawnSync(
        program('psql'),
        ['-XAt', '-h', folder, '-U', 'tester', '-d', 'postgres', '-c', 'SELECT current_user'],
        {
          encoding: 'utf8',
          env: { PGPASSWORD: attempt },
        },
      ).stdout.trim();
    const refused = async (tries: number): Promise<string> => {
      const answer = login('wrong');
      if (answer === '' || tries === 0) return answer;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return refused(tries - 1);
    };
    expect(await refused(50)).toBe('');
    expect(login(password)).toBe('tester');
  });
});
