import type { PostgresSpec } from '@perlstack/configs';
import { identifier, literal, slotOf } from './sql.js';

/** Words that psql runs only where a query finds nothing. */
const unless = (exists: string, statement: string): string =>
  `SELECT ${literal(statement)} WHERE NOT EXISTS (${exists}) \\gexec\n`;

function roleSql({ name, attributes, memberOf, verifier }: PostgresSpec['roles'][number]): string {
  const rights = (['LOGIN', 'REPLICATION'] as const).map((right) =>
    attributes.includes(right) ? right : `NO${right}`,
  );
  return [
    unless(`SELECT FROM pg_roles WHERE rolname = ${literal(name)}`, `CREATE ROLE ${identifier(name)}`),
    `ALTER ROLE ${identifier(name)} NOSUPERUSER ${rights.join(' ')} PASSWORD ${literal(verifier)};\n`,
    ...memberOf.map((group) => `GRANT ${identifier(group)} TO ${identifier(name)};\n`),
  ].join('');
}

function databaseSql({ name, owner }: PostgresSpec['databases'][number]): string {
  return unless(
    `SELECT FROM pg_database WHERE datname = ${literal(name)}`,
    `CREATE DATABASE ${identifier(name)} OWNER ${identifier(owner)}`,
  );
}

function extensionSql({ name, extensions }: PostgresSpec['databases'][number]): string {
  if (extensions.length === 0) return '';
  const statements = extensions.map(
    (extension) => `CREATE EXTENSION IF NOT EXISTS ${identifier(extension)};\n`,
  );
  return `\\connect ${identifier(name)}\n${statements.join('')}`;
}

/** SQL that makes a member's slot on its primary, from which on WAL is kept for it, where there is none. */
export function slotSql(host: string): string {
  const slot = literal(slotOf(host));
  return (
    `SELECT FROM pg_create_physical_replication_slot(${slot}, true) ` +
    `WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = ${slot});\n`
  );
}

/** SQL that removes a member's slot when its WAL is lost: such a slot is of no use any more. */
export function dropLostSlotSql(host: string): string {
  return (
    `SELECT FROM (SELECT slot_name FROM pg_replication_slots WHERE slot_name = ${literal(slotOf(host))} ` +
    `AND wal_status = 'lost') AS lost, pg_drop_replication_slot(lost.slot_name);\n`
  );
}

/**
 * Input for psql on the primary that makes what the cluster is to have; what is there stays. It holds verifiers, and no
 * password.
 */
export function makeSql({ roles, databases, members }: PostgresSpec, primary: string): string {
  return [
    ...roles.map(roleSql),
    ...databases.map(databaseSql),
    ...members.filter(({ host }) => host !== primary).map(({ host }) => slotSql(host)),
    ...databases.map(extensionSql),
  ].join('');
}
