import { UserError } from '@perlstack/stack';
import { maxConnections, RESERVED_CONNECTIONS } from '../postgres/connections.js';
import type { World } from '../world.js';

/** During a deploy the old and the new release run side by side. */
export const RELEASES = 2;

/** Connections besides the workers': a migration, the monitoring, somebody at psql. */
const OTHERS = 5;

/** How the database's connections are shared out among the workers; each worker holds one. */
export interface ConnectionBudget {
  /** `max_connections` of the database. */
  readonly maximum: number;
  /** Those that no worker may count on. */
  readonly reserved: number;
  /** App hosts at the most, with those that autoscaling may add. */
  readonly hosts: number;
  /** Workers that each release may run on each of them. */
  readonly workers: number;
}

/**
 * The connections that the database can spare, shared equally among all app hosts that there may be and the two
 * releases that run on each during a deploy. Without it the deploy that first reaches `max_connections` is an outage.
 *
 * @returns `null` where the stack has no database.
 */
export function connectionBudget({ stack, role }: Pick<World, 'stack' | 'role'>): ConnectionBudget | null {
  const maximum = maxConnections({ stack, role });
  if (maximum === null) return null;
  const reserved = RESERVED_CONNECTIONS + OTHERS;
  const hosts = Math.max(1, role('app').length, stack.tiers.app.autoscale?.max ?? 0);
  return { maximum, reserved, hosts, workers: Math.floor((maximum - reserved) / hosts / RELEASES) };
}

/**
 * Checks a number of workers on every host against the budget.
 *
 * @throws UserError naming what they need, what there is, and what to change.
 */
export function requireConnections(budget: ConnectionBudget, workers: number): void {
  if (workers <= budget.workers) return;
  const { maximum, reserved, hosts } = budget;
  const needed = workers * hosts * RELEASES;
  const fewer = budget.workers > 0 ? `set app.workers to at most ${budget.workers}, or ` : '';
  throw new UserError(
    `app.workers: ${workers} workers × ${hosts} app hosts × ${RELEASES} releases during a deploy need ${needed} ` +
      `database connections, but ${maximum - reserved} are to be had (max_connections ${maximum} less ${reserved} ` +
      `reserved); ${fewer}set tiers.database.connections to at least ${needed + reserved}`,
  );
}
