import {
  type HostBundle,
  type ManagedDirectory,
  type ManagedFile,
  type ManagedUnit,
  type ServiceConfig,
  type SystemUser,
  unifiedDiff,
} from '@perlstack/configs';
import { sha256 } from './observe.js';
import { encodeMode } from './records.js';
import type { Change } from './step.js';
import type { ObservedFile, ObservedHost, Ownership } from './world.js';

/** All in which a host differs from its bundle. */
export function compareHost(desired: HostBundle, observed: ObservedHost): Change[] {
  const host = desired.host;
  return [
    ...desired.users.flatMap((user) => compareUser(host, user, observed)),
    ...desired.services.flatMap((service) => compareService(host, service, observed)),
    ...(observed.leftovers ? [leftoversOf(host)] : []),
  ];
}

function leftoversOf(host: string): Change {
  return { host, service: null, kind: 'leftovers', target: 'earlier run', what: 'to be cleaned up' };
}

function compareUser(
  host: string,
  { name, home, shell, groups }: SystemUser,
  observed: ObservedHost,
): Change[] {
  const change = (what: string): Change => ({ host, service: null, kind: 'user', target: name, what });
  const actual = observed.users[name];
  if (!actual) return [change('new')];
  const missing = groups.filter((group) => !actual.groups.includes(group));
  const differences = [
    ...(actual.home === home ? [] : [`home ${actual.home} → ${home}`]),
    ...(actual.shell === shell ? [] : [`shell ${actual.shell} → ${shell}`]),
    ...(missing.length === 0 ? [] : [`groups + ${missing.join(', ')}`]),
  ];
  return differences.length === 0 ? [] : [change(differences.join('; '))];
}

function compareService(host: string, service: ServiceConfig, observed: ObservedHost): Change[] {
  const { name, packages, directories, files } = service;
  const make = (kind: Change['kind'], target: string, what: string, diff?: string): Change => ({
    ...{ host, service: name, kind, target, what },
    ...(diff ? { diff } : {}),
  });
  const missing = packages.filter((item) => !observed.packages.includes(item));
  // What a package will bring is not there to be seen yet.
  const unwanted = service.removes.filter((path) => missing.length > 0 || observed.unwanted.includes(path));
  const found: Change[] = [
    ...missing.map((item) => make('package', item, 'to be installed')),
    ...directories.flatMap((item) =>
      differenceOf(item, observed).map((what) => make('directory', item.path, what)),
    ),
    ...files.flatMap((file) => compareFile(file, observed.files[file.path], make)),
    ...unwanted.map((path) => make('remove', path, 'to be removed')),
  ];
  const touched = found.some(({ kind }) => kind === 'file' || kind === 'remove');
  return [
    ...found,
    ...compareUnit(service, observed, touched).map((what) => make('unit', unitName(service), what)),
  ];
}

const unitName = ({ unit, name }: ServiceConfig): string => unit?.name ?? name;

function differenceOf(desired: ManagedDirectory, observed: ObservedHost): string[] {
  const actual = observed.directories[desired.path];
  if (!actual) return ['new'];
  if (actual === 'not-a-directory') return ['is no folder'];
  const difference = ownershipDifference(desired, actual);
  return difference ? [difference] : [];
}

function ownershipDifference(desired: Ownership, actual: Ownership): string {
  const [from, to] = [`${actual.owner}:${actual.group}`, `${desired.owner}:${desired.group}`];
  return [
    ...(from === to ? [] : [`owner ${from} → ${to}`]),
    ...(actual.mode === desired.mode
      ? []
      : [`mode ${encodeMode(actual.mode)} → ${encodeMode(desired.mode)}`]),
  ].join('; ');
}

type MakeChange = (kind: Change['kind'], target: string, what: string, diff?: string) => Change;

function compareFile(desired: ManagedFile, actual: ObservedFile | undefined, make: MakeChange): Change[] {
  const { path, content, secret } = desired;
  if (!actual) return [make('file', path, 'new', diffOf(desired, null))];
  if (actual === 'not-a-file') return [make('file', path, 'is no plain file', diffOf(desired, null))];
  const ownership = ownershipDifference(desired, actual);
  if (actual.sha256 === sha256(content)) return ownership ? [make('file', path, ownership)] : [];
  const what = ['content', ...(ownership ? [ownership] : [])].join('; ');
  if (secret) return [make('file', path, what, '(secret changed)\n')];
  return [
    make(
      'file',
      path,
      what,
      actual.content === undefined ? '(too long to show)\n' : diffOf(desired, actual.content),
    ),
  ];
}

function diffOf({ path, content, secret }: ManagedFile, before: string | null): string {
  return secret ? '(secret changed)\n' : unifiedDiff(path, before, content, false);
}

/** What has to be done with a service besides changing its files. */
function compareUnit(service: ServiceConfig, observed: ObservedHost, touched: boolean): string[] {
  const { unit } = service;
  const current = observed.inForce[service.name] === serviceDigest(service);
  if (!unit) return touched || current ? [] : ['not known to be in force'];
  const actual = observed.units[unit.name] ?? { enabled: false, active: false };
  return [
    ...(actual.enabled === unit.enabled ? [] : [unit.enabled ? 'to be enabled' : 'to be disabled']),
    ...stateDifference(unit, actual.active),
    ...(touched || current
      ? []
      : [`${unit.onChange === 'none' ? 'not known to be in force' : `${unit.onChange} due`}`]),
  ];
}

function stateDifference({ state }: ManagedUnit, active: boolean): string[] {
  if (state === 'running' && !active) return ['to be started'];
  if (state === 'stopped' && active) return ['to be stopped'];
  return [];
}

/**
 * Digest of all that a service has to be told of when it changes. A host keeps the digest that was last brought into
 * force, so that a change of files whose reload was never done is noticed.
 */
export function serviceDigest({ files, removes, unit }: ServiceConfig): string {
  const parts = files.map(({ path, content, owner, group, mode }) => [
    path,
    sha256(content),
    owner,
    group,
    mode,
  ]);
  return sha256(JSON.stringify([parts, removes, unit?.name ?? null]));
}
