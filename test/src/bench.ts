import { parseArgs } from 'node:util';
import { messageOf } from '@perlstack/stack';
import { benchActions } from './bench/actions.js';
import { benchConverge } from './bench/converge.js';
import { benchDeploy } from './bench/deploy.js';
import { type BenchmarkReport, tableOf, writeReport } from './bench/report.js';

interface Options {
  /** How many hosts to measure with, in turn, where a benchmark does so with several numbers. */
  readonly hosts?: readonly number[];
}

/** What this machine's processors can carry. */
const MOST_HOSTS = 50;

/** Every benchmark by its name; each prints the same table and writes the same report. */
const BENCHMARKS: Readonly<Record<string, (options: Options) => BenchmarkReport | Promise<BenchmarkReport>>> =
  {
    actions: benchActions,
    converge: benchConverge,
    deploy: ({ hosts }) => benchDeploy(hosts),
  };

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { report: { type: 'string' }, hosts: { type: 'string' } },
  });
  const [name = ''] = positionals;
  const benchmark = BENCHMARKS[name];
  const hosts = values.hosts?.split(',').map(Number);
  if (!benchmark || hosts?.some((count) => !(count >= 1 && count <= MOST_HOSTS))) {
    process.stderr.write(
      `npm run bench -- NAME [--report DIR] [--hosts N,N]; NAME is one of: ${Object.keys(BENCHMARKS).join(', ')}; N from 1 to ${MOST_HOSTS}\n`,
    );
    return 2;
  }
  const report = await benchmark(hosts ? { hosts } : {});
  process.stdout.write(`${tableOf(report)}\n`);
  if (values.report !== undefined) await writeReport(values.report, name, report);
  return report.goals.every(({ met }) => met) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
