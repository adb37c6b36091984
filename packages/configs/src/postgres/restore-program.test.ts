import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RESTORE_PROGRAM } from './restore-program.js';

/** The smallest that PostgreSQL has: 4,096 of them are one log. */
const SEGMENT = 1_048_576;

describe('the log that a replica is handed', () => {
  let folder = '';
  const at = (...names: string[]): string => path.join(folder, ...names);

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'restore-wal-'));
    mkdirSync(at('pg_wal'));
    mkdirSync(at('repository'));
    writeFileSync(at('restore-wal'), RESTORE_PROGRAM, { mode: 0o755 });
    // In the place of pgBackRest, which is asked by hosts only: it has what its folder has, and exits with 1 for what it lacks.
    writeFileSync(
      at('pgbackrest'),
      `#!/bin/sh\n[ "$1 $2" = "--stanza=shop archive-get" ] || exit 25\n[ -e "${at('repository')}/$3" ] || exit 1\ncp "${at('repository')}/$3" "$4"\n`,
      { mode: 0o755 },
    );
    for (const name of ['00000002.history', '00000003.history'])
      writeFileSync(at('repository', name), 'one\n');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const ask = (name: string): { status: number | null; given: boolean } => {
    rmSync(at('given'), { force: true });
    const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    const { status } = spawnSync(at('restore-wal'), ['shop', name, 'given'], { cwd: folder, env });
    return { status, given: existsSync(at('given')) };
  };
  const HANDED = { status: 0, given: true };
  const LACKING = { status: 1, given: false };
  const segments = (...names: string[]): void => {
    for (const name of names) {
      writeFileSync(at('repository', name), '');
      truncateSync(at('repository', name), SEGMENT);
    }
  };

  it('is all that there is, as long as there was no switch', () => {
    segments('000000010000000100000FFF');
    expect(ask('000000010000000100000FFF')).toEqual(HANDED);
    expect(ask('000000010000000200000000')).toEqual(LACKING);
    expect(ask('00000002.history')).toEqual(HANDED);
    expect(ask('00000004.history')).toEqual(LACKING);
  });

  it('ends where the newest timeline left the older ones', () => {
    segments('000000010000000100000FFF', '000000010000000200000000', '000000010000000200000001');
    segments('00000002000000020000000A', '00000002000000020000000B', '00000003000000020000000B');
    writeFileSync(at('pg_wal', '00000002.history'), '1\t2/28\tno recovery target specified\n');
    writeFileSync(
      at('pg_wal', '00000003.history'),
      '1\t2/28\tno recovery target specified\n\n2\t2/B00028\tno recovery target specified\n',
    );
    expect(ask('000000010000000100000FFF')).toEqual(HANDED);
    expect(ask('000000010000000200000000')).toEqual(LACKING);
    expect(ask('000000010000000200000001')).toEqual(LACKING);
    expect(ask('00000002000000020000000A')).toEqual(HANDED);
    expect(ask('00000002000000020000000B')).toEqual(LACKING);
    expect(ask('00000003000000020000000B')).toEqual(HANDED);
  });
});
