/** Bytes of the units that postgresql.conf knows. */
const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1_024,
  MB: 1_024 ** 2,
  GB: 1_024 ** 3,
  TB: 1_024 ** 4,
};

/**
 * Mebibytes of a size as postgresql.conf has it: `128MB`, `1.5GB`, or a bare number in the setting's own unit.
 *
 * @param unit bytes of that unit: 8,192 for `shared_buffers`, 1,024 for `work_mem`.
 * @returns `null` for what is no size; the server's own check says so better.
 */
export function mebibytes(value: string | number | boolean, unit: number): number | null {
  const [, amount, suffix] = /^\s*(\d+(?:\.\d+)?)\s*([kMGT]?B)?\s*$/.exec(String(value)) ?? [];
  if (amount === undefined) return null;
  return (Number(amount) * (suffix === undefined ? unit : (UNITS[suffix] ?? 1))) / 1_024 ** 2;
}

/** Mebibytes as a value of postgresql.conf, rounded down. */
export const megabytes = (size: number): string => `${Math.floor(size)}MB`;
