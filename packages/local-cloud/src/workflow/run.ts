import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve as absolute } from 'node:path';
import type { Permissions } from '../github/permissions.js';
import { ArtifactStore } from './artifacts.js';
import { groupsOf } from './concurrency.js';
import { isFromFork, pullRequestIn, type Trigger, triggerOf } from './events.js';
import { textOf } from './expressions.js';
import { enter } from './job.js';
import { overall, runJobs } from './jobs.js';
import { Masker } from './masks.js';
import { readWorkflow } from './parser.js';
import { type CancelGrace, GITHUB_GRACE } from './process.js';
import type { OutputLine, WorkflowRun } from './results.js';
import type { EnterEnvironment, FileState, RunState } from './state.js';
import { assertSupported } from './support.js';
import { type TreeMap, wordOf } from './tree.js';

export interface WorkflowOptions {
  /** The workflow file. */
  readonly file: string;
  /** The folder that a checkout copies. */
  readonly repository: string;
  /** `push`, `workflow_dispatch`, `schedule`, `pull_request`, or any other that the workflow listens to. */
  readonly event: string;
  /** More for `github.event`; all of it for a pull request (`pullRequestPayload`). */
  readonly payload?: Readonly<Record<string, unknown>>;
  /** The inputs of a dispatch. */
  readonly inputs?: Readonly<Record<string, string | boolean | number>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly vars?: Readonly<Record<string, string>>;
  /** Makes the token of a job, `github.token`, with what its `permissions:` allow. */
  readonly jobToken?: (permissions: Permissions) => string;
  /**
   * Told that a job with an `environment:` begins, unless it says `deployment: false`; what it returns is called at the job's
   * end. GitHub makes a deployment of it.
   */
  readonly onEnvironment?: EnterEnvironment;
  /** Variables of the machine for all processes (`LINODE_API_URL`); they are stronger than the runner's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Parts of the `github` context that are to differ: `ref`, `sha`, `repository`, `actor`, … */
  readonly github?: Readonly<Record<string, string>>;
  /** The node that runs actions; default: the one that runs this. */
  readonly nodePath?: string;
  /** Where runs keep their folders; default: a new folder for temporary files. */
  readonly workspaceRoot?: string;
  /** Folders for prefixes of `uses`: `{ 'acme/perlstack/actions/': '/repo/actions' }`. */
  readonly actions?: Readonly<Record<string, string>>;
  /** Words before the argv of every process: `['ip', 'netns', 'exec', NAME]`. */
  readonly processPrefix?: readonly string[];
  readonly onOutput?: (line: OutputLine) => void;
  /** Cancels the run as GitHub does. */
  readonly signal?: AbortSignal;
  /** Shorter times than GitHub's between the signals of a cancel, for tests. */
  readonly cancelGrace?: CancelGrace;
}

/** What of the outer machine's environment its processes get. */
const INHERITED = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'USER', 'LOGNAME', 'SHELL'];

/**
 * Runs a workflow file on this machine: its jobs side by side, each step a process of its own, as GitHub's runner
 * would. A failing workflow is a result, not an error.
 *
 * @throws UserError when the file or the event is wrong, or anything in it is not supported here
 */
export async function runWorkflow(options: WorkflowOptions): Promise<WorkflowRun> {
  const began = performance.now();
  const workflow = await readWorkflow(options.file);
  assertSupported(workflow, { repository: options.repository, actions: options.actions ?? {} });
  const stop = new AbortController();
  const cancel = AbortSignal.any([...(options.signal ? [options.signal] : []), stop.signal]);
  const { run, trigger, id } = newRun(options, workflow, cancel);
  const name = wordOf(workflow['name']) || basename(options.file);
  const secrets = run.fork ? {} : (options.secrets ?? {});
  const file: FileState = { run, workflow, inputs: trigger.inputs, secrets, prefix: '', cancel };
  const scope = {
    contexts: { github: run.github, inputs: trigger.inputs, vars: run.vars },
    status: 'success' as const,
  };
  const title =
    workflow['run-name'] === undefined ? name : run.masker.mask(textOf(workflow['run-name'], scope));
  const result = { id, name, title, artifacts: run.artifacts.folder };
  const leave = await enter(file, workflow, scope, cancel, (reason) => stop.abort(reason));
  const seconds = (): number => (performance.now() - began) / 1_000;
  if (!leave) return { ...result, conclusion: 'cancelled', jobs: [], seconds: seconds() };
  try {
    const jobs = await runJobs(file);
    const conclusion = cancel.aborted ? 'cancelled' : overall(jobs.map(([, finished]) => finished.result));
    return { ...result, conclusion, jobs: jobs.flatMap(([, finished]) => finished.runs), seconds: seconds() };
  } finally {
    leave();
  }
}

