import { UserError } from '@perlstack/stack';

/** C0 control characters and DEL: none of them has a place in a line of configuration. */

const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * The value itself, when it can stand in one line of configuration.
 *
 * @throws UserError when it holds a line end or another control character.
 */
export function oneLine(value: string, dialect: string): string {
  if (CONTROL.test(value)) {
    throw new UserError(
      `${dialect}: the value ${JSON.stringify(value)} holds a line end or another control character; remove it`,
    );
  }
  return value;
}
