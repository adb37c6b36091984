import { UserError } from '@perlstack/stack';
import { oneLine } from './refuse.js';

/** A word that pg_hba.conf has a meaning for. */
export interface HbaKeyword {
  readonly keyword: 'all' | 'replication';
}

/** Plain strings are names, whatever they look like. */
export type HbaName = string | HbaKeyword;

export interface HbaRule {
  readonly database: HbaName;
  readonly user: HbaName;
  /** Network with its prefix length, `10.10.1.2/32`; none for the local socket. */
  readonly network?: string;
  readonly method: 'peer' | 'scram-sha-256';
}

/** In quotes a name loses every meaning but that of a leading slash, which PostgreSQL 16 takes for a pattern. */
function printName(name: HbaName): string {
  if (typeof name === 'object') return name.keyword;
  const text = oneLine(name, 'pg_hba');
  if (text === '' || text.startsWith('/')) {
    throw new UserError(
      `pg_hba: the name ${JSON.stringify(text)} is empty or begins with a slash; choose another`,
    );
  }
  return `"${text.replaceAll('"', '""')}"`;
}

function printNetwork(network: string): string {
  if (/^[0-9a-fA-F:.]+\/\d+$/.test(network)) return network;
  throw new UserError(`pg_hba: "${network}" is no network such as 10.10.1.2/32`);
}

function printRule({ database, user, network, method }: HbaRule): string {
  const words = [
    network === undefined ? 'local' : 'host',
    ...[database, user].map(printName),
    ...(network === undefined ? [] : [printNetwork(network)]),
  ];
  return `${words.map((word) => word.padEnd(16)).join(' ')} ${method}\n`;
}

/**
 * The text of a pg_hba.conf: the first rule that fits decides, and what none fits is refused.
 *
 * @throws UserError when a name or network can't be written.
 */
export function printHba(heading: string, rules: readonly HbaRule[]): string {
  return `# ${oneLine(heading, 'pg_hba')}\n\n${rules.map(printRule).join('')}`;
}

/**
 * A line of a password file of libpq. Fields are taken literally, `*` for any.
 *
 * @throws UserError when a field holds a line end. The password is not in the message.
 */
export function printPassword(password: string, address: string, port: number, user: string): string {
  const fields = [address, String(port), '*', user, password];
  if (fields.some((field) => /[\r\n\0]/.test(field))) {
    throw new UserError(`pgpass: the password of ${user} holds a line end; remove it`);
  }
  return `${fields.map((field) => (field === '*' ? field : field.replaceAll(/[\\:]/g, '\\$&'))).join(':')}\n`;
}
