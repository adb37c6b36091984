import { UserError } from '@perlstack/stack';
import { permissionsOf } from '../github/permissions.js';
import { inputsOf } from './events.js';
import { holds, resolve, type Scope, type Status, textOf, textsOf } from './expressions.js';
import { runJob } from './job.js';
import { type Combination, combinations, matrixName } from './matrix.js';
import { readWorkflow } from './parser.js';
import type { Conclusion, JobRun } from './results.js';
import type { FileState } from './state.js';
import { assertSupported } from './support.js';
import { isMap, listAt, mapAt, type TreeMap, unsupported, wordOf } from './tree.js';

/** A job, or all jobs of its matrix, as those that need it see it. */
interface Finished {
  readonly result: Conclusion;
  readonly outputs: Readonly<Record<string, string>>;
  /** The results of all jobs before it, and its own. */
  readonly ancestry: readonly Conclusion[];
  readonly runs: readonly JobRun[];
}

type Needs = Readonly<Record<string, Finished>>;

/** Runs the jobs of a workflow file, each as soon as those it needs have ended. */
export async function runJobs(
  file: FileState,
): Promise<readonly (readonly [id: string, finished: Finished])[]> {
  const jobs = mapAt(file.workflow, 'jobs');
  const started = new Map<string, Promise<Finished>>();
  const start = (id: string): Promise<Finished> => {
    const running = started.get(id) ?? whenNeeded(id);
    started.set(id, running);
    return running;
  };
  const whenNeeded = async (id: string): Promise<Finished> => {
    const spec = mapAt(jobs, id);
    const names = listAt(spec, 'needs').map(wordOf);
    const needs = await Promise.all(names.map(async (name) => [name, await start(name)] as const));
    return runWithNeeds(file, id, spec, Object.fromEntries(needs));
  };
  return Promise.all(Object.keys(jobs).map(async (id) => [id, await start(id)] as const));
}

async function runWithNeeds(file: FileState, id: string, spec: TreeMap, needs: Needs): Promise<Finished> {
  const before = Object.values(needs).flatMap(({ ancestry }) => ancestry);
  const scope = jobScope(file, needs, statusAfter(before, file.cancel.aborted));
  const finished = (runs: readonly JobRun[], result: Conclusion): Finished => ({
    result,
    outputs: Object.assign({}, ...runs.map(({ outputs }) => outputs)) as Record<string, string>,
    ancestry: [...before, result],
    runs,
  });
  if (!holds(spec['if'], scope)) {
    const conclusion = file.cancel.aborted ? 'cancelled' : 'skipped';
    return finished([notRun(file, id, conclusion)], conclusion);
  }
  const runs = await runAll(file, id, spec, scope);
  return finished(
    runs,
    overall(runs.filter(({ tolerated }) => !tolerated).map(({ conclusion }) => conclusion)),
  );
}

function jobScope(file: FileState, needs: Needs, status: Status): Scope {
  const seen = Object.entries(needs).map(([id, { result, outputs }]) => [id, { result, outputs }]);
  const { github, vars } = file.run;
  return {
    status,
    contexts: {
      github,
      vars,
      inputs: file.inputs,
      secrets: file.secrets,
      needs: Object.fromEntries(seen) as object,
    },
  };
}

/** success() holds only when all jobs before succeeded, failure() when one failed: also those that are needed indirectly. */
function statusAfter(before: readonly Conclusion[], cancelled: boolean): Status {
  if (cancelled) return 'cancelled';
  if (before.includes('failure')) return 'failure';
  return before.every((result) => result === 'success') ? 'success' : 'skipped';
}

/** How several jobs together ended. */
export function overall(conclusions: readonly Conclusion[]): Conclusion {
  if (conclusions.includes('failure')) return 'failure';
  if (conclusions.includes('cancelled')) return 'cancelled';
  return conclusions.length > 0 && conclusions.every((one) => one === 'skipped') ? 'skipped' : 'success';
}

function notRun(file: FileState, id: string, conclusion: Conclusion): JobRun {
  return { id, name: file.prefix + id, conclusion, outputs: {}, steps: [], annotations: [], seconds: 0 };
}

/** A job's run; `tolerated` when `continue-on-error` keeps its failure from counting. */
export type Counted = JobRun & { readonly tolerated?: boolean };

