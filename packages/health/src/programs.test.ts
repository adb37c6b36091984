import { describe, expect, it } from '@jest/globals';
import { programOf } from './programs.js';

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
