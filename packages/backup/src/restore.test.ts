import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { printPostgresql } from '@perlstack/configs';
import { RemoteError } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { readManifest } from './manifest.js';
import {
  assertReadable,
  asUserError,
  chooseBackup,
  faultOf,
  KEEP_SETTINGS,
  MAKING_ROOM,
  recoverySettings,
  REMOVE,
  tellKept,
} from './restore.js';
import { exampleManifest } from './testing.js';

const backups = ['20261125T020000Z', '20261126T020000Z'].map((id, at) => ({
  bytes: 1,
  manifest: exampleManifest(id, {
    wal: {
      timeline: 1,
      startLsn: '0/1',
      stopLsn: at === 0 ? '0/9000000' : '0/A000000',
      segmentBytes: 16_777_216,
    },
  }),
}));

describe('chooseBackup', () => {
  it.each([
    ['latest', null, { kind: 'latest' } as const, '20261126T020000Z'],
    ['a certain one', '20261125T020000Z', { kind: 'latest' } as const, '20261125T020000Z'],
    [
      'the last before a time',
      null,
      { kind: 'time', at: new Date('2026-11-25T12:00:00Z') } as const,
      '20261125T020000Z',
    ],
    // 0/10000000 is more than 0/A000000, whatever their letters say.
    ['the last before a position', null, { kind: 'lsn', lsn: '0/10000000' } as const, '20261126T020000Z'],
    ['the last before another', null, { kind: 'lsn', lsn: '0/9000001' } as const, '20261125T020000Z'],
  ])('%s', (_, id, target, chosen) =>
    expect(chooseBackup(backups, id, target, null).manifest.id).toBe(chosen),
  );
  it.each([
    [[], null, { kind: 'latest' } as const, 'The bucket has no whole backup'],
    [
      backups,
      '20260101T000000Z',
      { kind: 'latest' } as const,
      'there is no whole backup 20260101T000000Z; there is: 2026',
    ],
    [
      backups,
      null,
      { kind: 'time', at: new Date('2026-11-24T00:00:00Z') } as const,
      'no backup ends before it',
    ],
  ])('says why there is none', (all, id, target, message) =>
    expect(() => chooseBackup(all, id, target, null)).toThrow(message),
  );
});

describe('assertReadable', () => {
  const [{ manifest }] = backups as [(typeof backups)[number]];
  const encrypted = {
    bytes: 1,
    manifest: { ...manifest, object: { ...manifest.object, recipient: 'age1x' } },
  };
  it('wants a key for what is encrypted, and none for what is not', () => {
    expect(() => assertReadable({ identity: null }, encrypted)).toThrow('is encrypted for age1x');
    expect(() => assertReadable({ identity: 'AGE' }, encrypted)).not.toThrow();
    expect(() => assertReadable({ identity: null }, { bytes: 1, manifest })).not.toThrow();
  });
});

describe('recoverySettings', () => {
  it('quotes what PostgreSQL would take for the end of a value', () => {
    const text = printPostgresql(
      'x',
      recoverySettings('perl /run/it\'s "%f"', { kind: 'time', at: new Date(0) }),
    );
    const lines = text.split('\n');
    expect(lines).toContain("restore_command = 'perl /run/it''s \"%f\"'");
    expect(lines).toContain("recovery_target_time = '1970-01-01T00:00:00.000+00'");
  });
});

describe('faultOf', () => {
  const failed = (command: string, reason: RemoteError['reason'] = 'exit'): RemoteError =>
    new RemoteError({ host: 'database-2', command, reason, why: 'failed', stderr: 'no identity matched' });

  it.each([
    ['a program that found it wanting', failed('tar'), 'database-2: tar failed: no identity matched'],
    [
      'the same in the words of an engine',
      new UserError('damaged', { cause: failed('pgbackrest') }),
      'damaged',
    ],
    ['too little room', failed(MAKING_ROOM), null],
    ['a host that is lost', failed('tar', 'lost'), null],
    ['a cancel', failed('tar', 'cancelled'), null],
    ['no key given', new UserError('Input "age-identity": …'), null],
    ['our own fault', new TypeError('x is undefined'), null],
  ])('%s', (_, error, fault) => expect(faultOf(error)).toBe(fault));

  it('is asked before the failure is told to the user', () =>
    expect(faultOf(asUserError(failed('tar'), 'Backup a'))).toBeNull());
});

describe('readManifest', () => {
  it('reads what was written', () => {
    const manifest = exampleManifest('20261126T020000Z');
    expect(readManifest(JSON.stringify(manifest))).toEqual(manifest);
  });
  it.each([
    ['{', 'not JSON'],
    ['{}', 'format: '],
    [JSON.stringify({ ...exampleManifest('20261126T020000Z'), id: '../../x' }), 'id: '],
  ])('tells what is wrong', (text, fault) =>
    expect(readManifest(text)).toMatchObject({ fault: expect.stringContaining(fault) }),
  );
});

describe('KEEP_SETTINGS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'perlstack-settings-'));
  const file = join(folder, 'postgresql.auto.conf');
  afterAll(() => rmSync(folder, { recursive: true }));
  const lay = (before: string | null, input: string): { said: string; file: string } => {
    rmSync(file, { force: true });
    if (before !== null) writeFileSync(file, before);
    const script = `set -eu\ndata=$1\nchown() { :; }\n${KEEP_SETTINGS}lay_settings`;
    const said = execFileSync('sh', ['-c', script, 'x', folder], { input, encoding: 'utf8' });
    return { said, file: readFileSync(file, 'utf8') };
  };

  it('keeps what the user set, in front of what recovery needs, and nothing of the copied replica', () => {
    const before = [
      ...['# Do not edit this file manually!', "work_mem = '7MB'", "primary_conninfo = 'host=a password=b'"],
      ...["primary_slot_name = 'a'", "recovery_target_timeline = 'latest'", "recovery_prefetch = 'off'"],
      ...["restore_command = 'x'", "myapp.mode = 'a = b'", ''],
    ].join('\n');
    const kept = "work_mem = '7MB'\nrecovery_prefetch = 'off'\nmyapp.mode = 'a = b'\n";
    const { said, file: after } = lay(before, "restore_command = 'y'\n");
    expect(after).toBe(`${kept}restore_command = 'y'\n`);
    const told: string[] = [];
    tellKept({ say: (line) => told.push(line) }, 'database-1', said);
    expect(told).toEqual([
      'database-1: what ALTER SYSTEM had set came back with the data: work_mem, recovery_prefetch, myapp.mode',
    ]);
    expect(lay(before, '').file).toBe(kept);
  });
  it.each([null, '', "# only words\nrestore_command = 'x'\n"])(
    'is empty again where nothing is kept',
    (before) => expect(lay(before, '')).toEqual({ said: '', file: '' }),
  );
});

it('removes a folder also where somebody writes to it for another moment', () => {
  const folder = mkdtempSync(join(tmpdir(), 'remove-'));
  const script = `${REMOVE}
cd "$1"
# Once is often too early or too late.
for time in $(seq 20); do
  mkdir busy
  (cd busy; n=0; while [ $n -lt 100000 ]; do : > "$n"; n=$((n + 1)); done) 2> /dev/null &
  until [ -e busy/50 ]; do :; done
  remove busy
  wait
done
ls`;
  try {
    expect(execFileSync('sh', ['-c', script, 'sh', folder], { encoding: 'utf8' })).toBe('');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