/** Runs the job, or every job of its matrix: side by side, up to `max-parallel`. */
async function runAll(file: FileState, id: string, spec: TreeMap, scope: Scope): Promise<Counted[]> {
  const strategy = resolve(mapAt(spec, 'strategy'), scope) as {
    matrix?: unknown;
    'fail-fast'?: boolean;
    'max-parallel'?: number;
  };
  const rows: Combination[] = strategy.matrix === undefined ? [{}] : combinations(strategy.matrix);
  const failFast = strategy['fail-fast'] ?? true;
  const parallel = strategy['max-parallel'] ?? rows.length;
  const stop = new AbortController();
  const cancel = AbortSignal.any([file.cancel, stop.signal]);
  const runs: Counted[][] = [];
  const queue = rows.map((matrix, index) => async () => {
    const context = {
      matrix,
      'job-index': index,
      'job-total': rows.length,
      'fail-fast': failFast,
      'max-parallel': parallel,
    };
    runs[index] = await runOne({ ...file, cancel }, id, spec, {
      ...scope.contexts,
      matrix,
      strategy: context,
    });
    if (failFast && runs[index].some(({ conclusion, tolerated }) => conclusion === 'failure' && !tolerated)) {
      stop.abort('a job of its matrix failed');
    }
  });
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) await next();
  };
  await Promise.all(Array.from({ length: Math.min(parallel, rows.length) }, worker));
  return runs.flat();
}

async function runOne(
  file: FileState,
  id: string,
  spec: TreeMap,
  contexts: Scope['contexts'],
): Promise<Counted[]> {
  const scope: Scope = { contexts, status: 'success' };
  const given = spec['name'] === undefined ? '' : textOf(spec['name'], scope);
  const name = file.prefix + (given || matrixName(id, contexts['matrix'] as Combination));
  if ('uses' in spec) return runCalled(file, spec, name, scope);
  return [await runJob(file, { id, name, spec, contexts })];
}

/** Runs the workflow that a job calls: one of the same repository. */
async function runCalled(file: FileState, spec: TreeMap, name: string, scope: Scope): Promise<Counted[]> {
  const uses = wordOf(spec['uses']);
  if (!uses.startsWith('./')) throw unsupported(`uses: ${uses}`);
  if ('concurrency' in spec) throw unsupported(`concurrency of the job that calls ${uses}`);
  const workflow = await readWorkflow(`${file.run.repository}/${uses.slice(2)}`);
  assertSupported(workflow, file.run);
  const on = mapAt(workflow, 'on');
  if (!('workflow_call' in on)) throw new UserError(`${uses} can't be called: it has no on.workflow_call`);
  const call = mapAt(on, 'workflow_call');
  const given = resolve(mapAt(spec, 'with'), scope) as Record<string, string>;
  const called: FileState = {
    ...file,
    workflow,
    prefix: `${name} / `,
    permissions: permissionsOf(
      file.workflow['permissions'],
      spec['permissions'],
      file.run.fork,
      file.permissions,
    ),
    inputs: inputsOf(mapAt(call, 'inputs'), given, uses),
    secrets: isMap(spec['secrets'])
      ? { ...githubToken(file), ...textsOf(spec['secrets'], scope) }
      : spec['secrets'] === 'inherit'
        ? file.secrets
        : githubToken(file),
  };
  const jobs = await runJobs(called);
  return withOutputs(jobs, mapAt(call, 'outputs'), scope);
}

function githubToken({ secrets }: FileState): Record<string, string> {
  return secrets['GITHUB_TOKEN'] === undefined ? {} : { GITHUB_TOKEN: secrets['GITHUB_TOKEN'] };
}

/** Gives the last of the called jobs the outputs of the call, for those who need it. */
function withOutputs(
  jobs: Awaited<ReturnType<typeof runJobs>>,
  declared: TreeMap,
  { contexts }: Scope,
): Counted[] {
  const seen = jobs.map(([id, { result, outputs }]) => [id, { result, outputs }]);
  const scope: Scope = {
    contexts: { ...contexts, jobs: Object.fromEntries(seen) as object },
    status: 'success',
  };
  const values = Object.keys(declared).map((name) => [
    name,
    textOf(mapAt(declared, name)['value'] ?? '', scope),
  ]);
  const runs = jobs.flatMap(([, finished]) => finished.runs);
  return runs.map((run, index) => ({
    ...run,
    outputs: index === runs.length - 1 ? (Object.fromEntries(values) as Record<string, string>) : {},
  }));
}
