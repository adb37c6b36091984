import type { World } from '../world.js';

/** Where nobody said how large the hosts are: PostgreSQL's own default. */
const UNKNOWN = 100;

/**
 * `max_connections` of the database: as the stack file says, else from the memory of its smallest host, since a standby
 * refuses to start with fewer than its primary has. Every connection is a process; PGTune takes 200 for a web
 * application, of which a small host can keep half.
 *
 * @returns `null` where the stack has no database.
 */
export function maxConnections({ stack, role }: Pick<World, 'stack' | 'role'>): number | null {
  const { database } = stack.tiers;
  if (!database) return null;
  return database.connections ?? connectionsFor(role('database').map(({ memoryMiB }) => memoryMiB));
}

function connectionsFor(memories: readonly (number | null)[]): number {
  const known = memories.filter((memory) => memory !== null);
  if (known.length === 0 || known.length < memories.length) return UNKNOWN;
  const smallest = Math.min(...known);
  if (smallest < 4_096) return 100;
  return smallest < 16_384 ? 200 : 300;
}

/** Connections that no worker may count on: for a superuser's repair, for replicas, the monitoring and a migration. */
export const RESERVED_CONNECTIONS = 3;
