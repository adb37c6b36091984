import type { Change } from '@perlstack/engine';
import type { ConvergePlan } from './step.js';

export interface Description {
  /** One line for a person: `3 changes on 2 hosts, 1 restart`, or that there is nothing to do. */
  readonly summary: string;
  readonly rows: readonly {
    readonly host: string;
    readonly service: string;
    readonly target: string;
    readonly change: string;
  }[];
  readonly diffs: readonly { readonly host: string; readonly path: string; readonly diff: string }[];
  /** Why nothing may be done, and what would allow it. */
  readonly refusals: readonly string[];
}

/** A plan as data for tables and folded diffs. */
export function describe({ changes, refusals }: ConvergePlan): Description {
  return {
    summary: summaryOf(changes, refusals),
    rows: changes.map(({ host, service, kind, target, what }) => ({
      ...{ host, service: service ?? '' },
      target: OWN_NAME.has(kind) ? target : `${kind} ${target}`,
      change: what,
    })),
    diffs: changes.flatMap(({ host, target, diff }) => (diff ? [{ host, path: target, diff }] : [])),
    refusals,
  };
}

/** Kinds whose targets say what they are. */
const OWN_NAME: ReadonlySet<Change['kind']> = new Set(['file', 'preset', 'drift', 'unit', 'data']);

function summaryOf(changes: readonly Change[], refusals: readonly string[]): string {
  const drifted = changes.filter(({ kind }) => kind === 'drift').length;
  const made = changes.filter(({ kind }) => kind !== 'drift');
  const restarts = made.filter(({ kind, what }) => kind === 'unit' && what.startsWith('restart')).length;
  const hosts = new Set(made.map(({ host }) => host)).size;
  const parts = [
    made.length > 0 ? `${count(made.length, 'change')} on ${count(hosts, 'host')}` : '',
    restarts > 0 ? count(restarts, 'restart') : '',
    drifted > 0 ? `drift in ${count(drifted, 'file')}` : '',
    refusals.length > 0 ? `${refusals.length} refused` : '',
  ].filter(Boolean);
  if (parts.length === 0) return 'Every host is as it should be; nothing to do.';
  return made.length > 0 ? parts.join(', ') : `Nothing to do; ${parts.join(', ')}`;
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
