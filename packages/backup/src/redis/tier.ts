import { type Member, privateAddressOf, REDIS_PORT } from '@perlstack/configs';
import { hostsOfRole, type Inventory, type Stack, UserError } from '@perlstack/stack';

/** The cache tier of a stack, as a backup looks at it. */
export interface CacheTier {
  readonly stack: string;
  /** The primary's name among the Sentinels. */
  readonly service: string;
  readonly port: number;
  readonly members: readonly Member[];
  /** Whether Sentinels watch it. */
  readonly sentinels: boolean;
}

/** @throws UserError for a stack without a cache */
export function cacheTierOf(stack: Stack, inventory: Inventory): CacheTier {
  const { cache } = stack.tiers;
  const hosts = hostsOfRole(stack, inventory, 'cache');
  if (!cache || hosts.length === 0)
    throw new UserError('tiers.cache: the stack has none, so there is nothing to back up');
  return {
    ...{ stack: stack.stack, service: stack.app.name, port: REDIS_PORT },
    members: hosts.map((host) => ({ host: host.name, address: privateAddressOf(host) })),
    sentinels: cache.failover === 'sentinel',
  };
}
