const UNITS = { KiB: 1 / 1_024, MiB: 1, GiB: 1_024 } as const;

/** What a size looks like: a whole number and a unit. */
export const SIZE = /^([1-9]\d*)(KiB|MiB|GiB)$/;

/**
 * Mebibytes of a size such as `512KiB`, `64MiB` or `2GiB`.
 *
 * @throws RangeError when the text is no such size.
 */
export function parseSize(text: string): number {
  const [, amount, unit] = SIZE.exec(text) ?? [];
  if (amount === undefined || unit === undefined) {
    throw new RangeError(`"${text}" is no size; write a whole number and KiB, MiB or GiB, such as 64MiB`);
  }
  return Number(amount) * UNITS[unit as keyof typeof UNITS];
}
