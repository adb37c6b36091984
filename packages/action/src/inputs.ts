import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf, nearest, parseDuration, UserError } from '@perlstack/stack';
import { parseAssignments, valuesIn } from './assignments.js';
import type { Declaration, InputDeclaration, InputsOf, Reading } from './declaration.js';

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'INPUT_';

/** The name under which the runner hands an input over. */
export function variableOf(input: string): string {
  return PREFIX + input.replaceAll(' ', '_').toUpperCase();
}

/** The text of an input as the user wrote it; an absent or empty one is its default. */
function textOf(name: string, input: InputDeclaration, env: Environment): string | undefined {
  return env[variableOf(name)]?.trim() || input.default;
}

/** The values of all secret inputs, for masking: read before anything else is, whatever else may be wrong. */
export function secretsIn(declaration: Declaration, env: Environment): string[] {
  return Object.entries(declaration.inputs).flatMap(([name, input]) => {
    const text = input.secret ? env[variableOf(name)] : undefined;
    if (!text) return [];
    // Names are no secrets, and masked ones would make an error about them unreadable.
    return input.kind === 'assignments' ? valuesIn(text) : [text];
  });
}

/**
 * Reads all inputs into one typed object, or says everything that is wrong with them at once.
 *
 * An input nobody declared is refused, not ignored as GitHub does with a warning: a `dry-run: true` that an action
 * does not know must not end in a real run.
 */
export function readInputs<D extends Declaration>(declaration: D, env: Environment): Reading<D> {
  const faults = unknownInputs(declaration, env);
  const values: Record<string, unknown> = {};
  for (const [name, input] of Object.entries(declaration.inputs)) {
    try {
      values[name] = valueOf(input, textOf(name, input, env), env);
    } catch (error) {
      const reason = input.secret && !(error instanceof UserError) ? 'it is not valid' : messageOf(error);
      faults.push(new UserError(`Input "${name}": ${reason}`, { cause: error }));
    }
  }
  return faults.length > 0 ? { faults } : { values: values as InputsOf<D> };
}

function unknownInputs(declaration: Declaration, env: Environment): UserError[] {
  const names = Object.keys(declaration.inputs);
  const known = new Set(names.map(variableOf));
  return Object.keys(env)
    .filter((variable) => variable.startsWith(PREFIX) && env[variable] !== undefined && !known.has(variable))
    .map((variable) => variable.slice(PREFIX.length).toLowerCase())
    .map((name) => new UserError(`Input "${name}": ${whyUnknown(name, names, declaration.renamed ?? {})}`));
}

function whyUnknown(
  name: string,
  names: readonly string[],
  renamed: Readonly<Record<string, string>>,
): string {
  const successor = Object.entries(renamed).find(([old]) => old.toLowerCase() === name)?.[1];
  if (successor) return `is now called "${successor}"; rename it in the workflow`;
  const [likely] = nearest(name, names);
  return likely
    ? `there is no such input; did you mean "${likely}"?`
    : `there is no such input; allowed: ${names.join(', ')}`;
}

/** What kinds of many values read as when there is none. */
const EMPTY: Partial<Record<InputDeclaration['kind'], () => unknown>> = {
  multiline: () => [],
  assignments: () => new Map(),
};

function valueOf(input: InputDeclaration, text: string | undefined, env: Environment): unknown {
  if (text === undefined || text === '') {
    if (input.required) throw new UserError('is required; set it under "with:"');
    return EMPTY[input.kind]?.();
  }
  switch (input.kind) {
    case 'string':
      return matching(text, input);
    case 'boolean':
      return booleanOf(text);
    case 'integer':
      return integerOf(text, input);
    case 'duration':
      return durationOf(text);
    case 'json':
      return parsed(jsonOf(text), input.parse);
    case 'path':
      return pathOf(text, input.exists, env);
    case 'multiline':
      return text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '');
    case 'assignments':
      return parseAssignments(text);
    case 'choice':
      return choiceOf(text, input.options);
  }
}

function matching(
  text: string,
  { pattern, expected, secret }: InputDeclaration & { kind: 'string' },
): string {
  if (!pattern || pattern.exec(text)?.[0] === text) return text;
  const found = secret ? 'the value' : JSON.stringify(text);
  throw new UserError(
    `${found} is not allowed here; it must be ${expected ?? `of the form ${pattern.source}`}`,
  );
}

function booleanOf(text: string): boolean {
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  throw new UserError(`${JSON.stringify(text)} is neither true nor false`);
}

function integerOf(
  text: string,
  { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number },
): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  const range = max < Number.MAX_SAFE_INTEGER ? ` from ${min} to ${max}` : ` of ${min} or more`;
  throw new UserError(
    `${JSON.stringify(text)} is no whole number${min > Number.MIN_SAFE_INTEGER || max < Number.MAX_SAFE_INTEGER ? range : ''}`,
  );
}

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new UserError(messageOf(error), { cause: error });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may hold a secret.
    throw new UserError('is no valid JSON; pass the output of an earlier step, or text made by toJSON()');
  }
}

/** What a schema library says about a value: zod's form, which others share. */
interface Issues {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

function parsed(value: unknown, parse: (value: unknown) => unknown): unknown {
  try {
    return parse(value);
  } catch (error) {
    const issue = (error as Partial<Issues> | undefined)?.issues?.[0];
    if (!issue) throw error;
    const where = issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ` : '';
    throw new UserError(`${where}${issue.message}`, { cause: error });
  }
}

function pathOf(text: string, exists: 'file' | 'folder' | undefined, env: Environment): string {
  const path = resolve(env['GITHUB_WORKSPACE'] || '.', text);
  if (!exists) return path;
  const there = existsSync(path) ? statSync(path) : undefined;
  if (exists === 'file' ? there?.isFile() : there?.isDirectory()) return path;
  throw new UserError(
    `there is no ${exists} ${path}; is a checkout or download step missing before this one?`,
  );
}

function choiceOf(text: string, options: readonly string[]): string {
  if (options.includes(text)) return text;
  const [likely] = nearest(text, options);
  const hint = likely ? `; did you mean "${likely}"?` : '';
  throw new UserError(`${JSON.stringify(text)} is not one of ${options.join(', ')}${hint}`);
}
