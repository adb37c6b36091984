import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf, UserError } from '@perlstack/stack';

export const PARTS = ['static', 'unit', 'end-to-end'] as const;
export type Part = (typeof PARTS)[number];

export interface TestOptions {
  /** What is run, in the order of PARTS. */
  readonly parts: readonly Part[];
  /** Test files relative to the checkout; none means all. */
  readonly files: readonly string[];
  readonly grep: string | undefined;
  /** The folder for `test.json`. */
  readonly report: string | undefined;
}

const USAGE = 'npm test -- [--static] [--unit] [--end-to-end] [--grep PATTERN] [--report DIR] [TEST-FILE…]';

/** Reads the words after `npm test --`. Throws a UserError with the usage. */
export function parseTestOptions(words: readonly string[], root: string): TestOptions {
  const { values, positionals } = parse(words);
  const files = positionals.map((file) => (file.startsWith(root) ? relative(root, file) : file));
  return {
    parts: files.length > 0 ? partsOfFiles(files) : chosenParts(values),
    files,
    grep: values.grep,
    report: values.report,
  };
}

function parse(words: readonly string[]) {
  const flag = { type: 'boolean', default: false } as const;
  const text = { type: 'string' } as const;
  const options = { static: flag, unit: flag, 'end-to-end': flag, grep: text, report: text };
  try {
    return parseArgs({ args: [...words], allowPositionals: true, options });
  } catch (error) {
    throw new UserError(`${messageOf(error)}. Usage: ${USAGE}`);
  }
}

/** Files name their part by where they lie: what crosses packages is in `test/`. */
function partsOfFiles(files: readonly string[]): Part[] {
  const parts = new Set<Part>(files.map((file) => (/^(?:\.\/)?test\//.test(file) ? 'end-to-end' : 'unit')));
  return PARTS.filter((part) => parts.has(part));
}

/** The parts that flags name; else all; with a pattern, only those that have named tests. */
function chosenParts(values: Partial<Record<Part | 'grep', boolean | string>>): readonly Part[] {
  const named = PARTS.filter((part) => values[part]);
  if (named.length > 0) return named;
  return values.grep === undefined ? PARTS : PARTS.filter((part) => part !== 'static');
}
