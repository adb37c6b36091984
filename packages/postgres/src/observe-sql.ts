import type { PostgresSpec } from '@perlstack/configs';
import { LIMITS } from './seen.js';
import { literal } from './sql.js';

const LIMIT_LIST = LIMITS.map(literal).join(', ');

/** Timeline and position, which a primary and a replica keep in different places. */
const PLACE = `
  'timeline', CASE WHEN pg_is_in_recovery()
    THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
      (SELECT nullif(min_recovery_end_timeline, 0) FROM pg_control_recovery()),
      (SELECT timeline_id FROM pg_control_checkpoint()))
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
  'lsn', CASE WHEN pg_is_in_recovery()
    THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    ELSE pg_current_wal_lsn() END::text,
  'atEnd', EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup'
    AND wait_event IN ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')),
  'segmentBytes', (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),
  'oldestWal', (SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'),
  'history', CASE WHEN pg_is_in_recovery() THEN '[]'::json ELSE (
    SELECT coalesce(json_agg(json_build_object('timeline', words[1]::int, 'lsn', words[2])), '[]')
      FROM regexp_matches(
        coalesce(pg_read_file('pg_wal/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '.history', 0, 1048576, true), ''),
        '^([0-9]+)\\s+([0-9A-F]+/[0-9A-F]+)', 'gn') AS words) END`;

const REPLICATION = `
  'receiver', (SELECT json_build_object('status', status, 'sender', sender_host, 'slot', slot_name)
    FROM pg_stat_wal_receiver WHERE pid IS NOT NULL),
  'follows', CASE WHEN pg_is_in_recovery()
    THEN substring(current_setting('primary_conninfo') FROM 'host=(\\S+)') END,
  'replicas', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'address', host(client_addr),
      'state', state, 'syncState', sync_state, 'lagBytes', CASE WHEN NOT pg_is_in_recovery()
        THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END,
      'lagSeconds', extract(epoch FROM replay_lag)) ORDER BY application_name), '[]') FROM pg_stat_replication),
  'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'active', active, 'walStatus', wal_status, 'restartLsn', restart_lsn::text)
      ORDER BY slot_name), '[]') FROM pg_replication_slots WHERE slot_type = 'physical')`;

const SETTINGS = `
  'pendingRestart', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM pg_settings WHERE pending_restart),
  'limits', (SELECT json_object_agg(name, setting::int) FROM pg_settings WHERE name IN (${LIMIT_LIST})),
  'declaredLimits', (SELECT coalesce(json_object_agg(name, setting::int), '{}') FROM (
    SELECT DISTINCT ON (name) name, setting FROM pg_file_settings
      WHERE name IN (${LIMIT_LIST}) AND setting ~ '^[0-9]+$' ORDER BY name, seqno DESC) AS declared),
  'checksums', current_setting('data_checksums') = 'on'`;

/**
 * What a server says of itself, as one line of JSON. The verifiers are compared there, so that they need not be
 * fetched.
 */
export function observeSql({ roles }: PostgresSpec): string {
  const wanted = roles.map(
    ({ name, verifier, attributes }) =>
      `(${literal(name)}, ${literal(verifier)}, ${attributes.includes('LOGIN')}, ${attributes.includes('REPLICATION')})`,
  );
  return `SELECT json_build_object(
  'inRecovery', pg_is_in_recovery(),
  'startedAt', pg_postmaster_start_time()::text,
  'systemIdentifier', (SELECT system_identifier::text FROM pg_control_system()),${PLACE},${REPLICATION},
  'roles', (SELECT coalesce(json_object_agg(name, CASE
      WHEN rolname IS NULL THEN 'missing'
      WHEN (rolpassword, rolcanlogin, rolreplication, rolsuper) IS DISTINCT FROM (verifier, login, replication, false)
        THEN 'differs'
      ELSE 'current' END), '{}')
    FROM (VALUES ${wanted.join(', ')}) AS wanted (name, verifier, login, replication)
    LEFT JOIN pg_authid ON rolname = name),
  'databases', (SELECT json_agg(datname ORDER BY datname) FROM pg_database),${SETTINGS});
`.replaceAll(/\n\s*/g, ' ');
}
