/**
 * A position in the write-ahead log as a number, from PostgreSQL's own form `16/B374D848`.
 *
 * @throws RangeError for any other text.
 */
export function parseLsn(text: string): bigint {
  const [, high, low] = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text) ?? [];
  if (high === undefined || low === undefined) throw new RangeError(`"${text}" is no position in a WAL`);
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/** Number of the segment that holds a position, timelines apart. */
export function segmentAt(lsn: string, segmentBytes: number): bigint {
  return parseLsn(lsn) / BigInt(segmentBytes);
}

/**
 * Number of a segment from the name of its file, timelines apart.
 *
 * @throws RangeError when it is no such name.
 */
export function segmentOf(file: string, segmentBytes: number): bigint {
  const [, log, segment] = /^[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})$/.exec(file) ?? [];
  if (log === undefined || segment === undefined) throw new RangeError(`"${file}" is no file of a WAL`);
  return BigInt(`0x${log}`) * (2n ** 32n / BigInt(segmentBytes)) + BigInt(`0x${segment}`);
}
