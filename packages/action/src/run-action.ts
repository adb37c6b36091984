import { setFlagsFromString } from 'node:v8';
import { messageOf, UserError } from '@perlstack/stack';
import { type Cancellation, exitCodeOf, onCancel } from './cancel.js';
import type { Declaration, InputsOf, OutputNames } from './declaration.js';
import { Cancelled, causesOf, isCancel, reportFailure } from './failures.js';
import { type Environment, readInputs, secretsIn } from './inputs.js';
import { type Log, logFor } from './log.js';
import { Redactor } from './masks.js';
import { Reporter, stepTable } from './reporter.js';
import { tellRunner } from './runner-commands.js';
import {
  hasRunner,
  newJournalPath,
  saveState,
  State,
  stateOf,
  writeOutput,
  writeSummary,
} from './runner-files.js';
import { isEmpty, renderSummary } from './summary.js';

/** What both faces of an action, main and post, are given. */
export interface PostContext<D extends Declaration> {
  readonly inputs: InputsOf<D>;
  readonly log: Log;
  readonly reporter: Reporter;
  /** Aborted, with a `Cancelled` as its reason, when the job is cancelled or Ctrl-C is pressed. */
  readonly signal: AbortSignal;
  /** Where main's journal is, for `fileJournal` and `openSteps`; the file need not exist. */
  readonly journal: string;
  /** Masks a secret that came to light during the run (a fetched password), in GitHub's log and in ours. */
  readonly mask: (secret: string) => void;
  /** A text that main saved for post, if it came so far. */
  readonly state: (name: string) => string | undefined;
}

export interface MainContext<D extends Declaration> extends PostContext<D> {
  /** Sets a declared output: text as it is, anything else as JSON. */
  readonly output: (name: OutputNames<D>, value: unknown) => void;
  /** Keeps a text for post, instead of an earlier one of that name; an empty one is as none. Never a secret. */
  readonly saveState: (name: string, value: string) => void;
}

export interface ActionDefinition<D extends Declaration> {
  /** The action's folder name, `rolling-deploy-starman`. */
  readonly name: string;
  readonly declaration: D;
  readonly main: (context: MainContext<D>) => Promise<void>;
  /** Puts back what a run that was cancelled or killed left. It never fails the job; what it throws is annotated. */
  readonly post?: (context: PostContext<D>) => Promise<void>;
}

/** An open connection must not keep a finished action from ending. */
const GRACE_MS = 2_000;

/**
 * Has V8 rather collect than grow, and keeps what is young in the heap from growing to 32 MB and more, which it does where much is made and soon thrown away: to sign
 * 40,000 URLs took a third less memory so, and no more time.
 */
const SMALL_HEAP = '--optimize-for-size --semi-space-growth-factor=1';

/**
 * Runs an action as the process it is in: main, or post when the runner calls the same bundle again. Ends with exit
 * code 0, 1 for a failure, or 130 and 143 when cancelled.
 */
export async function runAction<const D extends Declaration>(definition: ActionDefinition<D>): Promise<void> {
  setFlagsFromString(SMALL_HEAP);
  const run = new ActionRun(definition, process.env);
  process.on('uncaughtException', (error) => {
    run.fail(error);
    process.exit(1);
  });
  process.exitCode = await run.start();
  setTimeout(() => process.exit(), GRACE_MS).unref();
}

class ActionRun<D extends Declaration> {
  readonly #definition: ActionDefinition<D>;
  readonly #env: Environment;
  readonly #redactor = new Redactor();
  readonly #log: Log;
  readonly #reporter: Reporter;
  readonly #cancellation: Cancellation;
  readonly #saved: Record<string, string> = {};

  constructor(definition: ActionDefinition<D>, env: Environment) {
    this.#definition = definition;
    this.#env = env;
    this.#log = logFor(env, this.#redactor);
    this.#reporter = new Reporter(this.#log, definition.name);
    this.#cancellation = onCancel(!hasRunner(env));
    for (const secret of secretsIn(definition.declaration, env)) this.#mask(secret);
  }