let lastRunId = 0;

function newRun(
  options: WorkflowOptions,
  workflow: TreeMap,
  cancel: AbortSignal,
): { run: RunState; trigger: Trigger; id: number } {
  const id = (lastRunId = Math.max(lastRunId + 1, Date.now()));
  const repository = absolute(options.repository);
  const facts = githubFacts(options, workflow, id, repository);
  const ref = facts['ref'] ?? '';
  const { payload = {}, inputs = {}, event } = options;
  const changedFiles = (): string[] => filesOf(repository, payload);
  const trigger = triggerOf(workflow, { event, payload, inputs, ref, changedFiles });
  const root = options.workspaceRoot ?? mkdtempSync(join(tmpdir(), 'perlstack-workflow-'));
  const folder = join(root, `run-${id}`);
  mkdirSync(folder, { recursive: true });
  const eventPath = join(folder, 'event.json');
  writeFileSync(eventPath, JSON.stringify(trigger.payload));
  const github = { ...facts, event: trigger.payload, event_path: eventPath };
  const runName = workflow['run-name'];
  const contexts = { github, inputs: trigger.inputs, vars: options.vars ?? {} };
  if (runName !== undefined)
    Object.assign(github, { run_name: textOf(runName, { contexts, status: 'success' }) });
  const run: RunState = {
    folder,
    repository,
    nodePath: options.nodePath ?? process.execPath,
    processPrefix: options.processPrefix ?? [],
    actions: options.actions ?? {},
    env: { ...inherited(), ...options.env },
    github,
    eventPath,
    vars: options.vars ?? {},
    masker: new Masker(Object.values(options.secrets ?? {})),
    artifacts: new ArtifactStore(join(folder, 'artifacts')),
    groups: groupsOf(repository),
    grace: options.cancelGrace ?? GITHUB_GRACE,
    cancel,
    emit: (line) => options.onOutput?.(line),
    jobToken: options.jobToken,
    onEnvironment: options.onEnvironment,
    fork: isFromFork(event, payload),
  };
  return { run, trigger, id };
}

function inherited(): Record<string, string> {
  return Object.fromEntries(
    INHERITED.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
}

/** The `github` context, but for the event and what differs between jobs. */
function githubFacts(
  { event, env = {}, github = {}, secrets = {}, payload = {}, file }: WorkflowOptions,
  workflow: TreeMap,
  id: number,
  folder: string,
): Record<string, string> {
  const pull = pullRequestIn(payload);
  const repository = github['repository'] ?? pull?.base.repo.full_name ?? `local/${basename(folder)}`;
  const ref = github['ref'] ?? (pull ? `refs/pull/${pull.number}/merge` : 'refs/heads/main');
  const server = github['server_url'] ?? env['GITHUB_SERVER_URL'] ?? 'https://github.com';
  return {
    workflow: wordOf(workflow['name']) || basename(file),
    workflow_ref: `${repository}/.github/workflows/${basename(file)}@${ref}`,
    run_id: String(id),
    run_number: '1',
    run_attempt: '1',
    event_name: event,
    actor: 'local',
    triggering_actor: 'local',
    repository,
    repository_owner: repository.split('/')[0] ?? '',
    ref,
    ref_name: ref.replace(/^refs\/(heads|tags|pull)\//, ''),
    ref_type: ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    sha: github['sha'] ?? headOf(folder),
    base_ref: pull?.base.ref ?? '',
    head_ref: pull?.head.ref ?? '',
    server_url: server,
    api_url: env['GITHUB_API_URL'] ?? 'https://api.github.com',
    graphql_url: env['GITHUB_GRAPHQL_URL'] ?? 'https://api.github.com/graphql',
    token: secrets['GITHUB_TOKEN'] ?? '',
    ...github,
  };
}

/** The files in which the head of a pull request differs from where it left its base. */
function filesOf(repository: string, payload: Readonly<Record<string, unknown>>): string[] {
  const pull = pullRequestIn(payload);
  if (!pull) return [];
  const range = `${pull.base.sha}...${pull.head.sha}`;
  const argv = ['-c', 'safe.directory=*', 'diff', '--name-only', '-z', range];
  return execFileSync('git', argv, { cwd: repository, encoding: 'utf8' }).split('\0').filter(Boolean);
}

/** The commit that a repository stands at; zeros where there is none. */
function headOf(folder: string): string {
  try {
    const argv = ['-c', 'safe.directory=*', 'rev-parse', '--verify', 'HEAD'];
    return execFileSync('git', argv, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '0'.repeat(40);
  }
}
