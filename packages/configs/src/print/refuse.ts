import { UserError } from '@perlstack/stack';

/** C0 control characters and DEL: none of them has a place in a line of configuration. */
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Half of a surrogate pair: it has no bytes in UTF-8, so another character would be written in its place. */
const UNSOUND = /\p{Surrogate}/u;

/** Whether a value can be written to a file and read back from it. */
export const isSound = (value: string): boolean => !UNSOUND.test(value);

/**
 * The value itself, when it can stand in one line of configuration.
 *
 * @throws UserError when it holds a line end or another control character, or is no sound Unicode.
 */
export function oneLine(value: string, dialect: string): string {
  if (CONTROL.test(value)) {
    throw new UserError(
      `${dialect}: the value ${JSON.stringify(value)} holds a line end or another control character; remove it`,
    );
  }
  if (!isSound(value)) throw new UserError(`${dialect}: a value is no sound Unicode text; write it anew`);
  return value;
}
