import { UserError } from '@perlstack/stack';

export type Combination = Readonly<Record<string, unknown>>;

/**
 * The jobs of a matrix, as GitHub makes them: every combination of the lists, without those in `exclude`; then each
 * entry of `include` is added to the combinations it does not contradict, or becomes one of its own.
 *
 * @throws UserError when it is no matrix, or gives no job at all
 */
export function combinations(matrix: unknown): Combination[] {
  if (typeof matrix !== 'object' || matrix === null || Array.isArray(matrix))
    throw new UserError('a matrix is a mapping');
  const { include = [], exclude = [], ...lists } = matrix as Record<string, unknown>;
  const original = product(lists).filter(
    (one) => !entries(exclude, 'exclude').some((entry) => matches(one, entry)),
  );
  const all = withIncluded(original, entries(include, 'include'));
  if (all.length === 0) throw new UserError('the matrix gives no job');
  return all;
}

function product(lists: Record<string, unknown>): Combination[] {
  const keys = Object.keys(lists);
  if (keys.length === 0) return [];
  return keys.reduce<Combination[]>(
    (rows, key) => rows.flatMap((row) => listOf(lists[key], key).map((value) => ({ ...row, [key]: value }))),
    [{}],
  );
}

function withIncluded(original: readonly Combination[], included: readonly Combination[]): Combination[] {
  const extended = original.map((one) => ({ base: one, all: { ...one } }));
  const own: Combination[] = [];
  for (const entry of included) {
    const fitting = extended.filter(({ base }) =>
      Object.keys(entry).every((key) => !(key in base) || same(base[key], entry[key])),
    );
    fitting.forEach(({ all }) => Object.assign(all, entry));
    if (fitting.length === 0) own.push(entry);
  }
  return [...extended.map(({ all }) => all), ...own];
}

function listOf(value: unknown, key: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new UserError(`matrix.${key} is not a list`);
}

function entries(value: unknown, key: string): Combination[] {
  return listOf(value, key) as Combination[];
}

function matches(one: Combination, entry: Combination): boolean {
  return Object.entries(entry).every(([key, value]) => same(one[key], value));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The name of a job of a matrix: `test (a, 1)`. */
export function matrixName(job: string, combination: Combination): string {
  const values = Object.values(combination).filter((value) => typeof value !== 'object');
  return values.length > 0 ? `${job} (${values.map(String).join(', ')})` : job;
}
