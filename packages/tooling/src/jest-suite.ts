import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { runNode } from './program.js';
import { inRoot, ROOT } from './repository.js';
import type { Counts, Suite, Verdict } from './suite.js';

export interface JestSelection {
  /** Test files, as paths or parts of paths; all of the project without any. */
  readonly files: readonly string[];
  /** Only tests whose full name matches this regular expression. */
  readonly grep: string | undefined;
}

/** The parts that we read of what jest's `--json` writes. */
export interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  /** Files that broke before a test of theirs ran. */
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly JestFile[];
}

interface JestFile {
  /** Its path. */
  readonly name: string;
  /** What broke the file itself, or else what broke its tests. */
  readonly message: string;
  readonly assertionResults: readonly {
    readonly status: string;
    readonly fullName: string;
    readonly failureMessages: readonly string[] | null;
  }[];
}

/** The flags go to node itself and not into NODE_OPTIONS, which programs that a test starts would inherit. */
const NODE_FLAGS = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];

/** A jest project as a suite. @param flags of jest, such as `--runInBand`. */
export function jestSuite(project: string, selection: JestSelection, flags: readonly string[] = []): Suite {
  return { name: `jest: ${project}`, run: () => runJest(project, selection, flags) };
}

async function runJest(
  project: string,
  { files, grep }: JestSelection,
  flags: readonly string[],
): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'perlstack-jest-'));
  const results = join(folder, 'results.json');
  const jest = [...NODE_FLAGS, inRoot('node_modules', 'jest', 'bin', 'jest.js'), '--selectProjects', project];
  const pattern = grep === undefined ? [] : ['--testNamePattern', grep];
  // A file that is named and not found is a mistake; a project without tests is not.
  const lenient = files.length === 0 ? ['--passWithNoTests'] : [];
  try {
    const args = [...jest, ...flags, ...pattern, '--json', `--outputFile=${results}`, ...lenient];
    const code = await untilFinished([...args, '--', ...files], results);
    if (!existsSync(results)) return { passed: 0, failed: 1, skipped: 0 };
    const found = JSON.parse(await readFile(results, 'utf8')) as JestResults;
    return { ...countsOf(found, code), faults: faultsOf(found) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** How long jest may go on after its results are there before it counts as hanging. */
const GRACE_MS = 15_000;

/** Runs jest, and ends it when it doesn't end itself, because a test left a server, a process or a timer behind. */
async function untilFinished(args: readonly string[], results: string): Promise<number> {
  const hanging = new AbortController();
  let finishedAt: number | undefined;
  const watch = setInterval(() => {
    if (existsSync(results)) finishedAt ??= Date.now();
    if (finishedAt !== undefined && Date.now() - finishedAt > GRACE_MS) hanging.abort();
  }, 500);
  try {
    return (await runNode(args, { show: true, signal: hanging.signal })).code;
  } finally {
    clearInterval(watch);
    if (hanging.signal.aborted)
      console.error('jest was ended: a test has left a server, process or timer behind');
  }
}

/** A file that broke counts as one failed test; so does a run that failed without naming a failed test. */
export function countsOf(results: JestResults, code: number): Counts {
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  return {
    passed: results.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

/** Lines of a fault that are said again: the message, the difference and the first places in our files. */
const FAULT_LINES = 30;

/** What failed, with the beginning of why. */
export function faultsOf({ testResults }: Pick<JestResults, 'testResults'>): string[] {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const fault = (what: string, why: string): string => {
      const lines = stripVTControlCharacters(why).trim().split('\n');
      return [`${relative(ROOT, name)}: ${what}`, ...lines.slice(0, FAULT_LINES)].join('\n');
    };
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    if (failed.length === 0 && message !== '') return [fault('the file itself', message)];
    return failed.map(({ fullName, failureMessages }) => fault(fullName, (failureMessages ?? []).join('\n')));
  });
}
