import type { LogFile } from '../catalogue.js';

const FILE =
  /"((?:[0-9A-F]{16}\/)?([0-9A-F]{24}|[0-9A-F]{8}\.history)(?:-[0-9a-f]{40})?(?:\.[a-z0-9]+)?)":\{"type":"file","size":(\d+),"time":(\d+)\}/;

/** Splits what `repo-ls --output=json` prints, one line however much there is, into a line a file. */
export const ONE_A_LINE = String.raw`sed 's/},/},\n/g'`;

/**
 * One entry of `pgbackrest repo-ls --recurse --output=json archive/STANZA/ID`.
 *
 * @returns `null` for what is no segment or history
 */
export function readArchiveEntry(line: string): (LogFile & { readonly name: string }) | null {
  const [, key, name, size, time] = FILE.exec(line) ?? [];
  if (key === undefined || name === undefined) return null;
  return { name, key, size: Number(size), modified: new Date(Number(time) * 1_000) };
}

/** SHA-1 of a segment's content in hex, which is in its key. */
export const sha1Of = (key: string): string | null => /-([0-9a-f]{40})(?:\.|$)/.exec(key)?.[1] ?? null;
