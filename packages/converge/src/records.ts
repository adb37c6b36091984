import { createHash } from 'node:crypto';

/**
 * Scripts and this package talk in lines of fields between tabs: the plainest form that a POSIX shell both reads and
 * writes. Contents go as base64, so that neither tab nor newline can occur in a field.
 */
export type Fields = readonly [kind: string, ...fields: string[]];

/** The last line of every input: a script that does not find it was cut off, and changes nothing. */
const END = 'end';

/** @throws Error for a field that would break the form; configuration paths never hold such characters. */
export function encodeRecords(records: readonly Fields[]): string {
  const lines = [...records, [END]].map((fields) => {
    for (const field of fields) {
      // An empty field would be lost: `read` takes several tabs for one.
      if (field === '' || /[\t\n\0]/.test(field))
        throw new Error(`Not a field of a record: ${JSON.stringify(field)}`);
    }
    return fields.join('\t');
  });
  return `${lines.join('\n')}\n`;
}

/** @throws Error when the output is not complete. */
export function decodeRecords(output: string): string[][] {
  const lines = output.split('\n');
  if (lines.at(-1) !== '' || lines.at(-2) !== END)
    throw new Error('The output of a script on a host is not complete');
  return lines.slice(0, -2).map((line) => line.split('\t'));
}

/** Text for a field; `-` stands for none, and is not in base64's alphabet. */
export function encodeContent(content: string): string {
  return Buffer.from(content).toString('base64') || '-';
}

export function decodeContent(field: string): string {
  return field === '-' ? '' : Buffer.from(field, 'base64').toString('utf8');
}

/** Permission bits as `chmod` takes them. */
export function encodeMode(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
