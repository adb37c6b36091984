import { APP_PORT, type AppLayout, appLayout, unitsOf } from '@perlstack/configs';
import type { HttpProbe } from '@perlstack/health';
import type { Remote } from '@perlstack/remote';
import { type Host, hostsOf, type Inventory, type Stack, UserError } from '@perlstack/stack';
import { LONGEST_SHY } from './preflight/findings.js';

/** Time limits and pauses of a roll-out, in milliseconds. */
export interface Timings {
  /** Between the switch and the first look at it from outside. */
  readonly settleMs: number;
  /** Between two tries of a gate. */
  readonly intervalMs: number;
  /** Limit of the gate after the switch: users are there already, so it is short. */
  readonly gateMs: number;
  /**
   * How long a web host may send nothing to a server that refused it before and takes connections again: nginx's `fail_timeout`,
   * which it counts in whole seconds, and begins anew with every try.
   */
  readonly shyMs: number;
  /** Limit of the compile check. */
  readonly compileMs: number;
  /** Silence after which a lock counts as left behind, and how often its owner gives a sign of life. */
  readonly leaseMs: number;
  readonly heartbeatMs: number;
}

export const DEFAULT_TIMINGS: Timings = {
  settleMs: 300,
  intervalMs: 100,
  gateMs: 10_000,
  shyMs: 1_000 * (LONGEST_SHY + 2),
  compileMs: 60_000,
  // Long enough to find another way to the host that keeps it when the one in front of it dies.
  leaseMs: 60_000,
  heartbeatMs: 5_000,
};

/** Everything that a deploy needs to know and to reach. */
export interface Site {
  readonly app: Stack['app'];
  readonly layout: AppLayout;
  readonly remote: Remote;
  readonly appHosts: readonly Host[];
  readonly webHosts: readonly Host[];
  /** The host that keeps the lock: the first of `lockHosts` that can be reached, which every deploy agrees on. */
  readonly lockHost: string;
  readonly timings: Timings;
}

/**
 * @throws UserError when the inventory belongs to another stack or lacks a tier that a deploy needs.
 */
export function siteOf(
  stack: Stack,
  inventory: Inventory,
  remote: Remote,
  timings: Partial<Timings> = {},
): Site {
  if (inventory.stack !== stack.stack) {
    throw new UserError(`the inventory is of stack "${inventory.stack}", the stack file of "${stack.stack}"`);
  }
  const appHosts = hostsOf(inventory, 'app');
  const webHosts = hostsOf(inventory, 'web');
  const [lockHost] = lockHosts({ appHosts });
  if (lockHost === undefined || webHosts.length === 0) {
    const missing = lockHost === undefined ? 'app' : 'web';
    throw new UserError(
      `the inventory of ${stack.stack} has no ${missing} host: provision the ${missing} tier first`,
    );
  }
  return {
    app: stack.app,
    layout: appLayout(stack.app.name),
    remote,
    appHosts,
    webHosts,
    lockHost,
    timings: { ...DEFAULT_TIMINGS, ...timings },
  };
}

/** The hosts that may keep the lock, in the order in which they are asked: the app hosts by name. */
export const lockHosts = ({ appHosts }: Pick<Site, 'appHosts'>): string[] =>
  appHosts.map(({ name }) => name).sort();

/** Those that may keep it where this one fell silent. */
export const lockHostsAfter = (site: Pick<Site, 'appHosts'>, host: string): string[] =>
  lockHosts(site).filter((name) => name > host);

/** Address and port by which the web tier knows an app host. */
export function upstreamAddress(site: Site, name: string): string {
  const host = site.appHosts.find((one) => one.name === name);
  const address = host?.privateAddress ?? host?.publicAddress;
  if (address === undefined || address === null) throw new Error(`No address is known for app host ${name}`);
  return address.includes(':') ? `[${address}]:${APP_PORT}` : `${address}:${APP_PORT}`;
}

/** The port of that. */
export const portOf = (site: Site, host: string): string =>
  /\d+$/.exec(upstreamAddress(site, host))?.[0] ?? '';

/** Healthy, and of exactly this release: asked on the app host, through the release's own socket, of each unit. */
export function socketProbes(site: Site, host: string, release: string): HttpProbe[] {
  return unitsOf(site.app).map((unit) => ({
    ...expectation(site, release),
    url: `http://${site.app.domains[0] ?? 'localhost'}${site.app.health.path}`,
    socket: site.layout.socket(release, unit),
    from: host,
  }));
}

/** The same, asked by a web host the way requests go. */
export function upstreamProbe(site: Site, host: string, release: string, webHost: string): HttpProbe {
  return {
    ...expectation(site, release),
    url: `http://${upstreamAddress(site, host)}${site.app.health.path}`,
    headers: { Host: site.app.domains[0] ?? 'localhost' },
    from: webHost,
  };
}

function expectation({ app: { health } }: Site, release: string) {
  return {
    kind: 'http',
    status: [health.status],
    latencyMs: health.latency,
    ...(health.body === undefined ? {} : { body: health.body }),
    release: { id: release, path: health.release },
  } as const;
}
