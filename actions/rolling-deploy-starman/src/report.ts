import { markdownTable } from '@perlstack/action';
import {
  type CanaryVerdict,
  type DeployResult,
  type Figures,
  outUntilNextRun,
  type Plan,
  type ReleaseRecord,
} from '@perlstack/release';
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

/** What the canary and the rest showed beside each other, and how sure the difference is. */
export function canaryTable({ canary, rest, errorP, latencyP, tailP, variation }: CanaryVerdict): string {
  const row = (name: string, { requests, errors, p50, p95, p99 }: Figures): (string | number)[] => [
    name,
    requests,
    errors,
    requests === 0 ? '' : `${((100 * errors) / requests).toFixed(2)} %`,
    ...[p50, p95, p99].map((ms) => (ms === null ? '' : formatDuration(ms))),
  ];
  const usual = `p, where servers differ ${variation.toFixed(1)} times as much as by chance`;
  const odds = [usual, '', '', ...[errorP, latencyP, tailP].map((p) => p.toPrecision(2)), ''];
  const titles = ['', 'Requests', 'Errors', 'Share', 'p50', 'p95', 'p99'];
  const rows = [row('Canary', canary), row('Rest', rest), odds];
  return markdownTable(titles, rows, ['l', 'r', 'r', 'r', 'r', 'r', 'r']);
}

/** How many releases a summary lists. */
const MOST_RELEASES = 10;

/** The releases before: who deployed them when, what came of it, and which of them can be gone back to. */
export function releaseTable(history: readonly ReleaseRecord[]): string {
  const rows = history
    .slice(0, MOST_RELEASES)
    .map(({ release, state, kind, at, actor, url, keptOn, servesOn, reason }) => [
      release,
      state === 'succeeded' ? HELD[kind] : STATES[state],
      at?.replace(/\..*$/, 'Z') ?? '',
      actor ?? '',
      url ?? '',
      keptOn,
      servesOn,
      reason ?? '',
    ]);
  const titles = ['Release', 'Outcome', 'When', 'By', 'Run', 'Kept on', 'Served on', 'Why'];
  return markdownTable(titles, rows, ['l', 'l', 'l', 'l', 'l', 'r', 'r', 'l']);
}

const HELD: Readonly<Record<ReleaseRecord['kind'], string>> = {
  deploy: 'succeeded',
  rollback: 'rolled back to',
  repair: 'repaired',
};

const STATES: Readonly<Record<ReleaseRecord['state'], string>> = {
  began: 'broke off',
  succeeded: 'succeeded',
  'rolled-back': 'rolled back',
  cancelled: 'cancelled',
  failed: 'failed',
  unknown: 'unknown',
};

/**
 * What became of the servers that it went on without. A web server gets requests again as soon as it answers, and where nothing
 * was to do nobody was told of one that is away.
 */
export const leftOut = ({ left, servers, outcome }: DeployResult): string[] =>
  left.map(({ host, reason }) =>
    outcome !== 'nothing-to-do' && servers.some(({ name }) => name === host)
      ? `${outUntilNextRun(host)}, as it was left out: ${reason}`
      : `${host} was left out: ${reason}`,
  );

/** What came of a roll-out, in one sentence. */
export function sentenceOf(result: DeployResult): string {
  const { release, previous, reason, unresolved } = result;
  const out = result.left.map(({ host }) => host);
  const without = out.length === 0 ? '' : ` without ${out.join(', ')}`;
  // A web server that is away serves no release.
  const serving = result.servers.filter(({ name }) => !out.includes(name)).length;
  const servers = `${serving} ${serving === 1 ? 'server' : 'servers'}${without}`;
  switch (result.outcome) {
    case 'succeeded':
      return `Release ${release} serves on ${servers}, in ${formatDuration(result.seconds * 1_000)}.`;
    case 'nothing-to-do':
      return `Release ${release} serves on ${servers} already: nothing to do.`;
    case 'rolled-back':
      if (previous === release)
        return `Put back, and ${release} serves as before: ${reason ?? 'no reason given'}`;
      return `Rolled back${previous ? ` to ${previous}` : ''}: ${reason ?? 'no reason given'}`;
    case 'cancelled':
      return `Cancelled, or out of time (input "timeout")${previous ? `; ${previous} serves as before` : ''}.`;
    case 'failed':
      return `Failed: ${[reason ?? 'no reason given', ...unresolved].join('; ')}`;
  }
}
