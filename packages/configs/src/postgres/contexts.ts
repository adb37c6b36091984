/** The settings that are read at the start of the server only, of PostgreSQL 15 to 17 and of the extensions loaded here. */
const AT_START: ReadonlySet<string> = new Set([
  'archive_mode',
  'autovacuum_freeze_max_age',
  'autovacuum_max_workers',
  'autovacuum_multixact_freeze_max_age',
  'bonjour',
  'bonjour_name',
  'cluster_name',
  'commit_timestamp_buffers',
  'config_file',
  'data_directory',
  'data_sync_retry',
  'debug_io_direct',
  'dynamic_shared_memory_type',
  'event_source',
  'external_pid_file',
  'hba_file',
  'hot_standby',
  'huge_page_size',
  'huge_pages',
  'ident_file',
  'ignore_invalid_pages',
  'jit_provider',
  'listen_addresses',
  'logging_collector',
  'max_connections',
  'max_files_per_process',
  'max_locks_per_transaction',
  'max_logical_replication_workers',
  'max_notify_queue_pages',
  'max_pred_locks_per_transaction',
  'max_prepared_transactions',
  'max_replication_slots',
  'max_wal_senders',
  'max_worker_processes',
  'min_dynamic_shared_memory',
  'multixact_member_buffers',
  'multixact_offset_buffers',
  'notify_buffers',
  'old_snapshot_threshold',
  'pg_stat_statements.max',
  'port',
  'recovery_target',
  'recovery_target_action',
  'recovery_target_inclusive',
  'recovery_target_lsn',
  'recovery_target_name',
  'recovery_target_time',
  'recovery_target_timeline',
  'recovery_target_xid',
  'reserved_connections',
  'serializable_buffers',
  'shared_buffers',
  'shared_memory_type',
  'shared_preload_libraries',
  'subtransaction_buffers',
  'superuser_reserved_connections',
  'trace_connection_negotiation',
  'track_activity_query_size',
  'track_commit_timestamp',
  'transaction_buffers',
  'unix_socket_directories',
  'unix_socket_group',
  'unix_socket_permissions',
  'wal_buffers',
  'wal_decode_buffer_size',
  'wal_level',
  'wal_log_hints',
]);

/** Extensions whose settings are all listed above where they take a restart. */
const KNOWN_EXTENSIONS = ['pg_stat_statements'];

/**
 * Whether a changed setting is in force only after a restart. Nothing is known of other extensions' settings: they are
 * taken for such, because asking once too often is the lesser fault.
 */
export function takesRestart(name: string): boolean {
  const [extension, ...rest] = name.split('.');
  if (rest.length > 0 && !KNOWN_EXTENSIONS.includes(extension ?? '')) return true;
  return AT_START.has(name);
}

/** For the test that compares the list with a server's own. */
export const restartSettings = (): readonly string[] => [...AT_START];
