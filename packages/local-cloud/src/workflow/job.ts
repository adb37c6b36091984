import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { messageOf } from '@perlstack/stack';
import { permissionsOf } from '../github/permissions.js';
import { evaluate, resolve, type Scope, textOf, textsOf } from './expressions.js';
import type { Counted } from './jobs.js';
import { killMarked } from './process.js';
import type { Annotation, Conclusion, StepRun } from './results.js';
import { type FileState, type Frame, type JobState, scopeOf, withToken } from './state.js';
import { makeFolders, minutesOf, type Prepared, runPres, runSteps } from './steps.js';
import { Expression, isMap, listAt, mapAt, type Tree, type TreeMap } from './tree.js';

export interface JobRequest {
  readonly id: string;
  readonly name: string;
  readonly spec: TreeMap;
  /** `github`, `needs`, `matrix`, `strategy`, `inputs`, … */
  readonly contexts: Scope['contexts'];
}

/** What a cancelled job's always() steps and posts get at the most, as on GitHub. */
const CANCELLED_JOB_MS = 5 * 60_000;

/** Runs one job: waits for its concurrency group, runs pre, main and post of its steps, and cleans up after it. */
export async function runJob(file: FileState, request: JobRequest): Promise<Counted> {
  const began = performance.now();
  const { spec, id, name, contexts } = request;
  const scope: Scope = { contexts, status: 'success' };
  const stop = new AbortController();
  const annotations: Annotation[] = [];
  const cancel = (message: string): void => {
    annotations.push({ level: 'error', message });
    stop.abort(message);
  };
  const signal = AbortSignal.any([file.cancel, stop.signal]);
  const base = { id, name, annotations };
  const leave = await enter(file, spec, scope, signal, cancel);
  const seconds = (): number => (performance.now() - began) / 1_000;
  if (!leave) return { ...base, conclusion: 'cancelled', outputs: {}, steps: [], seconds: seconds() };
  const timer = limit(spec, scope, name, cancel);
  const deadline = deadlineAfter(signal);
  try {
    const job = newJob(file, request, signal, deadline.signal);
    const outcome = await perform(job, spec, annotations);
    return {
      ...base,
      ...outcome,
      steps: masked(job),
      tolerated: isTolerant(spec, scope),
      seconds: seconds(),
    };
  } catch (error) {
    annotations.push({ level: 'error', message: file.run.masker.mask(messageOf(error)) });
    return { ...base, conclusion: 'failure', outputs: {}, steps: [], seconds: seconds() };
  } finally {
    clearTimeout(timer);
    deadline.release();
    leave();
  }
}

/** Waits for the job's concurrency group; `undefined` when it was cancelled meanwhile. */
export async function enter(
  { run }: Pick<FileState, 'run'>,
  spec: TreeMap,
  scope: Scope,
  signal: AbortSignal,
  cancel: (message: string) => void,
): Promise<(() => void) | undefined> {
  const asked = resolve(spec['concurrency'] ?? null, scope);
  if (asked === null) return () => undefined;
  const settings = (typeof asked === 'object' ? asked : { group: asked }) as Record<string, unknown>;
  const entry = {
    group: String(settings['group']),
    cancelInProgress: settings['cancel-in-progress'] === true,
    queue: settings['queue'] === 'max' ? ('max' as const) : ('single' as const),
    cancel,
  };
  return run.groups.enter(entry, signal);
}

function limit(
  spec: TreeMap,
  scope: Scope,
  name: string,
  cancel: (message: string) => void,
): NodeJS.Timeout | undefined {
  const minutes = minutesOf(spec, scope);
  if (minutes === undefined) return undefined;
  const message = `The job ${name} has exceeded the maximum execution time of ${minutes} minutes.`;
  return setTimeout(() => cancel(message), minutes * 60_000);
}

function deadlineAfter(cancel: AbortSignal): { signal: AbortSignal; release(): void } {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    timer = setTimeout(() => abort.abort(), CANCELLED_JOB_MS);
  };
  if (cancel.aborted) arm();
  else cancel.addEventListener('abort', arm, { once: true });
  const release = (): void => {
    clearTimeout(timer);
    cancel.removeEventListener('abort', arm);
  };
  return { signal: abort.signal, release };
}

const textIn = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The token of one job, with what its `permissions:` allow. */
function tokenFor({ run, workflow, permissions }: FileState, spec: TreeMap): string {
  if (!run.jobToken) return textIn(run.github['token']);
  const token = run.jobToken(
    permissionsOf(workflow['permissions'], spec['permissions'], run.fork, permissions),
  );
  run.masker.add(token);
  return token;
}

