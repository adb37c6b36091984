import { bad, type Found, good, type Program } from './program.js';
import type { ProbeSpec } from './spec.js';

/**
 * What a replica is asked first: where its primary's log ends, by the connection that it streams over itself. What was written
 * after that counts for nothing, so that a replica which is asked a moment later is not blamed for it. Needs no more than
 * replication's own login, and shows its password to nobody: psql reads it where the server does.
 */
const PRIMARY_SQL = String.raw`
SELECT pg_is_in_recovery() AS replica \gset
\if :replica
SELECT current_setting('primary_conninfo') || ' application_name=health replication=true' AS upstream
  WHERE current_setting('primary_conninfo') <> '' \gset
\connect -reuse-previous=off :upstream
IDENTIFY_SYSTEM;
\endif
`;

/**
 * Role, followers, lag and connections in one row of JSON; `primary` is where the primary's log ended, or empty. A replica is
 * given a second to come that far: what it needs of it is its lag in time. Only of one that needs more, the time of its last
 * transaction is taken, which says too much where nothing but the server's own notes was written for long.
 */
const OWN_SQL = `
SELECT coalesce(nullif(:'primary', ''), (SELECT latest_end_lsn::text FROM pg_stat_wal_receiver), '') AS head,
  coalesce(pg_last_wal_replay_lsn()::text, '') AS replayed, clock_timestamp() AS asked \\gset
SELECT set_config('perlstack.head', :'head', false) \\gset
DO $$BEGIN
  FOR tries IN 1..50 LOOP
    EXIT WHEN (pg_last_wal_replay_lsn() < nullif(current_setting('perlstack.head'), '')::pg_lsn) IS NOT TRUE;
    PERFORM pg_sleep(0.02);
  END LOOP;
END$$;
WITH at AS (SELECT nullif(:'head', '')::pg_lsn AS head, nullif(:'replayed', '')::pg_lsn AS replayed,
  pg_last_wal_replay_lsn() AS reached)
SELECT json_build_object(
  'replica', pg_is_in_recovery(),
  'receiving', (SELECT status FROM pg_stat_wal_receiver),
  'silence', (SELECT extract(epoch FROM clock_timestamp() - last_msg_receipt_time) FROM pg_stat_wal_receiver),
  'patience', (SELECT nullif(setting::int, 0) / 1000.0 FROM pg_settings WHERE name = 'wal_receiver_timeout'),
  'asked', :'primary' <> '',
  'streaming', (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'),
  'bytes', CASE WHEN pg_is_in_recovery() THEN (SELECT greatest(pg_wal_lsn_diff(head, replayed), 0) FROM at)
    ELSE (SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0) FROM pg_stat_replication) END,
  'seconds', CASE WHEN pg_is_in_recovery()
    THEN (SELECT CASE WHEN head <= replayed THEN 0
      WHEN head <= reached THEN extract(epoch FROM clock_timestamp() - :'asked')
      WHEN head > reached THEN coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END FROM at)
    ELSE (SELECT coalesce(max(extract(epoch FROM replay_lag)), 0) FROM pg_stat_replication) END,
  'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  'limit', current_setting('max_connections')::int);
`;

/** What psql says when the primary cannot be asked stands in a line of its own, after this word. */
const UNASKED = 'unasked:';

const SCRIPT = `
cd /
said=$(timeout 3 psql -X -A -t -q -v ON_ERROR_STOP=1 -d postgres 2>&1 <<'SQL'
${PRIMARY_SQL}
SQL
)
# A connection that nobody answers is waited for in vain: psql's own limit is not for those that it changes to.
[ $? -ne 124 ] || said='connection to server failed: no answer in 3 s'
primary=$(printf '%s\\n' "$said" | sed -n 's/^[0-9]*|[0-9]*|\\([0-9A-F]*\\/[0-9A-F]*\\)|.*/\\1/p')
[ -n "$primary" ] || printf '%s\\n' "$said" | grep -m 1 'connection to server' | sed 's/^/${UNASKED} /'
exec psql -X -A -t -q -v ON_ERROR_STOP=1 -d postgres -v primary="$primary"
`;

