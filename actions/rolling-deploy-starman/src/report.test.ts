import { describe, expect, it } from '@jest/globals';
import type { DeployResult, ReleaseRecord } from '@perlstack/release';
import { canaryTable, leftOut, releaseTable, sentenceOf, serverTable } from './report.js';

const server = (name: string, cut = 0): DeployResult['servers'][number] => ({
  ...{
    name,
    seconds: 3,
    uploadMs: 200,
    bootMs: 1_500,
    switchMs: 40,
    gateMs: 1_000,
    drainMs: 250,
    finishMs: 10,
  },
  cut,
});

const result: DeployResult = {
  ...{ outcome: 'succeeded', release: 'r2', previous: 'r1', seconds: 12.3, irreducibleSeconds: 8 },
  ...{ servers: [server('app-1'), server('app-2', 3)], left: [], canary: null, history: [] },
  ...{ evidence: [], unresolved: [], notes: [] },
};

describe('a deploy in one sentence', () => {
  it.each<[string, Partial<DeployResult>, string]>([
    ['that succeeded', {}, 'Release r2 serves on 2 servers, in 12.3 s.'],
    [
      'that had nothing to do',
      { outcome: 'nothing-to-do' },
      'Release r2 serves on 2 servers already: nothing to do.',
    ],
    [
      'that left an app server out',
      { left: [{ host: 'app-2', reason: 'off' }] },
      'Release r2 serves on 1 server without app-2, in 12.3 s.',
    ],
    [
      'that went on without a web server, which serves no release',
      { left: [{ host: 'web-1', reason: 'off' }] },
      'Release r2 serves on 2 servers without web-1, in 12.3 s.',
    ],
    ['that went back', { outcome: 'rolled-back', reason: 'app-2 is ill' }, 'Rolled back to r1: app-2 is ill'],
    [
      'of what was not mended',
      { outcome: 'rolled-back', previous: 'r2', reason: 'app-2 is ill' },
      'Put back, and r2 serves as before: app-2 is ill',
    ],
    [
      'that was cancelled',
      { outcome: 'cancelled' },
      'Cancelled, or out of time (input "timeout"); r1 serves as before.',
    ],
    [
      'of which something remains',
      { outcome: 'failed', reason: 'app-2 is gone', unresolved: ['app-2 gets no requests'] },
      'Failed: app-2 is gone; app-2 gets no requests',
    ],
  ])('%s', (_what, more, sentence) => {
    expect(sentenceOf({ ...result, ...more })).toBe(sentence);
  });
});

it('of a server that was left out it is said what brings it back, as far as it was left behind', () => {
  const left = [
    { host: 'app-2', reason: 'app-2 cannot be reached.' },
    { host: 'web-1', reason: 'web-1 cannot be reached.' },
  ];
  expect(leftOut({ ...result, left })).toEqual([
    'app-2 gets no requests until the next deploy or a run with mode "repair" has brought it up to date, as it was left out: app-2 cannot be reached.',
    'web-1 was left out: web-1 cannot be reached.',
  ]);
  expect(leftOut({ ...result, outcome: 'nothing-to-do', left: left.slice(0, 1) })).toEqual([
    'app-2 was left out: app-2 cannot be reached.',
  ]);
});

/** The cells of a row of a table in Markdown. */
const cells = (table: string, row: number): string[] =>
  (table.split('\n')[row + 2] ?? '')
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

it('servers are shown with where their time went, and what was cut', () => {
  expect(cells(serverTable(result), 1)).toEqual([
    'app-2',
    '200 ms',
    '1.5 s',
    '40 ms',
    '1.0 s',
    '250 ms',
    '3.0 s',
    '3',
  ]);
});

it('a canary is shown beside the rest, with how sure each difference is', () => {
  const figures = { requests: 200, errors: 3, p50: 30, p95: 80, p99: 200 };
  const table = canaryTable({
    ...{ decision: 'promote', reason: 'no worse' },
    ...{ canary: figures, rest: { requests: 0, errors: 0, p50: null, p95: null, p99: null } },
    ...{ errorP: 0.25, latencyP: 0.5, tailP: 0.001234, variation: 1.26 },
  });
  expect(cells(table, 0)).toEqual(['Canary', '200', '3', '1.50 %', '30 ms', '80 ms', '200 ms']);
  expect(cells(table, 1)).toEqual(['Rest', '0', '0', '', '', '', '']);
  expect(cells(table, 2)).toEqual([
    'p, where servers differ 1.3 times as much as by chance',
    ...['', '', '0.25', '0.50', '0.0012', ''],
  ]);
});

it('releases are shown with who deployed them, and whether they can be gone back to', () => {
  const record: ReleaseRecord = {
    ...{ release: 'r1', state: 'succeeded', kind: 'rollback', at: '2026-01-02T03:04:05.678Z', actor: 'ada' },
    ...{ url: 'https://ci.example/1', reason: null, servesOn: 0, keptOn: 3 },
  };
  const many = Array.from({ length: 12 }, () => record);
  const table = releaseTable(many);
  expect(cells(table, 0)).toEqual([
    'r1',
    'rolled back to',
    '2026-01-02T03:04:05Z',
    'ada',
    'https://ci.example/1',
    '3',
    '0',
    '',
  ]);
  expect(table.split('\n').filter((line) => line.includes('r1'))).toHaveLength(10);
  expect(cells(releaseTable([{ ...record, kind: 'repair' }]), 0)[1]).toBe('repaired');
});
