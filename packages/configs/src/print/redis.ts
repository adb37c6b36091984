import { UserError } from '@perlstack/stack';
import { oneLine } from './refuse.js';

/** A setting of redis.conf, or of a Sentinel's file, where its name has several words. */
export type RedisSetting = readonly [name: string, value: string | number | boolean];

const NAME = /^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)*$/;

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\u0007': '\\a',
  '\b': '\\b',
};

function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  const printable = byte >= 0x20 && byte < 0x7f;
  return ESCAPES[character] ?? (printable ? character : `\\x${byte.toString(16).padStart(2, '0')}`);
}

/**
 * One word as Redis quotes it itself, so that a line of a file, the same word in a command, and what `redis-cli
 * --no-raw` answers can be compared as text.
 *
 * @throws UserError for a NUL, at which Redis would cut it, and for half a surrogate pair. The value is not in it.
 */
export function redisWord(value: string, name: string): string {
  if (value.includes('\0')) throw new UserError(`redis: ${name}: the value holds a NUL; remove it`);
  if (/\p{Surrogate}/u.test(value)) throw new UserError(`redis: ${name}: the value is no sound Unicode text`);
  return `"${[...Buffer.from(value)].map(escapeByte).join('')}"`;
}

function textOf(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return String(value);
}

/** The text of a file in Redis's dialect: one setting a line, its value one quoted word. */
export function printRedis(heading: string, settings: readonly RedisSetting[]): string {
  const lines = settings.map(([name, value]) => {
    if (!NAME.test(name)) throw new Error(`No name of a Redis setting: ${JSON.stringify(name)}`);
    return `${name} ${redisWord(textOf(value), name)}\n`;
  });
  return `# ${oneLine(heading, 'redis')}\n${lines.join('')}`;
}
