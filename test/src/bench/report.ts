import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { terminalTable } from '@perlstack/action';

/** A target of a benchmark: `measured` compared with `goal`, so that `met` is computed and never claimed. */
export interface Goal {
  readonly name: string;
  /** The largest value that meets it, or with `least` the smallest. */
  readonly goal: number;
  readonly least?: true;
  readonly measured: number;
  readonly met: boolean;
}

/** What a benchmark found. `ours`, `peer` and `floor` of a row have the same unit and come from the same run. */
export interface BenchmarkReport {
  readonly rows: readonly Row[];
  readonly goals: readonly Goal[];
}

export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer?: number;
  /** The least that is possible. */
  readonly floor?: number;
}

/** A goal that is met by everything up to a limit. */
export function atMost(name: string, goal: number, measured: number): Goal {
  return { name, goal, measured, met: measured <= goal };
}

/** A goal that is met by everything from a limit on. */
export function atLeast(name: string, goal: number, measured: number): Goal {
  return { name, goal, least: true, measured, met: measured >= goal };
}

/** The table that every benchmark prints. */
export function tableOf({ rows, goals }: BenchmarkReport): string {
  const figures = rows.map(({ name, unit, ours, peer, floor }) => {
    const base = peer ?? floor;
    return [
      `${name} (${unit})`,
      round(ours),
      round(peer),
      round(floor),
      base ? `${(ours / base).toFixed(2)} x` : '',
    ];
  });
  const verdicts = goals.map(({ name, goal, least, measured, met }) => [
    name,
    `${least ? '>=' : '<='} ${goal}`,
    round(measured),
    met ? 'met' : 'NOT met',
  ]);
  return [
    terminalTable(['', 'ours', 'peer', 'floor', 'ratio'], figures, ['l', 'r', 'r', 'r', 'r']),
    terminalTable(['goal', 'limit', 'measured', ''], verdicts, ['l', 'r', 'r', 'l']),
  ].join('\n\n');
}

/** Writes `bench-NAME.json`. */
export async function writeReport(folder: string, name: string, report: BenchmarkReport): Promise<void> {
  await mkdir(folder, { recursive: true });
  const ratios = report.rows.map((row) => ({
    ...row,
    ratio: row.ours / (row.peer ?? row.floor ?? Number.NaN),
  }));
  await writeFile(
    path.join(folder, `bench-${name}.json`),
    `${JSON.stringify({ ...report, rows: ratios }, null, 2)}\n`,
  );
}

/** The middle value; of an even number of values the upper one of the two in the middle. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function round(value: number | undefined): string {
  return value === undefined ? '' : value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
