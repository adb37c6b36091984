import { UserError, type Host, type Stack } from '@perlstack/stack';
import { cacheMemory } from '../redis/memory.js';
import type { World } from '../world.js';
import { connectionBudget, RELEASES, requireConnections } from './budget.js';

/** Memory in MiB that is not the application's: system, nginx, page cache of the static files. */
export const RESERVE_MIB = 256;
/** Workers a vCPU: a worker whose requests are an eighth CPU and else wait for the database keeps one busy. */
const WORKERS_PER_CPU = 8;
/** Starman's own default, for a host of which nobody said how large it is. */
const UNKNOWN = 5;

/** The memory in MiB of a host that Redis takes where it is placed there too: its data, and a third for copies. */
export function neighbourMemory(world: World, host: Host): number {
  if (host.memoryMiB === null || !world.role('cache').includes(host)) return 0;
  return Math.ceil((cacheMemory(world).mebibytes * 4) / 3);
}

/** How many workers a host's memory and vCPUs are good for. */
export function automaticWorkers(
  { memoryMiB, vcpus }: Pick<Host, 'memoryMiB' | 'vcpus'>,
  workerMemory: number,
  neighbours = 0,
): number {
  if (memoryMiB === null) return UNKNOWN;
  const fitting = Math.floor((memoryMiB - RESERVE_MIB - neighbours) / RELEASES / workerMemory);
  const useful = vcpus === null ? fitting : vcpus * WORKERS_PER_CPU;
  return Math.max(2, Math.min(fitting, useful));
}

/**
 * How many workers each release runs on a host: as the stack file says, or as many as memory, CPU and the database's
 * connections allow.
 *
 * @throws UserError when they can't fit into the host's memory or the database's connections.
 */
export function workersOf(world: World, host: Host): number {
  const { app } = world.stack;
  const budget = connectionBudget(world);
  const wanted = wantedWorkers(world, host);
  requireMemory(app, host, wanted, neighbourMemory(world, host));
  if (!budget) return wanted;
  requireConnections(budget, app.workers === 'auto' ? 1 : wanted);
  return Math.min(wanted, budget.workers);
}

/** Without regard to the database. */
function wantedWorkers(world: World, host: Host): number {
  const { workers, workerMemory } = world.stack.app;
  if (workers !== 'auto') return workers;
  return automaticWorkers(host, workerMemory, neighbourMemory(world, host));
}

/** What the user should know of `workers: auto`. */
export function workerNotes(world: World): string[] {
  if (world.stack.app.workers !== 'auto') return [];
  return [...unknownMemory(world), ...fewConnections(world)];
}

function unknownMemory({ role }: World): string[] {
  const unknown = role('app').filter(({ memoryMiB }) => memoryMiB === null);
  if (unknown.length === 0) return [];
  const names = unknown.map(({ name }) => name).join(', ');
  return [`app: the memory of ${names} is not known: ${UNKNOWN} workers each; set app.workers to choose`];
}

function fewConnections(world: World): string[] {
  const budget = connectionBudget(world);
  if (!budget) return [];
  const most = Math.max(...world.role('app').map((host) => wantedWorkers(world, host)));
  if (most <= budget.workers) return [];
  return [
    `app: ${budget.workers} workers a host, where memory and CPU allow ${most}: the ${budget.maximum} connections of the ` +
      'database are shared out among them; set tiers.database.connections for more',
  ];
}

/**
 * The workers of each of a host's Starman units, which share them out.
 *
 * @throws UserError when there are fewer workers than units
 */
export function workersOfUnits(world: World, host: Host): number[] {
  const { units } = world.stack.app;
  const workers = workersOf(world, host);
  if (workers < units) {
    throw new UserError(
      `app.units: ${units} units share ${workers} workers on ${host.name}, and each needs one; set fewer units, or more app.workers`,
    );
  }
  return Array.from({ length: units }, (_, at) => Math.floor((workers + units - 1 - at) / units));
}

function requireMemory(app: Stack['app'], host: Host, workers: number, neighbours: number): void {
  if (host.memoryMiB === null) return;
  const needed = workers * app.workerMemory * RELEASES;
  const room = host.memoryMiB - neighbours;
  if (needed <= room) return;
  const most = Math.floor(room / RELEASES / app.workerMemory);
  const beside = neighbours > 0 ? ` less ${neighbours} MiB for Redis` : '';
  const fewer = app.workers === 'auto' || most < 1 ? '' : `set app.workers to at most ${most}, or `;
  throw new UserError(
    `${host.name}: the memory is too small: ${workers} workers × ${app.workerMemory} MiB (app.workerMemory) × ${RELEASES} ` +
      `releases during a deploy need ${needed} MiB, and the host has ${host.memoryMiB} MiB${beside}; ${fewer}` +
      'set app.workerMemory to what a worker was measured at, or choose a larger tiers.app.type',
  );
}
