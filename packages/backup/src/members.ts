import { ARCHIVE } from '@perlstack/configs';
import { parseLsn, psql } from '@perlstack/postgres';
import { ConnectError, type Remote, RemoteError } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import type { Cluster } from './cluster.js';

/** What a member that answers says of itself. */
export interface MemberSeen {
  readonly host: string;
  readonly inRecovery: boolean;
  readonly systemId: string;
  readonly version: string;
  readonly timeline: number;
  /** A primary's end of the log, or how far a replica has replayed. */
  readonly lsn: string;
  /** Whether a replica gets what its primary writes. */
  readonly streaming: boolean;
  readonly segmentBytes: number;
  readonly databaseBytes: number;
  readonly archiveMode: string;
  readonly archiveCommand: string;
  /** Which of the two are set by ALTER SYSTEM, which goes over what the stack's own files say. */
  readonly archiveAltered: readonly string[];
  readonly archived: {
    readonly last: string | null;
    readonly at: string | null;
    readonly failed: string | null;
  };
  /** Segments that wait to be archived. */
  readonly waiting: number;
  /** Segments that were let go because too many waited. */
  readonly dropped: readonly string[];
  /** Its book of tickets, if it has one for these data: until when they are good, and the last segment that one is for. */
  readonly book: { readonly until: string; readonly last: string } | null;
  /** Of the file system with the data. */
  readonly diskBytes: number;
  readonly processors: number;
}

export interface MemberSilent {
  readonly host: string;
  readonly fault: string;
}

const SQL = `SELECT json_build_object(
  'inRecovery', pg_is_in_recovery(),
  'systemId', (SELECT system_identifier::text FROM pg_control_system()),
  'version', current_setting('server_version'),
  'timeline', CASE WHEN pg_is_in_recovery()
    THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
  'lsn', CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END::text,
  'streaming', EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'),
  'segmentBytes', (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),
  'databaseBytes', (SELECT sum(pg_database_size(oid)) FROM pg_database),
  'archiveMode', current_setting('archive_mode'),
  'archiveCommand', current_setting('archive_command'),
  'archiveAltered', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM pg_settings
    WHERE name IN ('archive_command', 'archive_mode') AND sourcefile LIKE '%/postgresql.auto.conf'),
  'archived', (SELECT json_build_object('last', last_archived_wal, 'at', last_archived_time, 'failed', last_failed_wal)
    FROM pg_stat_archiver),
  'waiting', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'));
`.replaceAll(/\n\s*/g, ' ');

/** Arguments: data directory, file of what was let go, book, argv of psql. Input: the SQL. */
const LOOK_SCRIPT = `
set -eu
data=$1 dropped=$2 book=$3
shift 3
"$@"
echo "$(df -B1 --output=size -- "$data" | tail -n 1) $(nproc)"
if [ -e "$book" ]; then
  echo "$(sed -n -e 's/^until //p' -e '/^$/q' "$book") $(tail -n 1 -- "$book" | cut -c 1-24) $(sed -n -e 's/^system //p' -e '/^$/q' "$book")"
else
  echo none
fi
[ ! -e "$dropped" ] || cat -- "$dropped"
`;

/** Asks every member at once. One that does not answer is told apart, never taken for one that has nothing. */
export async function readMembers(
  remote: Remote,
  cluster: Cluster,
  signal?: AbortSignal,
): Promise<(MemberSeen | MemberSilent)[]> {
  return Promise.all(cluster.members.map((host) => readMember(remote, cluster, host, signal)));
}

/** By SQL; the rest is known by the host. */
type Told = Omit<MemberSeen, 'host' | 'diskBytes' | 'processors' | 'dropped' | 'book'>;

async function readMember(
  remote: Remote,
  cluster: Cluster,
  host: string,
  signal?: AbortSignal,
): Promise<MemberSeen | MemberSilent> {
  const args = [cluster.layout.data, `${ARCHIVE.folder}/dropped`, ARCHIVE.book, ...psql(cluster)];
  try {
    const { stdout } = await remote.script(host, LOOK_SCRIPT, args, {
      ...{ sudo: true, input: SQL, timeoutMs: 60_000, name: 'psql' },
      ...(signal ? { signal } : {}),
    });
    const [json = '', machine = '', tickets = '', ...dropped] = stdout.trim().split('\n');
    const [until = '', last = '', system = ''] = tickets.split(' ');
    const [diskBytes = NaN, processors = 1] = machine.trim().split(/\s+/).map(Number);
    const seen = JSON.parse(json) as Told;
    // Of what the host was before a restore, or before its data were made anew.
    const isOther = system !== '' && system !== seen.systemId;
    const book = last === '' || isOther ? null : { until, last };
    return { ...seen, host, dropped, book, diskBytes, processors };
  } catch (error) {
    if (!(error instanceof RemoteError || error instanceof ConnectError)) throw error;
    return { host, fault: messageOf(error) };
  }
}

