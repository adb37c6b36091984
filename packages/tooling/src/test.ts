// `npm test`: everything that can be checked here, ending with one line of counts.
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { staticChecks, typeCheck } from './checks.js';
import { filesSideBySide } from './files-side-by-side.js';
import { jestSuite } from './jest-suite.js';
import { verb } from './program.js';
import { ROOT } from './repository.js';
import { countsLine, faultLines, runSuites, type Suite, type SuiteResult, sum } from './suite.js';
import { parseTestOptions, type Part, type TestOptions } from './test-options.js';

const SEQUENCER = fileURLToPath(new URL('longest-first.js', import.meta.url));

function suitesOf(part: Part, { files, grep }: TestOptions): Suite[] {
  if (part === 'static') return staticChecks();
  if (part === 'unit') return [jestSuite('unit', { files, grep }, ['--maxWorkers=2', '--testTimeout=60000'])];
  return [
    endToEnd(
      jestSuite('end-to-end', { files, grep }, [
        ...[
          `--maxWorkers=${filesSideBySide(availableParallelism(), totalmem())}`,
          '--verbose',
          '--testTimeout=600000',
        ],
        `--testSequencer=${SEQUENCER}`,
      ]),
    ),
  ];
}

/** Hosts need Debian packages: they are there before the first test asks. Tests on hosts skip themselves without. */
function endToEnd(suite: Suite): Suite {
  return {
    ...suite,
    run: async () => {
      const { requireHosts, whyNoHosts } = await import('@perlstack/local-cloud');
      const reason = await whyNoHosts();
      if (reason === null) await requireHosts((line) => console.error(line));
      else console.error(`Tests on hosts are skipped: ${reason}.`);
      return suite.run();
    },
  };
}

async function writeReport(folder: string, suites: readonly SuiteResult[]): Promise<void> {
  const seconds = suites.reduce((total, suite) => total + suite.seconds, 0);
  await mkdir(folder, { recursive: true });
  const report = { node: process.version, seconds, ...sum(suites), suites };
  await writeFile(join(folder, 'test.json'), `${JSON.stringify(report, null, 2)}\n`);
}

await verb(async (signal) => {
  const options = parseTestOptions(process.argv.slice(2), ROOT);
  const suites = options.parts.flatMap((part) => suitesOf(part, options));
  const results = await runSuites([typeCheck(process.env['PERLSTACK_TYPES']), ...suites], signal);
  if (options.report !== undefined) await writeReport(options.report, results);
  const counts = sum(results);
  const faults = faultLines(results);
  if (faults !== '') console.error(faults);
  console.log(`\n${countsLine(counts)}`);
  return counts.failed > 0 ? 1 : 0;
});
