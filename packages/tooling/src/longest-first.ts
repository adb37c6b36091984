import { statSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * Files of end-to-end tests that take minutes, the longest first: one that began last would keep one worker busy long
 * after the others have nothing left to do. Only the order hangs on this list; a file that is not on it comes later.
 */
export const LONGEST: readonly string[] = [
  'kill',
  'redis',
  'redis-backup',
  'deploy-faults',
  'postgres',
  'stack',
  'backup-faults',
  'pgbackrest',
  'backup-log-faults',
  'release',
  'chain',
  'entry',
  'roll',
  'health-gate',
  'backup-lock',
  'converge',
  'pg-dump',
  'real-app',
  'backup-run-faults',
  'disaster',
  'scale-out',
  'backup',
  'bad-input',
  'access',
  'pg-dump-move',
  'canary',
  'build',
  'shop',
].map((name) => `${name}.test.ts`);

/** @returns the paths, those that take the longest first; of the others the largest, as jest itself does */
export function longestFirst<T extends { readonly path: string }>(tests: readonly T[]): T[] {
  const rank = ({ path }: T): number => {
    const place = LONGEST.indexOf(basename(path));
    return place < 0 ? LONGEST.length : place;
  };
  const sizes = new Map(tests.map(({ path }) => [path, statSync(path).size]));
  const size = ({ path }: T): number => sizes.get(path) ?? 0;
  return [...tests].sort((a, b) => rank(a) - rank(b) || size(b) - size(a));
}

/** What jest asks for the order; its own goes by how long files took before, which a fresh clone does not know. */
export default class LongestFirst {
  sort<T extends { readonly path: string }>(tests: readonly T[]): T[] {
    return longestFirst(tests);
  }

  /** Nothing is remembered. */
  cacheResults(): void {}
}
