import { parseArgs } from 'node:util';
import { messageOf } from '@perlstack/stack';
import { benchActions } from './bench/actions.js';
import { type BackupBenchOptions, benchBackup } from './bench/backup.js';
import { benchConverge } from './bench/converge.js';
import { benchDeploy, type DeployBenchOptions } from './bench/deploy.js';
import { benchMethods } from './bench/methods.js';
import { benchOutage, type OutageBenchOptions } from './bench/outage.js';
import { type BenchmarkReport, tableOf, writeReport } from './bench/report.js';
import { benchTorture } from './bench/torture.js';

type Options = BackupBenchOptions & DeployBenchOptions & OutageBenchOptions;

/** Every benchmark by its name; each prints the same table and writes the same report. */
const BENCHMARKS: Readonly<Record<string, (options: Options) => BenchmarkReport | Promise<BenchmarkReport>>> =
  {
    actions: benchActions,
    backup: benchBackup,
    converge: benchConverge,
    deploy: benchDeploy,
    methods: benchMethods,
    outage: benchOutage,
    torture: benchTorture,
  };

/** Numbers, by the option that takes them: of which benchmark, what they are, and what this machine can carry. */
const NUMBERS = {
  gigabytes: { of: 'backup', what: 'that the database has', least: 2, most: 50 },
  hosts: { of: 'deploy', what: 'to measure a part, as many as are named', least: 1, most: 50 },
  'round-trips': { of: 'deploy', what: 'to measure a part, milliseconds added', least: 0, most: 1_000 },
  minutes: { of: 'outage', what: 'that the gateway is away', least: 1, most: 120 },
} as const;
type NumberOption = keyof typeof NUMBERS;

const USAGE = [
  `npm run bench -- NAME [--report DIR]; NAME is one of: ${Object.keys(BENCHMARKS).join(', ')}`,
  ...Object.entries(NUMBERS).map(
    ([option, { of, what, least, most }]) =>
      `of ${of} alone: [--${option} N,…] (${least} to ${most}) ${what}`,
  ),
].join('\n');

/** Nothing was measured. */
class UsageError extends Error {}

/** @throws UsageError for what is no number, or more than this machine can carry */
function numbersOf(option: NumberOption, text: string | undefined): number[] | undefined {
  const { least, most } = NUMBERS[option];
  const numbers = text?.split(',').map(Number);
  if (numbers?.every((number) => number >= least && number <= most) ?? true) return numbers;
  throw new UsageError(`--${option} ${text}: numbers from ${least} to ${most} are taken\n${USAGE}`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ report: { type: 'string' }, hosts: { type: 'string' }, 'round-trips': { type: 'string' } },
      ...{ minutes: { type: 'string' }, gigabytes: { type: 'string' } },
    },
  });
  const [name = ''] = positionals;
  const benchmark = BENCHMARKS[name];
  if (!benchmark) throw new UsageError(USAGE);
  const hosts = numbersOf('hosts', values.hosts);
  const roundTripsMs = numbersOf('round-trips', values['round-trips']);
  const [minutes] = numbersOf('minutes', values.minutes) ?? [];
  const [gigabytes] = numbersOf('gigabytes', values.gigabytes) ?? [];
  const report = await benchmark({
    ...(hosts && { hosts }),
    ...(roundTripsMs && { roundTripsMs }),
    ...(minutes !== undefined && { minutes }),
    ...(gigabytes !== undefined && { gigabytes }),
  });
  process.stdout.write(`${tableOf(report)}\n`);
  if (values.report !== undefined) await writeReport(values.report, name, report);
  return report.goals.every(({ met }) => met) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
