import { fits, type Range, wordsOf } from '../rows.js';
import type { RedisManifest } from './manifest.js';

/** Keys by number of the database; one that has none is left out. */
export type KeyCounts = Readonly<Record<string, number>>;

/** What each database may have had at a moment between two counts. */
export function keysBetween(before: KeyCounts, after: KeyCounts): Record<string, Range> {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(
    (one, other) => Number(one) - Number(other),
  );
  return Object.fromEntries(
    names.map((name) => {
      const counts = [before[name] ?? 0, after[name] ?? 0];
      return [name, { least: Math.min(...counts), most: Math.max(...counts) }];
    }),
  );
}

export const sumOf = (counts: KeyCounts): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** @returns what a Redis that was made of a snapshot has otherwise than was noted, a sentence each */
export function compareKeys(
  { keys, databases }: Pick<RedisManifest, 'keys' | 'databases'>,
  found: KeyCounts,
): string[] {
  const sum = sumOf(found);
  const names = new Set([...Object.keys(databases), ...Object.keys(found)]);
  return [
    ...(sum === keys ? [] : [`it has ${sum} keys, and ${keys} were stored`]),
    ...[...names].flatMap((name) => {
      const noted = databases[name] ?? { least: 0, most: 0 };
      const count = found[name] ?? 0;
      return fits(count, noted) ? [] : [`database ${name} has ${count} keys instead of ${wordsOf(noted)}`];
    }),
  ];
}

/** The counts in what `INFO keyspace` says. */
export function countsIn(info: string): KeyCounts {
  const found = info.matchAll(/^db(\d+):keys=(\d+)/gm);
  return Object.fromEntries([...found].map(([, name = '', count]) => [name, Number(count)]));
}