function newJob(file: FileState, request: JobRequest, cancel: AbortSignal, deadline: AbortSignal): JobState {
  const { id, name, spec } = request;
  const token = tokenFor(file, spec);
  const contexts = { ...request.contexts, github: { ...file.run.github, token } };
  const folder = join(
    file.run.folder,
    `${name.replace(/[^A-Za-z0-9._-]+/g, '-')}-${randomUUID().slice(0, 8)}`,
  );
  const repository = String(file.run.github['repository']).split('/').at(-1) ?? 'repository';
  const folders = {
    workspace: join(folder, repository, repository),
    temp: join(folder, '_temp'),
    home: join(folder, 'home'),
  };
  makeFolders(folders);
  const withEnv = (outer: Record<string, string>, env: Tree | undefined): Record<string, string> =>
    isMap(env)
      ? {
          ...outer,
          ...textsOf(env, {
            contexts: { ...contexts, secrets: withToken(file.secrets, token), env: outer },
            status: 'success',
          }),
        }
      : outer;
  const defaults = {
    ...mapAt(mapAt(file.workflow, 'defaults'), 'run'),
    ...mapAt(mapAt(spec, 'defaults'), 'run'),
  };
  return {
    file,
    id,
    name,
    ...folders,
    env: { ...withEnv(withEnv({}, file.workflow['env']), spec['env']) },
    paths: [],
    defaults: { run: defaults },
    token,
    contexts,
    tracking: ['RUNNER_TRACKING_ID', `github_${randomUUID()}`],
    cancel,
    deadline,
    posts: [],
    results: [],
  };
}

interface Performed {
  readonly conclusion: Conclusion;
  readonly outputs: Readonly<Record<string, string>>;
  readonly environment?: { readonly name: string; readonly url: string };
}

async function perform(job: JobState, spec: TreeMap, annotations: Annotation[]): Promise<Performed> {
  const root: Frame = { job, steps: {}, inputs: job.file.inputs, env: {}, cancel: job.cancel, failed: false };
  const steps = listAt(spec, 'steps') as readonly TreeMap[];
  const prepared: Prepared = new Map();
  const leave = enterEnvironment(job, spec['environment'], scopeOf(root));
  try {
    await runPres(root, steps, prepared);
    await runSteps(root, steps, prepared);
    for (let post = job.posts.pop(); post; post = job.posts.pop()) await post(root);
  } finally {
    killMarked(job.tracking.join('='));
  }
  const scope = scopeOf(root);
  const environment =
    spec['environment'] === undefined ? {} : { environment: environmentOf(spec['environment'], scope) };
  const conclusion = job.cancel.aborted ? 'cancelled' : root.failed ? 'failure' : 'success';
  leave?.(conclusion, environment.environment?.url ?? '');
  return { conclusion, outputs: outputsOf(job, mapAt(spec, 'outputs'), scope, annotations), ...environment };
}

function enterEnvironment({ file: { run } }: JobState, spec: Tree | undefined, scope: Scope) {
  if (spec === undefined || (isMap(spec) && spec['deployment'] === false)) return undefined;
  const { server_url: server, repository, run_id: id } = run.github as Readonly<Record<string, string>>;
  const name = isMap(spec) ? textOf(spec['name'] ?? '', scope) : textOf(spec, scope);
  return run.onEnvironment?.(name, `${server}/${repository}/actions/runs/${id}`);
}

/** A job's outputs; GitHub leaves out what may hold a secret, and so does this. */
function outputsOf(
  job: JobState,
  declared: TreeMap,
  scope: Scope,
  annotations: Annotation[],
): Record<string, string> {
  const outputs: Record<string, string> = {};
  for (const [name, text] of Object.entries(textsOf(declared, scope))) {
    if (job.file.run.masker.covers(text)) {
      annotations.push({ level: 'warning', message: `Skip output '${name}' since it may contain secret.` });
    } else {
      outputs[name] = text;
    }
  }
  return outputs;
}

function environmentOf(environment: Tree, scope: Scope): { name: string; url: string } {
  if (!isMap(environment)) return { name: textOf(environment, scope), url: '' };
  return { name: textOf(environment['name'] ?? '', scope), url: textOf(environment['url'] ?? '', scope) };
}

function isTolerant(spec: TreeMap, scope: Scope): boolean {
  const value = spec['continue-on-error'];
  return value instanceof Expression ? evaluate(value, scope) === true : value === true;
}

/** The steps as they are shown: with their outputs masked. */
function masked({ results, file }: JobState): StepRun[] {
  const mask = (text: string): string => file.run.masker.mask(text);
  return results.map((step) => ({
    ...step,
    name: mask(step.name),
    outputs: Object.fromEntries(Object.entries(step.outputs).map(([name, value]) => [name, mask(value)])),
  }));
}
