import { describe, expect, it } from '@jest/globals';
import { remoteCommand } from './exec.js';

describe('remoteCommand', () => {
  it.each<[string, readonly string[], boolean, string]>([
    ['as the user', ['id', '-u'], false, 'id -u'],
    ['as root, by way of a shell', ['id', 'a b'], true, `sudo -n -- sh -c 'exec "$0" "$@"' id 'a b'`],
    ['as root, a script', ['sh', '-c', 'id', 'x'], true, 'sudo -n -- sh -c id x'],
  ])('announces its process group and becomes the program %s', (_, argv, sudo, line) => {
    expect(remoteCommand(argv, sudo, 'run-1:')).toBe(`echo run-1:$$ >&2; exec ${line}`);
  });

  it('refuses what the kernel would not take', () => {
    expect(() => remoteCommand(['echo', 'x'.repeat(130_000)], false, 'run-1:')).toThrow(
      'pass data on standard input',
    );
  });
});
