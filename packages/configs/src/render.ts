import {
  hostsOfRole,
  platformOf,
  TIERS,
  UserError,
  type Host,
  type Inventory,
  type Stack,
  type TierName,
} from '@perlstack/stack';
import { accessNotes, firewall } from './access/firewall.js';
import { sshd } from './access/sshd.js';
import { sudo } from './access/sudo.js';
import type { ConfigBundle, HostBundle } from './bundle.js';
import { appServer } from './nginx/app.js';
import { webNotes, webServer } from './nginx/web.js';
import { postgres, postgresNotes } from './postgres/service.js';
import { redis, sentinel, redisNotes } from './redis/service.js';
import { requiredSecrets } from './secrets.js';
import { starman } from './starman/service.js';
import { workerNotes } from './starman/workers.js';
import type { Renderer, TlsFiles, World } from './world.js';

export interface RenderOptions {
  /** Values of the secrets that `requiredSecrets` names. Others are left out. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Certificate (with its chain) and private key in PEM form, where the stack file says `tls.files`. */
  readonly tls?: TlsFiles | undefined;
}

/** The services of each role, in the order in which a host gets them. A further service is one more entry here. */
const RENDERERS: Readonly<Record<TierName, readonly Renderer[]>> = {
  web: [webServer],
  app: [starman, appServer],
  database: [postgres],
  cache: [redis, sentinel],
  monitor: [],
};

/** What every host gets first, whatever its roles are. */
const EVERYWHERE: readonly Renderer[] = [sshd, sudo, firewall];

/**
 * The configuration of every host. Pure: the same stack, inventory and secrets give the same bundle.
 *
 * @throws UserError when the inventory belongs to another stack, a host lacks an address, or a secret its value.
 */
export function render(stack: Stack, inventory: Inventory, options: RenderOptions = {}): ConfigBundle {
  if (inventory.stack !== stack.stack) {
    throw new UserError(
      `the inventory is of the stack ${inventory.stack}, the stack file of ${stack.stack}; give both of one stack`,
    );
  }
  const world = worldOf(stack, inventory, options);
  return {
    stack: stack.stack,
    hosts: inventory.hosts.map((host) => renderHost(world, host)),
    notes: notesOf(world),
  };
}

function renderHost(world: World, host: Host): HostBundle {
  const roles = TIERS.filter((role) => world.role(role).includes(host));
  const renderers = [...EVERYWHERE, ...roles.flatMap((role) => RENDERERS[role])];
  const rendered = renderers.flatMap((renderer) => renderer(world, host) ?? []);
  return {
    host: host.name,
    users: rendered.flatMap(({ users }) => users ?? []),
    services: rendered.map(({ service }) => service),
  };
}

function worldOf(stack: Stack, inventory: Inventory, { secrets = {}, tls }: RenderOptions): World {
  const roles = new Map(TIERS.map((role) => [role, hostsOfRole(stack, inventory, role)]));
  return {
    ...{ stack, inventory, tls: tls ?? null, platform: platformOf(stack) },
    secrets: secretValues(stack, secrets),
    role: (role) => roles.get(role) ?? [],
  };
}

function secretValues(
  stack: Stack,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const entries = requiredSecrets(stack).map(({ name, why }): [string, string] => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value !== undefined) return [name, value];
    throw new UserError(`${why} ${name}, but it has no value; pass it to the step as a secret`);
  });
  return Object.fromEntries(entries);
}

function notesOf(world: World): string[] {
  const { tiers } = world.stack;
  return [
    ...(tiers.monitor ? ['monitor: its servers are provisioned; this version does not configure them'] : []),
    ...webNotes(world),
    ...accessNotes(world),
    ...workerNotes(world),
    ...postgresNotes(world),
    ...redisNotes(world),
  ];
}
