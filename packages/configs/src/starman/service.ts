import { buildsOnHosts, type Host, type Stack } from '@perlstack/stack';
import type { ManagedDirectory, ManagedFile, ServiceConfig, ServiceRef, SystemUser } from '../bundle.js';
import { headingOf, textFile } from '../files.js';
import { appLayout, unitsOf } from '../layout.js';
import { printEnvironmentFile } from '../print/environment.js';
import { printTmpfiles } from '../print/tmpfiles.js';
import type { Renderer, World } from '../world.js';
import { environmentOf, serviceFile } from './connections.js';
import { starmanUnit } from './unit.js';

const UNITS = '/etc/systemd/system';

/** The account that runs the application. */
function appUser({ app }: Stack): SystemUser {
  return { name: app.name, home: `/var/lib/${app.name}`, shell: '/usr/sbin/nologin', groups: [] };
}

const rootOwned = (path: string): ManagedDirectory => ({ path, owner: 'root', group: 'root', mode: 0o755 });

function packages(stack: Stack): string[] {
  const { app } = stack;
  // Any app host may be the one that builds.
  const tools = ['gcc', 'libc6-dev', 'make', ...(app.build.with === 'carton' ? ['carton'] : [])];
  const building = buildsOnHosts(stack) ? tools : [];
  // zstd unpacks a release that is a tar.zst.
  return [...new Set(['starman', 'curl', 'zstd', ...building, ...app.packages])].sort();
}

/** Where the sockets are, a folder for each unit. */
function runDirectories({ app }: Stack): ManagedDirectory[] {
  const { runDirectoryOf, user } = appLayout(app.name);
  return unitsOf(app).map((unit) => ({ path: runDirectoryOf(unit), owner: user, group: user, mode: 0o755 }));
}

const templates = ({ app }: Stack): string[] =>
  unitsOf(app).map((unit) => `${UNITS}/${appLayout(app.name).templateOf(unit)}`);

function files(world: World, host: Host): ManagedFile[] {
  const { stack } = world;
  const heading = headingOf(stack, host);
  const layout = appLayout(stack.app.name);
  const environment = environmentOf(world);
  return [
    textFile(`/etc/tmpfiles.d/${stack.app.name}.conf`, printTmpfiles(heading, runDirectories(stack))),
    {
      ...textFile(layout.environmentFile, printEnvironmentFile(environment.secret)),
      mode: 0o600,
      secret: true,
    },
    ...(stack.tiers.database ? [textFile(layout.serviceFile, serviceFile(world, heading))] : []),
    ...templates(stack).map((path, at) => textFile(path, starmanUnit(world, host, environment.open, at + 1))),
  ];
}

/** The stores come first: the application is told of them by its environment. */
function storesOf({ role }: World): ServiceRef[] {
  return [
    ...role('database').map(({ name }) => ({ host: name, service: 'postgresql' })),
    ...role('cache').map(({ name }) => ({ host: name, service: 'redis' })),
  ];
}

/**
 * Starman as a service of an app host: everything but a running release. Which instances run is the deploy's
 * business, so no unit is started or restarted here.
 */
function starmanService(world: World, host: Host): ServiceConfig {
  const { stack } = world;
  const { home, releases } = appLayout(stack.app.name);
  const stores = storesOf(world);
  return {
    name: 'starman',
    ...(stores.length > 0 ? { after: stores } : {}),
    packages: packages(stack),
    directories: [
      rootOwned(home),
      rootOwned(releases),
      rootOwned(`/etc/${stack.app.name}`),
      ...runDirectories(stack),
    ],
    files: files(world, host),
    removes: [],
    roots: [UNITS],
    validate: [['systemd-analyze', 'verify', ...templates(stack)]],
    unit: null,
    daemonReload: true,
    probe: [],
  };
}

export const starman: Renderer = (world, host) => ({
  users: [appUser(world.stack)],
  service: starmanService(world, host),
});
