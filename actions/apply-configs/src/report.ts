import {
  diffSections,
  escapeMarkdown,
  type Log,
  markdownTable,
  type Section,
  shareDiffs,
} from '@perlstack/action';
import { type Change, type ConvergePlan, describe } from '@perlstack/converge';

/** With more changes than this the table has a row a host, and the changes are folded below. */
const MOST_ROWS = 20;

/** Files that are not as they were last brought into force, be they left so or put back. */
export function driftIn({ changes }: ConvergePlan) {
  return changes
    .filter(({ kind, what }) => kind === 'drift' || /(^|over )drift[,:]/.test(what))
    .map(({ host, service, target, what }) => ({ host, service, path: target, what }));
}

/** Units that are, or would be, restarted. */
export function restartsIn({ changes }: ConvergePlan) {
  return changes
    .filter(({ kind, what }) => (kind === 'unit' || kind === 'data') && what.startsWith('restart'))
    .map(({ host, service, target, what }) => ({ host, service, unit: target, what }));
}

/** Whether anything is to be done, be it refused or not. */
export const changesSomething = ({ changes }: ConvergePlan): boolean =>
  changes.some(({ kind }) => kind !== 'drift');

/** A plan for machines: without diffs, which are long, and for people. */
export function planOutput({ steps, changes, refusals }: ConvergePlan) {
  const short = changes.map(({ diff: _, ...change }: Change) => change);
  return { steps, changes: short, refusals };
}

/** The parts of the summary: what is refused, what changes, one screen of it; the rest is folded. */
export function planSections(plan: ConvergePlan, notes: readonly string[]): Section[] {
  const { rows, diffs, refusals } = describe(plan);
  const cells = rows.map(({ host, service, target, change }) => [host, service, target, change]);
  const all = { title: 'Changes', body: markdownTable(['Host', 'Service', 'What', 'Change'], cells) };
  const changes =
    rows.length <= MOST_ROWS
      ? [all]
      : [
          { title: 'Changes', body: hostTable(plan) },
          { ...all, title: `All ${rows.length} changes`, folded: true },
        ];
  return [
    ...(refusals.length > 0 ? [{ title: 'Refused', body: list(refusals) }] : []),
    ...(rows.length > 0 ? changes : []),
    ...diffSections(diffs.map(({ host, path, diff }) => ({ host, path, patch: diff }))),
    ...(notes.length > 0 ? [{ title: 'Notes', body: list(notes), folded: true }] : []),
  ];
}

function hostTable({ changes }: ConvergePlan): string {
  const hosts = [...new Set(changes.map(({ host }) => host))];
  const rows = hosts.map((host) => {
    const own = changes.filter((change) => change.host === host);
    const services = new Set(own.flatMap(({ service }) => service ?? []));
    return [host, own.length, [...services].join(', ')];
  });
  return markdownTable(['Host', 'Changes', 'Services'], rows, ['l', 'r', 'l']);
}

const list = (sentences: readonly string[]): string =>
  sentences.map((sentence) => `- ${escapeMarkdown(sentence)}`).join('\n');

/** Prints a plan, as somebody reads it who has only the log. */
export async function printPlan(plan: ConvergePlan, log: Log): Promise<void> {
  const { rows, diffs, refusals } = describe(plan);
  for (const { host, service, target, change } of rows)
    log.info(`  ${host} · ${service ? `${service}: ` : ''}${target}: ${change}`);
  if (diffs.length > 0) {
    await log.group('Differences', async () => {
      const shared = shareDiffs(diffs.map(({ host, path, diff }) => ({ host, path, patch: diff })));
      for (const { diff, hosts } of shared)
        log.info(`${hosts.join(', ')}: ${diff.path}\n${diff.patch.trimEnd()}`);
    });
  }
  for (const refusal of refusals) log.warning(refusal, { title: 'Refused' });
}
