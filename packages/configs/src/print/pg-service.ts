import { UserError } from '@perlstack/stack';
import { oneLine } from './refuse.js';

/** libpq 15 and older read lines of up to 1,023 bytes, with their end. */
const LONGEST = 1_000;

/**
 * The text of a connection service file for libpq. It has no quoting: a value is all that follows the first equals sign,
 * without the white space at its end.
 *
 * @throws UserError when a value could not be read back as it is.
 */
export function printServiceFile(
  heading: string,
  service: string,
  settings: Readonly<Record<string, string | number>>,
): string {
  if (!/^[\w-]+$/.test(service)) throw new Error(`"${service}" is no name of a service`);
  const lines = Object.entries(settings).map(([name, value]) => `${printSetting(name, String(value))}\n`);
  return `# ${oneLine(heading, DIALECT)}\n[${service}]\n${lines.join('')}`;
}

const DIALECT = 'pg_service.conf';

function printSetting(name: string, value: string): string {
  if (!/^[a-z_]+$/.test(name)) throw new Error(`"${name}" is no setting of libpq`);
  const line = `${name}=${oneLine(value, DIALECT)}`;
  if (/\s$/.test(value)) throw refused(name, value, 'ends with white space, which libpq drops; remove it');
  if (Buffer.byteLength(line) > LONGEST)
    throw refused(name, value, `makes a line of more than ${LONGEST} bytes`);
  return line;
}

const refused = (name: string, value: string, why: string): UserError =>
  new UserError(`${DIALECT}: ${name}: the value ${JSON.stringify(value.slice(0, 80))} ${why}`);
