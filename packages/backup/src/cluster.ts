import { POSTGRESQL_PORT, postgresLayout, type PostgresLayout } from '@perlstack/configs';
import { type Inventory, platformOf, type Stack, UserError } from '@perlstack/stack';

/** The PostgreSQL cluster of a stack, as a backup looks at it. */
export interface Cluster {
  readonly stack: string;
  readonly version: 15 | 16 | 17;
  readonly port: number;
  readonly layout: PostgresLayout;
  /** Names of its hosts. */
  readonly members: readonly string[];
}

/** @throws UserError for a stack without a database */
export function clusterOf(stack: Stack, { hosts }: Inventory): Cluster {
  const members = hosts.filter(({ tier }) => tier === 'database').map(({ name }) => name);
  if (!stack.tiers.database || members.length === 0)
    throw new UserError('tiers.database: the stack has none, so there is nothing to back up');
  const version = platformOf(stack).postgresql;
  return { stack: stack.stack, version, port: POSTGRESQL_PORT, layout: postgresLayout(version), members };
}
