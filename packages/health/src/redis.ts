import { REDIS, SENTINEL, type ServerLayout } from '@perlstack/configs';
import { bad, type Found, good, type Program } from './program.js';
import type { ProbeSpec } from './spec.js';

/** Before every line of what a replica's primary says. */
const PRIMARY = 'primary ';

/**
 * redis-cli reads the login from a file of root's, and a command, from its standard input: nothing secret is an argument. A
 * replica's primary is asked from the replica's host, by the way that the replica itself takes, and the replica after it: what
 * was written in between counts for nothing.
 */
const SCRIPT = `
file=$1 port=$2 command=$3
ask() {
  { cat -- "$file" 2>/dev/null || echo PING; echo; printf '%s\\n' "$command"; } |
    timeout "$3" redis-cli -h "$1" -p "$2" 2>&1 | tail -n +2 | tr -d '\\r'
}
own=$(ask 127.0.0.1 "$port" 60)
value() { printf '%s\\n' "$own" | sed -n "s/^$1://p"; }
case $(value role) in
  slave)
    ask "$(value master_host)" "$(value master_port)" 2 | sed 's/^/${PRIMARY}/'
    ask 127.0.0.1 "$port" 60
    ;;
  *) printf '%s\\n' "$own" ;;
esac
`;

const askRedis = (
  { port, passwordFile }: ServerLayout,
  command: string,
): Pick<Program, 'argv' | 'input'> => ({
  argv: ['sh', '-c', SCRIPT, 'redis', passwordFile, String(port), command],
  input: '',
});

export function redisProgram({ lag }: ProbeSpec, role: string, host: string): Program {
  return {
    name: `Redis on ${host}`,
    ...askRedis(REDIS, 'INFO replication'),
    judge: (_code, output) => judgeRedis(output, role, lag?.bytes),
  };
}

/**
 * @param info what `INFO replication` says, that of a replica's primary with `primary ` before every line
 * @param most bytes that a replica may be behind
 */
export function judgeRedis(info: string, role: string, most: number | undefined): Found {
  const found = fieldIn(info, 'role');
  if (found === undefined) return bad(info.trim() || 'no answer');
  return found === 'master' ? judgePrimary(info, role, most) : judgeReplica(info, role, most);
}

const fieldIn = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim();

function judgePrimary(info: string, role: string, most: number | undefined): Found {
  const offset = Number(fieldIn(info, 'master_repl_offset'));
  const replicas = [...info.matchAll(/^slave\d+:.*state=(\w+),offset=(\d+)/gm)];
  const online = replicas.filter(([, state]) => state === 'online');
  const behind = Math.max(0, ...online.map(([, , at]) => offset - Number(at)));
  const seen = `primary, ${online.length} replicas online, ${behind} bytes behind at the most`;
  if (role === 'replica') return bad(`${seen}: no replica`);
  return most !== undefined && (online.length === 0 || behind > most)
    ? bad(`${seen}: more than ${most}`)
    : good(seen);
}

/** A primary speaks to its replicas every 10 s; a link that is silent for so many is none, whatever it says of itself. */
const SILENCE_SECONDS = 30;

function judgeReplica(info: string, role: string, most: number | undefined): Found {
  const link = fieldIn(info, 'master_link_status') ?? '?';
  const silence = Number(fieldIn(info, 'master_last_io_seconds_ago') ?? 0);
  const written = fieldIn(info, `${PRIMARY}master_repl_offset`);
  const applied = Number(fieldIn(info, 'slave_repl_offset') ?? 0);
  const behind = written === undefined ? undefined : Math.max(0, Number(written) - applied);
  const seen = `replica, link ${link}, ${behind ?? '?'} bytes behind`;
  if (role === 'primary') return bad(`${seen}: no primary`);
  if (link !== 'up') return bad(seen);
  if (silence > SILENCE_SECONDS)
    return bad(`${seen}: it has heard nothing from its primary for ${silence} s`);
  if (behind === undefined) return bad(`${seen}: its primary cannot be asked: ${refusalIn(info)}`);
  return most !== undefined && behind > most ? bad(`${seen}: more than ${most}`) : good(seen);
}

function refusalIn(info: string): string {
  const [first = ''] = info.split('\n').filter((line) => line.startsWith(PRIMARY));
  return first.slice(PRIMARY.length).trim() || 'it does not answer';
}

export function sentinelProgram(service: string, host: string): Program {
  return {
    name: `Sentinel on ${host}`,
    ...askRedis(SENTINEL, `SENTINEL CKQUORUM ${service}`),
    judge: (_code, output) => {
      const said = output.trim();
      return said.startsWith('OK ') ? good(said) : bad(said || 'no answer');
    },
  };
}
