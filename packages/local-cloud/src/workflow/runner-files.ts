import { UserError } from '@perlstack/stack';

/**
 * The entries of one of the files through which a process talks to the runner (GITHUB_OUTPUT, GITHUB_STATE,
 * GITHUB_ENV): lines of `name=value`, or `name<<DELIMITER`, any lines, `DELIMITER`.
 *
 * @throws UserError for anything else, as the runner fails a step for it
 */
export function parseEntries(text: string, file: string): Record<string, string> {
  const entries: Record<string, string> = {};
  const lines = text.split(/\r?\n/);
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    if (line === '') continue;
    const [, name = '', sign, rest = ''] = /^([^=<]*(?:<(?!<)[^=<]*)*)(=|<<)(.*)$/.exec(line) ?? [];
    if (name === '' || !sign) throw new UserError(`${file}: invalid format '${line}'`);
    entries[name] = sign === '=' ? rest : takeUntil(rest, lines, file);
  }
  return entries;
}

function takeUntil(delimiter: string, lines: string[], file: string): string {
  const end = lines.indexOf(delimiter);
  if (delimiter === '' || end < 0)
    throw new UserError(`${file}: matching delimiter not found '${delimiter}'`);
  const value = lines.splice(0, end).join('\n');
  lines.shift();
  return value;
}
