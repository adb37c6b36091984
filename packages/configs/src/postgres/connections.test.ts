import { describe, expect, it } from '@jest/globals';
import { exampleHost, exampleStack } from '../examples.js';
import { maxConnections } from './connections.js';

function connections(database: string, memories: (number | null)[]): number | null {
  const stack = exampleStack(`stack: shop\nregion: us-ord\napp: {}\ntiers: { ${database} }\n`);
  const hosts = memories.map((memoryMiB, at) =>
    exampleHost(`database-${at + 1}`, `10.10.2.${at}`, { memoryMiB }),
  );
  return maxConnections({ stack, role: (tier) => (tier === 'database' ? hosts : []) });
}

describe('maxConnections', () => {
  it.each<[(number | null)[], number]>([
    [[1_024, 65_536], 100],
    [[4_096, 4_096], 200],
    [[16_384], 300],
    [[null], 100],
    [[65_536, null], 100],
  ])('of hosts of %j MiB', (memories, expected) => {
    expect(connections('database: {}', memories)).toBe(expected);
  });

  it('is what the stack file says, and nothing without a database', () => {
    expect(connections('database: { connections: 42 }', [1_024])).toBe(42);
    expect(connections('app: {}', [])).toBeNull();
  });
});
