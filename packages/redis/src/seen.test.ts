import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { linkState } from './link.js';
import { readSeen } from './seen.js';

describe('readSeen', () => {
  it('reads a bare host', () => {
    expect(readSeen('cache-1', 'end\n')).toEqual({
      ...{ liveFile: null, hasData: false, redis: null, sentinelFile: false, sentinel: null },
    });
  });

  it('reads a replica and its Sentinel', () => {
    const output = [
      ...[
        'live',
        'follows 10.0.0.1',
        'data',
        'data',
        'role slave',
        'master_host 10.0.0.2',
        'master_link_status down',
      ],
      ...[
        'slave_repl_offset 7',
        'master_repl_offset 7',
        'sentinel-live',
        'sentinel-runs',
        'sentinel-names 10.0.0.2',
      ],
      ...['sentinel-flags master,o_down', 'end', ''],
    ].join('\n');
    expect(readSeen('cache-1', output)).toEqual({
      liveFile: { follows: '10.0.0.1' },
      hasData: true,
      redis: { role: 'replica', follows: '10.0.0.2', link: 'down', offset: 7 },
      sentinelFile: true,
      sentinel: { names: '10.0.0.2', failingOver: true },
    });
  });

  it('reads a primary, and a Sentinel that knows none', () => {
    const output =
      'live\nrole master\nmaster_repl_offset 3\nsentinel-live\nsentinel-runs\nsentinel-names \nsentinel-flags \nend\n';
    const { liveFile, redis, sentinel } = readSeen('cache-1', output);
    expect(liveFile).toEqual({ follows: null });
    expect(redis).toEqual({ role: 'primary', follows: null, link: null, offset: 3 });
    expect(sentinel).toEqual({ names: null, failingOver: false });
  });

  it('says on which host one does not answer as it should', () => {
    const read = () => readSeen('cache-2', 'live\nerror NOAUTH Authentication required.\nend\n');
    expect(read).toThrow(UserError);
    expect(read).toThrow(/^cache-2: .*NOAUTH/);
  });

  it('does not take a part for the whole', () => {
    expect(() => readSeen('cache-2', 'live\n')).toThrow(/not complete/);
  });
});

describe('linkState', () => {
  it.each<[string, true | string]>([
    ['role:slave\r\nmaster_host:10.0.0.1\r\nmaster_link_status:up\r\n', true],
    ['role:master\r\n', true],
    ['role:slave\nmaster_host:10.0.0.1\nmaster_link_status:down\n', 'no link to 10.0.0.1 yet'],
    [
      'role:slave\nmaster_host:a\nmaster_link_status:down\nmaster_sync_in_progress:1\nmaster_sync_total_bytes:200\nmaster_sync_read_bytes:50\n',
      'copies from a: 25 %',
    ],
    // Of a copy that is sent without a file nobody knows how long it is.
    [
      'role:slave\nmaster_host:a\nmaster_link_status:down\nmaster_sync_in_progress:1\nmaster_sync_total_bytes:0\n',
      'copies from a',
    ],
    ['Could not connect to Redis', 'Could not connect to Redis'],
    ['', 'no answer'],
  ])('%j', (info, state) => {
    expect(linkState(info)).toBe(state);
  });
});
