import type { ConfigBundle, HostBundle } from '@perlstack/configs';
import { compareHost, serviceDigest } from './compare.js';
import type { ApplyStep, Change, ConvergePlan, ConvergeStep, ValidateStep } from './step.js';
import type { Observed, ObservedHost } from './world.js';

/**
 * The steps that make the hosts what the bundle says; none when they already are. Files are named by their paths, so
 * that no content gets into a step.
 *
 * Every host's new configuration is validated before the first host's is changed.
 *
 * @throws Error when a host of the bundle was not observed, or the bundle is not sound.
 */
export function plan(bundle: ConfigBundle, observed: Observed): ConvergePlan {
  assertSound(bundle);
  const hosts = bundle.hosts.map((host) => {
    const seen = observed.hosts[host.host];
    if (!seen) throw new Error(`${host.host} was not observed`);
    const changes = compareHost(host, seen);
    return { host, seen, changes, prepared: prepareSteps(host, changes) };
  });
  const validated = idsOf(
    hosts.flatMap(({ prepared }) => prepared.filter(({ kind }) => kind === 'validate')),
  );
  const applying = hosts.map(({ host, seen, changes }) => applySteps(host, seen, changes, validated));
  const applied = idsOf(applying.flat());
  const steps = hosts.flatMap(({ host, changes, prepared }, index): ConvergeStep[] => {
    const applies = applying[index] ?? [];
    const clean = applies.length > 0 || changes.some(({ kind }) => kind === 'leftovers');
    return [...prepared, ...applies, ...(clean ? [cleanStep(host.host, applied)] : [])];
  });
  return { steps, changes: hosts.flatMap(({ changes }) => changes) };
}

const idsOf = (steps: readonly ConvergeStep[]): string[] => steps.map(({ id }) => id);

/** What comes before the first change of a live file, one after the other. */
function prepareSteps(host: HostBundle, changes: readonly Change[]): ConvergeStep[] {
  const name = host.host;
  const targets = (kind: Change['kind']): string[] => [
    ...new Set(changes.filter((change) => change.kind === kind).map(({ target }) => target)),
  ];
  const steps: ConvergeStep[] = [];
  const add = (step: ConvergeStep): void => {
    const previous = steps.at(-1);
    steps.push(previous ? { ...step, after: [previous.id] } : step);
  };
  const packages = targets('package');
  const users = targets('user');
  const paths = targets('directory');
  const base = (kind: string, title: string) => ({ id: `${name}/${kind}`, title, host: name });
  if (packages.length > 0) {
    add({ ...base('packages', `install ${packages.join(', ')}`), kind: 'packages', packages });
  }
  if (users.length > 0) add({ ...base('users', `accounts: ${users.join(', ')}`), kind: 'users', users });
  if (paths.length > 0)
    add({ ...base('directories', `folders: ${paths.join(', ')}`), kind: 'directories', paths });
  const services = dueServices(host, changes);
  if (services.length > 0) {
    const title = `${services.map(({ service }) => service).join(', ')}: stage and validate`;
    add({ ...base('validate', title), kind: 'validate', services });
  }
  return steps;
}

/** The services of a host with a change of files or unit, with their files. */
function dueServices(host: HostBundle, changes: readonly Change[]): ValidateStep['services'] {
  return host.services.flatMap(({ name: service }) => {
    const own = changes.filter((change) => change.service === service);
    const targets = (kind: Change['kind']): string[] =>
      own.filter((change) => change.kind === kind).map(({ target }) => target);
    const due = own.some(({ kind }) => kind === 'file' || kind === 'remove' || kind === 'unit');
    return due ? [{ service, files: targets('file'), removes: targets('remove') }] : [];
  });
}

function applySteps(
  host: HostBundle,
  { inForce }: ObservedHost,
  changes: readonly Change[],
  validated: readonly string[],
): ApplyStep[] {
  const steps: ApplyStep[] = [];
  for (const { service, files, removes } of dueServices(host, changes)) {
    const config = host.services.find(({ name }) => name === service);
    if (!config) continue;
    const digest = serviceDigest(config);
    const units = changes.filter((change) => change.service === service && change.kind === 'unit');
    const previous = steps.at(-1);
    steps.push({
      id: `${host.host}/${service}/apply`,
      kind: 'apply',
      title: titleOf(service, files.length + removes.length, units),
      host: host.host,
      after: [...validated, ...(previous ? [previous.id] : [])],
      service,
      files,
      removes,
      reloadDue: files.length + removes.length > 0 || inForce[service] !== digest,
      digest,
    });
  }
  return steps;
}

function titleOf(service: string, files: number, units: readonly Change[]): string {
  const parts = [
    ...(files > 0 ? [`${files} ${files === 1 ? 'file' : 'files'} into force`] : []),
    ...units.map(({ what }) => what),
  ];
  return `${service}: ${parts.join(', ')}`;
}

function cleanStep(host: string, applied: readonly string[]): ConvergeStep {
  // What was changed can be put back until the whole run has held, so backups go last, everywhere.
  return {
    id: `${host}/clean`,
    kind: 'clean',
    title: 'remove staged files and backups',
    host,
    after: applied,
  };
}

const PATH = /^(\/[^/\t\n\0]+)+$/;

function assertSound({ hosts }: ConfigBundle): void {
  for (const { host, services } of hosts) {
    const paths = services.flatMap((service) => [
      ...service.files.map(({ path }) => path),
      ...service.removes,
      ...service.directories.map(({ path }) => path),
      ...service.roots,
    ]);
    const odd = paths.find(
      (path) => !PATH.test(path) || path.split('/').some((part) => part === '.' || part === '..'),
    );
    if (odd) throw new Error(`The bundle of ${host} names the path ${JSON.stringify(odd)}`);
    const files = services.flatMap((service) => [
      ...service.files.map(({ path }) => path),
      ...service.removes,
    ]);
    const twice = files.find((path, index) => files.indexOf(path) !== index);
    if (twice) throw new Error(`The bundle of ${host} names ${twice} twice`);
    const unnamed = services.find(({ name }) => !/^[a-z0-9][a-z0-9._-]*$/.test(name));
    if (unnamed) throw new Error(`The bundle of ${host} names the service ${JSON.stringify(unnamed.name)}`);
  }
}
