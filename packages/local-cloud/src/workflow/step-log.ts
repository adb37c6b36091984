import { type Command, parseCommand } from './commands.js';
import type { Masker } from './masks.js';
import type { Annotation } from './results.js';
import { unsupported } from './tree.js';

/** GitHub's own marks, as its raw log shows them. */
const MARKS: Readonly<Record<string, string>> = {
  group: '##[group]',
  endgroup: '##[endgroup]',
  notice: '##[notice]',
  warning: '##[warning]',
  error: '##[error]',
  debug: '##[debug]',
};

/** The output of one step: masked lines and annotations, with the workflow commands in it obeyed. */
export class StepLog {
  readonly #masker: Masker;
  readonly #emit: (text: string) => void;
  readonly #debug: boolean;
  readonly #lines: string[] = [];
  readonly #annotations: Annotation[] = [];
  /** While set, commands are plain text until `::TOKEN::` comes. */
  #stopped: string | undefined;
  /** The first thing in the output that this runner can't do: it fails the step. */
  fault: Error | undefined;

  constructor(masker: Masker, emit: (text: string) => void, debug: boolean) {
    this.#masker = masker;
    this.#emit = emit;
    this.#debug = debug;
  }

  get text(): string {
    return this.#lines.join('\n');
  }

  get annotations(): readonly Annotation[] {
    return this.#annotations;
  }

  /** A line that a process printed. */
  readonly line = (line: string): void => {
    const command = parseCommand(line);
    if (this.#stopped !== undefined) {
      if (command?.name === this.#stopped.toLowerCase()) this.#stopped = undefined;
      else this.print(line);
    } else if (command) {
      this.#obey(command, line);
    } else {
      this.print(line);
    }
  };

  /** Adds text of the runner's own. */
  print(text: string): void {
    for (const line of this.#masker.mask(text).split('\n')) {
      this.#lines.push(line);
      this.#emit(line);
    }
  }

  annotate(level: Annotation['level'], message: string, properties: Command['properties'] = {}): void {
    const { title, file, line, col } = properties;
    this.#annotations.push({
      level,
      message: this.#masker.mask(message),
      ...(title ? { title: this.#masker.mask(title) } : {}),
      ...(file ? { file } : {}),
      ...(line ? { line: Number(line) } : {}),
      ...(col ? { column: Number(col) } : {}),
    });
    this.print(`${MARKS[level] ?? ''}${message}`);
  }

  #obey(command: Command, line: string): void {
    const { name, message, properties } = command;
    switch (name) {
      case 'add-mask':
        this.#masker.add(message);
        return;
      case 'error':
      case 'warning':
      case 'notice':
        return this.annotate(name, message, properties);
      case 'group':
      case 'endgroup':
        return this.print(`${MARKS[name]}${message}`);
      case 'debug':
        return this.#debug ? this.print(`${MARKS[name]}${message}`) : undefined;
      case 'stop-commands':
        this.#stopped = message;
        return;
      case 'echo':
        return;
      case 'set-output':
      case 'save-state':
      case 'set-env':
      case 'add-path':
      case 'add-matcher':
      case 'remove-matcher':
        this.fault ??= unsupported(`the workflow command ::${name}::`);
        return;
      default:
        this.print(line);
    }
  }
}
