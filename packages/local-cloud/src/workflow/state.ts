import type { Permissions } from '../github/permissions.js';
import type { ArtifactStore } from './artifacts.js';
import type { ConcurrencyGroups } from './concurrency.js';
import type { Scope, Status } from './expressions.js';
import type { Masker } from './masks.js';
import type { CancelGrace } from './process.js';
import type { Conclusion, OutputLine, StepRun } from './results.js';
import type { TreeMap } from './tree.js';

/** @param runUrl the page of the run; `leave` is told how the job ended, and where the environment is visited */
export type EnterEnvironment = (
  name: string,
  runUrl: string,
) => (conclusion: Conclusion, environmentUrl: string) => void;

/** What all jobs of a run share. */
export interface RunState {
  /** The folder of this run, of nobody else. */
  readonly folder: string;
  /** The repository whose workflow runs. */
  readonly repository: string;
  readonly nodePath: string;
  readonly processPrefix: readonly string[];
  readonly actions: Readonly<Record<string, string>>;
  /** Variables of the machine that all processes get. */
  readonly env: Readonly<Record<string, string>>;
  readonly github: Readonly<Record<string, unknown>>;
  readonly eventPath: string;
  readonly vars: Readonly<Record<string, string>>;
  readonly masker: Masker;
  readonly artifacts: ArtifactStore;
  readonly groups: ConcurrencyGroups;
  readonly grace: CancelGrace;
  readonly cancel: AbortSignal;
  readonly emit: (line: OutputLine) => void;
  /** Makes the token of a job; without it all jobs have the secret GITHUB_TOKEN, if there is one. */
  readonly jobToken: ((permissions: Permissions) => string) | undefined;
  readonly onEnvironment: EnterEnvironment | undefined;
  /** A pull request from a fork. */
  readonly fork: boolean;
}

/** One workflow file in a run: the one that was started, or one that it calls. */
export interface FileState {
  readonly run: RunState;
  readonly workflow: TreeMap;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** What stands before the names of its jobs when it was called. */
  readonly prefix: string;
  /** What the job that calls it may do, which is the most that its own jobs may. */
  readonly permissions?: Permissions;
  readonly cancel: AbortSignal;
}

export interface StepEntry {
  readonly outputs: Readonly<Record<string, string>>;
  readonly outcome: Conclusion;
  readonly conclusion: Conclusion;
}

/** One job while it runs. */
export interface JobState {
  readonly file: FileState;
  readonly id: string;
  readonly name: string;
  readonly workspace: string;
  readonly temp: string;
  readonly home: string;
  /** Workflow and job `env`, then what steps wrote to GITHUB_ENV. */
  readonly env: Record<string, string>;
  /** What steps wrote to GITHUB_PATH, newest first. */
  readonly paths: string[];
  readonly defaults: TreeMap;
  /** `github.token`, of this job alone. */
  readonly token: string;
  /** `needs`, `strategy`, `matrix`. */
  readonly contexts: Readonly<Record<string, unknown>>;
  /** `NAME=value` in the environment of every process of this job, and of no other. */
  readonly tracking: readonly [name: string, value: string];
  /** Cancels the job: with the run, by its time limit, by its concurrency group or its matrix. */
  readonly cancel: AbortSignal;
  /** Some minutes after the cancel: nothing runs on, whatever its `if` says. */
  readonly deadline: AbortSignal;
  /** What is to run when all steps are through, last registered first. */
  readonly posts: ((root: Frame) => Promise<void>)[];
  readonly results: StepRun[];
}

/** A list of steps while it runs: a job's own, or those of a composite action. */
export interface Frame {
  readonly job: JobState;
  readonly steps: Record<string, StepEntry>;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Variables given to a composite action's step, which its own steps inherit. */
  readonly env: Readonly<Record<string, string>>;
  readonly cancel: AbortSignal;
  /** The folder of the composite action. */
  readonly actionPath?: string;
  failed: boolean;
}

export function statusOf(frame: Frame): Status {
  if (frame.cancel.aborted) return 'cancelled';
  return frame.failed ? 'failure' : 'success';
}

/** What an expression in a step sees. */
export function scopeOf(
  frame: Frame,
  stepEnv: Readonly<Record<string, string>> = {},
  status = statusOf(frame),
): Scope {
  const { job } = frame;
  const { run, secrets } = job.file;
  return {
    status,
    contexts: {
      ...job.contexts,
      github: {
        ...run.github,
        job: job.id,
        workspace: job.workspace,
        token: job.token,
        ...(frame.actionPath ? { action_path: frame.actionPath } : {}),
      },
      env: { ...job.env, ...frame.env, ...stepEnv },
      vars: run.vars,
      secrets: withToken(secrets, job.token),
      inputs: frame.inputs,
      job: { status },
      runner: runnerContext(job),
      steps: frame.steps,
    },
  };
}

/** The secrets of a job: its token is one of them. */
export function withToken(
  secrets: Readonly<Record<string, string>>,
  token: string,
): Readonly<Record<string, string>> {
  return token === '' ? secrets : { ...secrets, GITHUB_TOKEN: token };
}

function runnerContext({ temp, home }: JobState): Record<string, string> {
  const arch = process.arch === 'arm64' ? 'ARM64' : 'X64';
  return { os: 'Linux', arch, name: 'local', environment: 'self-hosted', temp, tool_cache: `${home}/tools` };
}

/** The variables that GitHub gives to every process of a job. */
export function githubVariables(job: JobState): Record<string, string> {
  const { run } = job.file;
  const facts = Object.entries({ ...run.github, job: job.id, workspace: job.workspace }).flatMap(
    ([key, value]) =>
      // The token and the event are given to those only who ask for them.
      key === 'token' || typeof value === 'object' ? [] : [[`GITHUB_${key.toUpperCase()}`, String(value)]],
  );
  const runner = Object.entries(runnerContext(job)).map(([key, value]) => [
    `RUNNER_${key.toUpperCase()}`,
    value,
  ]);
  const [tracking, id] = job.tracking;
  return {
    CI: 'true',
    GITHUB_ACTIONS: 'true',
    GITHUB_EVENT_PATH: run.eventPath,
    ...(Object.fromEntries([...facts, ...runner]) as Record<string, string>),
    [tracking]: id,
  };
}
