import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { PROJECT } from './user-repository.js';

/** A process of a step, once it has ended. */
export interface Ended {
  readonly code: number | null;
  /** Both streams, without the lines that tell the runner what to mask: those it swallows. */
  readonly output: string;
  readonly masks: readonly string[];
}

/** The process of a step while it runs. */
export interface Running {
  readonly ended: Promise<Ended>;
  /** Waits until it has said something. @throws when it ended without */
  until(pattern: RegExp): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** An `::error` line: what is shown at the file, and in the list of a run's annotations. */
export interface ErrorLine {
  readonly message: string;
  /** `title=provision-linode-tier,file=perlstack.yml,line=3,col=9` */
  readonly properties: string;
}

export interface StepOptions {
  /** Beside what a runner sets. */
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the argv of the process. */
  readonly prefix?: readonly string[];
}

const FILES = ['OUTPUT', 'STATE', 'STEP_SUMMARY', 'ENV', 'PATH'] as const;

/** A step that uses a bundled action, with a workspace and the runner's files around it. */
export class ActionStep {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'perlstack-step-'));
  readonly #action: string;
  readonly #prefix: readonly string[];
  readonly #env: Record<string, string> = {};
  /** Where the repository is checked out, and where the process works. */
  readonly workspace = this.#make('workspace');
  readonly #temp = this.#make('temp');
  readonly #runner = this.#make('runner');

  constructor(
    action: string,
    inputs: Readonly<Record<string, string>>,
    { env = {}, prefix = [] }: StepOptions = {},
  ) {
    this.#action = action;
    this.#prefix = prefix;
    Object.assign(this.#env, {
      ...{ PATH: process.env['PATH'] ?? '', HOME: this.#folder, RUNNER_TEMP: this.#temp },
      ...{ GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: this.workspace },
      ...{ GITHUB_REPOSITORY: 'acme/shop', GITHUB_RUN_ID: '1' },
      ...env,
    });
    for (const [name, value] of Object.entries(inputs)) this.#env[`INPUT_${name.toUpperCase()}`] = value;
    for (const name of FILES) {
      this.#env[`GITHUB_${name}`] = path.join(this.#runner, name);
      writeFileSync(path.join(this.#runner, name), '');
    }
  }

  #make(name: string): string {
    const folder = path.join(this.#folder, name);
    return mkdtempSync(`${folder}-`);
  }

  /** Whether the runner calls the action once more when the job ends. */
  get hasPost(): boolean {
    return /^\s+post: /m.test(
      readFileSync(path.join(PROJECT, 'actions', this.#action, 'action.yml'), 'utf8'),
    );
  }

  write(name: string, content: string | Buffer): void {
    writeFileSync(path.join(this.workspace, name), content);
  }

  run(phase: 'main' | 'post' = 'main'): Promise<Ended> {
    return this.start(phase).ended;
  }

  start(phase: 'main' | 'post' = 'main'): Running {
    const bundle = path.join(PROJECT, 'actions', this.#action, 'dist/index.js');
    const [command = '', ...args] = [...this.#prefix, process.execPath, bundle];
    const env = phase === 'main' ? this.#env : { ...this.#env, ...this.#state() };
    const child = spawn(command, args, { cwd: this.workspace, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<number | null>((resolve, reject) =>
      child.on('error', reject).on('close', resolve),
    );
    const said = collect(child.stdout);
    return {
      ended: endOf(ended, said.all, text(child.stderr)),
      until: (pattern) => said.until(pattern),
      kill: (signal) => void child.kill(signal),
    };
  }

  #state(): Record<string, string> {
    const entries = Object.entries(this.entries('STATE'));
    return Object.fromEntries(entries.map(([name, value]) => [`STATE_${name}`, value]));
  }

  /** What one of the runner's files holds. */
  runnerFile(name: (typeof FILES)[number]): string {
    return readFileSync(path.join(this.#runner, name), 'utf8');
  }

  /** The entries of a file of the form `name<<delimiter`. */
  entries(name: 'OUTPUT' | 'STATE'): Record<string, string> {
    const matches = this.runnerFile(name).matchAll(/^(.+)<<(ghadelimiter_.+)\n([^]*?)\n\2$/gm);
    return Object.fromEntries([...matches].map(([, key = '', , value = '']) => [key, value]));
  }

  /** Everything that the step wrote or could write, but for its workspace: the runner's files and those in its temp folder. */
  written(): Record<string, string> {
    const of = (folder: string): [string, string][] =>
      readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]);
    return Object.fromEntries([...of(this.#runner), ...of(this.#temp)]);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

function collect(stream: Readable) {
  let all = '';
  const heard = new EventEmitter();
  const ended = new Promise<string>((resolve, reject) => {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      all += chunk;
      heard.emit('more');
    });
    stream.on('error', reject).on('end', () => resolve(all));
  });
  const until = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(all)) {
      const more = await Promise.race([once(heard, 'more'), ended.then(() => null)]);
      if (more === null && !pattern.test(all)) throw new Error(`it never said ${pattern.source}:\n${all}`);
    }
  };
  return { all: ended, until };
}

async function endOf(ended: Promise<number | null>, ...streams: readonly Promise<string>[]): Promise<Ended> {
  const [code, ...texts] = await Promise.all([ended, ...streams]);
  const lines = texts.join('').split('\n');
  const isMask = (line: string): boolean => line.startsWith('::add-mask::');
  return {
    code,
    output: lines.filter((line) => !isMask(line)).join('\n'),
    masks: lines.filter(isMask).map((line) => unescape(line.slice('::add-mask::'.length))),
  };
}

/** The `::error` lines of an output. */
export function errorsIn(output: string): ErrorLine[] {
  return [...output.matchAll(/^::error ?(.*?)::(.*)$/gm)].map(([, properties = '', message = '']) => ({
    properties,
    message: unescape(message),
  }));
}

const unescape = (text: string): string =>
  text.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%');
