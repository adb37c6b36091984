import { UserError } from '@perlstack/stack';
import { isSound, oneLine } from './refuse.js';

/** Text that is quoted already, or that may hold specifiers such as `%i`; only the functions below make one. */
export interface UnitText {
  readonly unitText: string;
}

/** A value of a unit file. Plain strings are taken literally. */
export type UnitValue = string | number | boolean | UnitText;

/** `key=value`; a key may come more than once. */
export type UnitEntry = readonly [key: string, value: UnitValue];

export interface UnitSection {
  readonly name: string;
  readonly entries: readonly UnitEntry[];
}

const withoutSpecifiers = (text: string): string => text.replaceAll('%', '%%');

/**
 * Tag for text with specifiers: the text that stands in the source may name them (`%i`), the values put into it
 * are taken literally.
 */
export function specified(text: TemplateStringsArray, ...values: string[]): UnitText {
  return { unitText: String.raw({ raw: text }, ...values.map(withoutSpecifiers)) };
}

const textOf = (word: string | UnitText): string =>
  typeof word === 'string' ? withoutSpecifiers(word) : word.unitText;

const BARE = /^[\w./:=@+,%-]+$/;
const ESCAPES: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** One word the way systemd splits them: C escapes inside double quotes. */
function quoteWord(text: string): string {
  if (BARE.test(text)) return text;
  if (!isSound(text)) throw new UserError('systemd: a value is no sound Unicode text; write it anew');
  if (text.includes('\0'))
    throw new UserError(`systemd: the value ${JSON.stringify(text)} holds a NUL; remove it`);

  const escaped = text.replaceAll(/[\\"\u0001-\u001f\u007f]/g, (character) => {
    return ESCAPES[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

/** A list of words, such as paths. */
export function words(...list: (string | UnitText)[]): UnitText {
  return { unitText: list.map((word) => quoteWord(textOf(word))).join(' ') };
}

/** A command line: words in which systemd must find no variable either. */
export function command(argv: readonly (string | UnitText)[]): UnitText {
  return { unitText: argv.map((word) => quoteWord(textOf(word).replaceAll('$', '$$$$'))).join(' ') };
}

/** The value of `Environment=`: one assignment. */
export function assignment(name: string, value: string | UnitText): UnitText {
  return { unitText: quoteWord(`${name}=${textOf(value)}`) };
}

function printValue(value: UnitValue): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'object') return oneLine(value.unitText, 'systemd');
  // A backslash at the end would swallow the next line.
  if (value.endsWith('\\')) {
    throw new UserError(`systemd: the value "${value}" ends with a backslash; remove it`);
  }
  if (value.trim() !== value) {
    throw new UserError(
      `systemd: the value "${value}" begins or ends with white space, which is dropped; remove it`,
    );
  }
  return withoutSpecifiers(oneLine(value, 'systemd'));
}

function printSection({ name, entries }: UnitSection): string {
  const lines = entries.map(([key, value]) => `${key}=${printValue(value)}\n`);
  return `[${name}]\n${lines.join('')}`;
}

/**
 * The text of a unit file.
 *
 * @param heading lines of the comment at the top.
 * @throws UserError when a value can't be written.
 */
export function printUnit(heading: readonly string[], sections: readonly UnitSection[]): string {
  const comments = heading.map((line) => `# ${oneLine(line, 'systemd')}\n`).join('');
  return `${comments}\n${sections.map(printSection).join('\n')}`;
}
