import { parseArgs } from 'node:util';
import { messageOf } from '@perlstack/stack';
import { benchActions } from './bench/actions.js';
import { benchBackup } from './bench/backup.js';
import { benchConverge } from './bench/converge.js';
import { benchDeploy, type DeployBenchOptions } from './bench/deploy.js';
import { benchMethods } from './bench/methods.js';
import { type BenchmarkReport, tableOf, writeReport } from './bench/report.js';
import { benchTorture } from './bench/torture.js';

/** What this machine's processors can carry. */
const MOST_HOSTS = 50;

/** Every benchmark by its name; each prints the same table and writes the same report. */
const BENCHMARKS: Readonly<
  Record<string, (options: DeployBenchOptions) => BenchmarkReport | Promise<BenchmarkReport>>
> = {
  actions: benchActions,
  backup: benchBackup,
  converge: benchConverge,
  deploy: benchDeploy,
  methods: benchMethods,
  torture: benchTorture,
};

const USAGE = `npm run bench -- NAME [--report DIR]; NAME is one of: ${Object.keys(BENCHMARKS).join(', ')}
of deploy alone, to measure a part: [--hosts N,N] (1 to ${MOST_HOSTS}) [--round-trips MS,MS] (added, 0 to 1000)
`;

const isNot = (least: number, most: number) => (value: number) => !(value >= least && value <= most);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { report: { type: 'string' }, hosts: { type: 'string' }, 'round-trips': { type: 'string' } },
  });
  const [name = ''] = positionals;
  const benchmark = BENCHMARKS[name];
  const hosts = values.hosts?.split(',').map(Number);
  const roundTripsMs = values['round-trips']?.split(',').map(Number);
  if (!benchmark || hosts?.some(isNot(1, MOST_HOSTS)) || roundTripsMs?.some(isNot(0, 1_000))) {
    process.stderr.write(USAGE);
    return 2;
  }
  const report = await benchmark({ ...(hosts && { hosts }), ...(roundTripsMs && { roundTripsMs }) });
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
