import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { PROJECT } from '../user-repository.js';
import { atMost, type BenchmarkReport, median } from './report.js';

const RUNS = 9;

/**
 * How long each bundled action takes from the start of its process to having read its inputs (it is given none, and
 * refuses), beside an empty script, and how large its bundle is.
 */
export function benchActions(): BenchmarkReport {
  const names = readdirSync(path.join(PROJECT, 'actions'));
  const commands = [['--eval', ''], ...names.map((name) => [bundleOf(name)])];
  // In turn, so that a machine whose speed drifts treats them alike.
  const samples = commands.map((): number[] => []);
  for (let run = 0; run < RUNS; run += 1)
    commands.forEach((argv, index) => samples[index]?.push(startOf(argv)));
  const [floor = Number.NaN, ...starts] = samples.map(median);
  const rows = names.flatMap((name, index) => [
    { name: `${name}: cold start`, unit: 'ms', ours: starts[index] ?? Number.NaN, floor },
    { name: `${name}: dist`, unit: 'KiB', ours: statSync(bundleOf(name)).size / 1_024 },
  ]);
  return {
    rows,
    goals: [atMost('slowest cold start, times an empty script', 8, Math.max(...starts) / floor)],
  };
}

function bundleOf(action: string): string {
  return path.join(PROJECT, 'actions', action, 'dist', 'index.js');
}

/** Milliseconds of a whole process. */
function startOf(argv: readonly string[]): number {
  const start = performance.now();
  spawnSync(process.execPath, argv, { stdio: 'ignore', env: { PATH: process.env['PATH'] } });
  return performance.now() - start;
}
