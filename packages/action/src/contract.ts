import { parse } from 'yaml';
import type { Declaration, InputDeclaration } from './declaration.js';

interface YmlInput {
  readonly description?: string;
  readonly required?: boolean;
  readonly default?: string | number | boolean | null;
}

interface ActionYml {
  readonly inputs?: Record<string, YmlInput | null>;
  readonly outputs?: Record<string, { description?: string } | null>;
  readonly runs?: { using?: string; main?: string; post?: string };
}

/**
 * What the code and an `action.yml` do not share: inputs, outputs, required, defaults, descriptions that are missing
 * and how it is run. Empty when they agree.
 */
export function compareWithActionYml(declaration: Declaration, actionYmlText: string): string[] {
  const yml = parse(actionYmlText) as ActionYml;
  const inputs = yml.inputs ?? {};
  return [
    ...compareNames('input', Object.keys(declaration.inputs), inputs),
    ...compareNames('output', Object.keys(declaration.outputs), yml.outputs ?? {}),
    ...Object.entries(declaration.inputs).flatMap(([name, input]) => compareInput(name, input, inputs[name])),
    ...compareRuns(yml.runs ?? {}),
  ];
}

function compareNames(
  what: string,
  declared: readonly string[],
  written: Readonly<Record<string, { description?: string } | null>>,
): string[] {
  return [
    ...declared
      .filter((name) => !(name in written))
      .map((name) => `${what} "${name}" is missing in action.yml`),
    ...Object.keys(written)
      .filter((name) => !declared.includes(name))
      .map((name) => `${what} "${name}" is in action.yml, but the code does not know it`),
    ...Object.entries(written)
      .filter(([, body]) => !body?.description?.trim())
      .map(([name]) => `${what} "${name}" has no description in action.yml`),
  ];
}

function compareInput(name: string, input: InputDeclaration, written: YmlInput | null | undefined): string[] {
  if (!written) return [];
  const required = input.required ?? false;
  const differences = [
    ...(required === (written.required ?? false)
      ? []
      : [`required is ${required} in the code, ${!required} in action.yml`]),
    ...compareDefault(input, written.default ?? ''),
  ];
  return differences.map((difference) => `input "${name}": ${difference}`);
}

function compareDefault(input: InputDeclaration, written: string | number | boolean): string[] {
  if (typeof written !== 'string') return ['write the default in action.yml as a string, in quotes'];
  if (isExpression(written)) return [];
  if (input.secret && written !== '') return ['a secret has no default'];
  const text = written || undefined;
  return text === input.default
    ? []
    : [`default is ${quoted(input.default)} in the code, ${quoted(text)} in action.yml`];
}

/** A default such as `${{ github.token }}` is known to the runner only. */
function isExpression(text: string): boolean {
  return text.includes('${{');
}

function quoted(text: string | undefined): string {
  return text === undefined ? 'absent' : JSON.stringify(text);
}

function compareRuns({ using, main, post }: NonNullable<ActionYml['runs']>): string[] {
  return [
    ...(using === 'node24' ? [] : [`runs.using is ${quoted(using)}, not "node24"`]),
    ...(main === 'dist/index.js' ? [] : [`runs.main is ${quoted(main)}, not "dist/index.js"`]),
    ...(post === undefined || post === main ? [] : [`runs.post is ${quoted(post)}, not the bundle of main`]),
  ];
}