  /** @returns the exit code */
  async start(): Promise<number> {
    try {
      if (stateOf(State.phase, this.#env) === 'post')
        return await this.#post(stateOf(State.journal, this.#env));
      // First of all: without it the runner's second call would be taken for another main.
      saveState(State.phase, 'post', this.#env);
      return await this.#main();
    } finally {
      this.#cancellation.release();
    }
  }

  /** Reports an error and @returns the exit code that it means. */
  fail(thrown: unknown): number {
    const reason: unknown = this.#cancellation.signal.reason;
    reportFailure(this.#log, this.#definition.name, thrown, reason instanceof Cancelled);
    if (!(reason instanceof Cancelled)) return 1;
    this.#log.warning(reason.message);
    return exitCodeOf(reason.by);
  }

  async #main(): Promise<number> {
    const reading = readInputs(this.#definition.declaration, this.#env);
    if ('faults' in reading) return this.fail(new AggregateError(reading.faults));
    const journal = newJournalPath(this.#definition.name, this.#env);
    this.#save(State.journal, journal);
    const code = await this.#guarded(reading.values, async () => {
      const set = new Set<string>();
      await this.#definition.main(this.#mainContext(reading.values, journal, set));
      this.#assertOutputs(set);
    });
    // Nobody else would call it on a terminal.
    if (!hasRunner(this.#env)) await this.#post(journal);
    return code;
  }

  /** Runs main or post, and reports its failure and its summary. */
  async #guarded(inputs: InputsOf<D>, work: () => Promise<void>): Promise<number> {
    try {
      await work();
      this.#summarize(inputs);
      return 0;
    } catch (error) {
      this.#reporter.failed(verdictOf(error));
      this.#summarize(inputs);
      return this.fail(error);
    }
  }

  async #post(journal: string | undefined): Promise<number> {
    const { post } = this.#definition;
    // Without a journal main refused its inputs, so there is nothing to put back.
    if (!post || journal === undefined) return 0;
    const reading = readInputs(this.#definition.declaration, this.#env);
    if ('faults' in reading) {
      reading.faults.forEach((fault) => this.#log.warning(`Nothing could be put back: ${fault.message}`));
    } else {
      await this.#guarded(reading.values, () => post(this.#postContext(reading.values, journal)));
    }
    return 0;
  }

  #postContext(inputs: InputsOf<D>, journal: string): PostContext<D> {
    return {
      inputs,
      journal,
      log: this.#log,
      reporter: this.#reporter,
      signal: this.#cancellation.signal,
      mask: (secret) => this.#mask(secret),
      state: (name) => (this.#saved[name] ?? stateOf(name, this.#env)) || undefined,
    };
  }

  #mainContext(inputs: InputsOf<D>, journal: string, set: Set<string>): MainContext<D> {
    return {
      ...this.#postContext(inputs, journal),
      saveState: (name, value) => this.#save(name, value),
      output: (name, value) => {
        writeOutput(name, value, this.#env);
        set.add(name);
      },
    };
  }

  #assertOutputs(set: ReadonlySet<string>): void {
    const outputs = Object.entries(this.#definition.declaration.outputs);
    const missing = outputs.filter(([name, { optional }]) => !optional && !set.has(name));
    if (missing.length > 0)
      throw new Error(`Outputs were not set: ${missing.map(([name]) => name).join(', ')}`);
  }

  #save(name: string, value: string): void {
    this.#saved[name] = value;
    saveState(name, value, this.#env);
  }

  #mask(secret: string): void {
    for (const form of this.#redactor.add(secret)) {
      // On a terminal the command that masks would itself show the secret.
      if (this.#env['GITHUB_ACTIONS'] === 'true') tellRunner('add-mask', form);
    }
  }

  #summarize(inputs: InputsOf<D>): void {
    const content = this.#reporter.content();
    if (isEmpty(content) || (inputs as { summary?: boolean }).summary === false) return;
    const written = writeSummary(this.#redactor.redact(renderSummary(content)), this.#env);
    if (!written && content.results.length > 0) this.#log.info(`\n${stepTable(content.results)}`);
  }
}

/** What the summary's first line says of a run that threw. */
function verdictOf(thrown: unknown): string {
  const [first] = causesOf(thrown).filter((cause) => !isCancel(cause));
  if (first === undefined) return 'Cancelled.';
  return first instanceof UserError
    ? `Failed: ${first.message}`
    : `Failed by a fault of its own: ${messageOf(first)}`;
}