interface PostgresFigures {
  readonly replica: boolean;
  /** `streaming`, of a replica's receiver; null when it has no connection. */
  readonly receiving: string | null;
  /** Seconds since the receiver heard anything from its primary. */
  readonly silence: number | null;
  /** Seconds of silence after which the receiver gives its connection up; null for never. */
  readonly patience: number | null;
  /** Whether a replica's primary said itself where its log ends. */
  readonly asked: boolean;
  /** Why it did not. */
  readonly unasked?: string;
  /** Replicas that stream from it. */
  readonly streaming: number;
  readonly bytes: number | null;
  readonly seconds: number | null;
  readonly connections: number;
  readonly limit: number;
}

export function postgresProgram({ lag, connections }: ProbeSpec, role: string, host: string): Program {
  const share = connections === undefined ? null : Number.parseInt(connections, 10) / 100;
  return {
    name: `PostgreSQL on ${host}`,
    argv: ['runuser', '-u', 'postgres', '--', 'sh', '-c', SCRIPT],
    input: OWN_SQL,
    judge: (code, output) => {
      const lines = output.split('\n');
      const unasked = lines.find((line) => line.startsWith(UNASKED));
      const said = lines
        .filter((line) => line !== unasked)
        .join('\n')
        .trim();
      if (code !== 0) return bad(said || `psql ended with exit code ${code}`);
      // psql may warn before it answers.
      const row = lines.find((line) => line.startsWith('{'));
      if (row === undefined) return bad(said || 'no answer');
      const figures = JSON.parse(row) as PostgresFigures;
      return judgePostgres(
        unasked === undefined ? figures : { ...figures, unasked: reasonIn(unasked) },
        role,
        share,
        lag ?? {},
      );
    },
  };
}

/** Without the place in psql's input: that is ours. */
const reasonIn = (line: string): string =>
  line
    .slice(UNASKED.length)
    .replace(/^ ?(psql:\S+ )?(error: |\\connect: )?/, '')
    .trim();

/** The primary is asked for a sign of life at half of its receiver's patience; so many seconds it has to give one. */
const ANSWER_SECONDS = 5;

/** @param share of max_connections that may be in use, or null */
export function judgePostgres(
  figures: PostgresFigures,
  role: string,
  share: number | null,
  lag: { readonly bytes?: number | undefined; readonly time?: number | undefined },
): Found {
  const { replica, streaming, bytes, seconds, connections, limit } = figures;
  const is = replica ? 'replica' : 'primary';
  const behind = `${bytes ?? '?'} bytes and ${seconds === null ? '?' : Number(seconds.toFixed(1))} s behind`;
  const link = replica
    ? `${figures.receiving ?? 'not connected'}, ${behind}`
    : `${streaming} streaming, ${behind}`;
  const seen = `${is}, ${link}, ${connections} of ${limit} connections`;
  if (role !== 'any' && role !== is) return bad(`${seen}: no ${role}`);
  const broken = replica ? linkComplaint(figures) : undefined;
  if (broken !== undefined) return bad(`${seen}: ${broken}`);
  if (!replica && streaming === 0 && (lag.bytes ?? lag.time) !== undefined)
    return bad(`${seen}: nobody follows it`);
  if (lag.bytes !== undefined && !((bytes ?? Infinity) <= lag.bytes))
    return bad(`${seen}: more than ${lag.bytes} bytes`);
  if (lag.time !== undefined && !((seconds ?? Infinity) * 1_000 <= lag.time))
    return bad(`${seen}: more than ${lag.time / 1_000} s`);
  if (share !== null && connections > share * limit)
    return bad(`${seen}: more than ${Math.round(share * 100)} %`);
  return good(seen);
}

/** A receiver may say that it streams for as long as it is patient while nothing reaches it any more. */
function linkComplaint({
  receiving,
  silence,
  patience,
  asked,
  unasked = '',
}: PostgresFigures): string | undefined {
  if (receiving !== 'streaming') return 'it does not stream';
  if (silence !== null && patience !== null && silence > patience / 2 + ANSWER_SECONDS)
    return `it has heard nothing from its primary for ${Math.round(silence)} s`;
  // A primary that refuses (no right, no free sender) is there, and streams.
  if (!asked && /connection to server\b.* failed: (?!FATAL)/.test(unasked))
    return `its primary cannot be reached: ${unasked}`;
  return undefined;
}
