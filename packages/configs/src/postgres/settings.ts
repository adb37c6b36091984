import type { PostgresLine } from '../print/postgresql.js';
import { RESERVED_CONNECTIONS } from './connections.js';
import { megabytes } from './memory.js';
import type { Sizes } from './sizing.js';

const clamp = (value: number, lowest: number, highest: number): number =>
  Math.min(highest, Math.max(lowest, value));

/**
 * Memory, by the rules of PGTune for a web application (https://github.com/le0pard/pgtune): a quarter of the memory for
 * PostgreSQL's own cache, three quarters taken for granted as cache of both; for each sort a third of what the rest is
 * per process, since a query may sort several times, and not less than PostgreSQL's own 4 MB; a sixteenth for
 * maintenance, of which three autovacuum workers may run.
 */
function memorySettings({ memoryMiB, connections, workers }: Sizes): PostgresLine[] {
  const cache = memoryMiB / 4;
  const sort = (memoryMiB - cache) / ((connections + workers) * 3);
  return [
    ['Memory', null],
    ['shared_buffers', megabytes(cache)],
    ['effective_cache_size', megabytes((memoryMiB * 3) / 4)],
    ['work_mem', megabytes(Math.max(4, sort))],
    ['maintenance_work_mem', megabytes(clamp(memoryMiB / 16, 64, 2_048))],
  ];
}

/** Linodes have solid state disks, where a random page costs little more than the next one. */
function plannerSettings(): PostgresLine[] {
  return [
    ['Planner, for solid state disks and short queries', null],
    ['random_page_cost', 1.1],
    ['effective_io_concurrency', 200],
    ['jit', false],
  ];
}

/** As on a standby, the least that a server that follows or leads can do with. */
function connectionSettings({ connections }: Sizes): PostgresLine[] {
  return [
    ['Connections', null],
    ['max_connections', connections],
    ['superuser_reserved_connections', RESERVED_CONNECTIONS],
    ['password_encryption', 'scram-sha-256'],
    // Between hosts of one private network; a host that is gone is noticed within two minutes.
    ['ssl', false],
    ['tcp_keepalives_idle', 60],
    ['tcp_keepalives_interval', 10],
    ['tcp_keepalives_count', 6],
    ['idle_in_transaction_session_timeout', '5min'],
  ];
}

function processSettings({ workers, vcpus }: Sizes): PostgresLine[] {
  const parallel = Math.max(1, Math.floor(vcpus / 2));
  return [
    ['Processes', null],
    ['max_worker_processes', workers],
    ['max_parallel_workers', Math.min(workers, Math.max(2, vcpus))],
    ['max_parallel_workers_per_gather', Math.min(4, parallel)],
    ['max_parallel_maintenance_workers', Math.min(4, parallel)],
    ['max_prepared_transactions', 0],
    ['max_locks_per_transaction', 64],
  ];
}

const GIB = 1_024;
/** Where nobody said how large the disk is. */
export const UNKNOWN_DISK_MIB = 16 * GIB;

/**
 * The write-ahead log: PGTune's 1 to 4 GiB between checkpoints, less on a small disk. A replica that is away holds no
 * more than a quarter of the disk; without a slot, what a short absence or pg_rewind needs stays (pg_rewind failed
 * where nothing was kept).
 */
function walSettings({ diskMiB }: Sizes): PostgresLine[] {
  const disk = diskMiB ?? UNKNOWN_DISK_MIB;
  const largest = clamp(disk / 10, 256, 4 * GIB);
  return [
    ['Write-ahead log and replication', null],
    ['wal_level', 'replica'],
    ['wal_log_hints', true],
    ['wal_compression', 'lz4'],
    ['checkpoint_timeout', '15min'],
    ['min_wal_size', megabytes(Math.min(GIB, largest / 4))],
    ['max_wal_size', megabytes(largest)],
    ['wal_keep_size', megabytes(clamp(disk / 16, 128, GIB))],
    ['max_slot_wal_keep_size', megabytes(disk / 4)],
    ['max_wal_senders', 10],
    ['max_replication_slots', 10],
    ['hot_standby', true],
    ['hot_standby_feedback', true],
    ['wal_sender_timeout', '30s'],
    ['wal_receiver_timeout', '30s'],
  ];
}

/** A week of logs, a file a day; what is slow, waits, or spills to the disk is in them. */
function logSettings(version: number): PostgresLine[] {
  return [
    ['Logging and statistics', null],
    ['logging_collector', true],
    ['log_destination', 'stderr'],
    ['log_directory', '/var/log/postgresql'],
    ['log_filename', `postgresql-${version}-main-%a.log`],
    ['log_file_mode', '0640'],
    ['log_rotation_age', '1d'],
    ['log_rotation_size', 0],
    ['log_truncate_on_rotation', true],
    ['log_line_prefix', '%m [%p] %q%u@%d %a %h '],
    ['log_timezone', 'Etc/UTC'],
    ['log_checkpoints', true],
    ['log_lock_waits', true],
    ['log_temp_files', '10MB'],
    ['log_autovacuum_min_duration', '10s'],
    ['log_min_duration_statement', '1s'],
    ['shared_preload_libraries', 'pg_stat_statements'],
    ['pg_stat_statements.max', 5_000],
    ['pg_stat_statements.track', 'top'],
    ['track_io_timing', true],
  ];
}

/** What initdb would have written: otherwise they follow the environment in which the server happens to start. */
function localeSettings(): PostgresLine[] {
  return [
    ['Locale', null],
    ['timezone', 'Etc/UTC'],
    ['lc_messages', 'C'],
    ['default_text_search_config', 'pg_catalog.english'],
  ];
}

/** Every computed setting of a server, with a comment line before each group. */
export function computedSettings(version: number, sizes: Sizes): PostgresLine[] {
  return [
    ...connectionSettings(sizes),
    ...memorySettings(sizes),
    ...plannerSettings(),
    ...processSettings(sizes),
    ...walSettings(sizes),
    ...logSettings(version),
    ...localeSettings(),
  ];
}
