import { REDIS, SENTINEL, type ServerLayout } from '@perlstack/configs';
import type { ProgramProbe } from './probe.js';
import type { ProbeSpec } from './spec.js';

type Program = Pick<ProgramProbe, 'argv' | 'judge'> & { readonly name: string; readonly input?: string };
type Found = ReturnType<ProgramProbe['judge']>;

const good = (seen: string): Found => ({ ok: true, seen });
const bad = (seen: string): Found => ({ ok: false, seen });

/** What is run on a host for a probe that looks at something there, and how its words are read. */
export function programOf(spec: ProbeSpec, host: string): Program {
  if (spec.unit !== undefined) return unitProgram(spec.unit, host);
  if (spec.postgres !== undefined) return postgresProgram(spec, spec.postgres, host);
  if (spec.redis !== undefined) return redisProgram(spec, spec.redis, host);
  if (spec.sentinel !== undefined) return sentinelProgram(spec.sentinel, host);
  return commandProgram(spec, spec.command ?? [], host);
}

function unitProgram(unit: string, host: string): Program {
  return {
    name: `unit ${unit} on ${host}`,
    argv: ['systemctl', 'show', '--property=LoadState,ActiveState,SubState', '--', unit],
    judge: (_code, output) => {
      const property = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(output)?.[1] ?? '?';
      if (property('LoadState') === 'not-found') return bad('there is no such unit');
      const seen = `${property('ActiveState')} (${property('SubState')})`;
      return property('ActiveState') === 'active' ? good(seen) : bad(seen);
    },
  };
}

function commandProgram({ exit = [0], contains }: ProbeSpec, argv: readonly string[], host: string): Program {
  return {
    name: `${argv[0] ?? ''} on ${host}`,
    argv,
    judge: (code, output) => {
      const said = output.trim() === '' ? '' : `: ${output.trim()}`;
      if (!exit.includes(code)) return bad(`exit code ${code}${said}`);
      if (contains !== undefined && !output.includes(contains))
        return bad(`exit code ${code} without "${contains}"${said}`);
      return good(`exit code ${code}`);
    },
  };
}

/** Role, followers, lag and connections in one row of JSON. */
const POSTGRES_SQL = `
SELECT json_build_object(
  'replica', pg_is_in_recovery(),
  'receiving', (SELECT status FROM pg_stat_wal_receiver),
  'streaming', (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'),
  'bytes', CASE WHEN pg_is_in_recovery()
    THEN (SELECT greatest(pg_wal_lsn_diff(latest_end_lsn, pg_last_wal_replay_lsn()), 0) FROM pg_stat_wal_receiver)
    ELSE (SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0) FROM pg_stat_replication) END,
  'seconds', CASE WHEN pg_is_in_recovery()
    THEN (SELECT CASE WHEN latest_end_lsn <= pg_last_wal_replay_lsn() THEN 0
      ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END FROM pg_stat_wal_receiver)
    ELSE (SELECT coalesce(max(extract(epoch FROM replay_lag)), 0) FROM pg_stat_replication) END,
  'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  'limit', current_setting('max_connections')::int);
`;

interface PostgresFigures {
  readonly replica: boolean;
  /** `streaming`, of a replica's receiver; null when it has no connection. */
  readonly receiving: string | null;
  /** Replicas that stream from it. */
  readonly streaming: number;
  readonly bytes: number | null;
  readonly seconds: number | null;
  readonly connections: number;
  readonly limit: number;
}

function postgresProgram({ lag, connections }: ProbeSpec, role: string, host: string): Program {
  const share = connections === undefined ? null : Number.parseInt(connections, 10) / 100;
  return {
    name: `PostgreSQL on ${host}`,
    argv: [
      'runuser',
      '-u',
      'postgres',
      '--',
      'sh',
      '-c',
      'cd / && exec psql -X -A -t -q -v ON_ERROR_STOP=1 -d postgres',
    ],
    input: POSTGRES_SQL,
    judge: (code, output) => {
      if (code !== 0) return bad(output.trim() || `psql ended with exit code ${code}`);
      // psql may warn before it answers.
      const row = output.split('\n').find((line) => line.startsWith('{'));
      if (row === undefined) return bad(output.trim() || 'no answer');
      return judgePostgres(JSON.parse(row) as PostgresFigures, role, share, lag ?? {});
    },
  };
}

