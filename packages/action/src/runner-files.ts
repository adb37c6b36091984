import { appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { Environment } from './inputs.js';
import { appendEntry } from './runner-commands.js';

/** What the runner keeps between an action's main and its post. On a terminal there is no such runner. */
export const State = {
  /** Set by the first process of a step, so that the second knows itself to be the post. */
  phase: 'phase',
  /** The journal's path: saved before anything changes. */
  journal: 'journal',
} as const;

/** True when a runner will call the action again as its post. */
export function hasRunner(env: Environment): boolean {
  return Boolean(env['GITHUB_STATE']);
}

/** Keeps a text for post; never a secret, as the state is a plain file. */
export function saveState(name: string, value: string, env: Environment): void {
  if (hasRunner(env)) appendEntry('STATE', name, value);
}

export function stateOf(name: string, env: Environment): string | undefined {
  return env[`STATE_${name}`] || undefined;
}

/** A path for a run's journal that the runner removes with the job. */
export function newJournalPath(action: string, env: Environment): string {
  return join(env['RUNNER_TEMP'] || tmpdir(), `perlstack-${action}-${randomUUID()}.jsonl`);
}

/** Sets an output: text as it is, anything else as JSON. Without a runner it is printed. */
export function writeOutput(name: string, value: unknown, env: Environment): void {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (env['GITHUB_OUTPUT']) appendEntry('OUTPUT', name, text);
  else process.stdout.write(`${name} = ${text}\n`);
}

/** Appends markdown to the job summary; false when there is none. */
export function writeSummary(markdown: string, env: Environment): boolean {
  const file = env['GITHUB_STEP_SUMMARY'];
  if (!file) return false;
  appendFileSync(file, markdown);
  return true;
}
