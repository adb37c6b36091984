import type { Inventory } from '@perlstack/stack';

/** Runs a shell command on a host as root and gives its trimmed output. */
export type Ask = (host: string, script: string) => Promise<string>;

/** What PostgreSQL itself says of a standby, on both sides of the connection. */
export interface Standby {
  readonly host: string;
  /** `streaming`, from pg_stat_replication. */
  readonly state: string;
  /** `async`, `sync`, `quorum`. */
  readonly sync: string;
  /** Bytes of WAL that it has not replayed yet. */
  readonly lagBytes: number;
  readonly slot: string;
  readonly slotActive: boolean;
  /** `streaming`, from pg_stat_wal_receiver; and from whom. */
  readonly receiver: string;
  readonly sender: string;
}

export interface PostgresProof {
  readonly primary: string;
  readonly version: string;
  readonly standbys: readonly Standby[];
}

export interface RedisProof {
  readonly primary: string;
  readonly version: string;
  readonly replicas: readonly { readonly host: string; readonly link: string; readonly lagBytes: number }[];
  /** By host: what `SENTINEL CKQUORUM` answers. */
  readonly quorum: Readonly<Record<string, string>>;
}

const namesOf = ({ hosts }: Inventory, tier: string): string[] =>
  hosts.filter((host) => host.tier === tier).map(({ name }) => name);

/** A query as the superuser, over the socket; fields are parted by `|`. */
export function sql(ask: Ask, host: string, query: string, database = 'postgres'): Promise<string> {
  const psql = `runuser -u postgres -- psql -X -A -t -q -v ON_ERROR_STOP=1 -d ${database}`;
  return ask(host, `cd / && ${psql} <<'SQL'\n${query}\nSQL`);
}

/** A command to Redis, or to the Sentinel of the host; the password reaches it by standard input. */
export async function redis(
  ask: Ask,
  host: string,
  command: string,
  server: 'redis' | 'sentinel' = 'redis',
): Promise<string> {
  const port = server === 'redis' ? 6_379 : 26_379;
  const words = `{ cat /etc/perlstack/${server}/auth; echo '${command}'; }`;
  const answer = await ask(host, `${words} | redis-cli -h 127.0.0.1 -p ${port} | tail -n +2`);
  return answer.replaceAll('\r', '');
}

/** The database host that takes writes. @throws Error unless it is exactly one. */
export async function databasePrimary(ask: Ask, inventory: Inventory): Promise<string> {
  const hosts = namesOf(inventory, 'database');
  const recovering = await Promise.all(hosts.map((host) => sql(ask, host, 'SELECT pg_is_in_recovery()')));
  return only(
    hosts.filter((_, index) => recovering[index] === 'f'),
    'PostgreSQL primary',
  );
}

/** @throws Error where there is no primary, or more than one. */
export async function provePostgres(ask: Ask, inventory: Inventory): Promise<PostgresProof> {
  const primary = await databasePrimary(ask, inventory);
  const version = await sql(ask, primary, 'SHOW server_version');
  const rows = await sql(ask, primary, SENDERS);
  const standbys = rows
    .split('\n')
    .filter(Boolean)
    .map(async (row): Promise<Standby> => {
      const [address = '', state = '', sync = '', lag = '', slot = '', active = ''] = row.split('|');
      const host = inventory.hosts.find(({ privateAddress }) => privateAddress === address)?.name ?? address;
      const [receiver = '', sender = ''] = (await sql(ask, host, RECEIVER)).split('|');
      const from = inventory.hosts.find(({ privateAddress }) => privateAddress === sender)?.name ?? sender;
      return {
        host,
        state,
        sync,
        lagBytes: Number(lag),
        slot,
        slotActive: active === 't',
        receiver,
        sender: from,
      };
    });
  return { primary, version: version.split(' ')[0] ?? '', standbys: await Promise.all(standbys) };
}

const SENDERS = `
SELECT host(client_addr), state, sync_state, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), slot_name, active
FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid ORDER BY 1;`;
const RECEIVER = 'SELECT status, sender_host FROM pg_stat_wal_receiver;';

/**
 * Writes a row on the primary and reads it on a standby.
 *
 * @returns what the standby has of it; an empty text when it did not come within ten seconds
 */
export async function readOnStandby(ask: Ask, { primary, standbys }: PostgresProof): Promise<string> {
  const [standby] = standbys;
  if (!standby) return '';
  const marker = `row-${Date.now()}`;
  const create = 'CREATE TABLE IF NOT EXISTS perlstack_proof (marker text)';
  await sql(
    ask,
    primary,
    `SET client_min_messages = error; ${create}; INSERT INTO perlstack_proof VALUES ('${marker}');`,
  );
  for (let tries = 0; tries < 20; tries += 1) {
    const wait = `SELECT pg_sleep(${tries === 0 ? 0 : 0.5});`;
    const found = await sql(
      ask,
      standby.host,
      `${wait} SELECT marker FROM perlstack_proof WHERE marker = '${marker}';`,
    );
    if (found.includes(marker)) return marker;
  }
  return '';
}

/** @throws Error where there is no primary, or more than one. */
export async function proveRedis(ask: Ask, inventory: Inventory, service: string): Promise<RedisProof> {
  const hosts = namesOf(inventory, 'cache');
  const infos = new Map<string, string>();
  for (const host of hosts) infos.set(host, await redis(ask, host, 'INFO'));
  const field = (host: string, name: string): string =>
    new RegExp(`^${name}:(.*)$`, 'm').exec(infos.get(host) ?? '')?.[1] ?? '';
  const primary = only(
    hosts.filter((host) => field(host, 'role') === 'master'),
    'Redis primary',
  );
  const written = Number(field(primary, 'master_repl_offset'));
  const replicas = hosts
    .filter((host) => host !== primary)
    .map((host) => ({
      host,
      link: field(host, 'master_link_status'),
      lagBytes: Math.max(0, written - Number(field(host, 'slave_repl_offset'))),
    }));
  const quorum: Record<string, string> = {};
  for (const host of hosts) quorum[host] = await redis(ask, host, `SENTINEL CKQUORUM ${service}`, 'sentinel');
  return { primary, version: field(primary, 'redis_version'), replicas, quorum };
}

/** Every execution of every order, as the database has it: an order that was carried out twice stands there twice. */
export async function executedOrders(ask: Ask, host: string): Promise<string[]> {
  return (await sql(ask, host, 'SELECT order_id FROM executions;', 'shop')).split('\n').filter(Boolean);
}

function only(hosts: readonly string[], what: string): string {
  const [host] = hosts;
  if (host === undefined || hosts.length > 1) throw new Error(`${what}: ${hosts.join(' and ') || 'none'}`);
  return host;
}
