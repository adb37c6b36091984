const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What a duration looks like: a whole number and a unit. */
export const DURATION = /^(\d+)(ms|s|m|h|d)$/;

/**
 * Milliseconds of a duration such as `500ms`, `60s`, `5m`, `12h` or `7d`.
 *
 * @throws RangeError when the text is no such duration.
 */
export function parseDuration(text: string): number {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  if (amount === undefined || unit === undefined) {
    throw new RangeError(`"${text}" is no duration; write a whole number and ms, s, m, h or d, such as 30s`);
  }
  return Number(amount) * UNITS[unit as keyof typeof UNITS];
}

/** A duration as a person reads it: `840 ms`, `3.2 s`, `2 min 5 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 59_950) return `${(milliseconds / 1_000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
