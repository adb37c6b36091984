import { UserError } from '@perlstack/stack';
import { oneLine } from './refuse.js';

/** A word in which `$name` stands for nginx's variable; only the tag `expression` makes one. */
export interface Expression {
  readonly expression: string;
}

/** A word of a directive. Plain strings are taken literally. */
export type Word = string | number | Expression;

export interface Directive {
  readonly name: string;
  readonly words: readonly Word[];
  readonly block: readonly Statement[] | null;
}

export interface Comment {
  readonly comment: string;
}

export type Statement = Directive | Comment;

/** A simple directive: `name word word;`. */
export const directive = (name: string, ...words: Word[]): Directive => ({ name, words, block: null });

/** A directive with a block: `name word { … }`. */
export const block = (name: string, words: Word[], statements: Statement[]): Directive => ({
  name,
  words,
  block: statements,
});

export const comment = (text: string): Comment => ({ comment: text });

/**
 * Tag for words with nginx variables: the text that stands in the source may name variables, the values put into
 * it are taken literally.
 */
export function expression(text: TemplateStringsArray, ...values: (string | number)[]): Expression {
  return { expression: String.raw({ raw: text }, ...values.map(literal)) };
}

/** nginx has no way to quote a dollar sign, so a literal word can't have one. */
function literal(value: string | number): string {
  const text = oneLine(String(value), 'nginx');
  if (text.includes('$')) {
    throw new UserError(
      `nginx: the value "${text}" holds a "$", which nginx takes for a variable; remove it`,
    );
  }
  return text;
}

const BARE = /^[\w./:=@*+,~^%$[\]-]+$/;

/** A word as it stands in the file: bare where that is safe, else in quotes. */
function printWord(word: Word): string {
  const text = typeof word === 'object' ? oneLine(word.expression, 'nginx') : literal(word);
  if (BARE.test(text)) return text;
  const quote = text.includes('"') && !text.includes("'") ? "'" : '"';
  return quote + text.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`) + quote;
}

const INDENT = '    ';
const WIDTH = 160;

/** A directive up to its end mark: on one line, or where that gets too long with a line for each word. */
function printHead({ name, words }: Directive, indent: string): string {
  const printed = [name, ...words.map(printWord)];
  const line = indent + printed.join(' ');
  return line.length <= WIDTH ? line : indent + printed.join(`\n${indent}${INDENT}`);
}

function printStatement(statement: Statement, indent: string): string {
  if ('comment' in statement) return `${indent}# ${oneLine(statement.comment, 'nginx')}\n`;
  if (!/^[a-z0-9_]+$/.test(statement.name)) throw new Error(`"${statement.name}" is no nginx directive`);
  const head = printHead(statement, indent);
  if (!statement.block) return `${head};\n`;
  return `${head} {\n${printStatements(statement.block, indent + INDENT)}${indent}}\n`;
}

/** A blank line stands before and after every block, and before a comment that opens a new group. */
function separated(before: Statement | undefined, statement: Statement): boolean {
  if (!before || 'comment' in before) return false;
  return 'comment' in statement || before.block !== null || statement.block !== null;
}

function printStatements(statements: readonly Statement[], indent: string): string {
  return statements
    .map(
      (statement, at) =>
        (separated(statements[at - 1], statement) ? '\n' : '') + printStatement(statement, indent),
    )
    .join('');
}

/**
 * The text of an nginx configuration file.
 *
 * @throws UserError when a literal word holds a control character or a `$`.
 */
export function printNginx(statements: readonly Statement[]): string {
  return printStatements(statements, '');
}

/** Milliseconds as nginx writes a time, rounded up to whole seconds: `30d`, `90s`. */
export function nginxTime(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1_000);
  const [unit, size] = (
    [
      ['d', 86_400],
      ['h', 3_600],
      ['m', 60],
    ] as const
  ).find(([, length]) => seconds > 0 && seconds % length === 0) ?? ['s', 1];
  return `${seconds / size}${unit}`;
}
