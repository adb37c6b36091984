import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { inRoot } from './repository.js';

/** The inputs, as a workflow gives them, of every step in an action's README that uses the action. */
export function examplesOf(action: string): Record<string, string>[] {
  return examplesIn(readFileSync(inRoot('actions', action, 'README.md'), 'utf8'), action);
}

/** @param readme text in Markdown, with steps in blocks of YAML */
export function examplesIn(readme: string, action: string): Record<string, string>[] {
  const blocks = [...readme.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(
    ([, text = '']) => parse(text) as unknown,
  );
  return blocks
    .flatMap((block) => (Array.isArray(block) ? (block as Step[]) : []))
    .filter(({ uses = '' }) => uses.includes(`/actions/${action}@`))
    .map(({ with: inputs = {} }) =>
      Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, String(value)])),
    );
}

interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string | number | boolean>>;
}
