import type { ConvergePlan } from './step.js';

export interface Description {
  /** One line for a person: `3 changes on 2 hosts`, or that there is nothing to do. */
  readonly summary: string;
  readonly rows: readonly {
    readonly host: string;
    readonly service: string;
    readonly target: string;
    readonly change: string;
  }[];
  readonly diffs: readonly { readonly host: string; readonly path: string; readonly diff: string }[];
}

/** A plan as data for tables and folded diffs. */
export function describe({ changes }: ConvergePlan): Description {
  const hosts = new Set(changes.map(({ host }) => host)).size;
  return {
    summary:
      changes.length === 0
        ? 'Every host is as it should be; nothing to do.'
        : `${changes.length} ${changes.length === 1 ? 'change' : 'changes'} on ${hosts} ${hosts === 1 ? 'host' : 'hosts'}`,
    rows: changes.map(({ host, service, kind, target, what }) => ({
      ...{
        host,
        service: service ?? '',
        target: kind === 'file' || kind === 'unit' ? target : `${kind} ${target}`,
      },
      change: what,
    })),
    diffs: changes.flatMap(({ host, target, diff }) => (diff ? [{ host, path: target, diff }] : [])),
  };
}
