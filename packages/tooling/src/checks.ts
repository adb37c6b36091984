import { checkDist } from './dist-check.js';
import { generatedFiles, staleFiles } from './generated.js';
import { runNode } from './program.js';
import { actionNames, inRoot } from './repository.js';
import { check, sideBySide, type Suite } from './suite.js';

const ESLINT = inRoot('node_modules', 'eslint', 'bin', 'eslint.js');
const PRETTIER = inRoot('node_modules', 'prettier', 'bin', 'prettier.cjs');

/** The verdict of the compiler, which has run before this program. */
export function typeCheck(verdict: string | undefined): Suite {
  return check('type check', async () =>
    verdict === 'failed' ? ['The compiler refused the sources (output above).'] : [],
  );
}

/** What is checked without running the product. */
export function staticChecks(): Suite[] {
  return sideBySide({
    lint: () => faultsOf([ESLINT, '--max-warnings', '0', '.']),
    format: () => faultsOf([PRETTIER, '--check', '--log-level', 'warn', '.'], 'Cure: npx prettier --write .'),
    'generated files': staleGenerated,
    dist: staleDist,
  });
}

async function faultsOf(program: readonly string[], cure?: string): Promise<string[]> {
  const { code, output } = await runNode(program);
  return code === 0 ? [] : [output.trimEnd(), ...(cure === undefined ? [] : [cure])];
}

async function staleGenerated(): Promise<string[]> {
  const stale = staleFiles(await generatedFiles());
  return stale.length === 0 ? [] : [...stale.map(({ file }) => `${file}: stale`), 'Cure: npm run docs'];
}

/** Continuous integration rebuilds every bundle; elsewhere a check that passed is not repeated. */
async function staleDist(): Promise<string[]> {
  const checks = await checkDist(actionNames(), { cache: process.env['CI'] === undefined });
  const faults = checks.flatMap(({ action, faults }) =>
    faults.map((fault) => `actions/${action}/dist/${fault}`),
  );
  return faults.length === 0 ? [] : [...faults, 'Cure: npm run build'];
}
