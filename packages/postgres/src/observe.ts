import { postgresLayout, type PostgresSpec } from '@perlstack/configs';
import type { Member } from '@perlstack/engine';
import { quote, type Remote } from '@perlstack/remote';
import { observeSql } from './observe-sql.js';
import type { DataSeen, PostgresSeen, ServerSeen } from './seen.js';
import { asPostgres, psql } from './sql.js';

const TIMEOUT_MS = 120_000;

/**
 * Answers with lines of fields between tabs, the last of them `end`. Changes nothing. Arguments: folder of the programs,
 * data directory, unit, then databases; the input is SQL.
 */
function script(spec: PostgresSpec): string {
  const server = psql(spec).map(quote).join(' ');
  const other = psql(spec).slice(0, -1).map(quote).join(' ');
  const control = asPostgres(['env', 'LC_ALL=C', `${postgresLayout(spec.version).programs}/pg_controldata`]);
  return `
set -u
programs=$1 data=$2 unit=$3
shift 3
sql=$(cat)
if [ -x "$programs/postgres" ]; then printf 'installed\\n'; fi
for version in "$(dirname "$(dirname "$data")")"/*/main/PG_VERSION; do
  if [ -e "$version" ]; then printf 'version\\t%s\\n' "$(cat "$version")"; fi
done
if [ -x "$programs/postgres" ] && [ -e "$data/PG_VERSION" ]; then
  printf 'data\\t%s\\t%s\\n' "$(cat "$data/PG_VERSION")" "$([ -e "$data/standby.signal" ] && echo standby || echo primary)"
  ${control.map(quote).join(' ')} "$data" | sed 's/^/control\\t/'
fi
if systemctl is-active --quiet "$unit"; then
  printf 'running\\n'
  if answer=$(printf '%s\\n' "$sql" | ${server} 2>&1); then
    printf 'server\\t%s\\n' "$answer"
    for database; do
      names=$(echo "SELECT string_agg(extname, ' ') FROM pg_extension" | ${other} "$database" 2> /dev/null) || continue
      printf 'extensions\\t%s\\t%s\\n' "$database" "$names"
    done
  else
    printf 'silence\\t%s\\n' "$(printf %s "$answer" | tr '\\n\\t' '  ')"
  fi
fi
printf 'end\\n'
`;
}

/** Looks at every member, all at once, each with one script. Writes nothing. */
export async function observe(
  remote: Remote,
  members: readonly Member<PostgresSpec>[],
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Readonly<Record<string, PostgresSeen>>> {
  const entries = members.map(async ({ host, spec }) => {
    const { programs } = postgresLayout(spec.version);
    const databases = spec.databases.filter(({ extensions }) => extensions.length > 0);
    const args = [programs, spec.dataDirectory, spec.unit, ...databases.map(({ name }) => name)];
    const { stdout } = await remote.script(host, script(spec), args, {
      ...{ name: 'observing postgresql', sudo: true, input: observeSql(spec), timeoutMs: TIMEOUT_MS },
      ...(signal ? { signal } : {}),
    });
    return [host, readSeen(stdout, spec.version)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** @throws Error when the output is not complete. */
export function readSeen(output: string, version: number): PostgresSeen {
  const lines = output.split('\n').map((line) => line.split('\t'));
  if (!/(?:^|\n)end\n$/.test(output)) throw new Error('The output of observing PostgreSQL is not complete');
  const all = (kind: string): string[][] =>
    lines.filter(([first]) => first === kind).map((line) => line.slice(1));
  const has = (kind: string): boolean => all(kind).length > 0;
  const [data] = all('data');
  const [server] = all('server');
  return {
    installed: has('installed'),
    running: has('running'),
    data: data ? readData(data, all('control')) : null,
    otherVersions: all('version')
      .map(([text]) => Number(text))
      .filter((other) => other !== version),
    server: server ? readServer(server.join('\t'), all('extensions')) : null,
    silence: all('silence')[0]?.join(' ').trim() ?? null,
  };
}

function readServer(text: string, extensions: readonly string[][]): ServerSeen {
  const names = extensions.map(([database = '', list = '']) => [database, list.split(' ').filter(Boolean)]);
  return {
    ...(JSON.parse(text) as Omit<ServerSeen, 'extensions'>),
    extensions: Object.fromEntries(names) as ServerSeen['extensions'],
  };
}

const NOWHERE = '0/0';

/** What `pg_controldata` prints, of which a replica's own end stands elsewhere than a primary's. */
function readData([version = '', role = '']: readonly string[], control: readonly string[][]): DataSeen {
  const values = new Map(
    control.map(([line = '']) => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1).trim()] as const;
    }),
  );
  const value = (name: string): string => {
    const found = values.get(name);
    if (found === undefined) throw new Error(`pg_controldata prints no "${name}"`);
    return found;
  };
  const end = value('Minimum recovery ending location');
  const recovered = end !== NOWHERE;
  return {
    version: Number(version),
    standby: role === 'standby',
    systemIdentifier: value('Database system identifier'),
    state: value('Database cluster state'),
    timeline: Number(
      value(recovered ? "Min recovery ending loc's timeline" : "Latest checkpoint's TimeLineID"),
    ),
    lsn: recovered ? end : value('Latest checkpoint location'),
    checksums: value('Data page checksum version') !== '0',
  };
}
