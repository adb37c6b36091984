import { UserError } from '@perlstack/stack';
import { oneLine } from './refuse.js';

export type PostgresValue = string | number | boolean;

/** `name = value`; `null` in place of a value makes a comment of the name. */
export type PostgresLine = readonly [name: string, value: PostgresValue | null];

const NAME = /^[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?$/;

/** A string as postgresql.conf reads it: in single quotes, with C escapes. */
function quote(name: string, text: string): string {
  if (text.includes('\0')) throw new UserError(`postgresql: the value of ${name} holds a NUL; remove it`);
  const escaped = text.replaceAll(/[\\'\u0001-\u001f\u007f]/g, (character) => {
    if (character === "'") return "''";
    return character === '\\' ? '\\\\' : `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`;
  });
  return `'${escaped}'`;
}

function printValue(name: string, value: PostgresValue): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'number') return String(value);
  return quote(name, value);
}

function printLine([name, value]: PostgresLine): string {
  if (value === null) return `\n# ${oneLine(name, 'postgresql')}\n`;
  // The only statement of this dialect that is no setting takes its value without an equals sign.
  if (name === 'include_dir') return `\n${name} ${printValue(name, value)}\n`;
  if (!NAME.test(name)) throw new UserError(`postgresql: "${name}" is no name of a setting`);
  return `${name} = ${printValue(name, value)}\n`;
}

/**
 * The text of a postgresql.conf. Debian's own tools read it too, and stop at a line that they don't understand, so
 * strings are always quoted.
 *
 * @throws UserError when a name is none, or a value can't be written.
 */
export function printPostgresql(heading: string, lines: readonly PostgresLine[]): string {
  return `# ${oneLine(heading, 'postgresql')}\n${lines.map(printLine).join('')}`;
}
