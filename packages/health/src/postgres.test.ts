import { describe, expect, it } from '@jest/globals';
import { judgePostgres } from './postgres.js';
import { programOf } from './programs.js';

describe('PostgreSQL', () => {
  const primary = {
    replica: false,
    receiving: null,
    silence: null,
    patience: 30,
    asked: false,
    streaming: 1,
    bytes: 100,
    seconds: 0.2,
    connections: 8,
    limit: 100,
  };
  const replica = {
    ...primary,
    ...{ replica: true, receiving: 'streaming', silence: 1, asked: true, streaming: 0 },
  };

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
      'one that heard nothing for longer than a live link is silent',
      [{ ...replica, silence: 21.2 }, 'replica', null, {}],
      false,
      /: it has heard nothing from its primary for 21 s$/,
    ],
    ['one whose primary is idle', [{ ...replica, silence: 15.1 }, 'replica', null, {}], true, /^replica/],
    [
      'one that waits for its primary for ever',
      [{ ...replica, silence: 3_600, patience: null }, 'replica', null, {}],
      true,
      /^replica/,
    ],
    [
      'one cut off a moment ago',
      [
        {
          ...replica,
          asked: false,
          unasked: 'connection to server at "10.0.0.3", port 5432 failed: timeout expired',
        },
        'replica',
        null,
        {},
      ],
      false,
      /: its primary cannot be reached: connection to server .* timeout expired$/,
    ],
    [
      'one whose primary does not let it ask',
      [
        {
          ...replica,
          asked: false,
          unasked: 'connection to server at "10.0.0.3", port 5432 failed: FATAL:  no entry',
        },
        'replica',
        null,
        {},
      ],
      true,
      /^replica/,
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

  it('whose primary does not answer', () => {
    const { judge } = programOf({ postgres: 'any', on: 'db' }, 'db');
    const output = `unasked: psql:<stdin>:5: error: connection to server at "db-1" failed: timeout expired\n${JSON.stringify({ ...replica, asked: false })}\n`;
    expect(judge(0, output)).toMatchObject({
      ok: false,
      seen: expect.stringMatching(
        /: its primary cannot be reached: connection to server at "db-1" failed: timeout expired$/,
      ),
    });
  });

  it('that does not answer', () => {
    const { judge } = programOf({ postgres: 'any', on: 'db' }, 'db');
    expect(judge(2, 'psql: could not connect\n')).toEqual({ ok: false, seen: 'psql: could not connect' });
  });
});