export interface Source {
  readonly primary: MemberSeen;
  /** Whose data is copied. */
  readonly source: MemberSeen;
  readonly lagBytes: number;
  /** Why it is this one. */
  readonly why: string;
}

/** @throws UserError when there is no primary, or more than one */
export function onlyPrimary(members: readonly (MemberSeen | MemberSilent)[]): MemberSeen {
  const seen = members.filter((member): member is MemberSeen => !('fault' in member));
  const silent = members.filter((member): member is MemberSilent => 'fault' in member);
  const primaries = seen.filter(({ inRecovery }) => !inRecovery);
  const [primary] = primaries;
  if (!primary) {
    const faults = silent.map(({ host, fault }) => `${host}: ${fault}`).join('; ');
    throw new UserError(
      `No primary answers${faults ? ` (${faults})` : ''}; start one, or see "Who is primary" in the documentation`,
    );
  }
  if (primaries.length > 1) {
    const names = primaries.map(({ host }) => host).join(' and ');
    throw new UserError(`${names} both take writes; end one of them before anything is backed up`);
  }
  return primary;
}

/** A replica further behind than this is no good copy of the primary. */
const MOST_LAG_BYTES = 256 * 1024 * 1024;

/**
 * Whom to take a backup from: a replica that streams and is not far behind, because it has no users to disturb; else the
 * primary.
 *
 * @param wanted a host's name, `primary`, or `auto`
 * @throws UserError when there is no primary, or more than one, or the wanted one will not do
 */
export function chooseSource(members: readonly (MemberSeen | MemberSilent)[], wanted: string): Source {
  const primary = onlyPrimary(members);
  const seen = members.filter((member): member is MemberSeen => !('fault' in member));
  const lagOf = ({ lsn }: MemberSeen): number => Math.max(0, Number(parseLsn(primary.lsn) - parseLsn(lsn)));
  const good = (member: MemberSeen): boolean =>
    member.inRecovery &&
    member.streaming &&
    member.systemId === primary.systemId &&
    lagOf(member) <= MOST_LAG_BYTES;
  if (wanted === 'primary' || wanted === primary.host)
    return { primary, source: primary, lagBytes: 0, why: 'asked for' };
  if (wanted !== 'auto') {
    const source = seen.find(({ host }) => host === wanted);
    if (!source || !good(source))
      throw new UserError(
        `Input "source": ${wanted} is not a replica that streams and is less than 256 MiB behind; leave it out to take the best one`,
      );
    return { primary, source, lagBytes: lagOf(source), why: 'asked for' };
  }
  const [best] = seen.filter(good).sort((one, other) => lagOf(one) - lagOf(other));
  return best
    ? { primary, source: best, lagBytes: lagOf(best), why: 'a replica, which has no users to disturb' }
    : { primary, source: primary, lagBytes: 0, why: 'no replica is near enough to the primary' };
}

/**
 * What ALTER SYSTEM set is somebody's will, or left by a restore whose host went down in its last second; converging does not
 * touch it.
 *
 * @param program what the stack's engine hands the log over with
 * @throws UserError when PostgreSQL does not hand its log to it
 */
export function assertArchives(
  { host, archiveMode, archiveCommand, archiveAltered }: MemberSeen,
  program: string = ARCHIVE.program,
): void {
  if (archiveMode !== 'off' && archiveCommand.includes(program)) return;
  const found = archiveMode === 'off' ? 'archive_mode is off' : 'archive_command is not that of this stack';
  const cure =
    archiveAltered.length > 0
      ? `ALTER SYSTEM set ${archiveAltered.join(' and ')} there, over what the stack has: ALTER SYSTEM RESET it, and reload or restart`
      : 'run apply-configs with allow-restart: true (it takes one restart)';
  throw new UserError(
    `${host}: ${found}, so there is no recovery to a point in time; ${cure}, then this again`,
  );
}
