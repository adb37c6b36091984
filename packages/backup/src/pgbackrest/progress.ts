/**
 * How far a copy or a restore is.
 *
 * @param line of pgBackRest's output, at its level "detail": `… backup file PATH (bundle 1/0, 1GB, 45.32%) checksum …`
 * @returns percent; `null` for a line about something else
 */
export function percentOf(line: string): number | null {
  const percent = /(?:backup|restore) file .*\([^()]*?(\d+(?:\.\d+)?)%\)/.exec(line)?.[1];
  return percent === undefined ? null : Number(percent);
}

/** The label that a backup has got; `null` when it was not told. */
export const labelIn = (output: string): string | null =>
  /new backup label = (\S+)/.exec(output)?.[1] ?? null;
