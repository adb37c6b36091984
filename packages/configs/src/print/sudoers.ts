import { UserError } from '@perlstack/stack';
import { oneLine } from './refuse.js';

/** Text of the sudoers language; only the functions below make one. */
export interface SudoersText {
  readonly sudoers: string;
}

/**
 * A name of a user. Others that a system may have can be taken for something else by sudo (an alias, a group, a uid,
 * `ALL`), so they are refused.
 *
 * @throws UserError
 */
export function userName(name: string): SudoersText {
  if (/^[a-z_][a-z0-9_.-]{0,31}$/.test(name)) return { sudoers: name };
  throw new UserError(
    `sudoers: the user ${JSON.stringify(name)} may only have small letters, digits and _ . -, and begins with a letter`,
  );
}

/** What stands for something else in a command, and what separates commands. */
const SPECIAL = /[,:=*?[\]!#^ ]/g;

/**
 * A command that sudo lets through, with exactly these arguments; `'anything'` after them stands for any more.
 *
 * @throws UserError when the program is no absolute path or a word can't be written
 */
export function command(argv: readonly [string, ...string[]], more?: 'anything'): SudoersText {
  if (!argv[0].startsWith('/'))
    throw new UserError(`sudoers: ${JSON.stringify(argv[0])} is no absolute path`);
  const words = argv.map((word) => {
    if (word === '' || word.includes('\\')) {
      throw new UserError(
        `sudoers: an argument of a command is empty or has a backslash: ${JSON.stringify(word)}`,
      );
    }
    return oneLine(word, 'sudoers').replaceAll(SPECIAL, (character) => `\\${character}`);
  });
  // Without arguments, a command stands for all of them; "" says that there are none.
  const rest = more === 'anything' ? ['*'] : argv.length === 1 ? ['""'] : [];
  return { sudoers: [...words, ...rest].join(' ') };
}

/** Tag for a line: the text in the source is sudoers', what is put into it was printed above. */
export function sudoersLine(text: TemplateStringsArray, ...values: SudoersText[]): SudoersText {
  return { sudoers: String.raw({ raw: text }, ...values.map(({ sudoers }) => sudoers)) };
}

/** A comment. With a blank after the `#` it can be neither a directive nor a uid. */
export function comment(text: string): SudoersText {
  const line = oneLine(text, 'sudoers');
  if (line.endsWith('\\'))
    throw new UserError(`sudoers: the value "${line}" ends with a backslash; remove it`);
  return { sudoers: `# ${line}` };
}

/** The text of a file in /etc/sudoers.d. */
export function printSudoers(lines: readonly SudoersText[]): string {
  return lines.map(({ sudoers }) => `${sudoers}\n`).join('');
}
