import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { command } from './command.js';
import { withLock } from './lock.js';

describe('command', () => {
  it('hands input over and gives back both streams and the code', async () => {
    const argv = ['sh', '-c', 'cat; echo bad >&2; exit 3'];
    expect(await command(argv, { input: 'in', okCodes: [3] })).toEqual({
      code: 3,
      stdout: 'in',
      stderr: 'bad\n',
    });
  });

  it('tells of each whole line', async () => {
    const lines: string[] = [];
    await command(['printf', 'one\\ntwo\\nrest'], { onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['one', 'two']);
  });

  it('fails with the command and the last words of its errors', async () => {
    await expect(command(['sh', '-c', 'echo no such thing >&2; exit 2'])).rejects.toThrow(
      /^sh -c .*code 2: no such thing$/,
    );
    await expect(command(['/no/such/program'])).rejects.toThrow(/ENOENT/);
  });

  it('ends a command at its time limit', async () => {
    await expect(command(['sleep', '60'], { timeoutMs: 20 })).rejects.toThrow(/sleep 60: exit code -1/);
  });
});

describe('withLock', () => {
  it('lets one in at a time and lets the next in after a failure', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lock-'));
    const file = join(dir, 'sub', 'lock');
    let inside = 0;
    const enter = (fail: boolean): Promise<number> =>
      withLock(file, async () => {
        inside += 1;
        const seen = inside;
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
        if (fail) throw new Error('failed inside');
        return seen;
      });
    const results = await Promise.allSettled([enter(false), enter(true), enter(false)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))).toEqual([
      1, 1,
    ]);
    await rm(dir, { recursive: true });
  });
});
