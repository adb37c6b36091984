import { resolveUses } from './actions.js';
import {
  assertKeys,
  Expression,
  isMap,
  listAt,
  mapAt,
  type Tree,
  type TreeMap,
  unsupported,
  wordOf,
} from './tree.js';

const ROOT_KEYS = [
  'on',
  'name',
  'description',
  'run-name',
  'defaults',
  'env',
  'permissions',
  'concurrency',
  'jobs',
];
const JOB_KEYS = [
  'name',
  'needs',
  'if',
  'runs-on',
  'environment',
  'concurrency',
  'outputs',
  'env',
  'defaults',
  'timeout-minutes',
  'strategy',
  'continue-on-error',
  'permissions',
  'steps',
];
const CALL_KEYS = [
  'name',
  'needs',
  'if',
  'uses',
  'with',
  'secrets',
  'concurrency',
  'permissions',
  'strategy',
];
const STEP_KEYS = [
  'name',
  'id',
  'if',
  'run',
  'uses',
  'with',
  'env',
  'shell',
  'working-directory',
  'continue-on-error',
  'timeout-minutes',
];

/** Where `uses` are looked for. */
export type Places = Parameters<typeof resolveUses>[1];

/**
 * Refuses a workflow that holds anything this runner does not do, before any of it runs.
 *
 * @throws UserError naming the first such thing by its path
 */
export function assertSupported(workflow: TreeMap, places: Omit<Places, 'workspace'>): void {
  assertKeys(workflow, ROOT_KEYS, 'workflow');
  for (const [id, job] of Object.entries(mapAt(workflow, 'jobs'))) {
    if (isMap(job)) assertJob(job, `jobs.${id}`, { workspace: '', ...places });
  }
}

function assertJob(job: TreeMap, path: string, places: Places): void {
  if ('uses' in job) {
    assertKeys(job, CALL_KEYS, path);
    return;
  }
  assertKeys(job, JOB_KEYS, path);
  listAt(job, 'runs-on').forEach((label) => assertLinux(label, `${path}.runs-on`));
  const steps = listAt(job, 'steps');
  assertSteps(steps, path);
  steps.forEach((step) => isMap(step) && 'uses' in step && resolveUses(wordOf(step['uses']), places));
}

/** @throws UserError for a step, of a job or a composite action, that this runner can't run */
export function assertSteps(steps: readonly Tree[], path: string): void {
  steps.forEach((step, index) => {
    if (isMap(step)) assertKeys(step, STEP_KEYS, `${path}.steps[${index}]`);
  });
}

function assertLinux(label: Tree, path: string): void {
  if (isMap(label)) throw unsupported(`${path}: a runner group`);
  if (label instanceof Expression) return;
  if (/^(windows|macos)/i.test(wordOf(label))) throw unsupported(`${path}: ${wordOf(label)}`);
}
