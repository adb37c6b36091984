import { UserError } from '@perlstack/stack';
import { idsOf } from '../stored.js';
import type { StoredDump } from './backup.js';
import type { DumpedDatabase, DumpManifest } from './manifest.js';

/** What is asked of the dumps that there are. */
export interface DumpWanted {
  /** `null`: the newest that will do. */
  readonly id: string | null;
  /** Databases that it has to hold; none: all that it holds. */
  readonly databases: readonly string[];
  /** `HOST:PORT` of the server that it is of; `null`: the stack's own. */
  readonly server: string | null;
}

/**
 * The dump to restore.
 *
 * @throws UserError when there is none
 */
export function chooseDump(dumps: readonly StoredDump[], { id, databases, server }: DumpWanted): StoredDump {
  const named = id === null ? dumps : dumps.filter(({ manifest }) => manifest.id === id);
  if (id !== null && named.length === 0)
    throw new UserError(`Input "backup": there is no whole dump ${id}; there is: ${idsOf(dumps)}`);
  // A dump that is named may be of any server.
  const ofServer = id === null ? named.filter(({ manifest }) => manifest.source.server === server) : named;
  if (ofServer.length === 0)
    throw new UserError(`The bucket has no whole dump of ${server ?? "this stack's own PostgreSQL"}`);
  const holds = ({ manifest }: StoredDump, name: string): boolean =>
    manifest.databases.some((one) => one.name === name);
  // Without a choice, one of all databases is meant where there is any.
  const good =
    databases.length > 0
      ? ofServer.filter((dump) => databases.every((name) => holds(dump, name)))
      : ofServer.filter(({ manifest }) => manifest.selected === null);
  const chosen = good.at(-1) ?? (databases.length > 0 ? undefined : ofServer.at(-1));
  if (chosen) return chosen;
  const last = ofServer.at(-1)?.manifest;
  throw new UserError(
    `Input "databases": no dump holds ${databases.join(' and ')}; ${last?.id ?? ''} holds ${last?.databases.map(({ name }) => name).join(', ') ?? ''}`,
  );
}

/** @throws UserError for a server or programs that are older than what they are to read */
export function assertRestores(
  { id, postgresql }: Pick<DumpManifest, 'id' | 'postgresql'>,
  host: string,
  major: number,
): void {
  const least = Math.max(postgresql.major, postgresql.program);
  if (major >= least) return;
  throw new UserError(
    `Dump ${id} is of PostgreSQL ${postgresql.major}, made by pg_dump ${postgresql.program}, and ${host} has ${major}: a dump goes to the same version or a newer one`,
  );
}

/** A database of a server that is restored into. */
export interface DatabaseThere {
  readonly name: string;
  /** Nothing of a user is in it. */
  readonly empty: boolean;
}

/** How a database comes to its place. */
export interface Placement {
  readonly database: DumpedDatabase;
  /** What it is called until all are whole. */
  readonly temporary: string;
  /** What one of its name that is there already is called afterwards; `null`: there is none. */
  readonly aside: string | null;
  /** Whether that one goes, since nothing is in it. */
  readonly drops: boolean;
}

export interface DumpPlan {
  readonly placements: readonly Placement[];
  /** Why it cannot be done, a sentence without its end each. */
  readonly refusals: readonly string[];
}

/** Databases that begin so are what a restore left that never came to its end. */
export const TEMPORARY = 'perlstack_restore_';

/** PostgreSQL cuts names off after so many bytes. */
const LONGEST_NAME = 63;

export interface PlanDump {
  readonly host: string;
  readonly dump: Pick<DumpManifest, 'id' | 'databases'>;
  /** Those that are wanted; none: all. */
  readonly databases: readonly string[];
  readonly there: readonly DatabaseThere[];
  /** Databases that may be moved aside. */
  readonly replace: readonly string[];
}

/** What a restore into a running server would do, and what is in its way. */
export function planDump({ host, dump, databases, there, replace }: PlanDump): DumpPlan {
  const wanted = dump.databases.filter(({ name }) => databases.length === 0 || databases.includes(name));
  const aside = `_replaced_${dump.id}`.toLowerCase();
  const placements = wanted.map((database): Placement => {
    const old = there.find(({ name }) => name === database.name);
    return {
      ...{ database, temporary: `${TEMPORARY}${database.number}` },
      aside: old ? cut(database.name, LONGEST_NAME - aside.length) + aside : null,
      drops: old?.empty ?? false,
    };
  });
  const inTheWay = placements
    .filter(({ aside: name, drops }) => name !== null && !drops)
    .map(({ database }) => database.name)
    .filter((name) => !replace.includes(name));
  const taken = placements
    .filter(({ aside: name }) => there.some((one) => one.name === name))
    .map(({ aside: name }) => name ?? '');
  return {
    placements,
    refusals: [
      ...inTheWay.map(
        (name) =>
          `${host} has a database ${name} with something in it: name ${name} in the input "replace", and it is moved aside`,
      ),
      ...taken.map(
        (name) => `${host} has a database ${name} from an earlier restore of this dump: remove or rename it`,
      ),
      ...replace
        .filter((name) => !wanted.some((one) => one.name === name))
        .map((name) => `Input "replace": ${JSON.stringify(name)} is none of the databases that are restored`),
    ],
  };
}

/** The beginning of a text that takes no more than so many bytes. */
function cut(text: string, bytes: number): string {
  let short = text;
  while (Buffer.byteLength(short) > bytes) short = [...short].slice(0, -1).join('');
  return short;
}