/** @param share of max_connections that may be in use, or null */
export function judgePostgres(
  figures: PostgresFigures,
  role: string,
  share: number | null,
  lag: { readonly bytes?: number | undefined; readonly time?: number | undefined },
): Found {
  const { replica, receiving, streaming, bytes, seconds, connections, limit } = figures;
  const is = replica ? 'replica' : 'primary';
  const behind = `${bytes ?? '?'} bytes and ${seconds === null ? '?' : Number(seconds.toFixed(1))} s behind`;
  const link = replica ? `${receiving ?? 'not connected'}, ${behind}` : `${streaming} streaming, ${behind}`;
  const seen = `${is}, ${link}, ${connections} of ${limit} connections`;
  if (role !== 'any' && role !== is) return bad(`${seen}: no ${role}`);
  if (replica && receiving !== 'streaming') return bad(`${seen}: it does not stream`);
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

/** redis-cli reads the login from a file of root's, and a command, from its standard input: nothing secret is an argument. */
function askRedis({ port, passwordFile }: ServerLayout, command: string): Pick<Program, 'argv' | 'input'> {
  const script = `{ cat -- "$1" 2>/dev/null || echo PING; echo; printf '%s\\n' "$3"; } | redis-cli -h 127.0.0.1 -p "$2" 2>&1 | tail -n +2 | tr -d '\\r'`;
  return { argv: ['sh', '-c', script, 'redis', passwordFile, String(port), command], input: '' };
}

function redisProgram({ lag }: ProbeSpec, role: string, host: string): Program {
  return {
    name: `Redis on ${host}`,
    ...askRedis(REDIS, 'INFO replication'),
    judge: (_code, output) => judgeRedis(output, role, lag?.bytes),
  };
}

/**
 * @param info what `INFO replication` says
 * @param most bytes that a replica may be behind
 */
export function judgeRedis(info: string, role: string, most: number | undefined): Found {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim();
  const found = field('role');
  if (found === undefined) return bad(info.trim() || 'no answer');
  const is = found === 'master' ? 'primary' : 'replica';
  if (is === 'primary') {
    const offset = Number(field('master_repl_offset'));
    const replicas = [...info.matchAll(/^slave\d+:.*state=(\w+),offset=(\d+)/gm)];
    const online = replicas.filter(([, state]) => state === 'online');
    const behind = Math.max(0, ...online.map(([, , at]) => offset - Number(at)));
    const seen = `primary, ${online.length} replicas online, ${behind} bytes behind at the most`;
    if (role === 'replica') return bad(`${seen}: no replica`);
    return most !== undefined && (online.length === 0 || behind > most)
      ? bad(`${seen}: more than ${most}`)
      : good(seen);
  }
  const link = field('master_link_status') ?? '?';
  const behind = Number(field('master_repl_offset') ?? 0) - Number(field('slave_repl_offset') ?? 0);
  const seen = `replica, link ${link}, ${Math.max(0, behind)} bytes behind`;
  if (role === 'primary') return bad(`${seen}: no primary`);
  if (link !== 'up') return bad(seen);
  return most !== undefined && behind > most ? bad(`${seen}: more than ${most}`) : good(seen);
}

function sentinelProgram(service: string, host: string): Program {
  return {
    name: `Sentinel on ${host}`,
    ...askRedis(SENTINEL, `SENTINEL CKQUORUM ${service}`),
    judge: (_code, output) => {
      const said = output.trim();
      return said.startsWith('OK ') ? good(said) : bad(said || 'no answer');
    },
  };
}
