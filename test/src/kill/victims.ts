import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Answer, Fate, Results, Task, Tasks } from './orders.js';

/** What victims run; they are so many that it is worth one file. */
export const VICTIM = fileURLToPath(new URL('../../lib/kill/victim.js', import.meta.url));

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** Processes that carry out orders, one order at a time; who dies of one is replaced. */
export class Victims {
  readonly #program: string;
  readonly #wrap: (argv: readonly string[]) => readonly string[];
  #child: Child;
  /** Starts up while the other one works. */
  #heir: Child;

  /**
   * @param program path of `VICTIM`, or of what was made of it
   * @param wrap makes the argv that starts a program where it belongs, such as in a network namespace
   */
  constructor(program: string, wrap: (argv: readonly string[]) => readonly string[] = (argv) => argv) {
    this.#program = program;
    this.#wrap = wrap;
    this.#child = this.#start();
    this.#heir = this.#start();
  }

  /** Lets an order run, up to its end or its death. */
  async run<T extends Task>(task: T, options: Tasks[T], fate: Fate | null): Promise<Answer<T>> {
    const child = this.#child;
    const answered = nextLine(child);
    child.stdin.write(`${JSON.stringify({ task, options, fate })}\n`);
    const answer = JSON.parse(await answered) as Answer<T>;
    if ('boundary' in answer) await this.#bury(child);
    return answer;
  }

  /** The result of an order that nobody kills. @throws Error when it fails. */
  async finish<T extends Task>(task: T, options: Tasks[T]): Promise<Results[T]> {
    return resultOf(await this.run(task, options, null));
  }

  async close(): Promise<void> {
    await Promise.all(
      [this.#child, this.#heir].map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.stdin.end();
        await once(child, 'exit');
      }),
    );
  }

  async #bury(child: Child): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    if (child.signalCode !== 'SIGKILL') throw new Error(`It ended with ${child.exitCode}, not by SIGKILL`);
    this.#child = this.#heir;
    this.#heir = this.#start();
  }

  #start(): Child {
    const [command = '', ...args] = this.#wrap([process.execPath, this.#program]);
    const env = { ...process.env, NODE_OPTIONS: '' };
    return spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
  }
}

async function nextLine(child: Child): Promise<string> {
  const lines = createInterface({ input: child.stdout });
  try {
    for await (const line of lines) return line;
  } finally {
    lines.close();
  }
  throw new Error('The process ended without an answer');
}

/** @throws Error when the order failed or was killed. */
export function resultOf<T extends Task>(answer: Answer<T>): Results[T] {
  if ('result' in answer) return answer.result;
  throw new Error('error' in answer ? answer.error : `It was killed at "${answer.boundary}"`);
}

/** A walk along the boundaries of a task. */
export interface Walk<T extends Task> {
  readonly task: T;
  /** The options of the next run to be killed. */
  readonly next: () => Promise<Tasks[T]>;
  /** What follows a kill: a rerun, and a look at what is there. */
  readonly afterwards: (boundary: string, options: Tasks[T]) => Promise<void>;
  /** A regular expression: walk these boundaries only. */
  readonly only?: string;
}

/**
 * Kills a task at one boundary after the other, each once, until a run comes to its end because there is none left.
 *
 * @returns the boundaries, and what came of the last run
 */
export async function walk<T extends Task>(
  victims: Victims,
  { task, next, afterwards, only }: Walk<T>,
): Promise<{ boundaries: string[]; options: Tasks[T]; result: Results[T] }> {
  const boundaries: string[] = [];
  for (;;) {
    const options = await next();
    const answer = await victims.run(task, options, { survived: boundaries, ...(only ? { only } : {}) });
    if (!('boundary' in answer)) return { boundaries, options, result: resultOf<T>(answer) };
    boundaries.push(answer.boundary);
    await afterwards(answer.boundary, options);
  }
}
