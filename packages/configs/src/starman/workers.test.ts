import { describe, expect, it } from '@jest/globals';
import { exampleHost, exampleStack } from '../examples.js';
import { automaticWorkers, workersOf } from './workers.js';

describe('automaticWorkers', () => {
  it.each([
    // Twice the workers and the reserve fit into the memory, …
    [1_024, 1, 6],
    [2_048, 1, 8],
    [2_048, 2, 14],
    // … more than the vCPUs can keep busy are of no use, …
    [4_096, 2, 16],
    [8_192, 4, 32],
    [8_192, null, 62],
    // … and one alone would stop for every slow request.
    [256, 1, 2],
    [null, null, 5],
    [null, 4, 5],
  ])('%p MiB and %p vCPUs: %p', (memoryMiB, vcpus, workers) => {
    expect(automaticWorkers({ memoryMiB, vcpus })).toBe(workers);
  });

  it('leaves a number in the stack file alone', () => {
    const stack = exampleStack('stack: shop\nregion: us-ord\napp: { workers: 3 }\n');
    expect(workersOf(stack, exampleHost('app-1', '10.0.0.1', { memoryMiB: 65_536, vcpus: 16 }))).toBe(3);
  });
});
