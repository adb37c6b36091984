import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import type { Step } from './step.js';

export interface JournalEntry {
  readonly step: Step;
  readonly state: 'started' | 'done' | 'undone';
}

/**
 * Where a run notes each step with an undo *before* it changes anything, so that whoever comes after a cancel or a
 * kill knows what has to be put back.
 */
export interface Journal {
  append(entry: JournalEntry): void;
  /** Closes the account: the run held, and nothing is to be put back any more. */
  settle(): void;
}

/** A journal that nobody reads: for plans whose steps are resumed by running them again. */
export const noJournal: Journal = { append: () => undefined, settle: () => undefined };

const SETTLED = '{"settled":true}\n';

/** A journal in a file of JSON lines, each on the disk before the step it announces begins. */
export function fileJournal(path: string): Journal {
  const write = (line: string): void => {
    const file = openSync(path, 'a', 0o600);
    try {
      appendFileSync(file, line);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  };
  return { append: (entry) => write(`${JSON.stringify(entry)}\n`), settle: () => write(SETTLED) };
}

/**
 * The steps in a file journal that were started and neither undone nor settled, last first: the order in which they
 * are to be undone. A last line that was cut by a kill announces a step that never began, and is ignored.
 */
export function openSteps<S extends Step>(path: string): S[] {
  if (!existsSync(path)) return [];
  const open = new Map<string, S>();
  for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
    const entry = JSON.parse(line) as { settled?: true; step: S; state: JournalEntry['state'] };
    if (entry.settled) open.clear();
    else if (entry.state === 'undone') open.delete(entry.step.id);
    else open.set(entry.step.id, entry.step);
  }
  return [...open.values()].reverse();
}
