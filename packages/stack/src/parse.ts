import { readFileSync } from 'node:fs';
import { distance } from 'fastest-levenshtein';
import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { type Location, UserError } from './errors.js';
import { type Stack, StackSchema } from './schema.js';

/** A stack and where each of its keys stands, so that later checks (against the API, say) can point there as well. */
export interface StackFile {
  readonly stack: Stack;
  readonly file: string;
  /** The place of a value by its path, `['tiers', 'app', 'type']`, or of its nearest parent that the file has. */
  locate(path: readonly PropertyKey[]): Location;
}

/**
 * Reads and checks a stack file.
 *
 * @throws UserError naming the file, and line, column and key of the first fault, what was found and what is allowed.
 */
export function loadStack(file: string): StackFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(
      `${file}: there is no such stack file, or it can't be read; check the repository out first, or name the file's path. Nothing was changed.`,
      { cause: error },
    );
  }
  return parseStack(text, file);
}

/** As `loadStack`, of a text; `file` is the name that errors give. */
export function parseStack(text: string, file: string): StackFile {
  const { value: stack, locate } = parseYaml(StackSchema, text, file);
  return { stack, file, locate };
}

/**
 * Reads YAML that has to be of a form.
 *
 * @param file the name that errors give
 * @throws UserError naming line, column and key of the first fault, what was found and what is allowed.
 */
export function parseYaml<T>(
  schema: z.ZodType<T>,
  text: string,
  file: string,
): { readonly value: T; locate(this: void, path: readonly PropertyKey[]): Location } {
  const source = new Source(text, file);
  const result = schema.safeParse(source.document.toJS() ?? {});
  if (!result.success) throw explain(result.error, source, schema);
  return { value: result.data, locate: (path) => source.locate(path) };
}

/** A YAML text that knows where everything in it stands. */
class Source {
  readonly document: Document;
  readonly #file: string;
  readonly #lines = new LineCounter();

  constructor(text: string, file: string) {
    this.#file = file;
    this.document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const syntax = this.document.errors[0];
    if (syntax) throw fault(this.#at(syntax.pos[0]), `this is no valid YAML: ${syntax.message}`);
  }

  valueAt(path: readonly PropertyKey[]): unknown {
    return this.document.getIn(path as unknown[]);
  }

  /** Where the value at a path stands, or that of its nearest parent. */
  locate(path: readonly PropertyKey[]): Location {
    for (let length = path.length; length > 0; length -= 1) {
      const node = this.document.getIn(path.slice(0, length) as unknown[], true);
      if (isNode(node) && node.range) return this.#at(node.range[0]);
    }
    return this.#at(this.document.contents?.range?.[0] ?? 0);
  }

  /** Where a key itself stands, rather than its value. */
  locateKey(parent: readonly PropertyKey[], key: string): Location {
    const map = parent.length === 0 ? this.document.contents : this.document.getIn(parent as unknown[], true);
    const pair = isMap(map)
      ? map.items.find((item) => isScalar(item.key) && item.key.value === key)
      : undefined;
    return isScalar(pair?.key) && pair.key.range ? this.#at(pair.key.range[0]) : this.locate(parent);
  }

  #at(offset: number): Location {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line, column: col };
  }
}

/**
 * A fault in the stack file, in the one form that all of them have.
 *
 * @param key the dotted key, such as `tiers.app.type`
 */
export function stackFault(location: Location, key: string, what: string): UserError {
  return fault(location, `${key ? `${key}: ` : ''}${what}`);
}

/** The candidates nearest to a word that was probably mistyped; empty when none is near. */
export function nearest(word: string, candidates: readonly string[], most = 1): string[] {
  return candidates
    .map((candidate) => ({ candidate, apart: distance(word, candidate) }))
    .filter(({ candidate, apart }) => apart <= Math.max(2, Math.ceil(candidate.length / 3)))
    .sort((a, b) => a.apart - b.apart)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

function fault(location: Location, what: string): UserError {
  const { file, line, column } = location;
  return new UserError(
    `${file}:${line}:${column} ${what} Nothing was changed.`.replace(/([^.!?]) Nothing/, '$1. Nothing'),
    {
      location,
    },
  );
}

function explain(error: z.ZodError, source: Source, schema: z.ZodType): UserError {
  const issue = error.issues[0];
  if (!issue) return fault(source.locate([]), 'the stack file is not valid');
  if (issue.code === 'unrecognized_keys') return unknownKey(issue.path, issue.keys[0] ?? '', source, schema);
  const found = source.valueAt(issue.path);
  const missing = found === undefined && issue.code === 'invalid_type';
  const what = missing ? 'is missing' : `${foundText(found)}${expectation(issue)}`;
  return stackFault(source.locate(issue.path), issue.path.join('.') || 'the file', what);
}

function foundText(found: unknown): string {
  return found === undefined || found === null || typeof found === 'object'
    ? ''
    : `found ${JSON.stringify(found)}; `;
}

/** What a value must be, in words, by the check that it did not pass. */
export function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `allowed: ${issue.values.map((value) => String(value)).join(', ')}`;
    case 'invalid_union':
      return alternatives(issue.errors.flat());
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return amount(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return amount(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    default:
      return /^Invalid/.test(issue.message) ? issue.message : `must be ${issue.message}`;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys with values',
  record: 'keys with values',
};

function alternatives(issues: readonly z.core.$ZodIssue[]): string {
  const values = issues.flatMap((issue) => (issue.code === 'invalid_value' ? issue.values : []));
  const others = issues.filter(({ code }) => code !== 'invalid_value').map(expectation);
  const allowed = values.length > 0 ? [`allowed: ${values.map(String).join(', ')}`] : [];
  return [...allowed, ...others].join('; or ');
}

function amount(origin: string, relation: string, limit: number | bigint): string {
  if (origin === 'string') return `must have ${relation} ${limit} characters`;
  if (origin === 'array')
    return `must have ${relation} ${limit} ${Number(limit) === 1 ? 'entry' : 'entries'}`;
  return `must be ${relation} ${limit}`;
}

function unknownKey(path: readonly PropertyKey[], key: string, source: Source, schema: z.ZodType): UserError {
  const allowed = allowedKeys(path, schema);
  const [likely] = nearest(key, allowed);
  const hint = likely ? `did you mean "${likely}"?` : `allowed: ${allowed.join(', ')}.`;
  const noun = path.length === 1 && path[0] === 'tiers' ? 'tier' : 'key';
  return stackFault(source.locateKey(path, key), [...path, key].join('.'), `unknown ${noun}; ${hint}`);
}

interface SchemaNode {
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
}

/** The keys that the schema allows at a path, read from the JSON Schema that is generated from it. */
function allowedKeys(path: readonly PropertyKey[], schema: z.ZodType): string[] {
  let node = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SchemaNode | undefined;
  for (const part of path) node = typeof part === 'number' ? node?.items : node?.properties?.[String(part)];
  return Object.keys(node?.properties ?? {});
}

/** The JSON Schema of the stack file, for editors; generated from the schema that checks it. */
export function stackJsonSchema(): Record<string, unknown> {
  return {
    $id: 'perlstack.schema.json',
    title: 'perlstack.yml',
    ...z.toJSONSchema(StackSchema, { io: 'input', unrepresentable: 'any' }),
  };
}
