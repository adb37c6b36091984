import { describe, expect, it } from '@jest/globals';
import { judgeRedis } from './redis.js';

describe('Redis', () => {
  // The replica's own offsets are always alike: it knows only of what it got.
  const replica = (link: string, at: number, ofPrimary = 'master_repl_offset:1000', silence = 1): string =>
    `primary # Replication\nprimary ${ofPrimary}\nrole:slave\nmaster_link_status:${link}\nmaster_last_io_seconds_ago:${silence}\n` +
    `slave_repl_offset:${at}\nmaster_repl_offset:${at}\n`;
  const primary =
    'role:master\nconnected_slaves:2\nslave0:ip=1,port=1,state=online,offset=990,lag=0\nslave1:ip=2,port=1,state=wait_bgsave,offset=0,lag=0\nmaster_repl_offset:1000\n';

  it.each<[string, Parameters<typeof judgeRedis>, boolean, RegExp]>([
    ['a replica', [replica('up', 1_000), 'replica', 10], true, /^replica, link up, 0 bytes behind$/],
    ['a replica without its primary', [replica('down', 1_000), 'any', undefined], false, /link down/],
    ['a replica too far behind', [replica('up', 900), 'any', 10], false, /100 bytes behind: more than 10$/],
    [
      'a replica that is ahead of what its primary said',
      [replica('up', 1_200), 'any', 0],
      true,
      / 0 bytes behind$/,
    ],
    [
      'a replica with a link that says nothing',
      [replica('up', 1_000, 'master_repl_offset:1000', 31), 'any', undefined],
      false,
      /link up, 0 bytes behind: it has heard nothing from its primary for 31 s$/,
    ],
    [
      'a replica whose primary refuses',
      ['primary NOAUTH Authentication required.\nrole:slave\nmaster_link_status:up\n', 'any', undefined],
      false,
      /\? bytes behind: its primary cannot be asked: NOAUTH Authentication required\.$/,
    ],
    [
      'a replica whose primary does not answer',
      ['role:slave\nmaster_link_status:up\n', 'any', undefined],
      false,
      /its primary cannot be asked: it does not answer$/,
    ],
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
