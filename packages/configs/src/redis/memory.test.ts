import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { exampleHost } from '../examples.js';
import { cacheMemory } from './memory.js';
import { cacheWorld } from './testing.js';

describe('cacheMemory', () => {
  it.each([
    [1_024, '', 576],
    [2_048, '', 1_344],
    // On hosts with other work a quarter of the memory, of which a quarter is for copies.
    [4_096, 'on: app', 768],
    [4_096, 'on: database', 768],
    [4_096, 'memory: 300MiB', 300],
    [1_024, 'memory: 576MiB', 576],
    [4_096, 'on: app, memory: 1536MiB', 1_536],
  ])('a host of %i MiB, { %s }: %i MiB', (memoryMiB, cache, mebibytes) => {
    expect(cacheMemory(cacheWorld({ memoryMiB, cache: withDatabase(cache) }))).toEqual({
      mebibytes,
      known: true,
    });
  });

  it('goes by the smallest host, because each may become primary', () => {
    const world = cacheWorld({ memoryMiB: 4_096 });
    const small = exampleHost('cache-4', '10.10.3.9', { memoryMiB: 1_024 });
    expect(cacheMemory({ ...world, role: () => [...world.role('cache'), small] }).mebibytes).toBe(576);
  });

  it('guesses low where nobody said how large the hosts are', () => {
    expect(cacheMemory(cacheWorld({ memoryMiB: null }))).toEqual({ mebibytes: 256, known: false });
  });

  it.each([
    [
      1_024,
      'memory: 577MiB',
      /tiers\.cache\.memory: 577 MiB .* cache-1: of the 1024 MiB that it has, 576 MiB/,
    ],
    [4_096, 'on: app, memory: 2GiB', /of the 4096 MiB that it shares with other roles, 1536 MiB/],
    [256, '', /a host of 256 MiB leaves no memory/],
  ])('refuses on a host of %i MiB { %s }', (memoryMiB, cache, message) => {
    const ask = () => cacheMemory(cacheWorld({ memoryMiB, cache }));
    expect(ask).toThrow(UserError);
    expect(ask).toThrow(message);
  });
});

/** \`on: database\` needs one. */
const withDatabase = (cache: string): string =>
  cache === 'on: database' ? `${cache} }, database: {` : cache;
