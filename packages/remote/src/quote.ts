/** Words of these characters alone mean the same to every shell, so they stay readable. */
const PLAIN = /^[A-Za-z0-9_%+,./:=@^-]+$/;

/**
 * One word for a POSIX shell: whatever it holds (blanks, quotes, `$`, newlines, nothing at all) arrives as it is.
 *
 * @throws Error for a NUL character, which no argument can hold.
 */
export function quote(word: string): string {
  if (word.includes('\0')) throw new Error('A shell word cannot hold a NUL character');
  if (PLAIN.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The line that makes a POSIX shell run exactly these arguments. */
export function commandLine(argv: readonly string[]): string {
  return argv.map(quote).join(' ');
}
