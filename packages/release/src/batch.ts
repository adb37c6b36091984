import { UserError } from '@perlstack/stack';

/** How many hosts are rolled at once: a number of them, or a share of all app hosts. */
export type BatchSize = { readonly hosts: number } | { readonly percent: number };

/** The first hosts: for a while they alone have the release, and are compared with the rest. */
export interface Canary {
  readonly hosts: number;
  /** Milliseconds. */
  readonly bakeMs: number;
  /** So many times as slow (median or 95th percentile) they have to be to go back, besides being slower for certain. */
  readonly slowdown: number;
}

/**
 * Sizes of batches as a person writes them: `1`, `25%`, or one after the other, `1, 10%, 50%`; the last one is repeated.
 *
 * @throws UserError when it is none of that
 */
export function batchSizes(text: string): BatchSize[] {
  return text.split(',').map((part) => {
    const [, digits = '', percent] = /^\s*(\d{1,3})(%)?\s*$/.exec(part) ?? [];
    const number = Number(digits);
    if (number < 1 || (percent !== undefined && number > 100)) {
      throw new UserError(
        `batch "${text}": "${part.trim()}" is neither a number of servers nor a share of them; write 1, 25% or 1,10%,50%`,
      );
    }
    return percent === undefined ? { hosts: number } : { percent: number };
  });
}

/** The sizes of all batches: a canary's comes first. */
export const sizesOf = (batch: readonly BatchSize[], canary: Canary | null): readonly BatchSize[] =>
  canary === null ? batch : [{ hosts: canary.hosts }, ...batch];

/**
 * Cuts a row into batches.
 *
 * @param total what a share is a share of; a share is rounded down, but never to nothing
 * @param most no batch is larger
 */
export function batchesOf<T>(
  row: readonly T[],
  sizes: readonly BatchSize[],
  total: number,
  most = Infinity,
): T[][] {
  const batches: T[][] = [];
  for (let from = 0; from < row.length;) {
    const size = sizes[Math.min(batches.length, sizes.length - 1)] ?? { hosts: 1 };
    const wanted = 'hosts' in size ? size.hosts : Math.floor((size.percent * total) / 100);
    const next = row.slice(from, from + Math.max(1, Math.min(wanted, most)));
    batches.push(next);
    from += next.length;
  }
  return batches;
}

/**
 * The same hosts in an order in which neighbours stand apart: those of one place (rack, placement group) are dealt out one
 * by one. Hosts of which no place is known count as one place each, and the order stays where nothing forces another.
 */
export function spread<T>(row: readonly T[], placeOf: (one: T) => string | null): T[] {
  const places = new Map<string, T[]>();
  row.forEach((one, at) => {
    const place = placeOf(one) ?? ` ${at}`;
    places.set(place, [...(places.get(place) ?? []), one]);
  });
  const rounds = Math.max(0, ...[...places.values()].map((hosts) => hosts.length));
  return Array.from({ length: rounds }, (_, round) =>
    [...places.values()].flatMap((hosts) => hosts.slice(round, round + 1)),
  ).flat();
}

/** How many of so many hosts a share (0 to 1) is at the least; 28 % of 25 are 7, whatever 0.28 is in a computer. */
export const neededOf = (share: number, total: number): number =>
  Math.ceil(Math.round(share * total * 1_000) / 1_000);
