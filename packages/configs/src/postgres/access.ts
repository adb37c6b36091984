import { POSTGRESQL_PORT } from '../layout.js';
import { databaseOf, REPLICATION_ROLE } from './names.js';
import { privateAddressOf } from '../addresses.js';
import { type HbaRule, printPassword } from '../print/pghba.js';
import { REPLICATION_PASSWORD } from '../secrets.js';
import type { World } from '../world.js';

const single = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

/**
 * Who is let in: the administrator on the host itself, the application from the app hosts into its own database, and
 * the members for replication. Nobody else, from nowhere else.
 */
export function accessRules({ stack, role }: World): HbaRule[] {
  const app = databaseOf(stack.app.name);
  const method = 'scram-sha-256';
  return [
    { database: { keyword: 'all' }, user: 'postgres', method: 'peer' },
    // What copies the data for a backup is the administrator, on the host itself.
    ...(stack.backups
      ? [{ database: { keyword: 'replication' }, user: 'postgres', method: 'peer' } as const]
      : []),
    ...role('app').map((host) => ({
      ...({ database: app, user: app, network: single(privateAddressOf(host)), method } as const),
    })),
    ...role('database').map((host) => ({
      ...({ database: { keyword: 'replication' }, user: REPLICATION_ROLE, method } as const),
      network: single(privateAddressOf(host)),
    })),
  ];
}

/** The password file with which a member follows any other. */
export function replicationPasswords({ role, secrets }: World): string {
  const password = secrets[REPLICATION_PASSWORD] ?? '';
  return role('database')
    .map((host) => printPassword(password, privateAddressOf(host), POSTGRESQL_PORT, REPLICATION_ROLE))
    .join('');
}
