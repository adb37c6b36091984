import path from 'node:path';
import type { ConfigBundle, HostBundle, ManagedFile, ServiceConfig } from '@perlstack/configs';

/** One task or handler of a play. */
type Task = Readonly<Record<string, unknown>>;

/** A play and, by host, the variables that it loops over. */
export interface Playbook {
  readonly play: Task;
  readonly variables: Readonly<Record<string, Task>>;
}

/**
 * What a bundle says as an Ansible play: accounts, packages, folders, files with owner and mode, removals, units, and
 * for each service that changed its own checkers and then the reload. One task for each kind of thing, which loops over
 * what each host has of it, as a person who wants it fast would write it.
 *
 * It leaves out what engines do (making the clusters, the replicas and the roles): that is no business of files.
 *
 * @param engines whether it also looks after the units whose data an engine has to make first
 * @param folderOf where the contents of a host's files lie
 */
export function playbookOf(
  { hosts }: ConfigBundle,
  folderOf: (host: string) => string,
  { engines }: { readonly engines: boolean },
): Playbook {
  const names = [...new Set(hosts.flatMap(({ services }) => services.map(({ name }) => name)))];
  const tasks = [
    ...loop('parents', 'file', { path: '{{ item }}', state: 'directory' }),
    ...loop('presets', 'copy', { ...FILE, src: '{{ item.src }}' }),
    {
      name: 'packages',
      apt: { name: '{{ our_packages }}', install_recommends: false, policy_rc_d: 101 },
    },
    ...loop('groups', 'group', { name: '{{ item }}', system: true }),
    ...loop('users', 'user', {
      ...{
        name: '{{ item.name }}',
        group: '{{ item.name }}',
        home: '{{ item.home }}',
        shell: '{{ item.shell }}',
      },
      ...{ groups: '{{ item.groups }}', append: true, system: true, create_home: false },
    }),
    ...loop('directories', 'file', { ...FILE, state: 'directory' }),
    ...names.flatMap((name) => [
      ...loop(`files_${name}`, 'copy', { ...FILE, src: '{{ item.src }}' }, notified(name)),
      ...loop(`removes_${name}`, 'file', { path: '{{ item }}', state: 'absent' }, notified(name)),
    ]),
    ...loop('units', 'systemd', {
      ...{ name: '{{ item.name }}', enabled: '{{ item.enabled }}', state: '{{ item.state or omit }}' },
      daemon_reload: '{{ item.daemon_reload }}',
    }),
  ];
  const handlers = names.flatMap((name) => [
    ...loop(`validate_${name}`, 'command', { argv: '{{ item }}' }),
    ...loop(`reload_${name}`, 'systemd', { name: '{{ item.name }}', state: '{{ item.state }}' }),
  ]);
  const variables = hosts.map((host): [string, Task] => [
    host.host,
    variablesOf(host, names, folderOf(host.host), engines),
  ]);
  return {
    play: { hosts: 'all', gather_facts: false, become: true, tasks, handlers },
    variables: Object.fromEntries(variables),
  };
}

const FILE: Task = {
  dest: '{{ item.path }}',
  owner: '{{ item.owner }}',
  group: '{{ item.group }}',
  mode: '{{ item.mode }}',
};

/** Ansible's variables have no dashes, and some names are its own. */
const listName = (name: string): string => `our_${name.replaceAll('-', '_')}`;

function loop(list: string, module: string, settings: Task, more: Task = {}): Task[] {
  const { dest, ...others } = settings;
  const argumentsOf = module === 'file' && dest ? { ...others, path: dest } : settings;
  return [{ name: list, [module]: argumentsOf, loop: `{{ ${listName(list)} }}`, ...more }];
}

const notified = (service: string): Task => ({ notify: [`validate_${service}`, `reload_${service}`] });

function variablesOf(host: HostBundle, names: readonly string[], folder: string, engines: boolean): Task {
  const { services, users } = host;
  const files = (list: readonly ManagedFile[]) =>
    list.map(({ path, owner, group, mode }) => ({
      src: folder + path,
      path,
      owner,
      group,
      mode: octal(mode),
    }));
  const own = names.map((name) => services.find((service) => service.name === name));
  const perService = own.flatMap((service, index): [string, unknown][] => {
    const name = names[index] ?? '';
    return [
      [`files_${name}`, files(service?.files ?? [])],
      [`removes_${name}`, service?.removes ?? []],
      [`validate_${name}`, service && !left(service, engines) ? service.validate : []],
      [`reload_${name}`, service ? reloadsOf(service, engines) : []],
    ];
  });
  const presets = services.flatMap((service) => service.presets ?? []);
  const folders = (list: readonly ManagedFile[]): string[] => list.map((file) => path.dirname(file.path));
  const made = folders(services.flatMap((service) => service.files)).filter(isNobodysElse);
  const variables = {
    parents: [...new Set([...folders(presets), ...made])],
    presets: files(presets),
    packages: [...new Set(services.flatMap(({ packages }) => packages))].sort(),
    groups: [...new Set(users.flatMap(({ name, groups }) => [name, ...groups]))],
    users: users.map((user) => ({ ...user, groups: user.groups.join(',') })),
    directories: services
      .flatMap(({ directories }) => directories)
      .map((directory) => ({ ...directory, mode: octal(directory.mode) })),
    units: services.flatMap((service) => unitsOf(service, engines)),
    ...Object.fromEntries(perService),
  };
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [listName(name), value]));
}

/** No package brings it, and the bundle does not name it. */
const isNobodysElse = (folder: string): boolean => /^\/etc\/systemd\/|^\/usr\/local\//.test(folder);

/** Its data is yet to be made. */
const left = ({ engine }: ServiceConfig, engines: boolean): boolean => engine !== undefined && !engines;

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

function unitsOf(service: ServiceConfig, engines: boolean): Task[] {
  const { unit, daemonReload } = service;
  if (!unit || left(service, engines)) return [];
  const state = { running: 'started', stopped: 'stopped', untouched: undefined }[unit.state];
  return [{ name: unit.name, enabled: unit.enabled, state: state ?? null, daemon_reload: daemonReload }];
}

function reloadsOf(service: ServiceConfig, engines: boolean): Task[] {
  const { unit } = service;
  if (!unit || unit.onChange === 'none' || left(service, engines)) return [];
  return [{ name: unit.name, state: `${unit.onChange}ed` }];
}
