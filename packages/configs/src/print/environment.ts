import { UserError } from '@perlstack/stack';
import { isSound } from './refuse.js';

/**
 * The text of a file for systemd's `EnvironmentFile=`. Values may have line ends (keys in PEM form); nothing in
 * them is expanded.
 *
 * @throws UserError when a value holds a NUL, which no environment variable can, or is no sound Unicode. The value is
 *   not in the message.
 */
export function printEnvironmentFile(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quote(name, value)}\n`)
    .join('');
}

function quote(name: string, value: string): string {
  if (value.includes('\0')) throw new UserError(`${name}: the value holds a NUL; remove it`);
  if (!isSound(value)) throw new UserError(`${name}: the value is no sound Unicode text; hand it over anew`);
  return `"${value.replaceAll(/[\\"`$]/g, (character) => `\\${character}`)}"`;
}
