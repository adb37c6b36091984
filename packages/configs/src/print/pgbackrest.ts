import { UserError } from '@perlstack/stack';
import { isSound, oneLine } from './refuse.js';

export type PgbackrestSetting = readonly [name: string, value: string | number | boolean];

/** `[global]`, or the stanza's own settings. */
export interface PgbackrestSection {
  readonly name: string;
  readonly settings: readonly PgbackrestSetting[];
}

const NAME = /^[a-z][a-z0-9-]*$/;

/** pgBackRest takes a value as it stands, from the first sign that is no space to the last. */
function printSetting([name, value]: PgbackrestSetting): string {
  if (!NAME.test(name)) throw new UserError(`pgbackrest: "${name}" is no name of a setting`);
  if (typeof value === 'boolean') return `${name}=${value ? 'y' : 'n'}\n`;
  const text = String(value);
  // A value may be a secret: it is not in the message.
  if (text === '' || text !== text.trim() || /[\u0000-\u001f\u007f]/.test(text) || !isSound(text))
    throw new UserError(
      `pgbackrest: the value of ${name} is empty, begins or ends with a space, or holds a line end or another control character; choose another`,
    );
  return `${name}=${text}\n`;
}

/**
 * The text of a file in pgBackRest's dialect.
 *
 * @throws UserError when a name is none, or a value can't be written. The value is not in the message.
 */
export function printPgbackrest(heading: string, sections: readonly PgbackrestSection[]): string {
  const printed = sections.map(
    ({ name, settings }) => `\n[${oneLine(name, 'pgbackrest')}]\n${settings.map(printSetting).join('')}`,
  );
  return `# ${oneLine(heading, 'pgbackrest')}\n${printed.join('')}`;
}
