import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import type * as workflowParser from '@actions/workflow-parser';
import type * as actionParser from '@actions/workflow-parser/actions/index';
import { UserError } from '@perlstack/stack';
import { Expression, type Tree, type TreeMap } from './tree.js';

type WorkflowParser = typeof workflowParser;
type ActionParser = typeof actionParser;
type Token = NonNullable<ReturnType<WorkflowParser['parseWorkflow']>['value']>;
type Parsed = ReturnType<WorkflowParser['parseWorkflow']>;

let parsers:
  Promise<WorkflowParser & Pick<ActionParser, 'parseAction' | 'convertActionTemplate'>> | undefined;

function load(): NonNullable<typeof parsers> {
  parsers ??= withJsonImports(async () => ({
    ...(await import('@actions/workflow-parser')),
    ...(await import('@actions/workflow-parser/actions/index')),
  }));
  return parsers;
}

/**
 * Imports modules that import JSON without saying so, as the parser does with its schemas: Node refuses that unless
 * the attribute is added.
 */
async function withJsonImports<T>(work: () => Promise<T>): Promise<T> {
  const hooks = addJsonAttribute();
  try {
    return await work();
  } finally {
    hooks?.deregister();
  }
}

/** @returns `undefined` under a loader of its own (jest's), which has no hooks and needs no attribute */
function addJsonAttribute(): { deregister(): void } | undefined {
  try {
    return registerHooks({
      load: (url, context, next) =>
        next(url, url.endsWith('.min.json') ? { ...context, importAttributes: { type: 'json' } } : context),
    });
  } catch {
    return undefined;
  }
}

/**
 * Reads a workflow file, checked against GitHub's own schema.
 *
 * @throws UserError with file, line and column of the first fault
 */
export async function readWorkflow(file: string): Promise<TreeMap> {
  const { parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter } = await load();
  const parsed = parseWorkflow({ name: file, content: contentOf(file) }, new NoOperationTraceWriter());
  // The conversion finds what the schema cannot: unknown and circular needs, ids used twice.
  if (parsed.value) await convertWorkflowTemplate(parsed.context, parsed.value);
  return treeOf(parsed, file);
}

/** Reads an `action.yml` in the same way. */
export async function readActionFile(file: string): Promise<TreeMap> {
  const { parseAction, convertActionTemplate, NoOperationTraceWriter } = await load();
  const parsed = parseAction({ name: file, content: contentOf(file) }, new NoOperationTraceWriter());
  if (parsed.value) convertActionTemplate(parsed.context, parsed.value);
  return treeOf(parsed, file);
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`${file}: there is no such file, or it can't be read`, { cause: error });
  }
}

async function treeOf({ context, value }: Parsed, file: string): Promise<TreeMap> {
  const [error] = context.errors.getErrors();
  if (error || !value) {
    const { line = 1, column = 1 } = error?.range?.start ?? {};
    const message = error?.rawMessage ?? 'the file is empty';
    throw new UserError(`${file}:${line}:${column} ${message}`, { location: { file, line, column } });
  }
  return plain(value, await load()) as TreeMap;
}

/** Token trees as plain data; the parser's own model leaves out half of the keys. */
function plain(token: Token, guards: WorkflowParser): Tree {
  if (guards.isBasicExpression(token)) return new Expression(token.expression);
  if (guards.isString(token) || guards.isNumber(token) || guards.isBoolean(token)) return token.value;
  if (guards.isSequence(token)) return [...token].map((item) => plain(item, guards));
  if (!guards.isMapping(token)) return null;
  return Object.fromEntries([...token].map(({ key, value }) => [key.toString(), plain(value, guards)]));
}
