import { UserError } from '@perlstack/stack';
import type { PostgresLine, PostgresValue } from '../print/postgresql.js';
import { mebibytes } from './memory.js';

/** Settings that the stack file may not name, and where to say what they are about instead. */
const RESERVED: Readonly<Record<string, string>> = {
  max_connections: 'use tiers.database.connections',
  synchronous_standby_names: 'use tiers.database.durability',
  synchronous_commit: 'use tiers.database.durability, or set it for a role or a transaction',
  listen_addresses: 'the server answers on its private address',
  port: 'firewalls and the application know it as 5432',
  cluster_name: 'replicas are known by it',
  password_encryption: 'roles are made with SCRAM-SHA-256',
  hot_standby: 'replicas are asked how they are',
  fsync: 'without it a power loss destroys the data',
  full_page_writes: 'without it a power loss destroys the data',
  ...Object.fromEntries(
    [
      'data_directory',
      'config_file',
      'hba_file',
      'ident_file',
      'external_pid_file',
      'unix_socket_directories',
    ].map((name) => [name, "Debian's own units know where it is"]),
  ),
  ...Object.fromEntries(
    ['primary_conninfo', 'primary_slot_name', 'promote_trigger_file'].map((name) => [
      name,
      'it changes at a failover, and belongs to the server',
    ]),
  ),
};

/**
 * The computed settings with those of the stack file in their places; others follow in a group of their own.
 *
 * @throws UserError for a setting that is not the user's to choose.
 */
export function overridden(
  computed: readonly PostgresLine[],
  settings: Readonly<Record<string, PostgresValue>>,
): PostgresLine[] {
  const reserved = Object.keys(settings).find((name) => Object.hasOwn(RESERVED, name));
  if (reserved !== undefined) {
    throw new UserError(
      `tiers.database.settings: ${reserved} can't be set there: ${RESERVED[reserved] ?? ''}; remove it`,
    );
  }
  const known = new Set(computed.map(([name]) => name));
  const further = Object.entries(settings).filter(([name]) => !known.has(name));
  const replaced = computed.map(([name, value]): PostgresLine => [
    name,
    value !== null && Object.hasOwn(settings, name) ? (settings[name] ?? value) : value,
  ]);
  return [...replaced, ...(further.length > 0 ? [['From the stack file', null] as const] : []), ...further];
}

/** Bytes of the units of the settings below, where a value has none. */
const PAGE = 8_192;
const KIB = 1_024;

/**
 * That a host has the memory for what is declared: PostgreSQL's own cache, one maintenance, and one sort in every
 * connection. What falls short of that can only swap or be killed.
 *
 * @throws UserError naming the figures.
 */
export function assertFits(host: string, memoryMiB: number | null, lines: readonly PostgresLine[]): void {
  if (memoryMiB === null) return;
  const values = new Map(lines);
  const size = (name: string, unit: number): number => mebibytes(values.get(name) ?? 0, unit) ?? 0;
  const parts = {
    shared_buffers: size('shared_buffers', PAGE),
    maintenance_work_mem: size('maintenance_work_mem', KIB),
    work_mem: size('work_mem', KIB),
  };
  const connections = Number(values.get('max_connections') ?? 0);
  const needed = parts.shared_buffers + parts.maintenance_work_mem + connections * parts.work_mem;
  if (needed <= memoryMiB) return;
  const figures = Object.entries(parts).map(([name, mib]) => `${name} ${inWords(mib)}`);
  throw new UserError(
    `tiers.database: ${host} has ${inWords(memoryMiB)} of memory for PostgreSQL, but the settings declare ` +
      `${inWords(needed)}: ${figures.join(', ')} in each of ${connections} connections; lower these in ` +
      'tiers.database.settings or tiers.database.connections, or choose a larger tiers.database.type',
  );
}

const inWords = (mib: number): string => `${Math.round(mib).toLocaleString('en')} MiB`;
