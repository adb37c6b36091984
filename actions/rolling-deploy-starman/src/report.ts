import { markdownTable } from '@perlstack/action';
import type { DeployResult, Plan } from '@perlstack/release';
import { formatDuration } from '@perlstack/stack';

/** The servers of a roll-out and where the time of each went. */
export function serverTable({ servers }: DeployResult): string {
  const rows = servers.map(({ name, uploadMs, bootMs, switchMs, gateMs, drainMs, seconds, cut }) => [
    name,
    ...[uploadMs, bootMs, switchMs, gateMs, drainMs, seconds * 1_000].map(formatDuration),
    cut,
  ]);
  const titles = ['Server', 'Upload', 'Boot', 'Switch', 'Gate', 'Drain', 'In all', 'Requests cut'];
  return markdownTable(titles, rows, ['l', 'r', 'r', 'r', 'r', 'r', 'r', 'r']);
}

/** The steps of a plan, in their order. */
export function planTable({ roll, finish }: Plan): string {
  return markdownTable(
    ['Server', 'Step'],
    [...roll, ...finish].map(({ host, title }) => [host ?? 'all', title]),
  );
}

/** What came of a roll-out, in one sentence. */
export function sentenceOf(result: DeployResult): string {
  const { release, previous, reason, unresolved } = result;
  const servers = `${result.servers.length} servers`;
  switch (result.outcome) {
    case 'succeeded':
      return `Release ${release} serves on ${servers}, in ${formatDuration(result.seconds * 1_000)}.`;
    case 'nothing-to-do':
      return `Release ${release} serves on ${servers} already: nothing to do.`;
    case 'rolled-back':
      return `Rolled back${previous ? ` to ${previous}` : ''}: ${reason ?? 'no reason given'}`;
    case 'cancelled':
      return `Cancelled, or out of time (input "timeout")${previous ? `; ${previous} serves as before` : ''}.`;
    case 'failed':
      return `Failed: ${[reason ?? 'no reason given', ...unresolved].join('; ')}`;
  }
}
