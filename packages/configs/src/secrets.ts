import type { Stack } from '@perlstack/stack';

/** Password of the role with which the application uses PostgreSQL. */
export const DATABASE_PASSWORD = 'DATABASE_PASSWORD';
/** Password with which PostgreSQL's replicas follow their primary. */
export const REPLICATION_PASSWORD = 'REPLICATION_PASSWORD';
/** Password of Redis and its Sentinels. */
export const REDIS_PASSWORD = 'REDIS_PASSWORD';

/** The key of the bucket, where pgBackRest is the engine of the backups: the database hosts have it. */
export const BACKUP_ACCESS_KEY_ID = 'BACKUP_ACCESS_KEY_ID';
export const BACKUP_SECRET_ACCESS_KEY = 'BACKUP_SECRET_ACCESS_KEY';
/** What pgBackRest encrypts with. Without it no backup can be restored. */
export const BACKUP_CIPHER_PASSPHRASE = 'BACKUP_CIPHER_PASSPHRASE';

export interface RequiredSecret {
  readonly name: string;
  /** The part of the stack file that asks for it, as the beginning of a sentence that its name continues. */
  readonly why: string;
}

/** The secrets without which a stack can't be rendered, sorted by name. */
export function requiredSecrets({ app, tiers, backups }: Stack): RequiredSecret[] {
  const own = [
    ...(tiers.database ? [DATABASE_PASSWORD, REPLICATION_PASSWORD] : []).map((name) => ({
      name,
      why: 'tiers.database needs',
    })),
    ...(tiers.database ? secretsOfBackups(backups) : []).map((name) => ({ name, why: 'backups needs' })),
    ...(tiers.cache ? [{ name: REDIS_PASSWORD, why: 'tiers.cache needs' }] : []),
  ];
  const named = app.secrets.map((name) => ({ name, why: 'app.secrets names' }));
  return [...own, ...named.filter(({ name }) => !own.some((other) => other.name === name))].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
}

function secretsOfBackups(backups: Stack['backups']): string[] {
  if (backups?.engine !== 'pgbackrest') return [];
  const key = [BACKUP_ACCESS_KEY_ID, BACKUP_SECRET_ACCESS_KEY];
  return backups.encrypt ? [...key, BACKUP_CIPHER_PASSPHRASE] : key;
}
