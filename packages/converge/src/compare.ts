import type { HostBundle, ManagedDirectory, ServiceConfig, SystemUser } from '@perlstack/configs';
import type { Change, Consent, Intent } from '@perlstack/engine';
import { compareFiles, ownershipDifference } from './compare-files.js';
import { compareUnit, type Effect } from './compare-unit.js';
import type { Marks } from './marks.js';
import type { ObservedHost } from './world.js';

/** All in which a host differs from its bundle. */
export interface HostDifference {
  readonly changes: readonly Change[];
  /** Every service of the host, in the bundle's order. */
  readonly services: readonly ServiceDifference[];
  readonly refusals: readonly string[];
}

/** What becomes of a service. */
export interface ServiceDifference {
  readonly service: ServiceConfig;
  readonly changes: readonly Change[];
  readonly presets: readonly string[];
  readonly files: readonly string[];
  readonly removes: readonly string[];
  /** Something is to come into force. */
  readonly apply: boolean;
  /** What the unit is told when it runs. */
  readonly action: Effect;
  readonly intent: Intent;
  readonly refusals: readonly string[];
}

/** Pure. @param marks what others marked in the host's files and has to stay */
export function compareHost(
  desired: HostBundle,
  observed: ObservedHost,
  consent: Consent,
  marks: Marks,
): HostDifference {
  const { host } = desired;
  const services = desired.services.map((service) => compareService(host, service, observed, consent, marks));
  return {
    changes: [
      ...desired.users.flatMap((user) => compareUser(host, user, observed)),
      ...services.flatMap(({ changes }) => changes),
      ...(observed.leftovers ? [leftoversOf(host)] : []),
    ],
    services,
    refusals: services.flatMap(({ refusals }) => refusals),
  };
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

function compareService(
  host: string,
  service: ServiceConfig,
  observed: ObservedHost,
  consent: Consent,
  marks: Marks,
): ServiceDifference {
  const { name, packages, directories } = service;
  const make = (kind: Change['kind'], target: string, what: string): Change => ({
    ...{ host, service: name, kind, target, what },
  });
  const missing = packages.filter((item) => !observed.packages.includes(item));
  const files = compareFiles(host, service, observed, consent, marks);
  const unit = compareUnit(host, service, observed, files, consent);
  return {
    service,
    changes: [
      ...missing.map((item) => make('package', item, 'to be installed')),
      ...directories.flatMap((item) =>
        directoryDifference(item, observed).map((what) => make('directory', item.path, what)),
      ),
      ...files.changes,
      ...unit.whats.map((what) => make('unit', service.unit?.name ?? name, what)),
    ],
    ...{ presets: files.presets, files: files.files, removes: files.removes },
    apply: files.presets.length + files.files.length + files.removes.length + unit.whats.length > 0,
    action: unit.action,
    intent: { due: unit.due, files: files.changed },
    refusals: [...files.refusals, ...unit.refusals],
  };
}

function directoryDifference(desired: ManagedDirectory, observed: ObservedHost): string[] {
  const actual = observed.directories[desired.path];
  if (!actual) return ['new'];
  if (actual === 'not-a-directory') return ['is no folder'];
  const difference = ownershipDifference(actual, desired);
  return difference ? [difference] : [];
}
