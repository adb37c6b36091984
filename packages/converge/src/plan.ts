import type { ConfigBundle, HostBundle } from '@perlstack/configs';
import { type Change, type Consent, NO_CONSENT } from '@perlstack/engine';
import { UserError } from '@perlstack/stack';
import { compareHost, type HostDifference, type ServiceDifference } from './compare.js';
import { serviceDigest } from './digest.js';
import { type AnyEngine, ENGINES, type EnginesPlan, keyOf, planEngines } from './engines.js';
import { type Marks, marksOf } from './marks.js';
import { arrange, precedences, type Work } from './order.js';
import { assertSound } from './sound.js';
import type { ApplyStep, ConvergePlan, ConvergeStep, PlanStep, ValidateStep } from './step.js';
import type { Observed } from './world.js';

interface PlannedHost {
  readonly host: HostBundle;
  readonly difference: HostDifference;
  /** What comes before the first change of a live file of a running service. */
  readonly prepared: readonly ConvergeStep[];
}

/**
 * The steps that make the hosts what the bundle says; none when they already are, or when something is refused. Files
 * are named by their paths, so that no content gets into a step.
 *
 * Every host's new configuration is validated before the first host's is changed.
 *
 * @throws Error when a host of the bundle was not observed, or the bundle is not sound.
 */
export function plan(
  bundle: ConfigBundle,
  observed: Observed,
  consent: Consent = NO_CONSENT,
  engines: readonly AnyEngine[] = ENGINES,
): ConvergePlan {
  assertSound(bundle);
  const marks = marksOf(bundle, observed);
  const hosts = bundle.hosts.map((host): PlannedHost => {
    const seen = observed.hosts[host.host];
    if (!seen) throw new Error(`${host.host} was not observed`);
    const difference = compareHost(host, seen, consent, marks.get(host.host) ?? {});
    return { host, difference, prepared: prepareSteps(host.host, difference, marks.get(host.host) ?? {}) };
  });
  const intents = new Map(hosts.flatMap(intentsOf));
  const engineWork = planEngines(bundle, observed, intents, consent, engines);
  const refusals = [...hosts.flatMap(({ difference }) => difference.refusals), ...engineWork.refusals];
  const steps = stepsOf(bundle, hosts, engineWork);
  return {
    steps: refusals.length > 0 ? [] : steps,
    changes: changesByHost(hosts, engineWork.changes),
    refusals,
  };
}

/**
 * To be called before a plan is carried out.
 *
 * @throws UserError with all that is refused, and what would allow it
 */
export function assertAllowed({ refusals }: ConvergePlan): void {
  if (refusals.length === 0) return;
  throw new UserError(`${refusals.join('\n')}\nNothing was changed.`);
}

const intentsOf = ({ host, difference }: PlannedHost) =>
  difference.services.map(({ service, intent }) => [keyOf(host.host, service.name), intent] as const);

function changesByHost(hosts: readonly PlannedHost[], engines: readonly Change[]): Change[] {
  const names = new Set(hosts.map(({ host }) => host.host));
  return [
    ...hosts.flatMap(({ host, difference }) => [
      ...difference.changes,
      ...engines.filter((change) => change.host === host.host),
    ]),
    ...engines.filter((change) => !names.has(change.host)),
  ];
}

function stepsOf(bundle: ConfigBundle, hosts: readonly PlannedHost[], engines: EnginesPlan): PlanStep[] {
  const prepared = hosts.flatMap((host) => host.prepared);
  const validated = prepared.filter(({ kind }) => kind === 'validate').map(({ id }) => id);
  const works = hosts.flatMap(({ host, difference, prepared: own }) => {
    const before = [...new Set([...validated, ...own.slice(-1).map(({ id }) => id)])];
    return difference.services.map((service) => workOf(host.host, service, engines, before));
  });
  const working = arrange(works, precedences(bundle, engines.order));
  const applied = working.map(({ id }) => id);
  const cleaning = hosts.filter(
    ({ host, difference }) =>
      working.some((step) => step.kind === 'apply' && step.host === host.host) ||
      difference.changes.some(({ kind }) => kind === 'leftovers'),
  );
  return [...prepared, ...working, ...cleaning.map(({ host }) => cleanStep(host.host, applied))];
}

function workOf(
  host: string,
  difference: ServiceDifference,
  engines: EnginesPlan,
  prepared: readonly string[],
): Work {
  const service = difference.service.name;
  const own = (step: { host: string; service: string }): boolean =>
    step.host === host && step.service === service;
  return {
    key: keyOf(host, service),
    prepared,
    before: engines.before.filter(own),
    apply: difference.apply ? applyStep(host, difference) : null,
    after: engines.after.filter(own),
  };
}

/** What comes before the first change of a live file of a running service, one after the other. */
function prepareSteps(host: string, { changes, services }: HostDifference, marks: Marks): ConvergeStep[] {
  const targets = (kind: Change['kind']): string[] => [
    ...new Set(changes.filter((change) => change.kind === kind).map(({ target }) => target)),
  ];
  const base = (kind: string, title: string) => ({ id: `${host}/${kind}`, title, host });
  const packages = targets('package');
  const users = targets('user');
  const paths = targets('directory');
  const presets = services.filter((service) => service.presets.length > 0);
  const due = services.filter(({ apply }) => apply);
  const names = due.map(({ service }) => service.name).join(', ');
  const steps: (ConvergeStep | false)[] = [
    presets.length > 0 && {
      ...base('presets', `before packages: ${presets.flatMap((service) => service.presets).join(', ')}`),
      kind: 'presets',
      services: presets.map((service) => ({ service: service.service.name, files: service.presets })),
    },
    packages.length > 0 && {
      ...base('packages', `install ${packages.join(', ')}`),
      kind: 'packages',
      packages,
    },
    users.length > 0 && { ...base('users', `accounts: ${users.join(', ')}`), kind: 'users', users },
    paths.length > 0 && {
      ...base('directories', `folders: ${paths.join(', ')}`),
      kind: 'directories',
      paths,
    },
    due.length > 0 && {
      ...base('validate', `${names}: stage and validate`),
      kind: 'validate',
      services: due.map(({ service, files, removes }) => ({
        ...{ service: service.name, files, removes },
        ...markedIn(files, marks),
      })),
    },
  ];
  return steps
    .filter((step) => step !== false)
    .map((step, index, all) => {
      const previous = all[index - 1];
      return previous ? { ...step, after: [previous.id] } : step;
    });
}

function markedIn(files: readonly string[], marks: Marks): Pick<ValidateStep['services'][number], 'marks'> {
  const marked = files
    .map((path) => [path, (marks[path] ?? []).map(({ server }) => server)] as const)
    .filter(([, servers]) => servers.length > 0);
  return marked.length > 0 ? { marks: Object.fromEntries(marked) } : {};
}

function applyStep(host: string, difference: ServiceDifference): ApplyStep {
  const { service, files, removes, action, changes } = difference;
  const units = changes.filter(({ kind }) => kind === 'unit');
  return {
    id: `${host}/${service.name}/apply`,
    kind: 'apply',
    title: titleOf(service.name, files.length + removes.length, units),
    host,
    service: service.name,
    ...{ files, removes, action },
    digest: serviceDigest(service),
  };
}

function titleOf(service: string, files: number, units: readonly Change[]): string {
  const parts = [
    ...(files > 0 ? [`${files} ${files === 1 ? 'file' : 'files'} into force`] : []),
    ...units.map(({ what }) => what),
  ];
  return `${service}: ${parts.join(', ') || 'into force'}`;
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
