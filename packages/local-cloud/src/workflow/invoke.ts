import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '@perlstack/stack';
import { runProcess } from './process.js';
import { parseEntries } from './runner-files.js';
import { type Frame, githubVariables } from './state.js';
import type { StepLog } from './step-log.js';

const FILES = ['OUTPUT', 'STATE', 'ENV', 'PATH', 'STEP_SUMMARY'] as const;
type FileName = (typeof FILES)[number];

/** GitHub refuses a larger summary of a step as a whole. */
const LARGEST_SUMMARY = 1024 * 1024;

export interface Invocation {
  readonly argv: readonly string[];
  readonly cwd: string;
  /** The step's own variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: StepLog;
  readonly cancel: AbortSignal;
}

export interface Invoked {
  readonly code: number;
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  readonly summary: string;
}

/**
 * Runs one process of a step with the runner's files, and takes over what it wrote to them.
 *
 * @throws UserError when a file is not well formed, or the output holds a command that is not supported
 */
export async function invoke(frame: Frame, { argv, cwd, env, log, cancel }: Invocation): Promise<Invoked> {
  const { run } = frame.job.file;
  const files = new RunnerFiles(join(frame.job.temp, '_runner_file_commands'));
  try {
    const code = await runProcess([...run.processPrefix, ...argv], {
      cwd,
      env: { ...environment(frame), ...env, ...files.variables },
      onLine: log.line,
      cancel,
      grace: run.grace,
    });
    if (log.fault) throw log.fault;
    takeEnvironment(frame, files);
    const [outputs, state] = [files.entries('OUTPUT'), files.entries('STATE')];
    return {
      code,
      outputs,
      state,
      summary: summaryOf(files.text('STEP_SUMMARY'), log, run.masker.mask.bind(run.masker)),
    };
  } finally {
    files.remove();
  }
}

function environment(frame: Frame): Record<string, string> {
  const { job } = frame;
  const env = { ...job.file.run.env, ...job.env, ...frame.env };
  const path = [...job.paths, env['PATH'] ?? ''].join(':');
  const action = frame.actionPath ? { GITHUB_ACTION_PATH: frame.actionPath } : {};
  return { HOME: job.home, ...githubVariables(job), ...action, ...env, PATH: path };
}

/** What the process set for later steps; GitHub keeps its own variables, and Node's options, out of reach. */
function takeEnvironment({ job }: Frame, files: RunnerFiles): void {
  const entries = Object.entries(files.entries('ENV'));
  const refused = entries.find(([name]) => name.toUpperCase() === 'NODE_OPTIONS');
  if (refused) throw new UserError(`GITHUB_ENV: ${refused[0]} can't be set`);
  for (const [name, value] of entries) {
    if (!/^(GITHUB|RUNNER)_/.test(name)) job.env[name] = value;
  }
  job.paths.unshift(...files.text('PATH').split('\n').filter(Boolean).reverse());
}

function summaryOf(text: string, log: StepLog, mask: (text: string) => string): string {
  const size = Buffer.byteLength(text);
  if (size <= LARGEST_SUMMARY) return mask(text);
  const limit = `up to a size of 1024k, got ${Math.ceil(size / 1024)}k`;
  log.annotate('error', `$GITHUB_STEP_SUMMARY upload aborted, supports content ${limit}`);
  return '';
}

class RunnerFiles {
  readonly #paths: Record<FileName, string>;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    const id = randomUUID();
    const path = (name: FileName): string => join(folder, `${name.toLowerCase()}_${id}`);
    this.#paths = {
      OUTPUT: path('OUTPUT'),
      STATE: path('STATE'),
      ENV: path('ENV'),
      PATH: path('PATH'),
      STEP_SUMMARY: path('STEP_SUMMARY'),
    };
    FILES.forEach((name) => writeFileSync(this.#paths[name], ''));
  }

  get variables(): Record<string, string> {
    return Object.fromEntries(FILES.map((name) => [`GITHUB_${name}`, this.#paths[name]]));
  }

  text(name: FileName): string {
    try {
      return readFileSync(this.#paths[name], 'utf8');
    } catch {
      return '';
    }
  }

  entries(name: FileName): Record<string, string> {
    return parseEntries(this.text(name), `GITHUB_${name}`);
  }

  remove(): void {
    FILES.forEach((name) => rmSync(this.#paths[name], { force: true }));
  }
}
