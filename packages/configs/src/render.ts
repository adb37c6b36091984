import {
  hostsOf,
  TIERS,
  UserError,
  type Host,
  type Inventory,
  type Stack,
  type TierName,
} from '@perlstack/stack';
import type { ConfigBundle, HostBundle, ServiceConfig, SystemUser } from './bundle.js';
import { appNginx } from './nginx/app.js';
import { webNginx } from './nginx/web.js';
import { appUser, starmanService } from './starman/service.js';

export interface RenderOptions {
  /** Values of `app.secrets`, by name. Others are left out. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** All that a renderer may look at. */
interface World {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly secrets: Readonly<Record<string, string>>;
}

/** What one service adds to a host. */
interface Rendered {
  readonly users?: readonly SystemUser[];
  readonly service: ServiceConfig;
}

type Renderer = (world: World, host: Host) => Rendered;

const starman: Renderer = ({ stack, secrets }, host) => ({
  users: [appUser(stack)],
  service: starmanService(stack, host, secrets),
});
const webServer: Renderer = ({ stack, inventory }, host) => ({ service: webNginx(stack, inventory, host) });
const appServer: Renderer = ({ stack, inventory }, host) => ({ service: appNginx(stack, inventory, host) });

/** The services of each tier, in the order in which a host gets them. A further service is one more entry here. */
const RENDERERS: Readonly<Record<TierName, readonly Renderer[]>> = {
  web: [webServer],
  app: [starman, appServer],
  database: [],
  cache: [],
  monitor: [],
};

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
  const world: World = { stack, inventory, secrets: secretValues(stack, options.secrets ?? {}) };
  const hosts = TIERS.flatMap((tier) =>
    hostsOf(inventory, tier).map((host) => renderHost(world, host, RENDERERS[tier])),
  );
  return {
    stack: stack.stack,
    hosts: hosts.filter(({ services }) => services.length > 0),
    notes: notesOf(stack, inventory),
  };
}

function renderHost(world: World, host: Host, renderers: readonly Renderer[]): HostBundle {
  const rendered = renderers.map((renderer) => renderer(world, host));
  return {
    host: host.name,
    users: rendered.flatMap(({ users }) => users ?? []),
    services: rendered.map(({ service }) => service),
  };
}

function secretValues(
  { app }: Stack,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const entries = [...app.secrets].sort().map((name): [string, string] => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value !== undefined) return [name, value];
    throw new UserError(`app.secrets names ${name}, but it has no value; pass it to the step as a secret`);
  });
  return Object.fromEntries(entries);
}

function notesOf(stack: Stack, inventory: Inventory): string[] {
  const unconfigured = TIERS.filter((tier) => stack.tiers[tier] && RENDERERS[tier].length === 0).map(
    (tier) => `${tier}: its servers are provisioned; this version does not configure them`,
  );
  return [...unconfigured, ...webNotes(stack), ...appNotes(stack, inventory)];
}

function webNotes({ tiers: { web } }: Stack): string[] {
  return web.tls?.files ? ['web: tls.files: this version serves port 80 only'] : [];
}

function appNotes({ app }: Stack, inventory: Inventory): string[] {
  const unknown = hostsOf(inventory, 'app').filter(({ memoryMiB }) => memoryMiB === null);
  if (app.workers !== 'auto' || unknown.length === 0) return [];
  const names = unknown.map(({ name }) => name).join(', ');
  return [`app: the memory of ${names} is not known: 5 workers each; set app.workers to choose`];
}
