import type { Ask } from './ask.js';
import type { Manifest } from './manifest.js';

export type Rows = Manifest['rows'];
export type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Rows of tables above this size are not counted: that would read all of it. */
const LARGEST_BYTES = 1024 ** 3;

/** All tables of users of a database, counted in one snapshot, as JSON. `query_to_xml` is how SQL runs SQL. */
const COUNT_SQL = countSql('');

/** The same without the tables of extensions, which a dump leaves to them. */
export const DUMPED_COUNT_SQL = countSql(
  "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = pg_class.oid AND d.deptype = 'e')",
);

function countSql(which: string): string {
  return `SELECT coalesce(json_object_agg(format('%s.%s', nspname, relname),
  (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM ONLY %I.%I', nspname, relname), false, true, '')))[1]::text::bigint), '{}')
  FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'r' AND relpersistence = 'p' AND nspname NOT IN ('pg_catalog', 'information_schema')
    AND pg_table_size(pg_class.oid) <= ${LARGEST_BYTES} ${which};
`.replaceAll(/\n\s*/g, ' ');
}

/** The names of all databases that may be counted, as JSON. */
export const DATABASES_SQL = `SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM pg_database WHERE datallowconn AND NOT datistemplate;\n`;

/**
 * Counts the rows of every table of a server, a few databases at once.
 *
 * @param databases those that are counted; by default all of them
 */
export async function countRows(ask: Ask, databases?: readonly string[]): Promise<Counts> {
  const waiting = [...(databases ?? (JSON.parse(await ask(DATABASES_SQL)) as string[]))];
  const counts = new Map<string, Readonly<Record<string, number>>>(waiting.map((database) => [database, {}]));
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      counts.set(next, JSON.parse(await ask(COUNT_SQL, next)) as Record<string, number>);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return Object.fromEntries(counts);
}

/** Most servers have the application's database and that of the administrator, which is empty. */
const AT_ONCE = 2;

/** What a table may have at a moment between two counts; one that came or went meanwhile is left out. */
export function between(before: Counts, after: Counts): Rows {
  const rows: Record<string, Record<string, { least: number; most: number }>> = {};
  for (const [database, tables] of Object.entries(before)) {
    const common = Object.entries(tables).flatMap(([table, first]) => {
      const second = after[database]?.[table];
      if (second === undefined) return [];
      return [[table, { least: Math.min(first, second), most: Math.max(first, second) }] as const];
    });
    rows[database] = Object.fromEntries(common);
  }
  return rows;
}

/** Rows may have come and gone between two counts, in a table that changed at all: one in a hundred is let pass. */
const SLACK = 0.01;

/** What may have been there at a moment between two counts. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

export function fits(count: number, { least, most }: Range): boolean {
  const slack = least === most ? 0 : Math.ceil(most * SLACK) + 1;
  return count >= least - slack && count <= most + slack;
}

export const wordsOf = ({ least, most }: Range): string =>
  least === most ? String(least) : `${least} to ${most}`;

/** @returns what a restored server has otherwise than was noted, a sentence each */
export function compareRows(noted: Rows, found: Counts): string[] {
  return Object.entries(noted).flatMap(([database, tables]) => {
    const there = found[database];
    if (!there) return [`database ${database} is not there`];
    return Object.entries(tables).flatMap(([table, { least, most }]) => {
      const count = there[table];
      if (count === undefined) return [`${database}: table ${table} is not there`];
      if (fits(count, { least, most })) return [];
      return [`${database}: table ${table} has ${count} rows instead of ${wordsOf({ least, most })}`];
    });
  });
}
