import { UserError } from '@perlstack/stack';

/**
 * Values by their names, from lines of the form `NAME=value`. A value of several lines is written as in the runner's
 * own files:
 *
 *     NAME<<EOF
 *     first line
 *     second line
 *     EOF
 *
 * An empty value counts as not set, as a secret that does not exist reads as an empty text in a workflow.
 *
 * @throws UserError that names the line, but never quotes it: it may hold a secret
 */
export function parseAssignments(text: string): ReadonlyMap<string, string> {
  const lines = text.split(/\r?\n/);
  const values = new Map<string, string>();
  for (let at = 0; at < lines.length;) {
    const line = lines[at] ?? '';
    const [name, value, next] = line.trim() === '' ? ['', '', at + 1] : assignmentAt(lines, at);
    if (values.has(name)) throw new UserError(`${name} is set twice, the second time in line ${at + 1}`);
    if (value !== '') values.set(name, value);
    at = next;
  }
  return values;
}

/** The assignment that begins in a line, and the line after it. */
function assignmentAt(lines: readonly string[], at: number): [name: string, value: string, next: number] {
  const [, name, sign, rest = ''] = /^\s*([A-Za-z_][A-Za-z0-9_]*)(=|<<)(.*)$/.exec(lines[at] ?? '') ?? [];
  if (name === undefined) {
    throw new UserError(
      `line ${at + 1} is not of the form NAME=value; a value of several lines goes between a line NAME<<EOF and a line EOF`,
    );
  }
  if (sign === '=') return [name, rest.trim(), at + 1];
  const delimiter = rest.trim();
  const end = lines.findIndex((line, index) => index > at && line.trim() === delimiter);
  if (delimiter === '' || end === -1)
    throw new UserError(`line ${at + 1}: the value of ${name} has no end; close it with the word after <<`);
  return [name, lines.slice(at + 1, end).join('\n'), end + 1];
}

/** What has to be masked in a text of assignments: their values, or all of it where it can't be read. */
export function valuesIn(text: string): string[] {
  try {
    return [...parseAssignments(text).values()];
  } catch {
    return [text, ...text.split(/\r?\n/).map((line) => line.replace(/^\s*[A-Za-z_][A-Za-z0-9_]*=/, ''))];
  }
}
