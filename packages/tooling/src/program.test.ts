import { describe, expect, it } from '@jest/globals';
import { inParallel, runNode } from './program.js';

describe('runNode', () => {
  it('collects what the program wrote, and its exit code', async () => {
    const program = 'console.log("out"); console.error("err"); process.exitCode = 3';
    const { code, output } = await runNode(['--eval', program]);
    expect({ code, lines: output.trim().split('\n').sort() }).toEqual({ code: 3, lines: ['err', 'out'] });
  });

  it('counts an end by a signal as a failure', async () => {
    expect(await runNode(['--eval', 'process.kill(process.pid, "SIGKILL")'])).toMatchObject({ code: 1 });
  });
});

describe('inParallel', () => {
  it('keeps the order of the items and never runs more than the width', async () => {
    let running = 0;
    let most = 0;
    const results = await inParallel([5, 1, 3, 2], 2, async (turns) => {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      running--;
      return turns * 10;
    });
    expect({ results, most }).toEqual({ results: [50, 10, 30, 20], most: 2 });
  });

  it('fails with the first failure', async () => {
    const task = async (item: number) => {
      if (item === 2) throw new Error('two');
    };
    await expect(inParallel([1, 2, 3], 2, task)).rejects.toThrow('two');
  });
});
