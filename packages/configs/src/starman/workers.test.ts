import { describe, expect, it } from '@jest/globals';
import { platformOf, UserError, type Host } from '@perlstack/stack';
import { exampleHost, exampleStack } from '../examples.js';
import type { World } from '../world.js';
import { connectionBudget } from './budget.js';
import { automaticWorkers, workersOf, workersOfUnits } from './workers.js';

const stackOf = (app: string, tiers = '{}') =>
  exampleStack(`stack: shop\nregion: us-ord\napp: ${app}\ntiers: ${tiers}\n`);

function worldOf(app: string, tiers: string, hosts: Host[], cache: Host[] = []): World {
  const stack = stackOf(app, tiers);
  return {
    ...{ stack, inventory: { stack: 'shop', hosts }, platform: platformOf(stack), secrets: {}, tls: null },
    role: (role) => ({ app: hosts, cache, web: [], database: [], monitor: [] })[role],
  };
}

const appHost = (number: number, memoryMiB: number | null = 65_536, vcpus: number | null = 16) =>
  exampleHost(`app-${number}`, `10.0.0.${number}`, { memoryMiB, vcpus });

const first = (hosts: Host[]): Host => hosts[0] ?? appHost(1);

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
    expect(automaticWorkers({ memoryMiB, vcpus }, 64)).toBe(workers);
  });

  it('counts with what a worker takes, and with what else runs on the host', () => {
    expect(automaticWorkers({ memoryMiB: 8_192, vcpus: 8 }, 256)).toBe(15);
    expect(automaticWorkers({ memoryMiB: 8_192, vcpus: 8 }, 256, 2_048)).toBe(11);
  });
});

describe('connectionBudget', () => {
  it('is none without a database', () => {
    expect(connectionBudget(worldOf('{}', '{}', [appHost(1)]))).toBeNull();
  });

  it('shares the connections among the hosts that there may be, and two releases', () => {
    const tiers = '{ app: { autoscale: { min: 2, max: 6 } }, database: { connections: 128 } }';
    expect(connectionBudget(worldOf('{}', tiers, [appHost(1), appHost(2)]))).toEqual({
      maximum: 128,
      reserved: 8,
      hosts: 6,
      workers: 10,
    });
  });

  it('counts the hosts that are there where nothing is scaled', () => {
    const hosts = [appHost(1), appHost(2), appHost(3)];
    expect(connectionBudget(worldOf('{}', '{ database: { connections: 128 } }', hosts))).toMatchObject({
      hosts: 3,
      workers: 20,
    });
  });
});

describe('workersOf', () => {
  const database = '{ database: { connections: 108 } }';
  const two = [appHost(1), appHost(2)];

  it('leaves a number in the stack file alone', () => {
    expect(workersOf(worldOf('{ workers: 3 }', '{}', two), first(two))).toBe(3);
    expect(workersOf(worldOf('{ workers: 25 }', database, two), first(two))).toBe(25);
  });

  it('takes the least of memory, CPU and connections', () => {
    expect(workersOf(worldOf('{}', '{}', two), first(two))).toBe(128);
    expect(workersOf(worldOf('{}', database, two), first(two))).toBe(25);
    const small = [appHost(1, 1_024, 1), appHost(2, 1_024, 1)];
    expect(workersOf(worldOf('{}', database, small), first(small))).toBe(6);
  });

  it('leaves Redis its memory where it runs on the same host', () => {
    const hosts = [appHost(1, 4_096, 8)];
    const tiers = (more: string) => `{ cache: { on: app, ${more} } }`;
    expect(workersOf(worldOf('{}', tiers(''), hosts), first(hosts))).toBe(30);
    expect(workersOf(worldOf('{}', tiers(''), hosts, hosts), first(hosts))).toBe(22);
    expect(workersOf(worldOf('{}', tiers('memory: 1200MiB'), hosts, hosts), first(hosts))).toBe(17);
  });

  it.each<[string, string, string, Host[], RegExp]>([
    [
      'more workers than connections',
      '{ workers: 26 }',
      database,
      two,
      /26 workers × 2 app hosts × 2 releases .* need 104 database connections, but 100 are to be had .*at most 25, or .*at least 112$/,
    ],
    [
      'a database that can not serve one worker a host',
      '{}',
      '{ app: { autoscale: { min: 2, max: 200 } }, database: { connections: 20 } }',
      two,
      /need 400 database connections, but 12 .*; set tiers.database.connections to at least 408$/,
    ],
    [
      'more workers than memory',
      '{ workers: 20 }',
      '{}',
      [appHost(1, 2_048, 1)],
      /^app-1: the memory is too small: 20 workers × 64 MiB .* need 2560 MiB, and the host has 2048 MiB; set app.workers to at most 16/,
    ],
    [
      'a worker that no host can hold',
      '{ workerMemory: 1GiB }',
      '{}',
      [appHost(1, 2_048, 1)],
      /^app-1: the memory is too small: 2 workers × 1024 MiB .* need 4096 MiB, .*; set app.workerMemory/,
    ],
  ])('refuses %s', (_what, app, tiers, hosts, message) => {
    const attempt = () => workersOf(worldOf(app, tiers, hosts), first(hosts));
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(message);
  });

  it('says what Redis takes of a host that is too small', () => {
    const hosts = [appHost(1, 2_048, 1)];
    const world = worldOf('{ workers: 14 }', '{ cache: { on: app, memory: 750MiB } }', hosts, hosts);
    expect(() => workersOf(world, first(hosts))).toThrow(/2048 MiB less 1000 MiB for Redis; .* at most 8/);
  });
});

describe('workersOfUnits', () => {
  it.each([
    ['{ workers: 7 }', [7]],
    ['{ workers: 7, units: 3 }', [3, 2, 2]],
    ['{ workers: 3, units: 3 }', [1, 1, 1]],
  ])('%s: %p', (app, workers) => {
    const hosts = [appHost(1)];
    expect(workersOfUnits(worldOf(app, '{}', hosts), first(hosts))).toEqual(workers);
  });
});
