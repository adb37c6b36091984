import { data, Evaluator, Lexer, Parser } from '@actions/expressions';
import { TokenType } from '@actions/expressions/lexer';
import { messageOf, UserError } from '@perlstack/stack';
import { Expression, isMap, type Tree, type TreeMap, unsupported, wordOf } from './tree.js';

/** What an expression can see: contexts by name, and how the job or its ancestors stand. */
export interface Scope {
  readonly contexts: Readonly<Record<string, unknown>>;
  readonly status: Status;
}

/** `skipped`: something before was skipped, which is neither a success nor a failure. */
export type Status = 'success' | 'failure' | 'cancelled' | 'skipped';

const CONTEXTS = [
  'github',
  'env',
  'vars',
  'secrets',
  'inputs',
  'needs',
  'strategy',
  'matrix',
  'job',
  'jobs',
  'runner',
  'steps',
];
const STATUS_FUNCTIONS = ['success', 'failure', 'cancelled', 'always'];

type Data = ReturnType<Evaluator['evaluate']>;
type Functions = NonNullable<ConstructorParameters<typeof Evaluator>[2]>;

/**
 * Evaluates an expression to plain data.
 *
 * @throws UserError naming the expression
 */
export function evaluate(expression: Expression, scope: Scope): unknown {
  return fromData(run(expression.text, scope));
}

/** The text that a scalar stands for. */
export function textOf(tree: Tree, scope: Scope): string {
  if (tree instanceof Expression) return run(tree.text, scope).coerceString();
  if (tree === null) return '';
  if (typeof tree === 'object') throw new UserError('a text was expected, not a list or mapping');
  return toData(tree).coerceString();
}

/** A whole tree with all of its expressions evaluated. */
export function resolve(tree: Tree, scope: Scope): unknown {
  if (tree instanceof Expression) return evaluate(tree, scope);
  if (Array.isArray(tree)) return (tree as readonly Tree[]).map((item) => resolve(item, scope));
  if (!isMap(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, resolve(value, scope)]));
}

/** The texts of a mapping, `env` or `with`. */
export function textsOf(tree: TreeMap, scope: Scope): Record<string, string> {
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, textOf(value, scope)]));
}

/**
 * Whether an `if` holds. Absent, or without a function that asks for the status, it holds only on success, as on
 * GitHub.
 */
export function holds(condition: Tree | undefined, scope: Scope): boolean {
  const text = conditionText(condition);
  const guarded = asksForStatus(text) ? text : `success() && (${text})`;
  return fromData(run(`!(${guarded})`, scope)) !== true;
}

function conditionText(condition: Tree | undefined): string {
  if (condition instanceof Expression) return condition.text;
  if (condition === undefined || condition === null || condition === '') return 'true';
  return wordOf(condition);
}

function asksForStatus(text: string): boolean {
  const lexemes = tokensOf(text).map(({ lexeme }) => lexeme.toLowerCase());
  return lexemes.some((lexeme, index) => STATUS_FUNCTIONS.includes(lexeme) && lexemes[index + 1] === '(');
}

type Token = ReturnType<Lexer['lex']>['tokens'][number];

/** The tokens of an expression. The lexer itself undoes only the first doubled quote of a text. */
function tokensOf(text: string): Token[] {
  return new Lexer(text).lex().tokens.map((token) => {
    if (token.type !== TokenType.STRING) return token;
    return { ...token, value: token.lexeme.slice(1, -1).replaceAll("''", "'") };
  });
}

function run(text: string, scope: Scope): Data {
  try {
    const functions = functionsOf(scope.status);
    const tree = new Parser(tokensOf(text), CONTEXTS, [...functions.values()]).parse();
    const contexts = Object.fromEntries(CONTEXTS.map((name) => [name, scope.contexts[name] ?? {}]));
    return new Evaluator(tree, dictionaryOf(contexts), functions).evaluate();
  } catch (error) {
    throw new UserError(`\${{ ${text} }}: ${messageOf(error)}`, { cause: error });
  }
}

function functionsOf(status: Status): Functions {
  const answer = (name: string, value: boolean): [string, FunctionOf] => [
    name,
    { name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(value) },
  ];
  const hashFiles: FunctionOf = {
    name: 'hashFiles',
    minArgs: 1,
    maxArgs: 255,
    call: () => {
      throw unsupported('the function hashFiles()');
    },
  };
  return new Map([
    answer('always', true),
    answer('success', status === 'success'),
    answer('failure', status === 'failure'),
    answer('cancelled', status === 'cancelled'),
    ['hashfiles', hashFiles],
  ]);
}

type FunctionOf = Functions extends Map<string, infer F> ? F : never;

function dictionaryOf(contexts: Readonly<Record<string, unknown>>): data.Dictionary {
  return new data.Dictionary(
    ...Object.entries(contexts).map(([key, value]) => ({ key, value: toData(value) })),
  );
}

function toData(value: unknown): Data {
  return JSON.parse(JSON.stringify(value), data.reviver) as Data;
}

function fromData(value: Data): unknown {
  return JSON.parse(JSON.stringify(value, data.replacer)) as unknown;
}
