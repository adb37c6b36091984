import type { Section } from './summary.js';

/** A unified diff of one file of one server. */
export interface HostDiff {
  readonly host: string;
  readonly path: string;
  readonly patch: string;
}

/** Diffs that are the same, with all servers that they concern. */
export interface SharedDiff<D extends HostDiff> {
  readonly diff: D;
  readonly hosts: readonly string[];
}

/** Diffs, each once, however many servers it concerns. */
export function shareDiffs<D extends HostDiff>(diffs: readonly D[]): SharedDiff<D>[] {
  const groups = new Map<string, { diff: D; hosts: string[] }>();
  for (const diff of diffs) {
    const key = JSON.stringify([diff.path, diff.patch]);
    const group = groups.get(key) ?? { diff, hosts: [] };
    group.hosts.push(diff.host);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Diffs as parts of a summary, each folded under its path and servers. */
export function diffSections(diffs: readonly HostDiff[]): Section[] {
  return shareDiffs(diffs).map(({ diff: { path, patch }, hosts }) => ({
    ...{ title: `${path} (${hosts.join(', ')})`, body: patch.trimEnd() },
    ...{ code: 'diff', folded: true },
  }));
}
