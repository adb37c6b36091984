import type { ManagedUnit, ServiceConfig } from '@perlstack/configs';
import type { Consent, Due } from '@perlstack/engine';
import type { FileDifferences } from './compare-files.js';
import { serviceDigest } from './digest.js';
import { same, versionOf } from './standing.js';
import type { ObservedHost } from './world.js';

/** What it takes until a running service knows a changed file. */
export type Effect = 'none' | 'reload' | 'restart';

export interface UnitDifference {
  /** What is to be done with it, for a person. */
  readonly whats: readonly string[];
  /** What a running unit is told. */
  readonly action: Effect;
  readonly due: Due;
  readonly refusals: readonly string[];
}

const RANK: readonly Effect[] = ['none', 'reload', 'restart'];

const strongest = (effects: readonly Effect[]): Effect =>
  RANK[Math.max(0, ...effects.map((effect) => RANK.indexOf(effect)))] ?? 'none';

/** Pure: what has to be done with a service besides changing its files. */
export function compareUnit(
  host: string,
  service: ServiceConfig,
  observed: ObservedHost,
  differences: FileDifferences,
  consent: Consent,
): UnitDifference {
  const { unit, name } = service;
  const touched = touchedPaths(service, differences);
  const current = observed.inForce[name] === serviceDigest(service);
  const unknown = !current && touched.length === 0;
  if (!unit) {
    return { whats: unknown ? ['not known to be in force'] : [], action: 'none', due: null, refusals: [] };
  }
  const actual = observed.units[unit.name] ?? { enabled: false, active: false };
  const { action, causes } = actionOf(service, unit, observed, touched);
  const due = dueOf(unit, actual.active, action);
  const refused = due === 'restart' && unit.restartAsks === true && !consent.restart;
  return {
    whats: [
      ...(actual.enabled === unit.enabled ? [] : [unit.enabled ? 'to be enabled' : 'to be disabled']),
      ...(due === 'start' ? ['to be started'] : []),
      ...(unit.state === 'stopped' && actual.active ? ['to be stopped'] : []),
      ...(due === 'reload' || due === 'restart' ? [unknown ? `${due} due` : due] : []),
      ...(due === null && unknown ? ['not known to be in force'] : []),
    ],
    ...{ action, due },
    refusals: refused ? [restartRefusal(host, name, causes, differences)] : [],
  };
}

/** Those that change, and those that would if no drift were in the way. */
function touchedPaths(service: ServiceConfig, differences: FileDifferences): string[] {
  const { presets = [], files, removes } = service;
  const { changed } = differences;
  const touched = [...differences.presets, ...differences.files, ...differences.removes];
  const own = [...presets, ...files].map(({ path }) => path);
  return [...own, ...removes].filter(
    (path) => touched.includes(path) || changed.some((file) => file.path === path),
  );
}

function dueOf({ state }: ManagedUnit, active: boolean, action: Effect): Due {
  if (state === 'stopped') return null;
  if (!active) return state === 'running' ? 'start' : null;
  return action === 'none' ? null : action;
}

/** @returns what a running unit is told, and the paths because of which. */
function actionOf(
  service: ServiceConfig,
  unit: ManagedUnit,
  observed: ObservedHost,
  touched: readonly string[],
): { readonly action: Effect; readonly causes: readonly string[] } {
  const paths = [...new Set([...touched, ...untold(service, observed, touched)])];
  const effectOf = (path: string): Effect => {
    const preset = service.presets?.find((file) => file.path === path);
    // What a preset is for happened when the packages were installed.
    if (preset) return preset.effect ?? 'none';
    return service.files.find((file) => file.path === path)?.effect ?? unit.onChange;
  };
  const current = observed.inForce[service.name] === serviceDigest(service);
  // Something is not in force, and no file says what: the unit's own way brings in everything.
  const action = strongest(paths.length === 0 && !current ? [unit.onChange] : paths.map(effectOf));
  return { action, causes: paths.filter((path) => effectOf(path) === action) };
}

/** Files which lie as they should, and of which the running service may not know. */
function untold(service: ServiceConfig, observed: ObservedHost, touched: readonly string[]): string[] {
  const { files, name } = service;
  const inForce = observed.inForce[name];
  if (inForce === serviceDigest(service)) return [];
  const known = files.some(({ path }) => observed.remembered[path] !== undefined);
  // A host of an older version remembers only that the whole was in force.
  if (!known && inForce !== undefined && touched.length > 0) return [];
  return files
    .filter((file) => {
      const remembered = observed.remembered[file.path];
      return (
        remembered === undefined ||
        observed.underWay.includes(file.path) ||
        !same(versionOf(file), remembered)
      );
    })
    .map(({ path }) => path);
}

const SHOWN_LINES = 3;

function restartRefusal(
  host: string,
  service: string,
  causes: readonly string[],
  { changes }: FileDifferences,
): string {
  const lines = changes
    .filter(({ target }) => causes.includes(target))
    .flatMap(({ diff = '' }) => diff.split('\n'))
    .filter((line) => /^\+(?!\+|\s*#|\s*$)/.test(line))
    .map((line) => line.slice(1).trim());
  const shown = lines.slice(0, SHOWN_LINES).join(', ') + (lines.length > SHOWN_LINES ? ', …' : '');
  const where = causes.join(', ') || 'a change that was made earlier';
  return `${host}: ${service}: ${where}${shown ? ` (${shown})` : ''} takes a restart; run again with allow-restart: true`;
}
