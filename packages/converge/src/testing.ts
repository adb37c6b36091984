import type { ConfigBundle, ManagedFile, ServiceConfig } from '@perlstack/configs';
import { serviceDigest } from './digest.js';
import { versionOf } from './standing.js';
import type { Observed, ObservedHost, Remembered } from './world.js';

export function managedFile(
  path: string,
  content: string,
  overrides: Partial<ManagedFile> = {},
): ManagedFile {
  return { path, content, owner: 'root', group: 'root', mode: 0o644, secret: false, ...overrides };
}

export function nginxService(overrides: Partial<ServiceConfig> = {}): ServiceConfig {
  return {
    name: 'nginx',
    packages: ['nginx'],
    directories: [{ path: '/srv/shop', owner: 'shop', group: 'shop', mode: 0o750 }],
    files: [
      managedFile('/etc/nginx/nginx.conf', 'user www-data;\n'),
      managedFile('/etc/shop/env', 'TOKEN=hunter2\n', { mode: 0o600, secret: true }),
    ],
    removes: ['/etc/nginx/sites-enabled/default'],
    roots: ['/etc/nginx'],
    validate: [['nginx', '-t']],
    unit: { name: 'nginx.service', enabled: true, state: 'running', onChange: 'reload' },
    daemonReload: false,
    probe: [['curl', '-f', 'http://127.0.0.1/']],
    ...overrides,
  };
}

export function bundleOf(hosts: Readonly<Record<string, ServiceConfig[]>>): ConfigBundle {
  const users = [{ name: 'shop', home: '/srv/shop', shell: '/usr/sbin/nologin', groups: ['adm'] }];
  return {
    stack: 'shop',
    notes: [],
    hosts: Object.entries(hosts).map(([host, services]) => ({ host, users, services })),
  };
}

/** Hosts without engines. */
export function worldOf(hosts: Observed['hosts']): Observed {
  return { hosts, engines: {} };
}

/** Hosts on which everything is as the bundle says. */
export function convergedTo(bundle: ConfigBundle): Observed {
  const entries = bundle.hosts.map(({ host, users, services }): [string, ObservedHost] => [
    host,
    {
      packages: services.flatMap(({ packages }) => packages),
      users: Object.fromEntries(users.map((user) => [user.name, user])),
      directories: Object.fromEntries(
        services.flatMap(({ directories }) => directories.map((item) => [item.path, item])),
      ),
      files: Object.fromEntries(
        services.flatMap(({ files, presets = [] }) =>
          [...presets, ...files].map((file) => [file.path, versionOf(file)]),
        ),
      ),
      unwanted: [],
      units: Object.fromEntries(
        services.flatMap(({ unit }) =>
          unit ? [[unit.name, { enabled: unit.enabled, active: unit.state === 'running' }]] : [],
        ),
      ),
      inForce: Object.fromEntries(services.map((service) => [service.name, serviceDigest(service)])),
      remembered: Object.fromEntries(
        services.flatMap(({ files, removes, presets = [] }): [string, Remembered][] => [
          ...[...presets, ...files].map((file): [string, Remembered] => [file.path, versionOf(file)]),
          ...removes.map((path): [string, Remembered] => [path, 'absent']),
        ]),
      ),
      underWay: [],
      leftovers: false,
    },
  ]);
  return worldOf(Object.fromEntries(entries));
}

/** A machine straight from its image. */
export function freshHost(): ObservedHost {
  const nothing = {
    packages: [],
    users: {},
    directories: {},
    files: {},
    unwanted: [],
    units: {},
    inForce: {},
    remembered: {},
    underWay: [],
  };
  return { ...nothing, leftovers: false };
}
