/**
 * A language that a printer writes, and how to get the values out of its real program again: what the property test
 * of `test/src/dialects.test.ts` runs on hosts.
 */
export interface Dialect {
  readonly name: string;
  /** Debian packages with the program. */
  readonly packages: readonly string[];
  /** Values that the dialect has no way to write, and may thus be refused. All others must be accepted. */
  readonly refusable: (value: string) => boolean;
  /** Values that make no sense where the trial puts them, such as a slash in a file's name. */
  readonly senseless?: (value: string) => boolean;
  /**
   * Writes values with the printer.
   *
   * @throws UserError when one of them is refused
   */
  trial(values: readonly string[]): Trial;
}

export interface Trial {
  /** Files by their absolute paths. */
  readonly files: Readonly<Record<string, string>>;
  /** Shell script, run as root when the files are there: prints the values as the program sees them, one a
   * line, as an equals sign and hex. */
  readonly script: string;
}

/** Folder on the host for a trial's files; it is made before and removed afterwards. */
export const TRIAL_FOLDER = '/run/dialects';

/** A Perl program that prints what an expression gives for `$_` from 0 to `count - 1`. */
export const hexOf = (expression: string, count: number): string =>
  `binmode STDOUT; print "=", unpack("H*", ${expression}), "\\n" for 0 .. ${count - 1};`;

/** What no file can hold, since it has no bytes in UTF-8. */
export const isUnsound = (value: string): boolean => /\p{Surrogate}/u.test(value);

/** Line ends and other control characters. */
export const hasControl = (value: string): boolean => /[\u0000-\u001f\u007f]/.test(value);
