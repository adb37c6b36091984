import { describe, expect, it } from '@jest/globals';
import { judgePostgres, judgeRedis, programOf } from './programs.js';

describe('PostgreSQL', () => {
  const primary = {
    replica: false,
    receiving: null,
    streaming: 1,
    bytes: 100,
    seconds: 0.2,
    connections: 8,
    limit: 100,
  };
  const replica = { ...primary, replica: true, receiving: 'streaming', streaming: 0 };

  it.each<[string, Parameters<typeof judgePostgres>, boolean, RegExp]>([
    [
      'a primary',
      [primary, 'primary', null, {}],
      true,
      /^primary, 1 streaming, 100 bytes and 0\.2 s behind, 8 of 100 connections$/,
    ],
    ['any', [replica, 'any', null, {}], true, /^replica, streaming/],
    ['a primary that should be a replica', [primary, 'replica', null, {}], false, /: no replica$/],
    ['a replica that should be the primary', [replica, 'primary', null, {}], false, /: no primary$/],
    [
      'a replica that lost its primary',
      [{ ...replica, receiving: null, bytes: null, seconds: null }, 'replica', null, {}],
      false,
      /not connected, \? bytes and \? s behind.*: it does not stream$/,
    ],
    [
      'one too far behind',
      [{ ...replica, bytes: 2_000 }, 'replica', null, { bytes: 1_000 }],
      false,
      /more than 1000 bytes$/,
    ],
    [
      'one too long behind',
      [{ ...replica, seconds: 31 }, 'replica', null, { time: 30_000 }],
      false,
      /more than 30 s$/,
    ],
    [
      'a primary that nobody follows',
      [{ ...primary, streaming: 0 }, 'primary', null, { bytes: 1_000 }],
      false,
      /nobody follows it$/,
    ],
    [
      'too many connections',
      [{ ...primary, connections: 81 }, 'any', 0.8, {}],
      false,
      /81 of 100 connections: more than 80 %$/,
    ],
    ['just few enough', [{ ...primary, connections: 80 }, 'any', 0.8, {}], true, /80 of 100/],
  ])('%s', (_what, args, ok, seen) => {
    const found = judgePostgres(...args);
    expect(found.ok).toBe(ok);
    expect(found.seen).toMatch(seen);
  });

  it('that warns before it answers', () => {
    const { judge } = programOf({ postgres: 'any', on: 'db' }, 'db');
    expect(judge(0, `WARNING: collation\n${JSON.stringify(primary)}\n`).ok).toBe(true);
  });

  it('that does not answer', () => {
    const { judge } = programOf({ postgres: 'any', on: 'db' }, 'db');
    expect(judge(2, 'psql: could not connect\n')).toEqual({ ok: false, seen: 'psql: could not connect' });
  });
});

describe('Redis', () => {
  const replica = (link: string, at: number): string =>
    `role:slave\nmaster_link_status:${link}\nslave_repl_offset:${at}\nmaster_repl_offset:1000\n`;
  const primary =
    'role:master\nconnected_slaves:2\nslave0:ip=1,port=1,state=online,offset=990,lag=0\nslave1:ip=2,port=1,state=wait_bgsave,offset=0,lag=0\nmaster_repl_offset:1000\n';

  it.each<[string, Parameters<typeof judgeRedis>, boolean, RegExp]>([
    ['a replica', [replica('up', 1_000), 'replica', 10], true, /^replica, link up, 0 bytes behind$/],
    ['a replica without its primary', [replica('down', 1_000), 'any', undefined], false, /link down/],
    ['a replica too far behind', [replica('up', 900), 'any', 10], false, /100 bytes behind: more than 10$/],
    [
      'a primary',
      [primary, 'primary', 10],
      true,
      /^primary, 1 replicas online, 10 bytes behind at the most$/,
    ],
    ['a primary too far ahead', [primary, 'primary', 9], false, /more than 9$/],
    ['the wrong role', [primary, 'replica', undefined], false, /no replica$/],
    ['a refusal', ['NOAUTH Authentication required.\n', 'any', undefined], false, /^NOAUTH/],
    ['nothing', ['', 'any', undefined], false, /^no answer$/],
  ])('%s', (_what, args, ok, seen) => {
    const found = judgeRedis(...args);
    expect(found.ok).toBe(ok);
    expect(found.seen).toMatch(seen);
  });
});

describe('other programs', () => {
  it('a unit', () => {
    const { judge } = programOf({ unit: 'nginx.service', on: 'web' }, 'web-1');
    expect(judge(0, 'LoadState=loaded\nActiveState=active\nSubState=running\n')).toEqual({
      ok: true,
      seen: 'active (running)',
    });
    expect(judge(0, 'LoadState=loaded\nActiveState=failed\nSubState=failed\n')).toEqual({
      ok: false,
      seen: 'failed (failed)',
    });
    expect(judge(0, 'LoadState=not-found\nActiveState=inactive\nSubState=dead\n').ok).toBe(false);
  });

  it('a command', () => {
    const { judge } = programOf({ command: ['x'], on: 'app', exit: [0, 3], contains: 'fine' }, 'app-1');
    expect(judge(3, 'all fine')).toEqual({ ok: true, seen: 'exit code 3' });
    expect(judge(1, 'fine')).toEqual({ ok: false, seen: 'exit code 1: fine' });
    expect(judge(0, 'bad')).toEqual({ ok: false, seen: 'exit code 0 without "fine": bad' });
  });

  it('a quorum', () => {
    const { judge, argv } = programOf({ sentinel: 'shop', on: 'cache' }, 'cache-1');
    expect(judge(0, 'OK 3 usable Sentinels. Quorum and failover authorization can be reached\n').ok).toBe(
      true,
    );
    expect(judge(0, '(error) NOQUORUM 1 usable Sentinels\n')).toEqual({
      ok: false,
      seen: '(error) NOQUORUM 1 usable Sentinels',
    });
    expect(argv.at(-1)).toBe('SENTINEL CKQUORUM shop');
  });
});
